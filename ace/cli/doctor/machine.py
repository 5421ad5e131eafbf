"""The machine: Python, processor, disk, SQLite, and the terminal. What takes measuring is measured."""

from __future__ import annotations

import locale
import os
import platform
import shutil
import sqlite3
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from ace.cli.doctor.finding import Finding, Health, Topic

_PYTHON = (3, 11)
_STRICT = (3, 37)  # SQLite's, that has STRICT tables
_LITTLE = 500 * 10**6  # bytes on the disk of a playbook
_WEIGHTS = 1_200 * 10**6  # bytes: the default model
_SLOW_COMMIT = 0.05  # seconds
_COMMITS = 5
_NEEDED = {"FTS5": "CREATE VIRTUAL TABLE t USING fts5(x)", "JSON": "SELECT json_extract('{}', '$.a')"}


def check_python() -> Iterator[Finding]:
    """Yield the version of Python, and where it is."""
    here = f"Python {platform.python_version()} at {sys.executable}, {platform.system()} {platform.machine()}"
    if sys.version_info < _PYTHON:
        fix = f"use Python {'.'.join(map(str, _PYTHON))} or later"
        yield Finding(Topic.PYTHON, Health.BROKEN, here, fix)
    else:
        yield Finding(Topic.PYTHON, Health.OK, here)
    if sys.prefix == sys.base_prefix:
        fix = "python3 -m venv .venv keeps its packages apart from those of others"
        yield Finding(Topic.PYTHON, Health.NOTE, "this is no virtual environment", fix)


def check_processor() -> Iterator[Finding]:
    """Yield how many processors there are, and whether others keep them busy."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    text = f"{cores} processor{'s' if cores > 1 else ''}"
    if not hasattr(os, "getloadavg"):
        yield Finding(Topic.MACHINE, Health.OK, text)
        return
    load = os.getloadavg()[0]
    text = f"{text}, load {load:.1f}"
    if load > 1.5 * cores:
        fix = "an embedded model (local/NAME) will be slow: wait, or use a model that is served elsewhere"
        yield Finding(Topic.MACHINE, Health.WARNING, f"{text}: it is busy with other work", fix)
    else:
        yield Finding(Topic.MACHINE, Health.OK, text)


def check_disk(folder: Path, weights: Path) -> Iterator[Finding]:
    """Yield the room where playbooks are written, and where weights are kept.

    `folder` is that of playbooks; `weights` need not exist.
    """
    free = shutil.disk_usage(folder).free
    text = f"{free / 10**9:,.1f} GB free in {folder.resolve()}"
    if free < _LITTLE:
        fix = "free some space: a run stops when the disk is full, and keeps what was committed"
        yield Finding(Topic.DISK, Health.WARNING, text, fix)
    else:
        yield Finding(Topic.DISK, Health.OK, text)
    if not os.access(folder, os.W_OK):
        fix = "work in another folder, or give --playbook a path elsewhere"
        yield Finding(Topic.DISK, Health.WARNING, f"{folder.resolve()} cannot be written", fix)
    existing = weights
    while not existing.exists() and existing != existing.parent:
        existing = existing.parent
    free = shutil.disk_usage(existing).free
    if free < _WEIGHTS:
        fix = "free some, or set ACE_WEIGHTS to a file elsewhere"
        text = f"{free / 10**9:,.1f} GB free in {existing}, where weights of 1.1 GB would go"
        yield Finding(Topic.DISK, Health.WARNING, text, fix)


def check_sqlite(folder: Path) -> Iterator[Finding]:
    """Yield SQLite's version and features, and how long a commit takes where playbooks are written."""
    if sqlite3.sqlite_version_info < _STRICT:
        fix = "use a Python that is linked with SQLite 3.37 or later"
        yield Finding(Topic.SQLITE, Health.BROKEN, f"SQLite {sqlite3.sqlite_version} is too old", fix)
        return
    missing = []
    with closing(sqlite3.connect(":memory:")) as db:
        for feature, statement in _NEEDED.items():
            try:
                db.execute(statement)
            except sqlite3.Error:
                missing.append(feature)
        options = {row[0] for row in db.execute("PRAGMA compile_options")}
    if missing:
        text = f"SQLite {sqlite3.sqlite_version} lacks {' and '.join(missing)}"
        yield Finding(Topic.SQLITE, Health.BROKEN, text, "use a Python whose SQLite has them")
        return
    sizes = "counts bytes by table" if "ENABLE_DBSTAT_VTAB" in options else "does not count bytes by table"
    yield Finding(Topic.SQLITE, Health.OK, f"SQLite {sqlite3.sqlite_version}, {sizes}")
    try:
        seconds, mode = _time_commit(folder)
    except (OSError, sqlite3.Error) as error:
        fix = "keep playbooks on a disk of this machine, in a folder that can be written"
        text = f"no SQLite file can be written in {folder.resolve()} ({error})"
        yield Finding(Topic.SQLITE, Health.WARNING, text, fix)
        return
    text = f"a commit takes {1000 * seconds:.1f} ms in {folder.resolve()}"
    if mode != "wal":
        fix = "keep playbooks on a disk of this machine: network drives often cannot share a file"
        text = f"{text}, and write-ahead logging does not work there"
        yield Finding(Topic.SQLITE, Health.WARNING, text, fix)
    elif seconds > _SLOW_COMMIT:
        fix = "a run commits after every batch and every call: a faster disk makes it faster"
        yield Finding(Topic.SQLITE, Health.WARNING, f"{text}: that is slow", fix)
    else:
        yield Finding(Topic.SQLITE, Health.OK, text)


def _time_commit(folder: Path) -> tuple[float, str]:
    """Return the seconds of a durable commit in a folder, and the journal mode that works there."""
    times = []
    with (
        tempfile.TemporaryDirectory(dir=folder, prefix=".ace-doctor-") as room,
        closing(sqlite3.connect(Path(room) / "probe.db", isolation_level=None)) as db,
    ):
        (mode,) = db.execute("PRAGMA journal_mode = WAL").fetchone()
        db.execute("PRAGMA synchronous = FULL")
        db.execute("CREATE TABLE probe (number INTEGER)")
        for number in range(_COMMITS):
            began = time.perf_counter()
            db.execute("INSERT INTO probe VALUES (?)", [number])
            times.append(time.perf_counter() - began)
    return sorted(times)[_COMMITS // 2], str(mode)


def check_terminal() -> Iterator[Finding]:
    """Yield whether text of any language can be shown, and whether progress is drawn."""
    encoding = (sys.stdout.encoding or "").lower().replace("-", "")
    preferred = locale.getpreferredencoding(False)
    is_drawn = sys.stderr.isatty() and os.environ.get("TERM") != "dumb"
    size = shutil.get_terminal_size((0, 0))
    progress = "bars are drawn" if is_drawn else "no terminal: progress is written as lines"
    width = size.columns or "unknown"
    text = f"output in {sys.stdout.encoding}, files in {preferred}, {width} columns; {progress}"
    if encoding != "utf8":
        fix = "export LC_ALL=C.UTF-8, or PYTHONUTF8=1; on Windows also `chcp 65001`"
        yield Finding(Topic.TERMINAL, Health.WARNING, f"{text}; characters it lacks become escapes", fix)
    else:
        yield Finding(Topic.TERMINAL, Health.OK, text)
