"""What other programs put into the schema of a file is named; what would act is refused before it does."""

from __future__ import annotations

import contextlib
import shlex
import sqlite3
from pathlib import Path

import pytest

from ace.errors import NewerSchema, StoreUnwritable
from ace.llm.client import Usage
from ace.llm.journal import Call, Key
from ace.playbook import Add
from ace.store import Store, schema
from ace.store.integrity import foreign

OLD = sorted((Path(__file__).parent / "fixtures").glob("*.sql"))

# SQL -> what is named.
TRIGGERS = {
    "CREATE TRIGGER g AFTER INSERT ON versions BEGIN DELETE FROM bullets; END": "trigger g on versions",
    "CREATE TRIGGER g BEFORE UPDATE ON branches BEGIN SELECT RAISE(IGNORE); END": "trigger g on branches",
    "CREATE TRIGGER g INSTEAD OF INSERT ON history BEGIN SELECT 1; END": "trigger g on history",
    "CREATE TRIGGER g AFTER INSERT ON vectors WHEN new.text > '' BEGIN SELECT 1; END": "trigger g on vectors",
    'CREATE TRIGGER "a ""b\'" AFTER DELETE ON memories BEGIN SELECT 1; END': "trigger a \"b' on memories",
    "CREATE TABLE t (x); CREATE TRIGGER g AFTER INSERT ON t BEGIN DELETE FROM bullets; END": "trigger g on t",
}
INDEXES = {
    "CREATE UNIQUE INDEX i ON bullets (content)": "index i on bullets",
    "CREATE INDEX i ON versions (abs(number))": "index i on versions",
    "CREATE INDEX i ON operations (op) WHERE json(operation) <> ''": "index i on operations",
}
CHANGED = {
    "ALTER TABLE bullets ADD COLUMN twice TEXT AS (content || content) VIRTUAL": "table bullets",
    "ALTER TABLE tags ADD COLUMN note TEXT DEFAULT (hex(randomblob(9)))": "table tags",
    "ALTER TABLE runs RENAME COLUMN task TO job": "table runs",
    "DROP TABLE vectors; CREATE TABLE vectors (text TEXT PRIMARY KEY ON CONFLICT IGNORE, embedder, vector)": (
        "table vectors"
    ),
    "DROP TABLE vectors; CREATE TABLE vectors (text TEXT PRIMARY KEY, embedder CHECK (abs(1)), vector)": (
        "table vectors"
    ),
    "DROP TABLE vectors; CREATE TABLE Vectors (text TEXT PRIMARY KEY, embedder, vector)": "table Vectors",
    "DROP TABLE vectors; CREATE VIEW vectors AS SELECT 1 AS text, 2 AS embedder, 3 AS vector": "view vectors",
    "DROP VIEW head_bullets; CREATE VIEW head_bullets AS SELECT * FROM bullets LIMIT 1": "view head_bullets",
    "DROP INDEX calls_run; CREATE UNIQUE INDEX calls_run ON calls (run)": "index calls_run",
}
ACTING = TRIGGERS | INDEXES | CHANGED
BESIDE = {
    "CREATE TABLE mine (note TEXT)": "table mine",
    "CREATE TABLE mine (version REFERENCES versions ON DELETE CASCADE)": "table mine",
    "CREATE VIEW mine AS SELECT content FROM bullets": "view mine",
    "CREATE INDEX mine ON bullets (content)": "index mine",
    "CREATE TABLE t (x); CREATE UNIQUE INDEX mine ON t (x)": "index mine",
}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "playbook.db"
    with Store.open(path) as store:
        store.start_run("learn", "shop", {})
        store.commit((Add("a", "notes", "text"),), author="user", reason="first")
    return path


def plant(file: Path, script: str) -> None:
    """Change the file as any other program can."""
    with contextlib.closing(sqlite3.connect(file)) as db:
        db.executescript(script)


def dump(file: Path) -> list[str]:
    with contextlib.closing(sqlite3.connect(file)) as db:
        return list(db.iterdump())


def find_problems(file: Path) -> list[str]:
    with Store.open(file, read_only=True) as store:
        return [problem.text for problem in store.verify()]


