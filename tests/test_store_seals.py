"""Seals: the table that a row was taken from, put into or changed in is named; on purpose is no damage."""

from __future__ import annotations

import contextlib
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from ace.errors import NotAPlaybook
from ace.llm.client import Usage
from ace.llm.journal import Call, Key
from ace.memory import Conversation, Turn
from ace.memory import Proposal as MemoryOffer
from ace.memory.acceptance import MemoryRule
from ace.playbook import Add, Vote
from ace.playbook.exchange import Alias
from ace.store import (
    AnswerFeedback,
    EpisodeEvent,
    EpisodeJournal,
    Proposal,
    Reason,
    Store,
    checked_rows,
    memory_rows,
    restore,
    schema,
)
from ace.store.integrity import seals
from ace.store.sqlite_connection import transaction
from ace.task.types import Attempt, Episode, Feedback, FeedbackKind, Verdict

FIXTURES = Path(__file__).parent / "fixtures"
TABLES = sorted(set(checked_rows.SEALED) - {"seals"})
# What makes a copy of a row another one, and a cell that may hold anything.
KEYS = {
    "runs": ("id", "task"),
    "versions": ("number", "created"),
    "branches": ("name", "created"),
    "tags": ("id", "created"),
    "steps": ("number", "phase"),
    "episodes": ("id", "reply"),
    "proposals": ("sample_id", "why"),
    "feedback": ("id", "text"),
    "episode_events": ("number", "event"),
    "rejected_operations": ("author", "why"),
    "aliases": ("alias", "section"),
    "calls": ("sample", "error"),
    "memories": ("number", "quote"),
    "memory_proposals": ("id", "why"),
    "forgotten": ("number", "author"),
    "memory_exports": ("id", "path"),
}
UNIQUE = {"memories": "id", "forgotten": "memory"}  # beside the key
BLIND = Feedback(FeedbackKind.NONE, "")


def fill(path: Path) -> None:
    """Three rows or more in every table."""
    with Store.open(path) as store:
        store.commit((Add("a", "notes", "text"),), author="user", reason="r", aliases=aliases(1))
        for name in ("one", "two", "three"):
            store.branch(name)
            store.tag(f"tag-{name}")
            run = store.start_run("learn", "shop", {})
            who: dict[str, Any] = {"author": "curator", "reason": "r", "run": run}
            for number in range(3):
                seen = Episode(f"e{number}", "s", "?", Attempt("s", "1", "1"), BLIND, Verdict(False, 0), 0)
                offer = Proposal("s", "curator", (), "rejected", "no")
                rest: dict[str, Any] = {"step": (number, "epoch 1", {}), "episodes": [seen]}
                store.commit((Vote("a", 1), Vote("ghost", 1)), proposals=[offer], **rest, **who)
            add_feedback_and_call(store, run)
            store.finish_run(run, "done", {})
        store.commit((Vote("a", 1),), author="user", reason="imported again", aliases=aliases(2))
        store.untag("tag-one")
        remembered(store)


def remembered(store: Store) -> None:
    """Six memories, of which three are forgotten; three proposals; three exports."""
    for number in range(6):
        kept = store.remember("town", f"Town {number}", user=f"user {number}")
        if number < 3:
            store.forget(kept.id)
            store.note_export(store.path.with_name(f"{number}.jsonl"))
    talk = Conversation("c", "ana", "s", "2026-01-01", (Turn("user", "I live in Lima."),))
    store.consider(
        talk,
        [MemoryOffer("town", "Lima"), MemoryOffer("town", "Paris"), MemoryOffer("", "Lima")],
        author="user",
    )


def aliases(helpful: int) -> list[Alias]:
    return [Alias("them.md", str(number), "a", "notes", "0", helpful, 0) for number in range(3)]


def add_feedback_and_call(store: Store, run: int) -> None:
    with contextlib.closing(EpisodeJournal(store.path, "shop", {})) as events:
        events.run = run
        events.write(EpisodeEvent(f"own-{run}", 0, {}))
    store.add_feedback(AnswerFeedback("e1", right=False))
    with contextlib.closing(store.call_journal(run)) as journal:
        journal.write(Call(Key(0, "s", "generator", "r", 0), "p", "m", "1", "", "", Usage(calls=1), (), 1.0))


