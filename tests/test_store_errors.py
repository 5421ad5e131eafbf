"""Each fault of the file or the disk has its own error, which says what to do."""

from __future__ import annotations

import contextlib
import os
import pickle
import random
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ace.errors import NewerSchema, NotAPlaybook, StoreBusy, StoreError, StoreUnwritable, UnknownVersion
from ace.llm.client import Usage
from ace.llm.journal import Call, Key
from ace.playbook import Add, Remove, Vote
from ace.playbook.exchange import Alias
from ace.store import EpisodeEvent, EpisodeJournal, Proposal, Store, event_journal
from ace.task.types import Attempt, Episode, Feedback, FeedbackKind, Verdict


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a playbook of 200 bullets in 20 versions, which nobody has open."""
    path = tmp_path_factory.mktemp("original") / "playbook.db"
    with Store.open(path) as store:
        for number in range(20):
            add_ten(store, number)
    return path


@pytest.fixture
def file(original: Path, tmp_path: Path) -> Path:
    return Path(shutil.copy(original, tmp_path))


def add_ten(store: Store, number: int, size: int = 100) -> None:
    delta = tuple(Add(f"b{number}-{n}", "notes", f"{n} " * size) for n in range(10))
    store.commit(delta, author="curator", reason=f"batch {number}")


def change(path: Path, sql: str) -> None:
    with contextlib.closing(sqlite3.connect(path)) as db, db:
        db.execute(sql)


def refused(error: type[StoreError], path: Path, **options: bool) -> str:
    with pytest.raises(error) as caught:
        Store.open(path, timeout=0.05, **options).close()
    assert str(path) in caught.value.message
    assert caught.value.hint
    return str(caught.value)


@pytest.mark.parametrize("read_only", [True, False])
def test_a_text_file_is_not_a_playbook_and_stays_as_it_is(tmp_path: Path, read_only: bool) -> None:
    path = tmp_path / "notes.md"
    path.write_text("# my notes\n" * 100)
    assert "not a playbook" in refused(NotAPlaybook, path, read_only=read_only)
    assert path.read_text() == "# my notes\n" * 100


@pytest.mark.parametrize("read_only", [True, False])
def test_another_database_is_not_a_playbook_and_stays_as_it_is(tmp_path: Path, read_only: bool) -> None:
    path = tmp_path / "shop.sqlite"
    change(path, "CREATE TABLE orders (id INTEGER)")
    before = path.read_bytes()
    assert "not a playbook" in refused(NotAPlaybook, path, read_only=read_only)
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["shop.sqlite"]


def test_an_empty_file_becomes_a_playbook_only_where_one_may_be_made(tmp_path: Path) -> None:
    path = tmp_path / "empty.db"
    path.touch()
    refused(NotAPlaybook, path, read_only=True)
    refused(NotAPlaybook, path, create=False)
    assert path.stat().st_size == 0
    with Store.open(path) as store:
        assert store.head().number == 0


@pytest.mark.parametrize("options", [{"create": False}, {"read_only": True}])
def test_a_missing_file_is_not_made_by_looking(tmp_path: Path, options: dict[str, bool]) -> None:
    refused(StoreError, tmp_path / "typo.db", **options)
    assert not (tmp_path / "typo.db").exists()


def test_a_newer_file_is_refused(file: Path) -> None:
    change(file, "PRAGMA user_version = 99")
    assert "99" in refused(NewerSchema, file)
    assert "99" in refused(NewerSchema, file, read_only=True)


def test_a_folder_and_a_path_that_leads_nowhere(tmp_path: Path) -> None:
    nowhere = tmp_path / "no" / "such" / "folder.db"
    assert "it is a folder" in refused(NotAPlaybook, tmp_path)
    assert str(nowhere) in refused(StoreUnwritable, nowhere)
    assert not nowhere.parent.exists()


def test_a_locked_file_says_so_and_loses_nothing(file: Path) -> None:
    other = sqlite3.connect(file, isolation_level=None)
    with Store.open(file, timeout=0.05) as store:
        other.execute("BEGIN IMMEDIATE")
        refused(StoreBusy, file)
        with pytest.raises(StoreBusy, match="another process"):
            add_ten(store, 20)
        assert store.head().number == 20
        with Store.open(file, read_only=True) as reader:
            assert reader.head().number == 20
        other.execute("ROLLBACK")
        add_ten(store, 20)
        assert store.verify() == []
    other.close()


def test_a_full_disk_keeps_everything_acknowledged(file: Path) -> None:
    with Store.open(file) as store:
        store._db.execute("VACUUM")  # a new file has pages to spare
        pages = store._db.execute("PRAGMA page_count").fetchone()[0]
        store._db.execute(f"PRAGMA max_page_count = {pages + 2}")
        with pytest.raises(StoreUnwritable, match=r"disk is full.*Free some space"):
            add_ten(store, 20, size=5000)
        assert store.head().number == 20
        assert store.verify() == []
        store._db.execute(f"PRAGMA max_page_count = {pages + 10_000}")
        add_ten(store, 20, size=5000)
        assert store.head().number == 21
        assert store.verify() == []


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """Mount a separate disk of 1 MB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(folder)]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("only root can mount a small disk")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def test_a_disk_that_fills_up_keeps_everything_acknowledged(small_disk: Path, tmp_path: Path) -> None:
    file = small_disk / "playbook.db"
    with Store.open(file) as store:
        acknowledged = 0
        with pytest.raises(
            StoreUnwritable, match=r"disk is full.*Free some space|could not be read or written"
        ):
            for number in range(100):
                add_ten(store, number, size=1500)
                acknowledged += 1
        assert acknowledged > 3
        assert store.head().number == acknowledged
        with pytest.raises(StoreUnwritable):
            store.backup(small_disk / "copy")
        assert not (small_disk / "copy").exists()
        store.backup(tmp_path / "copy")
    for path in (file, tmp_path / "copy"):
        with Store.open(path, read_only=True) as store:
            assert store.head().number == acknowledged
            assert len(store.checkout()) == 10 * acknowledged
            assert store.verify() == []