@pytest.mark.parametrize("script", ACTING)
def test_what_would_act_is_refused_before_it_does_and_is_named(file: Path, script: str) -> None:
    plant(file, script)
    before = dump(file)
    with pytest.raises(StoreUnwritable, match="can only be read") as refused:
        Store.open(file)
    assert ACTING[script] in str(refused.value)
    assert str(file) in str(refused.value)
    assert dump(file) == before
    assert any(problem.startswith(ACTING[script]) for problem in find_problems(file))
    with Store.open(file, read_only=True) as store:
        assert store.checkout().bullets["a"].content == "text"


@pytest.mark.parametrize("script", TRIGGERS | INDEXES)
def test_the_error_says_how_to_remove_it(file: Path, script: str) -> None:
    plant(file, script)
    with pytest.raises(StoreUnwritable) as refused:
        Store.open(file)
    program, path, remedy = shlex.split(refused.value.hint.partition(": ")[2])
    assert (program, path) == ("sqlite3", str(file))
    plant(file, remedy)
    with Store.open(file) as store:
        store.commit((Add("b", "notes", "more"),), author="user", reason="second")
        assert set(store.checkout().bullets) == {"a", "b"}


@pytest.mark.parametrize("script", BESIDE)
def test_what_stands_beside_ours_is_named_and_written_around(file: Path, script: str) -> None:
    plant(file, script)
    with Store.open(file) as store:
        store.commit((Add("b", "notes", "more"),), author="user", reason="second")
    assert f"{BESIDE[script]} is not of ace." in find_problems(file)


def test_the_statistics_of_sqlite_are_not_foreign(file: Path) -> None:
    plant(file, "ANALYZE")
    Store.open(file).close()
    assert find_problems(file) == []


@pytest.mark.parametrize("script", TRIGGERS)
def test_what_is_planted_while_the_file_is_open_is_refused_at_the_next_write(file: Path, script: str) -> None:
    call = Call(Key(1, "s", "generator", "hash", 0), "epoch 1", "m", "reply", "stop", "", Usage(), (), 0.0)
    with Store.open(file) as store, contextlib.closing(store.call_journal(1)) as journal:
        store.commit((Add("b", "notes", "more"),), author="user", reason="second")
        journal.write(call)
        plant(file, script)
        before = dump(file)
        with pytest.raises(StoreUnwritable, match="can only be read"):
            store.commit((Add("c", "notes", "most"),), author="user", reason="third")
        with pytest.raises(StoreUnwritable, match="can only be read"):
            journal.write(call)
        assert dump(file) == before
        assert set(store.checkout().bullets) == {"a", "b"}


@pytest.mark.parametrize("old", OLD, ids=lambda path: path.stem)
def test_a_file_of_an_older_release_is_not_migrated_past_a_trigger(old: Path, tmp_path: Path) -> None:
    file = tmp_path / "old.db"
    plant(file, old.read_text("utf-8"))
    trigger = "CREATE TRIGGER g AFTER UPDATE ON runs BEGIN DELETE FROM bullets; END"
    plant(file, trigger)
    before = dump(file)
    with pytest.raises(StoreUnwritable, match="trigger g on runs"):
        Store.open(file)
    assert dump(file) == before
    with Store.open(file, read_only=True) as store:
        assert len(store.checkout()) > 0
    plant(file, "DROP TRIGGER g")
    Store.open(file).close()
    assert find_problems(file) == []


def test_the_hash_of_the_schema_is_that_of_its_migrations() -> None:
    """Without it every opening would make all tables to compare with: write the new hash there."""
    with contextlib.closing(sqlite3.connect(":memory:", isolation_level=None)) as db:
        schema.apply_migrations(db)
        assert foreign.hash_schema(db) == schema.DIGEST


def test_a_file_that_a_later_release_has_migrated_meanwhile_is_not_written_to(file: Path) -> None:
    """It would not keep what that release has added."""
    with Store.open(file) as store:
        plant(file, f"CREATE TABLE later (x); PRAGMA user_version = {schema.LATEST + 1}")
        before = dump(file)
        with pytest.raises(NewerSchema, match="Upgrade the package"):
            store.commit((Add("b", "notes", "more"),), author="user", reason="second")
        assert set(store.checkout().bullets) == {"a"}
        assert dump(file) == before
