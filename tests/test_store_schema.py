"""Files of earlier releases: migrated without a change to what they say, or read as they are."""

from __future__ import annotations

import contextlib
import json
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from ace.errors import NewerSchema, NotAPlaybook, StoreUnwritable
from ace.playbook import Add, Vote, playbook_to_json
from ace.store import Store, schema

FIXTURES = Path(__file__).parent / "fixtures"
EXPECTED: dict[str, Any] = json.loads((FIXTURES / "schema-1.json").read_text(encoding="utf-8"))


@pytest.fixture
def old(tmp_path: Path) -> Path:
    """Return a file of the first release: six versions, a run, its steps, episodes and a rejection."""
    path = tmp_path / "old.db"
    with contextlib.closing(sqlite3.connect(path)) as db:
        db.executescript((FIXTURES / "schema-1.sql").read_text(encoding="utf-8"))
    return path


def version_of(path: Path) -> int:
    with contextlib.closing(sqlite3.connect(path)) as db:
        return int(db.execute("PRAGMA user_version").fetchone()[0])


def assert_it_says_the_same(store: Store) -> None:
    assert [version.hash for version in reversed(store.log())] == EXPECTED["hashes"]
    for number, playbook in enumerate(EXPECTED["playbooks"]):
        assert json.loads(playbook_to_json(store.checkout(number))) == playbook
    assert store.run(1).report == {"after": 0.75} and store.run(1).status == "done"
    assert [step.version for step in store.steps(1)] == [1, 2]
    assert [episode.attempt.text for episode in store.episodes(run=1)] == ["SELECT 3", "SELECT 3"]
    assert [touch.version.number for touch in store.blame("orders-1")] == [1, 2, 4, 5, 6]
    assert store.blame("orders-1")[0].episodes == ("e1", "e2")
    assert store.verify() == []


def test_an_old_file_is_migrated_when_it_is_opened_for_writing(old: Path) -> None:
    assert version_of(old) == 1
    with Store.open(old) as store:
        assert_it_says_the_same(store)
        assert version_of(old) == schema.LATEST
        store.branch("trial", at=3)
        done = store.commit((Vote("money-1", 1), Add("new-1", "joins", "by id")), author="user", reason="r")
        assert done.version.number == 7 and done.playbook.bullets["new-1"].position == 5
        assert store.verify() == []
    with Store.open(old) as again:
        assert again.head().number == 7


def test_an_old_file_can_be_read_without_a_change(old: Path) -> None:
    old.chmod(0o444)
    before = old.read_bytes()
    with Store.open(old, read_only=True) as store:
        assert_it_says_the_same(store)
        with pytest.raises(StoreUnwritable, match="read-only"):
            store.commit((Vote("money-1", 1),), author="user", reason="r")
    assert old.read_bytes() == before
    assert [path.name for path in old.parent.iterdir()] == ["old.db"]


def test_a_migration_that_fails_leaves_the_file_as_it_was(old: Path) -> None:
    with contextlib.closing(sqlite3.connect(old)) as db, db:
        db.execute("UPDATE operations SET operation = '{' WHERE version = 3")
        before = list(db.iterdump())
    for read_only in (False, True):
        with pytest.raises(NotAPlaybook, match="cannot be read"):
            Store.open(old, read_only=read_only)
    with contextlib.closing(sqlite3.connect(old)) as db:
        assert list(db.iterdump()) == before
    assert version_of(old) == 1


def test_tampering_before_the_migration_is_found_after_it(old: Path) -> None:
    with contextlib.closing(sqlite3.connect(old)) as db, db:
        db.execute("UPDATE bullets SET content = 'euros' WHERE id = 'money-1'")
        db.execute("UPDATE versions SET reason = 'other' WHERE number = 4")
    with Store.open(old) as store:
        assert [(p.version, str(p)) for p in store.verify()] == [
            (4, "Version 4 does not match its hash."),
            (6, "Bullet money-1 of the head is not what its history says."),
        ]


def test_a_newer_file_is_refused_and_stays_as_it_is(old: Path) -> None:
    Store.open(old).close()
    with contextlib.closing(sqlite3.connect(old)) as db:
        db.execute(f"PRAGMA user_version = {schema.LATEST + 1}")
    before = old.read_bytes()
    for read_only in (False, True):
        with pytest.raises(NewerSchema, match=f"has schema {schema.LATEST + 1}.*Upgrade the package"):
            Store.open(old, read_only=read_only)
    assert old.read_bytes() == before


def test_migrations_are_named_in_order_and_never_dropped() -> None:
    """Files in the field name them: one that is gone, renamed or out of order would run again."""
    names = [migration.__name__ for migration in schema.MIGRATIONS]
    assert names[:3] == ["m001_first_tables", "m002_uses", "m003_branches"]
    assert names == sorted(names) and len(set(names)) == len(names)


def test_version_0_of_a_new_file_is_that_of_the_first_release(tmp_path: Path) -> None:
    """Every hash of a file is made of it, so files of any release can be compared."""
    with Store.open(tmp_path / "new.db") as store:
        root = store.head()
    assert root.hash == EXPECTED["hashes"][0]
    assert (root.author, root.reason, root.parent, root.branch) == ("ace", "the empty playbook", None, "main")


def test_a_migrated_file_is_made_like_a_new_one(old: Path, tmp_path: Path) -> None:
    made = []
    for path in (old, tmp_path / "new.db"):
        Store.open(path).close()
        with contextlib.closing(sqlite3.connect(path)) as db:
            made.append(schema.read_objects(db))
    assert made[0] == made[1] == schema.expected_objects()
    assert {"view history", "table versions", "migration m001_first_tables"} <= made[0].keys()