LIMITED = """
import resource, sys
from ace.errors import StoreUnwritable
from ace.playbook import Add
from ace.store import Store
with Store.open(sys.argv[1]) as store:
    resource.setrlimit(resource.RLIMIT_FSIZE, (400_000, 400_000))
    for number in range(1000):
        delta = (Add(f"new-{number}", "notes", "text " * 500),)
        try:
            print(store.commit(delta, author="a", reason="r").version.number, flush=True)
        except StoreUnwritable as error:
            sys.exit(str(error))
"""


def test_a_limit_on_file_sizes_keeps_everything_acknowledged(file: Path) -> None:
    command = [sys.executable, "-c", LIMITED, str(file)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=Path(__file__).parent.parent)
    assert done.returncode == 1
    assert "could not be read or written" in done.stderr and "limit on file sizes" in done.stderr
    acknowledged = [int(line) for line in done.stdout.split()]
    with Store.open(file) as store:
        assert store.head().number == max(acknowledged) > 21
        assert store.verify() == []


@pytest.fixture
def as_user(file: Path) -> Iterator[Path]:
    """Put the playbook into a folder that an ordinary user can reach, and run as that user."""
    folder = Path(tempfile.mkdtemp())
    home = folder / "home"
    home.mkdir()
    shutil.copy(file, home / file.name)
    folder.chmod(0o755)
    root = os.geteuid() == 0  # root may write anywhere, so it has to step down to be refused
    if root:
        for path in (home, home / file.name):
            os.chown(path, 65534, 65534)
        os.seteuid(65534)
    yield home / file.name
    if root:
        os.seteuid(0)
    home.chmod(0o755)
    shutil.rmtree(folder)


def test_a_read_only_file_is_refused_when_it_is_opened_for_writing(as_user: Path) -> None:
    as_user.chmod(0o444)
    assert "read-only" in refused(StoreUnwritable, as_user)
    with Store.open(as_user, read_only=True) as store:
        assert store.verify() == []


