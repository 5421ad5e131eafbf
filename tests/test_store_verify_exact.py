"""`verify` to the letter: every problem with the version it belongs to, and no more than there are."""

from __future__ import annotations

import contextlib
import shutil
import sqlite3
from pathlib import Path

import pytest

from ace.playbook import Add, Delta, Merge, Move, Remove, Vote
from ace.playbook.exchange import Alias
from ace.store import Proposal, Store
from ace.task.types import Attempt, Episode, Feedback, FeedbackKind, Verdict

MAIN: tuple[Delta, ...] = (
    (Add("a", "money", "cents"), Add("b", "money", "also cents"), Add("c", "joins", "by id")),
    (Vote("a", 1),),
    (Merge("a", ("b",), "all cents"), Remove("c"), Move("a", "moved")),
)
FOLD = "is not what its history says."
BULLETS, SECTIONS = (
    f"The bullets of version {{}} are{FOLD[2:]}",
    f"The sections of version {{}} are{FOLD[2:]}",
)
Found = tuple[int | None, str]


def row(table: str, key: str, version: int | None = None) -> Found:
    return version, f"Row {key} of {table} is not what was written."


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Versions 1 to 3 on main, 4 on `trial`, which left main at 2; a row in every table."""
    path = tmp_path_factory.mktemp("original") / "playbook.db"
    with Store.open(path) as store:
        run = store.start_run("learn", "shop", {})
        for number, delta in enumerate(MAIN):
            store.commit(delta, author="curator", reason="r", run=run, step=(number, "epoch 1", {}))
        seen = Episode(
            *("e1", "s1", "?", Attempt("s1", "1", "1"), Feedback(FeedbackKind.NONE, ""), Verdict(False, 0)),
            0,
        )
        more = [Proposal("s1", "curator", (), "rejected", "no")]
        alias = Alias("f.txt", "x-1", "a", "money", "0" * 64)
        who = {"author": "curator", "reason": "r"}
        store.commit((Vote("ghost", 1),), episodes=[seen], proposals=more, aliases=[alias], **who)
        store.tag("prod", 1)
        store.branch("trial", 2)
        store.switch("trial")
        store.commit((Vote("b", 2),), **who)
    return path


def problems_after(original: Path, folder: Path, sql: str) -> list[Found]:
    file = Path(shutil.copy(original, folder))
    with contextlib.closing(sqlite3.connect(file)) as db, db:
        db.execute(sql)
    with Store.open(file) as store:
        return [(problem.version, str(problem)) for problem in store.verify()]


CHANGES: dict[str, list[Found]] = {
    "UPDATE versions SET reason = 'mine' WHERE number = 2": [
        row("versions", "2", 2),
        (2, "Version 2 does not match its hash."),
    ],
    "UPDATE versions SET parent = 0 WHERE number = 4": [
        row("versions", "4", 4),
        (4, "Version 4 follows 0, but 2 is before it."),
        (4, "Version 4 does not match its hash."),
    ],
    "UPDATE versions SET merged = 3 WHERE number = 4": [
        row("versions", "4", 4),
        (4, "Version 4 does not match its hash."),
    ],
    "UPDATE versions SET next_position = 7 WHERE number = 3": [
        row("versions", "3", 3),
        (3, f"The next place of version 3 {FOLD}"),
    ],
    "UPDATE operations SET op = 'pin' WHERE version = 2": [
        (2, "Version 2 lists its operations under another name or bullet.")
    ],
    "UPDATE operations SET bullet = 'b' WHERE version = 2": [
        (2, "Version 2 lists its operations under another name or bullet.")
    ],
    "UPDATE operations SET operation = operation || ' ' WHERE version = 2": [
        (2, "Version 2 does not match its hash.")
    ],
    "UPDATE operations SET operation = replace(operation, '\"a\"', '\"x\"'), bullet = 'x' "
    "WHERE version = 2": [
        (2, "Version 2 does not match its hash."),
        (2, "Version 2 holds a vote that cannot apply: no bullet has the id 'x'"),
        (2, BULLETS.format(2)),
        (3, BULLETS.format(3)),
        (3, f"Bullet a of the head {FOLD}"),
    ],
    "UPDATE operations SET operation = 'nonsense' WHERE version = 2": [
        (
            None,
            "Version 2 holds an operation that cannot be read: line 1: "
            "This is not JSON: Expecting value: line 1 column 2 (char 1).",
        )
    ],
    "UPDATE bullet_history SET content = 'euros' WHERE version = 2": [(2, BULLETS.format(2))],
    "UPDATE bullet_history SET content = 'euros' WHERE version = 4": [(4, BULLETS.format(4))],
    "UPDATE bullet_history SET branch = 'trial' WHERE version = 2": [
        (2, "Version 2 has bullets on trial, which is not its branch."),
        (2, BULLETS.format(2)),
    ],
    "UPDATE sections SET name = 'other' WHERE name = 'moved'": [(3, SECTIONS.format(3))],
    "UPDATE sections SET place = 7 WHERE name = 'moved'": [(3, SECTIONS.format(3))],
    "UPDATE sections SET branch = 'trial' WHERE name = 'moved'": [
        (3, "Version 3 has sections on trial, which is not its branch."),
        (3, SECTIONS.format(3)),
    ],
    "UPDATE bullets SET content = 'euros' WHERE id = 'a'": [(3, f"Bullet a of the head {FOLD}")],
    "DELETE FROM bullets": [(3, f"Bullet {name} of the head {FOLD}") for name in "abc"],
    "INSERT INTO bullets VALUES ('x', 'moved', 'new', '[]', 'active', 0, 0, 0, 9)": [
        (3, f"Bullet x of the head {FOLD}")
    ],
    "UPDATE branches SET version = 2": [
        row("branches", "main"),
        row("branches", "trial"),
        (2, "main is at version 2, but its newest is 3."),
        (2, "trial is at version 2, but its newest is 4."),
    ],
    "UPDATE branches SET base = 1 WHERE name = 'trial'": [
        row("branches", "trial"),
        (4, "Version 4 follows 2, but 1 is before it."),
    ],
    "UPDATE tags SET version = 2": [row("tags", "1")],
    "UPDATE runs SET started = 'now'": [row("runs", "1")],
    "UPDATE runs SET started = x'00'": [],  # a STRICT table refuses it
    "UPDATE steps SET phase = 'epoch 2' WHERE number = 0": [row("steps", "1, 0")],
    "UPDATE steps SET version = 99 WHERE number = 1": [
        (None, "A row of steps points to a row of versions that is not there."),
        row("steps", "1, 1"),
    ],
    "UPDATE episodes SET reply = 'other'": [row("episodes", "1")],
    "UPDATE episodes SET subjects = '['": [
        (None, "Column subjects of episodes holds 1 values that are not JSON."),
        row("episodes", "1"),
    ],
    "UPDATE proposals SET version = 99": [
        (None, "Row 1 of proposals points to a row of versions that is not there."),
        row("proposals", "1"),
    ],
    "UPDATE rejected_operations SET operation = '{'": [
        (None, "Column operation of rejected_operations holds 1 values that are not JSON."),
        row("rejected_operations", "1"),
    ],
    "UPDATE aliases SET alias = 'other'": [row("aliases", "1")],
    "UPDATE aliases SET bullet = 'ghost'": [
        row("aliases", "1"),
        (None, "The alias x-1 of f.txt is for ghost, a bullet that never was."),
    ],
    "DROP VIEW history": [(None, "view history is not what this release makes.")],
    "DROP INDEX calls_run": [(None, "index calls_run is not what this release makes.")],
    "DELETE FROM _sqlite_migrations WHERE name = 'm002_uses'": [
        (None, "migration m002_uses is not what this release makes.")
    ],
    "CREATE VIEW mine AS SELECT 1": [(None, "view mine is not of ace.")],
}


@pytest.mark.parametrize("sql", CHANGES)
def test_a_change_is_told_where_it_is_and_nowhere_else(original: Path, tmp_path: Path, sql: str) -> None:
    try:
        assert problems_after(original, tmp_path, sql) == CHANGES[sql]
    except sqlite3.IntegrityError:
        assert CHANGES[sql] == []


@pytest.mark.parametrize(
    ("sql", "some"),
    [
        (
            "DELETE FROM versions WHERE number = 2",
            [
                (None, "Row 3 of versions points to a row of versions that is not there."),
                (None, "A row of operations points to a row of versions that is not there."),
                (3, "Version 3 comes after 1: some are missing."),
                (3, "Version 3 follows 2, but 1 is before it."),
                (3, "Version 3 does not match its hash."),
                (4, "Version 4 does not match its hash."),
            ],
        ),
        (
            "DELETE FROM versions WHERE number = 3",
            [
                (4, "Version 4 comes after 2: some are missing."),
                (3, "main is at version 3, but its newest is 2."),
                (2, f"Bullet a of the head {FOLD}"),
            ],
        ),
        (
            "DELETE FROM operations WHERE version = 1 AND bullet = 'a'",
            [
                (1, "Version 1 does not match its hash."),
                (1, f"The next place of version 1 {FOLD}"),
                (2, "Version 2 holds a vote that cannot apply: no bullet has the id 'a'"),
                (3, "Version 3 holds a merge that cannot apply: no bullet has the id 'a'"),
                (3, SECTIONS.format(3)),
            ],
        ),
        (
            "DELETE FROM branches",
            [
                (None, "Row 0 of versions points to a row of branches that is not there."),
                (4, "Version 4 follows 2, but None is before it."),
            ],
        ),
    ],
)
def test_what_is_missing_is_told_with_what_hangs_on_it(
    original: Path, tmp_path: Path, sql: str, some: list[Found]
) -> None:
    found = problems_after(original, tmp_path, sql)
    assert [problem for problem in found if problem in some] == some


def test_an_index_that_does_not_fit_its_table_is_told_in_sqlites_words(
    original: Path, tmp_path: Path
) -> None:
    file = Path(shutil.copy(original, tmp_path))
    with contextlib.closing(sqlite3.connect(file)) as db, db:
        db.execute("PRAGMA writable_schema = ON")
        db.execute(
            "UPDATE sqlite_schema SET rootpage = "
            "(SELECT rootpage FROM sqlite_schema WHERE name = 'calls_run') WHERE name = 'episodes_run'"
        )
    with Store.open(file) as store:
        found = [(problem.version, str(problem)) for problem in store.verify()]
    assert (None, "SQLite finds the file damaged: row 1 missing from index episodes_run") in found
