"""`verify` finds every kind of tampering, and says where."""

from __future__ import annotations

import contextlib
import sqlite3
from pathlib import Path

import pytest

from ace.playbook import Add, Delta, Merge, Move, Remove, Vote
from ace.store import Store

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
    "UPDATE versions SET parent = 1 WHERE number = 3": "Version 3 follows 1, but 2",
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
    "UPDATE sections SET name = 'other' WHERE name = 'moved'": "sections of the head",
    "UPDATE meta SET value = 2 WHERE key = 'head'": "The head is at version 2, but the newest version is 3",
    "UPDATE meta SET value = 7 WHERE key = 'next_position'": "next bullet",
    "DELETE FROM meta WHERE key = 'head'": "head is missing",
    "DELETE FROM versions WHERE number = 3": "The head is at version 3, but the newest version is 2",
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
    return path


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
    assert any(TAMPERING[sql] in problem for problem in problems), problems


def test_one_edit_of_a_version_is_reported_at_that_version_only(file: Path) -> None:
    with contextlib.closing(sqlite3.connect(file)) as db, db:
        db.execute("UPDATE versions SET reason = 'mine' WHERE number = 2")
    with Store.open(file) as store:
        assert store.verify() == ["Version 2 does not match its hash."]
