"""Rows of model calls: one for each request that came to an end.

Functions over a connection that is already inside a transaction.
"""

from __future__ import annotations

import json
import sqlite3
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from ace.store import checked_rows
from ace.store.sqlite_text import to_json, to_text

if TYPE_CHECKING:
    # Imported where they are made, because with `ace.llm` comes pydantic, and reading a playbook needs none.
    from sqlite_utils import Database

    from ace.llm.client import Reply
    from ace.llm.journal import Call, Key

TABLES = (
    """CREATE TABLE calls (                -- every request to a model that came to an end, as it did
    id INTEGER PRIMARY KEY,
    run INTEGER NOT NULL REFERENCES runs,
    step INTEGER NOT NULL,             -- a step that was cut off has calls, and no row in steps
    phase TEXT NOT NULL,
    sample TEXT NOT NULL,              -- what it was made for: a sample, or a subject that is curated
    role TEXT NOT NULL,
    model TEXT NOT NULL,
    request TEXT NOT NULL,             -- hash of everything that was asked
    occurrence INTEGER NOT NULL,       -- of this request for this sample in this step, from 0
    reply TEXT,                        -- JSON string: what the model said; null when the request failed
    finish_reason TEXT NOT NULL,
    error TEXT NOT NULL,               -- why there is no reply
    faults TEXT NOT NULL,              -- JSON list: kind, attempt, action, detail
    calls INTEGER NOT NULL,
    prompt_tokens INTEGER NOT NULL,    -- cached ones included
    cached_tokens INTEGER NOT NULL,
    completion_tokens INTEGER NOT NULL,
    cost REAL,                         -- US dollars; null is unknown
    started REAL NOT NULL,             -- seconds since 1970, UTC
    seconds REAL NOT NULL,
    checksum TEXT NOT NULL
) STRICT""",
    "CREATE INDEX calls_run ON calls (run, step)",
)

_READ = """SELECT step, sample, role, request, occurrence, phase, model, reply, finish_reason, error, faults,
    calls, prompt_tokens, cached_tokens, completion_tokens, cost, started, seconds
FROM calls WHERE run = :run"""
_IN_ORDER = " ORDER BY id"
_OF_RUN = _READ.replace(" reply,", " iif(reply IS NULL, NULL, '\"\"'),") + _IN_ORDER
_NOT_COMMITTED = " AND reply IS NOT NULL AND step NOT IN (SELECT number FROM steps WHERE run = :run)"
_CUT_OFF = _READ + _NOT_COMMITTED + _IN_ORDER


def m005_calls(db: Database) -> None:
    """The journal of model calls."""
    for statement in TABLES:
        db.execute(statement)


def of_run(db: sqlite3.Connection, run: int) -> list[Call]:
    """In the order they ended, without what was said: `text` is empty, or None where the request failed."""
    return [_call(row) for row in db.execute(_OF_RUN, {"run": run})]


def replies_cut_off(db: sqlite3.Connection, run: int) -> dict[Key, Reply]:
    """What models said in steps of a run that were not committed."""
    return {call.key: _reply(call) for call in map(_call, db.execute(_CUT_OFF, {"run": run}))}


def add(db: sqlite3.Connection, run: int, call: Call) -> None:
    checked_rows.insert(db, "calls", [_row(run, call)])


def _row(run: int, call: Call) -> tuple[Any, ...]:
    key, used = call.key, call.usage
    where = run, key.step, to_text(call.phase), to_text(key.sample), key.role, to_text(call.model)
    said = None if call.text is None else to_json(call.text)
    asked = key.request, key.occurrence, said, call.finish_reason, to_text(call.error)
    met = to_json([asdict(fault) for fault in call.faults])
    tokens = used.calls, used.prompt_tokens, used.cached_tokens, used.completion_tokens
    cost = None if used.cost is None else float(used.cost)  # REAL: a whole number would not read back as one
    return (*where, *asked, met, *tokens, cost, float(call.started), float(used.seconds))


def _call(row: tuple[Any, ...]) -> Call:
    from ace.llm.client import Usage
    from ace.llm.faults import Fault
    from ace.llm.journal import Call, Key

    step, sample, role, request, occurrence, phase, model, reply, finish, error, faults, *used = row
    calls, prompt, cached, completion, cost, started, seconds = used
    return Call(
        Key(step, sample, role, request, occurrence),
        phase,
        model,
        None if reply is None else json.loads(reply),
        finish,
        error,
        Usage(calls, prompt, cached, completion, seconds, cost),
        tuple(Fault(**fault) for fault in json.loads(faults)),
        started,
    )


def _reply(call: Call) -> Reply:
    from ace.llm.client import FinishReason, Reply

    return Reply(call.text or "", None, call.usage, FinishReason.of(call.finish_reason), call.faults)
