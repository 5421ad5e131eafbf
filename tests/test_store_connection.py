"""Opening a file: what is said when it cannot be, to the letter, and what is left as it was."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import sqlite3
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from ace.errors import InputError, NewerSchema, NotAPlaybook, StoreBusy, StoreError, StoreUnwritable
from ace.playbook import Add, Vote
from ace.store import Store, restore, schema
from ace.store.connection import connect_shared
from ace.store.sqlite_connection import typed_errors
from tests.pace import patience
from tests.unwritable import unwritable_folder

FIXTURES = Path(__file__).parent / "fixtures"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "playbook.db"
    with Store.open(path) as store:
        store.commit((Add("a", "notes", "text"),), author="user", reason="first")
    return path


def change(path: Path, *statements: str) -> None:
    with contextlib.closing(sqlite3.connect(path)) as db, db:
        for sql in statements:
            db.execute(sql)


def refused(path: Path, **options: Any) -> StoreError:
    with pytest.raises(StoreError) as caught:
        Store.open(path, timeout=0.05, **options).close()
    return caught.value


def test_a_missing_file_is_refused_in_these_words(tmp_path: Path) -> None:
    error = refused(tmp_path / "no.db", create=False)
    assert str(error) == f"There is no playbook at {tmp_path / 'no.db'}. `ace learn TASK` makes one."


@pytest.mark.parametrize("read_only", [True, False])
def test_an_empty_file_is_refused_in_these_words(tmp_path: Path, read_only: bool) -> None:
    path = tmp_path / "empty.db"
    path.touch()
    error = refused(path, read_only=read_only, create=False)
    assert str(error) == f"{path} is empty, not a playbook. Give another path with --playbook."


@pytest.mark.parametrize("read_only", [True, False])
def test_another_database_is_refused_in_these_words(tmp_path: Path, read_only: bool) -> None:
    path = tmp_path / "other.db"
    for sql in ("CREATE TABLE t (x)", "PRAGMA user_version = 2", "PRAGMA application_id = 5"):
        path.unlink(missing_ok=True)
        change(path, sql)
        error = refused(path, read_only=read_only)
        assert isinstance(error, NotAPlaybook)
        assert str(error) == (
            f"{path} is an SQLite file, but not a playbook. Give another path with --playbook."
        )


def test_a_newer_file_is_refused_in_these_words(file: Path) -> None:
    change(file, "PRAGMA user_version = 99")
    error = refused(file)
    assert isinstance(error, NewerSchema)
    assert str(error) == f"{file} has schema 99; this release knows {schema.LATEST}. Upgrade the package."


def test_a_file_of_this_release_has_its_number_and_its_mark(file: Path) -> None:
    with contextlib.closing(sqlite3.connect(file)) as db:
        assert db.execute("PRAGMA user_version").fetchone() == (schema.LATEST,)
        assert db.execute("PRAGMA application_id").fetchone() == (int.from_bytes(b"acep"),)


def test_what_sqlite_refuses_says_what_to_do_and_where(file: Path) -> None:
    nowhere = file.parent / "no" / "playbook.db"
    error = refused(nowhere)
    assert isinstance(error, StoreUnwritable) and error.details == {"path": str(nowhere)}
    assert str(error) == (
        f"{nowhere} cannot be opened (unable to open database file). "
        "Check that its folder exists and that you may write to both, or give another --playbook."
    )


def test_a_locked_file_says_what_to_do_and_where(file: Path) -> None:
    with contextlib.closing(sqlite3.connect(file, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        error = refused(file)
    assert isinstance(error, StoreBusy) and error.details == {"path": str(file)}
    assert str(error) == (
        f"{file} is locked by another process (database is locked). "
        "Try again when it is done: nothing was written."
    )


def test_a_closed_store_says_so(file: Path) -> None:
    store = Store.open(file)
    store.close()
    with pytest.raises(StoreError) as caught:
        store.head()
    assert type(caught.value) is StoreError and caught.value.details == {"path": str(file)}
    assert str(caught.value) == (
        f"{file} failed (Cannot operate on a closed database.). "
        "A store serves the thread that opened it, until it is closed: open another."
    )


def test_a_table_that_is_gone_is_damage(file: Path) -> None:
    change(file, "DROP TABLE steps")
    with Store.open(file) as store:
        run = store.start_run("learn", "shop", {})
        with pytest.raises(NotAPlaybook) as caught:
            store.steps(run)
    assert str(caught.value).startswith(
        f"{file} does not have the tables of a playbook (no such table: steps)"
    )
    assert caught.value.hint == schema.DAMAGED and caught.value.details == {"path": str(file)}


@pytest.mark.parametrize(
    ("sql", "says"),
    [
        ("UPDATE runs SET config = '{'", "holds a row that cannot be read (Expecting property name"),
        ("UPDATE runs SET kind = CAST(x'ff' AS TEXT)", "holds a text that cannot be read (Could not decode"),
    ],
)
def test_a_row_that_cannot_be_read_is_damage(file: Path, sql: str, says: str) -> None:
    with Store.open(file) as store:
        store.start_run("learn", "shop", {})
    change(file, sql)
    with Store.open(file, read_only=True) as store, pytest.raises(NotAPlaybook) as caught:
        store.runs()
    assert caught.value.message.startswith(f"{file} {says}")
    assert caught.value.hint == schema.DAMAGED


def test_an_error_that_is_not_sqlites_passes() -> None:
    with pytest.raises(KeyError), typed_errors(Path("p.db")):
        raise KeyError("mine")


def test_a_transaction_that_fails_leaves_no_lock(file: Path) -> None:
    with Store.open(file) as store, Store.open(file, timeout=0.05) as other:
        with pytest.raises(StoreError):
            store.commit((Vote("a", 1),), author="a", reason="r", run=99)
        assert other.commit((Vote("a", 1),), author="a", reason="r").version.number == 2
        assert store.head().number == 2


def test_an_old_file_that_is_read_leaves_nothing_anywhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old, here = tmp_path / "old.db", tmp_path / "here"
    here.mkdir()
    monkeypatch.chdir(here)
    with contextlib.closing(sqlite3.connect(old)) as db:
        db.executescript((FIXTURES / "schema-1.sql").read_text(encoding="utf-8"))
    with Store.open(old, read_only=True) as store:
        assert store.verify() == []
    assert list(here.iterdir()) == [] and sorted(p.name for p in tmp_path.iterdir()) == ["here", "old.db"]
    change(old, "UPDATE operations SET operation = '{' WHERE version = 3")
    error = refused(old, read_only=True)
    assert error.message.startswith(f"{old} holds a row that cannot be read (")


def test_a_second_connection_serves_any_thread_and_is_as_careful(file: Path) -> None:
    with contextlib.closing(connect_shared(file, timeout=1.0)) as db, ThreadPoolExecutor(1) as pool:
        assert pool.submit(db.execute, "SELECT max(number) FROM versions").result().fetchone() == (1,)
        settings = ("journal_mode", "synchronous", "foreign_keys")
        assert [db.execute(f"PRAGMA {name}").fetchone()[0] for name in settings] == ["wal", 2, 1]
    with pytest.raises(StoreUnwritable, match=re.escape(str(file.with_name("no.db")))):
        connect_shared(file.with_name("no.db"), timeout=1.0)
    assert not file.with_name("no.db").exists()


@pytest.fixture
def at_rest(file: Path) -> Path:
    """A backup is in SQLite's other journal mode, in which a writer keeps readers out."""
    with Store.open(file, read_only=True) as store:
        return store.backup(file.with_name("rest.db"))


