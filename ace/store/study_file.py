"""The study file: one SQLite file with a row for each method and seed, and one for each of its answers.

A cell becomes done in one transaction with all its rows, so a reader finds it whole or not at all. The file
is apart from the playbooks of the cells, which stand in a folder beside it: a cell that was cut off goes on
from its own. Knows how a study is kept, and nothing of how it is made or what it says.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ace.errors import InputError, NewerSchema, StoreError
from ace.store.sqlite_connection import transaction
from ace.store.sqlite_errors import ErrorKind, converted_errors, list_machine_errors
from ace.store.sqlite_text import now, to_json, to_text
from ace.store.store_database import require_file
from ace.text.plain_file import find_obstacle

if TYPE_CHECKING:
    from ace.runs.study_cells import Cell, StudyBasis
    from ace.runs.study_report import Study

APPLICATION_ID = int.from_bytes(b"acec")
VERSION = 1
_OTHER_FILE = "Give another file with --study."

_ERRORS: dict[int, ErrorKind] = {
    **list_machine_errors("--study"),
    sqlite3.SQLITE_NOTADB: (StoreError, "is not a study", _OTHER_FILE),
    sqlite3.SQLITE_CORRUPT: (StoreError, "is damaged", _OTHER_FILE),
}
_typed_errors = partial(converted_errors, kinds=_ERRORS, default=(StoreError, "failed", _OTHER_FILE))

_TABLES = (
    """CREATE TABLE study (                -- one row: what all cells share
    basis TEXT NOT NULL,               -- JSON: task, hashes of its parts, models, settings
    created TEXT NOT NULL              -- times are ISO 8601, UTC
) STRICT""",
    """CREATE TABLE cells (                -- one method with one seed
    id INTEGER PRIMARY KEY,
    method TEXT NOT NULL,
    seed INTEGER NOT NULL,
    state TEXT NOT NULL,               -- planned, running, failed or done
    file TEXT NOT NULL,                -- its playbook, from the folder of this file
    settings TEXT NOT NULL,            -- JSON
    versions TEXT NOT NULL,            -- JSON: of the program that made it
    started TEXT NOT NULL,
    ended TEXT NOT NULL,
    error TEXT NOT NULL,
    learning_seconds REAL NOT NULL,
    scoring_seconds REAL NOT NULL,
    bullets INTEGER NOT NULL,
    playbook_tokens REAL NOT NULL,     -- in the prompt of a test sample, on average
    notes TEXT NOT NULL,               -- JSON list
    UNIQUE (method, seed)
) STRICT""",
    """CREATE TABLE answers (              -- of a cell to each test sample
    cell INTEGER NOT NULL REFERENCES cells,
    place INTEGER NOT NULL,
    sample TEXT NOT NULL,
    "right" INTEGER NOT NULL,
    score REAL NOT NULL,
    error TEXT NOT NULL,
    usage TEXT NOT NULL,               -- JSON: calls, tokens, seconds, cost
    PRIMARY KEY (cell, place)
) STRICT, WITHOUT ROWID""",
    """CREATE TABLE usage (                -- what a cell took, by role
    cell INTEGER NOT NULL REFERENCES cells,
    part TEXT NOT NULL,                -- learning or scoring
    role TEXT NOT NULL,
    calls INTEGER NOT NULL,
    prompt_tokens INTEGER NOT NULL,    -- cached ones included
    cached_tokens INTEGER NOT NULL,
    completion_tokens INTEGER NOT NULL,
    seconds REAL NOT NULL,
    cost REAL,                         -- US dollars; null is unknown
    PRIMARY KEY (cell, part, role)
) STRICT""",
    """CREATE TABLE curve (                -- how answers fared while a cell learned
    cell INTEGER NOT NULL REFERENCES cells,
    place INTEGER NOT NULL,
    calls INTEGER NOT NULL,            -- up to then, of all roles
    tokens INTEGER NOT NULL,
    "right" INTEGER NOT NULL,
    total INTEGER NOT NULL,
    validation INTEGER NOT NULL,       -- 1: validation samples, 0: training samples
    version INTEGER NOT NULL,          -- of the playbook
    PRIMARY KEY (cell, place)
) STRICT, WITHOUT ROWID""",
)
_CELLS = """SELECT id, method, seed, state, file, settings, versions, started, ended, error, learning_seconds,
    scoring_seconds, bullets, playbook_tokens, notes FROM cells ORDER BY id"""


class StudyFile:
    """Keep a study. `open` yields one, which belongs to the thread that opened it.

    Every method is one transaction. Each raises StoreBusy where another process holds the write lock, and
    StoreUnwritable where the file or the disk cannot be written.
    """

    def __init__(self, db: sqlite3.Connection, path: Path) -> None:
        """Take over an open connection. `StudyFile.open` makes one."""
        self.path = path
        self._db = db

    @classmethod
    @contextmanager
    def open(cls, path: str | Path, *, read_only: bool = False, timeout: float = 10.0) -> Iterator[StudyFile]:
        """Yield an open study, made unless `read_only`. `timeout`: seconds to wait for another writer.

        Raises StoreError for another kind of file and, with `read_only`, for a missing one; NewerSchema for
        a file of a later release.
        """
        path = require_file(path, "A study")
        if read_only and not path.exists():
            raise StoreError(f"There is no study at {path}.", hint="`ace compare TASK` makes one.")
        obstacle = find_obstacle(path)
        if obstacle:
            raise StoreError(f"{path} is no study: {obstacle}.", hint=_OTHER_FILE)
        with _typed_errors(path):
            uri = f"{path.absolute().as_uri()}?mode={'ro' if read_only else 'rwc'}"
            with closing(sqlite3.connect(uri, uri=True, timeout=timeout, isolation_level=None)) as db:
                empty = _read_version(db, path) == 0
                if empty and read_only:
                    raise StoreError(f"{path} is empty, not a study.", hint=_OTHER_FILE)
                if not read_only:
                    db.execute("PRAGMA synchronous = FULL")  # a cell that is done survives a power cut
                    db.execute("PRAGMA foreign_keys = ON")
                if empty:
                    _create_tables(db, path)
                yield cls(db, path)

    def plan(self, basis: StudyBasis, cells: Sequence[Cell]) -> None:
        """Add cells that the study has not yet; a new file takes `basis`.

        Raises InputError where the study was made with another basis, or a cell with other settings: their
        answers could not be compared.
        """
        with self._writing() as db:
            row = db.execute("SELECT basis FROM study").fetchone()
            if row is None:
                db.execute("INSERT INTO study VALUES (?, ?)", [to_json(basis.to_json()), now()])
            else:
                check_basis(self.path, _read_basis(row[0]), basis)
            for cell in cells:
                known = db.execute(
                    "SELECT settings FROM cells WHERE method = ? AND seed = ?", [cell.method, cell.seed]
                ).fetchone()
                if known is None:
                    _insert_cell(db, cell)
                    continue
                before = json.loads(known[0])
                names = sorted(cell.settings.keys() & before)
                changed = [name for name in names if cell.settings[name] != before[name]]
                if changed:
                    raise _refuse(self.path, f"{cell.name} has other settings: {', '.join(changed)}")

    def begin(self, cell: Cell, versions: Mapping[str, str]) -> None:
        """Write down that a cell is under way, before its playbook file is made."""
        sql = """UPDATE cells SET state = 'running', error = '', versions = ?,
            started = iif(started = '', ?, started) WHERE method = ? AND seed = ?"""
        with self._writing() as db:
            db.execute(sql, [to_json(dict(versions)), now(), cell.method, cell.seed])

    def fail(self, cell: Cell, error: str) -> None:
        """Write down what ended a cell. It goes on from its playbook file when the study is run again."""
        sql = "UPDATE cells SET state = 'failed', error = ? WHERE method = ? AND seed = ?"
        with self._writing() as db:
            db.execute(sql, [to_text(error), cell.method, cell.seed])

    def finish(self, cell: Cell) -> None:
        """Write down the results of a cell, all or nothing."""
        sql = """UPDATE cells SET state = 'done', error = '', ended = ?, learning_seconds = ?,
            scoring_seconds = ?, bullets = ?, playbook_tokens = ?, notes = ?
            WHERE method = ? AND seed = ? RETURNING id"""
        values = [
            now(),
            cell.learning_seconds,
            cell.scoring_seconds,
            cell.bullets,
            cell.playbook_tokens,
            to_json(list(cell.notes)),
        ]
        with self._writing() as db:
            (number,) = db.execute(sql, [*values, cell.method, cell.seed]).fetchone()
            for table in ("answers", "usage", "curve"):
                db.execute(f"DELETE FROM {table} WHERE cell = ?", [number])  # noqa: S608 (our own names)
            for place, answer in enumerate(cell.answers):
                usage = to_json(asdict(answer.usage))
                marks = (to_text(answer.sample), answer.right, answer.score, to_text(answer.error), usage)
                db.execute("INSERT INTO answers VALUES (?, ?, ?, ?, ?, ?, ?)", [number, place, *marks])
            for part, by_role in (("learning", cell.learning), ("scoring", cell.scoring)):
                for role, use in by_role.items():
                    counts = (use.calls, use.prompt_tokens, use.cached_tokens, use.completion_tokens)
                    row = [number, part, role, *counts, use.seconds, use.cost]
                    db.execute("INSERT INTO usage VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", row)
            for place, point in enumerate(cell.curve):
                figures = (point.calls, point.tokens, point.right, point.total)
                row = [number, place, *figures, point.validation, point.version]
                db.execute("INSERT INTO curve VALUES (?, ?, ?, ?, ?, ?, ?, ?)", row)

    def read(self) -> Study:
        """Return the study as it is now. Raises StoreError for one that nothing was planned in."""
        from ace.runs.study_report import Study

        with transaction(self._db, self.path, write=False, errors=_typed_errors) as db:
            row = db.execute("SELECT basis, created FROM study").fetchone()
            if row is None:
                raise StoreError(f"{self.path} is empty, not a study.", hint=_OTHER_FILE)
            cells = tuple(_read_cell(db, values) for values in db.execute(_CELLS).fetchall())
        return Study(file=str(self.path), basis=_read_basis(row[0]), created=row[1], cells=cells)

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        """Begin a transaction that writes all or nothing."""
        with transaction(self._db, self.path, write=True, errors=_typed_errors) as db:
            yield db


def read_study(path: str | Path) -> Study:
    """Read a study file. Raises StoreError where there is none, or it is another kind of file."""
    with StudyFile.open(path, read_only=True) as file:
        return file.read()


def check_basis(path: Path, basis: StudyBasis, other: StudyBasis) -> None:
    """Raise InputError where `other` is not what the study at `path` was made with; it names what changed."""
    changes = basis.list_changes(other)
    if changes:
        raise _refuse(path, f"it was made before a change of {'; '.join(changes)}")


def _refuse(path: Path, why: str) -> InputError:
    """Return the error for cells that could not be compared with those that are there."""
    return InputError(
        f"{path} cannot be extended: {why}.",
        hint="Begin another study with --study FILE, or run it with what it was made with.",
    )


def _read_version(db: sqlite3.Connection, path: Path) -> int:
    """Return the version of the file's tables, 0 for an empty file. Raises as `StudyFile.open` does."""
    application = db.execute("PRAGMA application_id").fetchone()[0]
    version = int(db.execute("PRAGMA user_version").fetchone()[0])
    objects = db.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0]
    if application != APPLICATION_ID and (application or version or objects):
        raise StoreError(f"{path} is an SQLite file, but not a study.", hint=_OTHER_FILE)
    if version > VERSION:
        message = f"{path} has version {version}; this release knows {VERSION}."
        raise NewerSchema(message, hint="Upgrade the package.", path=str(path))
    return version


