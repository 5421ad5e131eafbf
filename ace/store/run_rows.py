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
from ace.store.schema import now
from ace.store.sqlite_text import to_json

_RUNS = "SELECT id, kind, task, config, status, started, ended, report FROM runs"


def start(db: sqlite3.Connection, kind: str, task: str, config: dict[str, Any]) -> int:
    (number,) = db.execute("SELECT coalesce(max(id), 0) + 1 FROM runs").fetchone()
    checked_rows.insert(db, "runs", [(number, kind, task, to_json(config), "running", now(), None, None)])
    return int(number)


def finish(db: sqlite3.Connection, run: int, status: RunStatus, report: dict[str, Any] | None) -> None:
    read(db, run)
    row = db.execute(f"{_RUNS} WHERE id = ?", [run]).fetchone()
    result = None if report is None else to_json(report)
    checked_rows.update(db, "runs", (*row[:4], status, row[5], now(), result))


def read(db: sqlite3.Connection, run: int) -> Run:
    row = db.execute(f"{_RUNS} WHERE id = ?", [run]).fetchone()
    if row is None:
        raise UnknownVersion(f"There is no run {run} in this file.", hint="`ace runs list` shows the runs.")
    return _run(row)


def listing(db: sqlite3.Connection) -> list[Run]:
    return [_run(row) for row in db.execute(f"{_RUNS} ORDER BY id")]


def made(db: sqlite3.Connection, run: int) -> int:
    """How many versions a run made."""
    return int(db.execute("SELECT count(*) FROM versions WHERE run = ?", [run]).fetchone()[0])


def last_unfinished(db: sqlite3.Connection, kind: str, task: str, branch: str) -> Run | None:
    """The latest run of this kind and task on a branch, unless it is done: later work closes earlier."""
    ours = "kind = ? AND task = ? AND coalesce(json_extract(config, '$.branch'), 'main') = ?"
    latest = f"{_RUNS} WHERE {ours} ORDER BY id DESC LIMIT 1"
    runs = (_run(row) for row in db.execute(latest, [kind, task, branch]))
    return next((run for run in runs if run.status != "done"), None)


def add_step(
    db: sqlite3.Connection, run: int | None, step: tuple[int, str, dict[str, Any]], version: int
) -> None:
    if run is None:
        raise StoreError("A journal step needs the run it belongs to.", hint="Pass run= beside step=.")
    number, phase, payload = step
    checked_rows.insert(db, "steps", [(run, number, phase, to_json(payload), version)])


def steps(db: sqlite3.Connection, run: int) -> list[Step]:
    read(db, run)
    sql = "SELECT number, phase, payload, version FROM steps WHERE run = ? ORDER BY number"
    return [
        Step(run, number, phase, json.loads(payload), version)
        for number, phase, payload, version in db.execute(sql, [run])
    ]


def _run(row: tuple[Any, ...]) -> Run:
    number, kind, task, config, status, started, ended, report = row
    result = None if report is None else json.loads(report)
    return Run(number, kind, task, json.loads(config), status, started, ended, result)
