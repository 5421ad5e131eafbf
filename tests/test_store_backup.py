"""Backup and restore: a copy of one moment, verified before it is used, and nothing is ever overwritten."""

from __future__ import annotations

import contextlib
import os
import shutil
import sqlite3
import threading
from pathlib import Path

import pytest

from ace.errors import InputError, NotAPlaybook, StoreBusy, StoreError, StoreUnwritable
from ace.playbook import Add, Vote
from ace.store import Store, restore
from tests.pace import patience


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "playbook.db"
    with Store.open(path) as store:
        store.commit((Add("a", "notes", "text"),), author="user", reason="first")
        store.tag("prod")
    return path


def names(folder: Path) -> list[str]:
    """Without what SQLite keeps beside a file that is, or was, open."""
    return sorted(path.name for path in folder.iterdir() if path.name[-4:] not in ("-wal", "-shm"))


def dump(path: Path) -> list[str]:
    with contextlib.closing(sqlite3.connect(path)) as db:
        return list(db.iterdump())


def votes(path: Path) -> int:
    with Store.open(path, read_only=True) as store:
        assert store.verify() == []
        return store.checkout().bullets["a"].helpful


def test_a_backup_is_one_file_that_says_the_same(file: Path, tmp_path: Path) -> None:
    with Store.open(file) as store:
        store.commit((Vote("a", 1),), author="user", reason="still in the write-ahead log")
        assert store.backup(tmp_path / "copy") == tmp_path / "copy"
    assert names(tmp_path) == ["copy", "playbook.db"]
    assert votes(tmp_path / "copy") == 1
    assert dump(tmp_path / "copy") == dump(file)


def test_a_backup_of_a_file_in_use_is_one_moment_of_it(file: Path, tmp_path: Path) -> None:
    stop = threading.Event()

    def write() -> None:
        with Store.open(file, timeout=patience(60)) as store:
            while not stop.is_set():
                store.commit((Vote("a", 1),), author="user", reason="r")

    writer = threading.Thread(target=write)
    writer.start()
    try:
        with Store.open(file, read_only=True) as store:
            for number in range(5):
                store.backup(tmp_path / f"copy-{number}")
    finally:
        stop.set()
        writer.join()
    found = [votes(tmp_path / f"copy-{number}") for number in range(5)]
    assert found == sorted(found) and found[-1] <= votes(file)


def test_a_backup_overwrites_nothing_and_leaves_nothing_half_done(file: Path, tmp_path: Path) -> None:
    (tmp_path / "notes.md").write_text("mine")
    with Store.open(file, read_only=True) as store:
        with pytest.raises(InputError, match="there already"):
            store.backup(tmp_path / "notes.md")
        with pytest.raises(StoreUnwritable):
            store.backup(tmp_path / "no" / "such" / "folder")
    assert names(tmp_path) == ["notes.md", "playbook.db"]
    assert (tmp_path / "notes.md").read_text() == "mine"


def test_restoring_keeps_what_was_there(file: Path, tmp_path: Path) -> None:
    with Store.open(file) as store:
        store.backup(tmp_path / "copy")
        store.commit((Vote("a", 5),), author="user", reason="later")
    kept = restore(tmp_path / "copy", file)
    assert kept is not None and kept.name.startswith("playbook.db.before-")
    assert (votes(file), votes(kept), votes(tmp_path / "copy")) == (0, 5, 0)
    with Store.open(file) as store:
        assert store.find_version("prod") == 1
        store.commit((Vote("a", 2),), author="user", reason="goes on")
    again = restore(kept, file)
    assert again not in (None, kept) and votes(file) == 5


def test_restoring_where_nothing_is(file: Path, tmp_path: Path) -> None:
    assert restore(file, tmp_path / "new.db") is None
    assert dump(tmp_path / "new.db") == dump(file)


def test_restoring_in_the_place_of_a_damaged_file_keeps_it_as_it_is(file: Path, tmp_path: Path) -> None:
    with Store.open(file) as store:
        store.backup(tmp_path / "copy")
    file.write_bytes(b"nonsense" * 1000)
    Path(f"{file}-wal").write_bytes(b"left over")
    kept = restore(tmp_path / "copy", file)
    assert kept is not None and kept.read_bytes() == b"nonsense" * 1000
    assert Path(f"{kept}-wal").read_bytes() == b"left over"
    assert votes(file) == 0


def test_a_damaged_backup_is_refused(file: Path, tmp_path: Path) -> None:
    shutil.copy(file, tmp_path / "copy")
    with contextlib.closing(sqlite3.connect(tmp_path / "copy")) as db, db:
        db.execute("UPDATE bullets SET content = 'other'")
    (tmp_path / "text").write_text("no backup")
    before = file.read_bytes()
    for bad, error in (("copy", NotAPlaybook), ("text", NotAPlaybook), ("none", StoreError)):
        with pytest.raises(error):
            restore(tmp_path / bad, file)
    assert file.read_bytes() == before
    assert names(tmp_path) == ["copy", "playbook.db", "text"]


def test_a_file_in_use_is_not_replaced(file: Path, tmp_path: Path) -> None:
    shutil.copy(file, tmp_path / "copy")
    with Store.open(file) as store:
        store.commit((Vote("a", 1),), author="user", reason="r")
        with pytest.raises(StoreBusy, match=r"in use.*Stop what uses it"):
            restore(tmp_path / "copy", file, timeout=0.05)
        store.commit((Vote("a", 1),), author="user", reason="r")
    assert votes(file) == 2
    assert names(tmp_path) == ["copy", "playbook.db"]


@pytest.mark.skipif(os.name != "posix", reason="needs links between names")
def test_the_name_is_never_without_a_file(
    file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Dying just before the new file takes the name leaves the old one under both."""
    shutil.copy(file, tmp_path / "copy")

    def die(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Path, "replace", die)
    with pytest.raises(KeyboardInterrupt):
        restore(tmp_path / "copy", file)
    assert votes(file) == 0
    assert len([name for name in names(tmp_path) if ".before-" in name]) == 1
    assert not [name for name in names(tmp_path) if ".part-" in name]


@pytest.mark.skipif(os.name != "posix", reason="needs links between names")
@pytest.mark.parametrize("patience", [0.05, 20.0])
def test_nobody_writes_between_setting_aside_and_replacing(
    file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, patience: float
) -> None:
    """Whoever comes in that moment is refused, at once or after waiting: nothing is acknowledged and lost."""
    shutil.copy(file, tmp_path / "copy")
    outcome: list[object] = []

    def write() -> None:
        try:
            with Store.open(file, timeout=patience) as store:
                outcome.append(store.commit((Vote("a", 7),), author="user", reason="r"))
        except StoreError as error:
            outcome.append(type(error))

    writer, rename = threading.Thread(target=write), Path.replace

    def replace(part: Path, target: Path) -> Path:
        writer.start()
        writer.join(0.5)
        return rename(part, target)

    monkeypatch.setattr(Path, "replace", replace)
    kept = restore(tmp_path / "copy", file)
    writer.join()
    assert outcome == [StoreBusy if patience < 1 else StoreUnwritable]
    assert kept is not None and (votes(file), votes(kept)) == (0, 0)