def test_a_file_waits_its_turn_to_be_switched_to_its_mode_and_not_for_ever(at_rest: Path) -> None:
    with contextlib.closing(sqlite3.connect(at_rest, isolation_level=None, check_same_thread=False)) as other:
        other.execute("BEGIN IMMEDIATE")
        assert isinstance(refused(at_rest), StoreBusy)
        timer = threading.Timer(0.2, lambda: other.execute("ROLLBACK"))
        timer.start()
        with Store.open(at_rest, timeout=patience(30)) as store:
            assert store.head().number == 1
        timer.join()


def test_a_file_that_is_locked_is_not_read_as_if_it_were_at_rest(at_rest: Path) -> None:
    with contextlib.closing(sqlite3.connect(at_rest, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        assert isinstance(refused(at_rest, read_only=True), StoreBusy)


@pytest.fixture
def crashed(file: Path) -> Iterator[Path]:
    """After a process was killed: the last commit is in the write-ahead log. In a folder only for reading."""
    with Store.open(file) as store:
        store.commit((Vote("a", 5),), author="user", reason="last words")
        with unwritable_folder(file, Path(f"{file}-wal")) as folder:
            yield folder / file.name


def test_a_file_is_not_read_without_what_lies_beside_it(crashed: Path) -> None:
    assert isinstance(refused(crashed, read_only=True), StoreUnwritable)
    assert crashed.with_name("playbook.db-wal").exists()


@pytest.mark.parametrize("read_only", [True, False])
def test_a_store_waits_as_long_as_it_was_told_to(file: Path, read_only: bool) -> None:
    with Store.open(file, timeout=0.25, read_only=read_only) as store:
        assert store._db.execute("PRAGMA busy_timeout").fetchone() == (250,)


# Backups, and putting them back


def test_a_name_that_is_taken_is_refused_in_these_words(file: Path, tmp_path: Path) -> None:
    with Store.open(file) as store, pytest.raises(InputError) as caught:
        store.backup(file)
    hint = "Give a name that is free: nothing is overwritten."
    assert str(caught.value) == f"{file} is there already. {hint}"
    with Store.open(file) as store, pytest.raises(StoreUnwritable, match=re.escape(str(tmp_path / "no"))):
        store.backup(tmp_path / "no" / "copy")


def test_a_link_to_nothing_is_not_taken_for_a_free_name(file: Path, tmp_path: Path) -> None:
    """Writes to it would be lost silently."""
    link = tmp_path / "link.db"
    link.symlink_to(tmp_path / "nothing.db")
    with Store.open(file) as store, pytest.raises(InputError, match="there already"):
        store.backup(link)
    with pytest.raises(InputError, match="there already"):
        restore(file, link)
    assert link.is_symlink() and not link.exists()


def test_whoever_is_faster_with_a_name_keeps_it(
    file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target, link = tmp_path / "copy", os.link

    def late(source: Path, name: Path) -> None:
        target.write_text("mine")
        link(source, name)

    monkeypatch.setattr("os.link", late)
    with Store.open(file) as store, pytest.raises(InputError, match=re.escape(f"{target} is there already")):
        store.backup(target)
    assert target.read_text() == "mine"


def test_a_damaged_backup_is_refused_with_how_much_is_wrong(file: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copy(file, copy)
    change(copy, "UPDATE bullets SET content = 'other'")
    first = "Bullet a of the head is not what its history says."
    for number, more in enumerate(("", " (and 1 more)")):
        with pytest.raises(NotAPlaybook) as caught:
            restore(copy, tmp_path / "new.db")
        assert str(caught.value) == f"{copy} is damaged: {first}{more} Restore another backup."
        change(copy, f"INSERT INTO bullets VALUES ('b{number}', 'notes', 'x', '[]', 'active', 0, 0, 0, 9)")
    assert not (tmp_path / "new.db").exists()


def test_a_backup_is_not_changed_by_restoring_it(file: Path, tmp_path: Path) -> None:
    with Store.open(file) as store:
        store.backup(tmp_path / "copy")
    before = (tmp_path / "copy").read_bytes()
    assert restore(tmp_path / "copy", tmp_path / "new.db") is None
    assert (tmp_path / "copy").read_bytes() == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["copy", "new.db", "playbook.db"]


def test_what_is_set_aside_is_named_by_the_time_in_utc(
    file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copy(file, tmp_path / "copy")
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    time.tzset()
    try:
        kept = restore(tmp_path / "copy", file)
    finally:
        monkeypatch.delenv("TZ")
        time.tzset()
    assert kept is not None
    stamp = datetime.strptime(kept.name.removeprefix("playbook.db.before-"), "%Y%m%dT%H%M%S%fZ")
    assert abs(datetime.now(UTC) - stamp.replace(tzinfo=UTC)) < timedelta(hours=1)


def test_what_lies_beside_a_whole_file_is_folded_into_what_is_kept(file: Path, tmp_path: Path) -> None:
    """Leave the file as a killed process does: its last commits are in the write-ahead log."""
    shutil.copy(file, tmp_path / "copy")
    crashed = tmp_path / "crashed" / "playbook.db"
    crashed.parent.mkdir()
    with Store.open(file) as store:
        store.commit((Vote("a", 5),), author="user", reason="last words")
        for end in ("", "-wal", "-shm"):
            shutil.copy(f"{file}{end}", f"{crashed}{end}")
    kept = restore(tmp_path / "copy", crashed)
    assert kept is not None
    assert sorted(path.name for path in crashed.parent.iterdir()) == [crashed.name, kept.name]
    with Store.open(kept, read_only=True) as store:
        assert store.checkout().bullets["a"].helpful == 5
    with Store.open(crashed, read_only=True) as store:
        assert store.checkout().bullets["a"].helpful == 0


def test_all_that_lies_beside_a_damaged_file_is_kept(file: Path, tmp_path: Path) -> None:
    shutil.copy(file, tmp_path / "copy")
    file.write_bytes(b"nonsense" * 1000)
    for end in ("-wal", "-shm"):
        Path(f"{file}{end}").write_bytes(end.encode())
    kept = restore(tmp_path / "copy", file)
    assert kept is not None and Path(f"{kept}-wal").read_bytes() == b"-wal"
    assert Path(f"{kept}-shm").exists()  # an index of the other, which SQLite makes again
    assert not any(Path(f"{file}{end}").exists() for end in ("-wal", "-shm"))


def test_a_file_at_rest_that_somebody_locks_is_not_replaced(file: Path, tmp_path: Path) -> None:
    with Store.open(file) as store:
        store.backup(tmp_path / "copy")  # without anything beside it
        store.backup(tmp_path / "target.db")
    target = tmp_path / "target.db"
    with contextlib.closing(sqlite3.connect(target, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreBusy) as caught:
            restore(tmp_path / "copy", target, timeout=0.05)
    assert str(caught.value) == (
        f"{target} is in use by another process. Stop what uses it, then restore again."
    )
    assert caught.value.details == {"path": str(target)}
    assert sorted(path.name for path in tmp_path.iterdir()) == ["copy", "playbook.db", "target.db"]
