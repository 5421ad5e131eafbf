"""`verify` finds every kind of tampering, and says where."""

from __future__ import annotations

import contextlib
import sqlite3
from pathlib import Path

import pytest

from ace.playbook import Add, Delta, Merge, Move, Remove, Vote
from ace.store import Proposal, Store
from ace.task.types import Attempt, Episode, Feedback, FeedbackKind, Verdict

HISTORY: tuple[Delta, ...] = (
    (Add("a", "money", "cents"), Add("b", "money", "also cents"), Add("c", "joins", "by id")),
    (Vote("a", 1),),
    (Merge("a", ("b",), "all cents"), Remove("c"), Move("a", "moved")),
)
HASH = "Version {} does not match its hash"
TAMPERING = {
    "UPDATE versions SET reason = 'mine' WHERE number = 2": HASH.format(2),
    "UPDATE versions SET author = 'me' WHERE number = 1": HASH.format(1),
    "UPDATE versions SET hash = 'sha256:0' WHERE number = 3": HASH.format(3),
    "UPDATE versions SET reason = 'not empty' WHERE number = 0": HASH.format(0),
    "UPDATE versions SET parent = 1 WHERE number = 3": "Version 3 follows 1, but 2 is before it",
    "DELETE FROM operations WHERE version = 2": HASH.format(2),
    "UPDATE operations SET operation = replace(operation, 'cents', 'euros')": HASH.format(1),
    "UPDATE operations SET operation = operation || ' ' WHERE version = 2": HASH.format(2),
    "UPDATE operations SET operation = 'nonsense' WHERE version = 2": "Version 2 holds an operation",
    "UPDATE operations SET version = 9 WHERE version = 2": "A row of operations points to",
    "UPDATE operations SET bullet = 'b' WHERE bullet = 'a'": "Version 1 lists its operations under another",
    "UPDATE operations SET op = 'pin' WHERE version = 2": "Version 2 lists its operations under another",
    "DELETE FROM operations WHERE version = 1 AND bullet = 'a'": "Version 2 holds a vote that cannot apply",
    "UPDATE bullets SET content = 'euros' WHERE id = 'a'": "Bullet a of the head",
    "UPDATE bullets SET helpful = 99 WHERE id = 'a'": "Bullet a of the head",
    "UPDATE bullets SET status = 'active' WHERE id = 'b'": "Bullet b of the head",
    "DELETE FROM bullets WHERE id = 'b'": "Bullet b of the head",
    "UPDATE bullets SET pinned = 'no' WHERE id = 'b'": "",  # a STRICT table refuses it
    "INSERT INTO bullets VALUES ('x', 'moved', 'new', '[]', 'active', 0, 0, 0, 9)": "Bullet x",
    "UPDATE sections SET name = 'other' WHERE name = 'moved'": "The sections of version 3",
    "UPDATE bullet_history SET content = 'euros' WHERE version = 2": "The bullets of version 2",
    "DELETE FROM bullet_history WHERE version = 3 AND bullet = 'b'": "The bullets of version 3",
    "UPDATE bullet_history SET branch = 'other' WHERE version = 2": "The bullets of version 2",
    "UPDATE branches SET version = 2": "main is at version 2, but its newest is 3",
    "UPDATE branches SET created = 'now'": "Row main of branches is not what was written",
    "DELETE FROM branches": "or on no branch",
    "UPDATE versions SET next_position = 7 WHERE number = 3": "The next place of version 3",
    "UPDATE versions SET created = 'now' WHERE number = 2": "Row 2 of versions is not what was written",
    "UPDATE versions SET run = NULL WHERE number = 2": "Row 2 of versions is not what was written",
    "DELETE FROM versions WHERE number = 3": "main is at version 3, but its newest is 2",
    "DELETE FROM versions WHERE number = 2": "Version 3 comes after 1: some are missing",
    "UPDATE tags SET version = 2": "Row 1 of tags is not what was written",
    "UPDATE runs SET started = 'now'": "Row 1 of runs is not what was written",
    "UPDATE steps SET phase = 'epoch 2' WHERE number = 0": "Row 1, 0 of steps is not what was written",
    "UPDATE episodes SET reply = 'other'": "Row 1 of episodes is not what was written",
    "UPDATE proposals SET why = 'other'": "Row 1 of proposals is not what was written",
    "UPDATE rejected_operations SET why = 'other'": "Row 1 of rejected_operations is not",
    "DROP VIEW history": "history is not what this release makes",
    "DELETE FROM _sqlite_migrations": "migration m001_first_tables is not",
    "CREATE VIEW mine AS SELECT 1": "view mine is not of ace",
    "UPDATE steps SET payload = '{half'": "payload of steps",
    "UPDATE steps SET run = 9": "A row of steps points to a row of runs",
}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "playbook.db"
    with Store.open(path) as store:
        run = store.start_run("learn", "shop", {})
        for number, delta in enumerate(HISTORY):
            store.commit(delta, author="curator", reason="r", run=run, step=(number, "epoch 1", {}))
        more = [Proposal("s1", "curator", (), "rejected", "no")]
        store.commit((Vote("ghost", 1),), author="curator", reason="r", episodes=[seen()], proposals=more)
        store.tag("prod", 1)
    return path