def test_a_read_only_folder_is_refused_for_writing_and_fine_for_reading(as_user: Path) -> None:
    as_user.parent.chmod(0o555)
    refused(StoreUnwritable, as_user)
    refused(StoreUnwritable, as_user.with_name("new.db"))
    with Store.open(as_user, read_only=True) as store:
        assert len(store.checkout()) == 200
        assert store.verify() == []


def test_a_reader_cannot_commit(file: Path) -> None:
    with Store.open(file, read_only=True) as store, pytest.raises(StoreUnwritable, match="read-only"):
        store.commit((Vote("b0-0", 1),), author="a", reason="r")


@pytest.mark.parametrize("share", [0.0005, 0.3, 0.7, 0.99])
def test_a_truncated_file_is_noticed(file: Path, share: float) -> None:
    os.truncate(file, int(file.stat().st_size * share))
    assert_damage_is_noticed(file)


def test_flipped_bytes_are_noticed(file: Path) -> None:
    whole, random_ = file.read_bytes(), random.Random(3)
    for _ in range(8):
        page = random_.randrange(1, len(whole) // 4096) * 4096
        file.write_bytes(whole[:page] + random_.randbytes(512) + whole[page + 512 :])
        assert_damage_is_noticed(file)


def assert_damage_is_noticed(file: Path) -> None:
    """By a typed error when it is opened or read, or else by `verify`."""
    try:
        with Store.open(file, create=False) as store:
            assert store.verify() != []
    except NotAPlaybook as error:
        assert error.hint


def test_a_flipped_bit_is_noticed_unless_nothing_says_anything_else(tmp_path: Path) -> None:
    """Every table has rows here. A bit in unused space may flip unnoticed, but then all rows are the same."""
    file = tmp_path / "playbook.db"
    with Store.open(file) as store:
        fill(store)
        store.backup(tmp_path / "whole.db")
    whole, chance = (tmp_path / "whole.db").read_bytes(), random.Random(5)
    rows, unnoticed = contents(tmp_path / "whole.db"), 0
    for number in range(400):
        place, bad = chance.randrange(len(whole)), tmp_path / f"{number}.db"
        bad.write_bytes(whole[:place] + bytes([whole[place] ^ 1 << chance.randrange(8)]) + whole[place + 1 :])
        try:
            with Store.open(bad, read_only=True) as store:
                noticed = bool(store.verify())
        except StoreError as error:
            noticed = bool(error.hint)
        if not noticed:
            assert contents(bad) == rows, f"byte {place}"
            unnoticed += 1
        bad.unlink()
    assert unnoticed < 350


def fill(store: Store) -> None:
    run = store.start_run("learn", "shop", {"seed": 1})
    blind = Feedback(FeedbackKind.NONE, "nothing to see")
    for number in range(20):
        attempt = Attempt("s1", "SELECT 1", "a long reply " * 20)
        seen = Episode(f"e{number}", "s1", "How many?", attempt, blind, Verdict(False, 0.5, "no"), 0)
        offer = Proposal("s1", "curator", (Remove("a"),), "rejected", "it is needed", ("e0",), ("SELECT 2",))
        delta = (Add(f"b{number}", "notes", f"lesson {number} " * 9, (f"e{number}",)), Vote("ghost", 1))
        step = (number, "epoch 1", {"results": [number]})
        alias = Alias("theirs.txt", f"str-{number}", f"b{number}", "notes", "0" * 64, 1, 0)
        noted = {"episodes": [seen], "proposals": [offer], "aliases": [alias]}
        store.commit(delta, author="curator", reason="r", run=run, step=step, **noted)
        key = Key(number, "s1", "generator", "hash", 0)
        with contextlib.closing(store.call_journal(run)) as journal:
            journal.write(Call(key, "epoch 1", "m", "said", "stop", "", Usage(1, 10)))
    store.tag("prod", 3)
    store.branch("trial", 4)
    store.finish_run(run, "done", {"after": 0.5})


def contents(file: Path) -> list[str]:
    """Return all rows but those of `_sqlite_migrations`, which only a migration reads."""
    with contextlib.closing(sqlite3.connect(file)) as db:
        return [line for line in db.iterdump() if "_sqlite_migrations" not in line]


@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE bullets SET provenance = '5' WHERE id = 'b0-0'",
        "UPDATE bullets SET provenance = '{' WHERE id = 'b0-0'",
        "UPDATE bullets SET status = 'gone' WHERE id = 'b0-0'",
        "DELETE FROM branches",
        "DROP TABLE sections",
    ],
)
def test_rows_that_cannot_be_read_are_damage(file: Path, sql: str) -> None:
    change(file, sql)
    with Store.open(file) as store:
        with pytest.raises(NotAPlaybook):
            store.checkout()
        assert len(store.verify()) > 0


