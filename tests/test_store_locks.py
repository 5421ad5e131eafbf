"""Writers take turns: nothing comes in between, and nobody waits longer than told."""

from __future__ import annotations

import contextlib
import os
import re
import sqlite3
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from ace.errors import StoreBusy
from ace.playbook import Add, Vote
from ace.store import Store, rebase
from tests.pace import patience


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "playbook.db"
    with Store.open(path) as store:
        store.commit((Add("a", "notes", "text"),), author="user", reason="first")
    return path


def test_nobody_commits_between_looking_at_the_head_and_committing(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Writers take the lock before they read, so that their decision still holds when they write."""
    look, refusals = rebase.rebase_delta, list[str]()

    def interrupted(*seen: Any) -> Any:
        rebased = look(*seen)
        monkeypatch.undo()
        with Store.open(file, read_only=True) as reader:
            assert reader.head().number == 1
        with pytest.raises(StoreBusy):
            Store.open(file, timeout=0.05)
        refusals.append("busy")
        return rebased

    with Store.open(file) as store:
        monkeypatch.setattr(rebase, "rebase_delta", interrupted)
        assert store.commit((Vote("a", 1),), author="a", reason="r").version.number == 2
    assert refusals == ["busy"]


def test_a_commit_that_has_to_wait_too_long_says_for_which_file(file: Path) -> None:
    with Store.open(file, timeout=0.05) as store:
        with contextlib.closing(sqlite3.connect(file, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            with pytest.raises(StoreBusy, match=re.escape(f"{file} is locked by another process")):
                store.commit((Vote("a", 1),), author="a", reason="r")
        assert store.head().number == 1


STOPPED = """
import os, signal, sys
from ace.playbook import Add
from ace.store import Store, rebase
look = rebase.rebase_delta
def stop(*seen):
    os.kill(os.getpid(), signal.SIGSTOP)
    return look(*seen)
with Store.open(sys.argv[1]) as store:
    rebase.rebase_delta = stop
    store.commit((Add("b", "notes", "text"),), author="b", reason="r")
"""


@pytest.mark.skipif(sys.platform == "win32", reason="nothing stops a process there")
def test_a_process_that_is_stopped_inside_a_commit_keeps_writers_out_until_it_is_ended(file: Path) -> None:
    process = subprocess.Popen([sys.executable, "-c", STOPPED, str(file)])
    os.waitpid(process.pid, os.WUNTRACED)
    try:
        with Store.open(file, read_only=True) as reader, pytest.raises(StoreBusy):
            assert reader.head().number == 1
            Store.open(file, timeout=0.1)
    finally:
        process.kill()
        process.wait()
    with Store.open(file) as store:
        store.commit((Vote("a", 1),), author="a", reason="r")
        assert "b" not in store.checkout().bullets and store.verify() == []


def test_a_writer_waits_for_its_turn(file: Path) -> None:
    """Wait for up to the time-out; the lock is free before that."""
    with contextlib.closing(sqlite3.connect(file, isolation_level=None, check_same_thread=False)) as other:
        other.execute("BEGIN IMMEDIATE")

        timer = threading.Timer(0.2, lambda: other.execute("ROLLBACK"))
        timer.start()
        with Store.open(file, timeout=patience(30)) as store:
            assert store.head().number == 1
        timer.join()