def seen() -> Episode:
    told = Feedback(FeedbackKind.NONE, "")
    return Episode("e1", "s1", "?", Attempt("s1", "1", "1"), told, Verdict(False, 0), 0)


def test_a_clean_file_has_no_problems(file: Path) -> None:
    with Store.open(file, read_only=True) as store:
        assert store.verify() == []


@pytest.mark.parametrize("sql", TAMPERING)
def test_tampering_is_found(file: Path, sql: str) -> None:
    with contextlib.closing(sqlite3.connect(file)) as db, db:
        try:
            db.execute(sql)
        except sqlite3.IntegrityError:
            assert TAMPERING[sql] == ""
            return
    with Store.open(file) as store:
        problems = store.verify()
    assert problems or TAMPERING[sql] == ""
    assert not problems or any(TAMPERING[sql] in str(problem) for problem in problems), problems


def test_one_edit_of_a_version_is_reported_at_that_version_only(file: Path) -> None:
    with contextlib.closing(sqlite3.connect(file)) as db, db:
        db.execute("UPDATE versions SET reason = 'mine' WHERE number = 2")
    with Store.open(file) as store:
        row, version = store.verify()
    assert str(row) == "Row 2 of versions is not what was written."
    assert (version.version, str(version)) == (2, "Version 2 does not match its hash.")


@pytest.mark.parametrize(
    ("sql", "told"),
    [
        ("DELETE FROM episodes WHERE rowid = 2", "1 row of episodes is missing"),
        ("DELETE FROM proposals WHERE rowid = 1", "1 row of proposals is missing"),
        ("DELETE FROM proposals", "3 proposals of run 1 are missing"),
        ("DELETE FROM proposals WHERE rowid = 3", "1 row of proposals is missing"),
        ("DELETE FROM steps WHERE number = 1", "1 row of steps is missing"),
        ("DELETE FROM rejected_operations WHERE rowid = 1", "1 row of rejected_operations is missing"),
    ],
)
def test_rows_that_were_taken_away_are_missed(tmp_path: Path, sql: str, told: str) -> None:
    with Store.open(tmp_path / "runs.db") as store:
        run = store.start_run("learn", "shop", {})
        for number in range(3):
            attempt = Attempt("s", "SELECT 1")
            seen = Episode(
                f"e{number}", "s", "?", attempt, Feedback(FeedbackKind.NONE, ""), Verdict(True, 1.0), 0
            )
            offer = Proposal("s", "reflector", (), "rejected", "no")
            step = (number, "epoch 1", {"proposals": ["rejected"]})
            delta = (Vote("ghost", 1),)
            who = {"author": "a", "reason": "r", "run": run, "step": step}
            store.commit(delta, **who, episodes=[seen], proposals=[offer])
        assert store.verify() == []
    with contextlib.closing(sqlite3.connect(tmp_path / "runs.db")) as db, db:
        db.execute(sql)
    with Store.open(tmp_path / "runs.db") as store:
        assert told in [str(problem).rstrip(".") for problem in store.verify()]


@pytest.mark.parametrize(
    ("sql", "told"),
    [
        (
            "INSERT INTO bullet_history VALUES (2, 'x', 'exp', 'money', 'new', '[]', 'active', 0, 0, 0, 9)",
            "Version 2 has bullets on exp, which is not its branch.",
        ),
        (
            "INSERT INTO sections VALUES ('exp', 9, 'ghost', 2)",
            "Version 2 has sections on exp, which is not its branch.",
        ),
    ],
)
def test_rows_put_on_another_branch_are_found(file: Path, sql: str, told: str) -> None:
    with Store.open(file) as store:
        store.branch("exp")
    with Store.open(file, branch="exp") as store:
        store.commit((Vote("a", 1),), author="curator", reason="r")
        assert store.verify() == []
    with contextlib.closing(sqlite3.connect(file)) as db, db:
        db.execute(sql)
    with Store.open(file, read_only=True) as store:
        assert [str(problem) for problem in store.verify()] == [told]
