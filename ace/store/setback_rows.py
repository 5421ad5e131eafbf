"""Where learning from a piece of feedback failed: steps of phase "setback" in the journals of runs.

Functions over a connection that is inside a transaction. A step says under `setback` what failed, and under
`set_aside` that a piece was given up, which counts as learned from.
"""

from __future__ import annotations

import json

from ace.runs.records import Reason
from ace.runs.setbacks import Setback
from ace.runs.steps import PhaseKind
from ace.store.store_database import Sql

# Few runs end so: their journals are gone over, and no others.
_SETBACKS = """SELECT run, number, payload FROM steps WHERE phase = ? AND run IN
    (SELECT id FROM runs WHERE task = ? AND (id >= ? OR status NOT IN ('done', 'capped')))
    ORDER BY run, number"""
_LAST_SET_ASIDE = """SELECT max(run) FROM proposals
WHERE reason = ? AND run IN (SELECT id FROM runs WHERE task = ?)"""
_LEARNED_SINCE = """SELECT count(*) FROM steps WHERE run IN (SELECT id FROM runs WHERE task = ? AND id >= ?)
AND phase <> ? AND json_extract(payload, '$.feedback') IS NOT NULL AND (run > ? OR number >
    (SELECT max(number) FROM steps WHERE run = ? AND phase = ?
        AND json_extract(payload, '$.set_aside') IS NOT NULL))"""


def read_setbacks(db: Sql, task: str, since: int) -> list[Setback]:
    """Return the setbacks of a task, oldest first: of runs that did not end well, and all from `since` on."""
    setbacks = []
    for run, number, payload in db.execute(_SETBACKS, [PhaseKind.SETBACK.value, task, since]):
        notes = json.loads(payload)
        set_aside = "set_aside" in notes
        record = notes["set_aside" if set_aside else "setback"]
        setback = Setback(
            run=run,
            step=number,
            feedback=record["feedback"],
            error=record["error"],
            counts=record.get("counts", False),
            set_aside=set_aside,
        )
        setbacks.append(setback)
    return setbacks


def check_learned_since(db: Sql, task: str) -> bool:
    """Tell whether feedback on a task was learned from since a piece was set aside; True where none was."""
    (run,) = db.execute(_LAST_SET_ASIDE, [Reason.SET_ASIDE.value, task]).fetchone()
    if run is None:
        return True
    setback = PhaseKind.SETBACK.value
    (steps,) = db.execute(_LEARNED_SINCE, [task, run, setback, run, run, setback]).fetchone()
    return bool(steps)