@pytest.fixture(scope="session")
def full(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("full") / "full.db"
    fill(path)
    return path


@pytest.fixture
def file(full: Path, tmp_path: Path) -> Path:
    restore(full, tmp_path / "playbook.db")
    return tmp_path / "playbook.db"


def change(path: Path, *statements: str) -> None:
    """Change the file as any other program can."""
    with contextlib.closing(sqlite3.connect(path)) as db, db:
        db.create_function("row_checksum", -1, lambda *values: seals.checksum(values), deterministic=True)
        for sql in statements:
            assert db.execute(sql).rowcount != 0


def verified(path: Path) -> list[str]:
    with Store.open(path, create=False, read_only=True) as store:
        return [str(problem) for problem in store.verify()]


def test_every_table_with_checksums_is_sealed_and_tried_here(file: Path) -> None:
    assert sorted(KEYS) == TABLES
    assert verified(file) == []
    with contextlib.closing(sqlite3.connect(file)) as db:
        checked = {
            name
            for (name,) in db.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")
            if "checksum" in {row[1] for row in db.execute(f"PRAGMA table_info({name})")}
        }
        assert checked - {"vectors"} == set(checked_rows.SEALED)  # a cache: its rows are made again
        assert [row[0] for row in db.execute("SELECT name FROM seals ORDER BY name")] == TABLES
        counts = {name: db.execute(f"SELECT count(*) FROM {name}").fetchone()[0] for name in TABLES}
    assert min(counts.values()) >= 3


@pytest.mark.parametrize("table", TABLES)
@pytest.mark.parametrize("which", ["the last", "all", "the middle"])
def test_rows_that_are_gone_are_missed(file: Path, table: str, which: str) -> None:
    key = checked_rows.KEYS.get(table, "rowid")
    end = {"the last": "LIMIT 1", "all": "", "the middle": "LIMIT 1 OFFSET 1"}[which]
    order = ", ".join(f"{name} DESC" for name in key.split(", "))
    change(file, f"DELETE FROM {table} WHERE ({key}) IN (SELECT {key} FROM {table} ORDER BY {order} {end})")
    found = verified(file)
    assert any(f"of {table} is missing" in text or f"of {table} are missing" in text for text in found)


@pytest.mark.parametrize("table", TABLES)
def test_a_cell_that_was_changed_is_found(file: Path, table: str) -> None:
    key, cell = KEYS[table]
    last = f"{key} = (SELECT max({key}) FROM {table})"
    change(file, f"UPDATE {table} SET {cell} = 'other' WHERE {last}")
    assert [text for text in verified(file) if f"of {table} is not what was written" in text]
    change(file, f"UPDATE {table} SET checksum = row_checksum({columns(table)}) WHERE {last}")
    assert f"The rows of {table} are as many as were written, but not the same." in verified(file)


@pytest.mark.parametrize("table", TABLES)
def test_a_row_that_others_added_is_found(file: Path, table: str) -> None:
    """Even one that has the right checksum."""
    key, _ = KEYS[table]
    names = [name for name in checked_rows.SEALED[table] if name != key]
    others = ", ".join(f'"{name}"' for name in names)
    told = ", ".join("'~'" if name == UNIQUE.get(table) else f'"{name}"' for name in names)
    new = "'~'" if key in ("name", "alias", "sample_id", "author", "sample") else "1000"
    copy = f"INSERT INTO {table} ({key}, {others}, checksum) SELECT {new}, {told}, '' FROM {table} LIMIT 1"
    change(file, copy, f"UPDATE {table} SET checksum = row_checksum({columns(table)}) WHERE {key} = {new}")
    found = verified(file)
    assert f"1 row of {table} is there that nobody wrote through ace." in found
    assert not [text for text in found if "not what was written" in text]


def columns(table: str) -> str:
    return ", ".join(f'"{name}"' for name in sorted(checked_rows.SEALED[table]))


@pytest.mark.parametrize(
    ("sql", "told"),
    [
        (
            "DELETE FROM seals WHERE name = 'episodes'",
            "The seal of episodes is missing: nobody can say whether it has all its rows.",
        ),
        ("UPDATE seals SET \"rows\" = 1 WHERE name = 'tags'", "Row tags of seals is not what was written."),
        ("UPDATE seals SET digest = x'00' WHERE name = 'runs'", "Row runs of seals is not what was written."),
        (
            "INSERT INTO seals VALUES ('mine', 0, x'', '')",
            "There is a seal of mine, which is not a table of ours.",
        ),
        ("DELETE FROM seals", "The seal of calls is missing: nobody can say whether it has all its rows."),
    ],
)
def test_a_damaged_seal_is_found_and_nothing_stops(file: Path, sql: str, told: str) -> None:
    change(file, sql)
    assert told in verified(file)
    with Store.open(file) as store:
        store.commit((Vote("a", 1),), author="user", reason="goes on")
    assert told in verified(file)


def test_a_history_that_was_cut_short_everywhere_is_found(file: Path) -> None:
    """Everything derived agrees with the remaining rows: only the seal shows the loss."""
    change(
        file,
        "DELETE FROM bullet_history WHERE version > 0",
        "DELETE FROM operations",
        "DELETE FROM sections",
        "DELETE FROM bullets",
        "DELETE FROM branches WHERE name <> 'main'",
        "DELETE FROM versions WHERE number > 0",
        "UPDATE branches SET version = 0",
        "UPDATE branches SET checksum = row_checksum(base, created, name, version)",
        "DELETE FROM aliases",
        "DELETE FROM steps",
        "DELETE FROM tags",
        "DELETE FROM proposals",
        "DELETE FROM rejected_operations",
        "DELETE FROM episodes",
    )
    assert "11 rows of versions are missing." in verified(file)


def test_taking_away_and_rewriting_on_purpose_is_no_damage(file: Path) -> None:
    with Store.open(file) as store, transaction(store._db, file, write=True) as db:
        assert checked_rows.delete(db, "aliases", "source = ? AND alias = ?", ["them.md", "1"]) == 1
        assert checked_rows.delete(db, "aliases", "alias = 'nobody'") == 0
        db.execute("UPDATE episodes SET question = '', reply = '' WHERE id = 'e1'")
        assert checked_rows.reseal(db, "episodes", "id = ?", ["e1"]) == 3
    assert verified(file) == []
    change(file, "DELETE FROM aliases WHERE rowid = (SELECT max(rowid) FROM aliases)")
    assert verified(file) == ["1 row of aliases is missing."]


def test_resealing_some_rows_vouches_for_no_others(file: Path) -> None:
    change(file, "UPDATE episodes SET reply = 'other' WHERE id = 'e0' AND run = 1")
    with Store.open(file) as store, transaction(store._db, file, write=True) as db:
        db.execute("UPDATE episodes SET reply = '' WHERE id = 'e1'")
        checked_rows.reseal(db, "episodes", "id = 'e1'")
    assert verified(file) == ["Row 1 of episodes is not what was written."]


def test_a_backup_with_a_row_less_is_refused(file: Path, tmp_path: Path) -> None:
    change(file, "DELETE FROM calls WHERE id = (SELECT max(id) FROM calls)")
    with pytest.raises(NotAPlaybook, match="1 row of calls is missing"):
        restore(file, tmp_path / "new.db")


# Files of earlier releases


def old_file(path: Path, version: int) -> Path:
    """Write the first release's file as a release with this schema would have migrated it; 6 is full."""
    if version == 6:
        return dumped(path, "schema-6.sql")
    from sqlite_utils import Database, Migrations

    dumped(path, "schema-1.sql")
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as db:
        migrations = Migrations("ace")
        for migration in schema.MIGRATIONS[:version]:
            migrations()(migration)
        migrations.apply(Database(db))
        db.execute(f"PRAGMA user_version = {version}")
    return path


def dumped(path: Path, name: str) -> Path:
    with contextlib.closing(sqlite3.connect(path)) as db:
        db.executescript((FIXTURES / name).read_text(encoding="utf-8"))
    return path


@pytest.mark.parametrize("version", range(1, 7))
def test_files_of_earlier_schemas_are_sealed_when_they_are_migrated(tmp_path: Path, version: int) -> None:
    path = old_file(tmp_path / "old.db", version)
    assert verified(path) == []  # read as if it were migrated
    with Store.open(path) as store:
        assert store.verify() == []
        store.commit((Vote("orders-1", 1),), author="user", reason="goes on")
    assert verified(path) == []
    change(path, "DELETE FROM episodes WHERE rowid = (SELECT max(rowid) FROM episodes)")
    assert verified(path) == ["1 row of episodes is missing."]


@pytest.mark.parametrize("table", ["episodes", "calls", "tags", "feedback", "aliases", "proposals", "steps"])
def test_what_was_missing_before_the_migration_still_is(tmp_path: Path, table: str) -> None:
    """In the middle: where a table ends nothing told then."""
    path = dumped(tmp_path / "old.db", "schema-6.sql")
    if table == "steps":
        change(path, "UPDATE steps SET number = 7 WHERE number = 1")
    else:
        change(path, f"DELETE FROM {table} WHERE rowid = 1")
    for _ in range(2):
        assert any(f"of {table}" in text and "missing" in text for text in verified(path))
        Store.open(path).close()


def test_proposals_of_an_older_file_have_no_reason_and_stay_sealed(tmp_path: Path) -> None:
    path = dumped(tmp_path / "old.db", "schema-6.sql")
    with Store.open(path) as store:
        assert [proposal.reason for proposal in store.proposals()] == [Reason.UNKNOWN] * 2
        proven = Proposal("s", "curator", (), "accepted", "right with it", reason=Reason.PROVEN)
        store.commit((), author="user", reason="r", proposals=[proven])
        assert store.proposals()[-1] == proven
    assert verified(path) == []
    change(path, "UPDATE proposals SET reason = 'merged' WHERE rowid = 1")
    assert verified(path) == ["Row 1 of proposals is not what was written."]


def test_a_new_column_covers_no_damage_up(tmp_path: Path) -> None:
    """Rows that were changed or deleted before the migration are still reported."""
    path = dumped(tmp_path / "old.db", "schema-6.sql")
    change(path, "UPDATE proposals SET why = 'yes' WHERE rowid = 2")
    change(path, "DELETE FROM proposals WHERE rowid = 1")
    for _ in range(2):
        assert verified(path) == [
            "Row 2 of proposals is not what was written.",
            "1 row of proposals is missing.",
            "1 proposals of run 1 are missing.",
        ]
        Store.open(path).close()


def test_refused_memories_of_an_older_file_get_their_rule(tmp_path: Path) -> None:
    """Rule and repeated memory come from the sentence; a damaged row is still reported."""
    path = old_file(tmp_path / "old.db", 10)
    whys = [
        "duplicate: 'm-1' says the same",
        "secret: it holds a PIN",
        "too long: 400 characters, at most 300",
    ]
    with contextlib.closing(sqlite3.connect(path)) as db, db:
        for number, (why, memory) in enumerate([*zip(whys, ["", "", ""], strict=True), ("", "m-1")]):
            talk = ("ana", "s1", f"c{number}", '{"value": "41"}')
            outcome = "accepted" if memory else "rejected"
            row = (number, *talk, outcome, why, memory, "rememberer", "2026-03-01T00:00:00.000+00:00", "")
            db.execute("INSERT INTO memory_proposals VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", row)
        checked_rows.fill_checksums(db, "memory_proposals")
        seals.seal_table(db, "memory_proposals")
        db.execute("UPDATE memory_proposals SET author = 'other' WHERE id = 1")
    for _ in range(2):
        with Store.open(path) as store:
            refusals = [(proposal.rule, proposal.same_as) for proposal in store.memory_proposals("ana")]
        duplicate, secret, too_long, accepted = refusals
        assert duplicate == (MemoryRule.DUPLICATE, "m-1")
        assert secret == (MemoryRule.SECRET, "")
        assert too_long == (MemoryRule.TOO_LONG, "")
        assert accepted == (MemoryRule.NONE, "")
        assert verified(path) == ["Row 1 of memory_proposals is not what was written."]


@pytest.mark.parametrize(
    ("why", "refusal"),
    [
        ("", (MemoryRule.NONE, "")),
        ("empty", (MemoryRule.EMPTY, "")),
        ("duplicate", (MemoryRule.DUPLICATE, "")),
        ("duplicate: 'm-1' says the same", (MemoryRule.DUPLICATE, "m-1")),
        ("""duplicate: "it's" says the same""", (MemoryRule.DUPLICATE, "it's")),
        ("duplicate: 'a'b' says the same", (MemoryRule.DUPLICATE, "")),
        ("unsupported: the user did not say '42'", (MemoryRule.UNSUPPORTED, "")),
        ("foreseen: by a later release", (MemoryRule.UNKNOWN, "")),
    ],
)
def test_a_refusal_is_parsed_into_its_rule(why: str, refusal: tuple[MemoryRule, str]) -> None:
    assert memory_rows.parse_refusal(why) == refusal


def test_a_reason_of_a_later_release_reads_as_unknown(file: Path) -> None:
    change(file, "UPDATE proposals SET reason = 'foreseen'")
    with Store.open(file) as store:
        assert {proposal.reason for proposal in store.proposals()} == {Reason.UNKNOWN}


def test_a_seal_does_not_depend_on_the_order_of_rows() -> None:
    one, two = (seals.sum_checksums("tags", order) for order in (["a", "b", "b"], ["b", "a", "b"]))
    assert one == two != seals.sum_checksums("tags", ["a", "b"]) != seals.sum_checksums("runs", ["a", "b"])
