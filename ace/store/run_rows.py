"""Rows of runs and of their journals.

Functions over a connection that is already inside a transaction; knows nothing about playbooks.
"""

from __future__ import annotations

import json
import sqlite3
from typing import Any

from ace.errors import StoreError, UnknownVersion
from ace.runs.records import Run, RunStatus, Step
from ace.store import checked_rows
from ace.store.sqlite_text import now, to_json

_RUNS = "SELECT id, kind, task, config, status, started, ended, report FROM runs"


def start(db: sqlite3.Connection, kind: str, task: str, config: dict[str, Any]) -> int:
    """Begin a run, and return its number."""
    (number,) = db.execute("SELECT coalesce(max(id), 0) + 1 FROM runs").fetchone()
    row = (number, kind, task, to_json(config), "running", now(), None, None)
    checked_rows.insert(db, "runs", [row])
    return int(number)


def finish(db: sqlite3.Connection, run: int, status: RunStatus, report: dict[str, Any] | None) -> None:
    """Set a run's status, its report and the time of its end. Raises UnknownVersion for an unknown run."""
    number, kind, task, config, _, started, _, _ = _read_row(db, run)
    result = None
    if report is not None:
        result = to_json(report)
    checked_rows.update(db, "runs", (number, kind, task, config, status, started, now(), result))


def read(db: sqlite3.Connection, run: int) -> Run:
    """Return a run. Raises UnknownVersion where there is none of this number."""
    return _from_row(_read_row(db, run))


def read_all(db: sqlite3.Connection) -> list[Run]:
    """Return all runs, oldest first."""
    return [_from_row(row) for row in db.execute(f"{_RUNS} ORDER BY id")]


def count_versions(db: sqlite3.Connection, run: int) -> int:
    """Count the versions that a run committed."""
    (count,) = db.execute("SELECT count(*) FROM versions WHERE run = ?", [run]).fetchone()
    return int(count)


def last_unfinished(db: sqlite3.Connection, kind: str, task: str, branch: str) -> Run | None:
    """Return the latest run of this kind and task on a branch, or None if it is done.

    Earlier runs do not count: the later one closes them.
    """
    ours = "kind = ? AND task = ? AND coalesce(json_extract(config, '$.branch'), 'main') = ?"
    row = db.execute(f"{_RUNS} WHERE {ours} ORDER BY id DESC LIMIT 1", [kind, task, branch]).fetchone()
    if row is None:
        return None
    run = _from_row(row)
    return run if run.status != "done" else None


def add_step(
    db: sqlite3.Connection, run: int | None, step: tuple[int, str, dict[str, Any]], version: int
) -> None:
    """Append a step (number, phase, payload) to a run's journal. Raises StoreError without a run."""
    if run is None:
        raise StoreError("A journal step needs the run it belongs to.", hint="Pass run= beside step=.")
    number, phase, payload = step
    checked_rows.insert(db, "steps", [(run, number, phase, to_json(payload), version)])


def read_steps(db: sqlite3.Connection, run: int) -> list[Step]:
    """Return the journal of a run, in order. Raises UnknownVersion for an unknown run."""
    _read_row(db, run)
    sql = "SELECT number, phase, payload, version FROM steps WHERE run = ? ORDER BY number"
    rows = db.execute(sql, [run])
    return [
        Step(run=run, number=number, phase=phase, payload=json.loads(payload), version=version)
        for number, phase, payload, version in rows
    ]


def _read_row(db: sqlite3.Connection, run: int) -> tuple[Any, ...]:
    row: tuple[Any, ...] | None = db.execute(f"{_RUNS} WHERE id = ?", [run]).fetchone()
    if row is None:
        raise UnknownVersion(f"There is no run {run} in this file.", hint="`ace runs list` shows the runs.")
    return row


def _from_row(row: tuple[Any, ...]) -> Run:
    number, kind, task, config, status, started, ended, report = row
    return Run(
        id=number,
        kind=kind,
        task=task,
        config=json.loads(config),
        status=status,
        started=started,
        ended=ended,
        report=None if report is None else json.loads(report),
    )