def _create_tables(db: sqlite3.Connection, path: Path) -> None:
    """Make the tables, unless another process was faster."""
    with transaction(db, path, write=True, errors=_typed_errors):
        if _read_version(db, path):
            return
        for statement in _TABLES:
            db.execute(statement)
        db.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        db.execute(f"PRAGMA user_version = {VERSION}")


def _insert_cell(db: sqlite3.Connection, cell: Cell) -> None:
    """Add a planned cell."""
    sql = """INSERT INTO cells (method, seed, state, file, settings, versions, started, ended, error,
        learning_seconds, scoring_seconds, bullets, playbook_tokens, notes)
        VALUES (?, ?, ?, ?, ?, '{}', '', '', '', 0, 0, 0, 0, '[]')"""
    db.execute(sql, [cell.method, cell.seed, str(cell.state), cell.file, to_json(dict(cell.settings))])


def _read_basis(text: str) -> StudyBasis:
    """Read what `plan` wrote."""
    from ace.runs.study_cells import StudyBasis

    values = json.loads(text)
    return StudyBasis(**{name: values[name] for name in ("task", "data", "models", "settings")})


def _read_cell(db: sqlite3.Connection, values: Sequence[Any]) -> Cell:
    """Read a row of `_CELLS` with all that belongs to it."""
    from ace.llm.client import Usage
    from ace.runs.study_cells import Cell, CellState, CurvePoint, SampleScore

    number, method, seed, state, file, settings, versions, started, ended, error, *figures, notes = values
    learning_seconds, scoring_seconds, bullets, playbook_tokens = figures
    answers = []
    sql = """SELECT sample, "right", score, error, usage FROM answers WHERE cell = ? ORDER BY place"""
    for sample, right, score, problem, usage in db.execute(sql, [number]):
        answers.append(
            SampleScore(sample, bool(right), score, error=problem, usage=Usage(**json.loads(usage)))
        )
    parts: dict[str, dict[str, Usage]] = {"learning": {}, "scoring": {}}
    sql = """SELECT part, role, calls, prompt_tokens, cached_tokens, completion_tokens, seconds, cost
        FROM usage WHERE cell = ? ORDER BY rowid"""
    for part, role, *counts in db.execute(sql, [number]):
        parts[part][role] = Usage(*counts)
    sql = """SELECT calls, tokens, "right", total, validation, version FROM curve WHERE cell = ?
        ORDER BY place"""
    curve = []
    for calls, tokens, right, total, validation, version in db.execute(sql, [number]):
        curve.append(CurvePoint(calls, tokens, right, total, validation=bool(validation), version=version))
    return Cell(
        method=method,
        seed=seed,
        state=CellState(state),
        file=file,
        settings=json.loads(settings),
        versions=json.loads(versions),
        started=started,
        ended=ended,
        error=error,
        answers=tuple(answers),
        learning=parts["learning"],
        scoring=parts["scoring"],
        learning_seconds=learning_seconds,
        scoring_seconds=scoring_seconds,
        bullets=bullets,
        playbook_tokens=playbook_tokens,
        curve=tuple(curve),
        notes=tuple(json.loads(notes)),
    )