def test_an_operation_that_cannot_be_read_is_damage(file: Path) -> None:
    change(file, 'UPDATE operations SET operation = \'{"op":"eval"}\' WHERE version = 3 AND position = 0')
    with Store.open(file) as store:
        assert len(store.checkout()) == 200  # the head needs no history
        with pytest.raises(NotAPlaybook, match="cannot be read"):
            store.operations(3)
        assert any("Version 3" in str(problem) for problem in store.verify())


ASK: dict[str, Callable[[Store], object]] = {
    "version 21": lambda store: store.checkout(21),
    "version -1": lambda store: store.operations(-1),
    "version prod": lambda store: store.checkout("prod"),
    "branch 'mine'": lambda store: store.switch("mine"),
    "tag 'best'": lambda store: store.untag("best"),
    "version 99": lambda store: store.revert(99, author="a", reason="r"),
    "version 50": lambda store: store.diff(0, 50),
    "run 7": lambda store: store.run(7),
    "run 8": lambda store: store.steps(8),
    "run 9": lambda store: store.finish_run(9, "done", {}),
    "run 10": lambda store: store.commit((Vote("b0-0", 1),), author="a", reason="r", run=10),
    "bullet ghost": lambda store: store.blame("ghost"),
}


@pytest.mark.parametrize("what", ASK)
def test_what_is_not_there_is_named(file: Path, what: str) -> None:
    with Store.open(file) as store:
        with pytest.raises(UnknownVersion, match=what) as caught:
            ASK[what](store)
        assert caught.value.hint
        assert store.head().number == 20


def test_a_store_belongs_to_one_thread_and_ends_when_closed(file: Path) -> None:
    caught: list[BaseException] = []

    def look() -> None:
        try:
            store.head()
        except StoreError as error:
            caught.append(error)

    with Store.open(file) as store:
        thread = threading.Thread(target=look)
        thread.start()
        thread.join()
    with pytest.raises(StoreError, match="closed"):
        store.head()
    assert "thread" in str(caught[0])


def test_errors_pickle_with_what_they_say(file: Path) -> None:
    with Store.open(file) as store, pytest.raises(UnknownVersion) as caught:
        store.checkout(21)
    copy = pickle.loads(pickle.dumps(caught.value))
    assert (type(copy), str(copy)) == (UnknownVersion, str(caught.value))


def test_rows_that_find_no_room_in_memory_are_counted(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(event_journal, "_WAIT", 0.05)
    monkeypatch.setattr(event_journal, "_MOST", 2)
    journal = EpisodeJournal(file, "shop", {})
    with contextlib.closing(sqlite3.connect(file, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        for number in range(2):
            with pytest.raises(StoreBusy):
                journal.write(EpisodeEvent("e1", number, {}))
        with pytest.raises(StoreUnwritable, match="2 rows wait in memory, and 1 more are lost"):
            journal.write(EpisodeEvent("e1", 2, {}))
        other.execute("ROLLBACK")
    journal.close()
    with Store.open(file) as store:
        assert [event.number for event in store.open_episodes()["e1"]] == [0, 1]
