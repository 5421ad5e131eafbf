"""Real embedded runs, interrupted at random points: each ends in order, and resumes to the same versions.

ACE_INTERRUPT_POINTS sets how many points are tried. Runs where weights are in the cache.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import random
import signal
import sqlite3
import time
from contextlib import closing
from dataclasses import dataclass
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import pytest

from ace.store import Store
from tests import interruptible
from tests.cli import Ace
from tests.test_llm_local import cached
from tests.test_local_server import leftovers, wait_until_gone

POINTS = int(os.environ.get("ACE_INTERRUPT_POINTS", "6"))
SAMPLES = 4
# One token to write: what a model writes can depend on which calls the server had at the same time, and the
# more it writes, the more often.
TASK = f"""\
name = "numbers"
environment = "answer"
max_tokens = 1
instructions = "Answer with one number and nothing else. {"Take your time, and think of the numbers. " * 4}"
[data]
train = "train.jsonl"
"""
SIGNALS = (signal.SIGINT, signal.SIGTERM)


@dataclass(frozen=True)
class Whole:
    """What a run that nothing stopped left behind."""

    model: str
    folder: Path
    hashes: list[str]
    calls: int


def arguments(model: str, folder: Path, playbook: Path) -> list[str]:
    method = ["--method", "few_shot", "--examples", "1"]
    pace = ["--batch-size", "2", "--workers", "2"]
    return ["learn", str(folder), *method, *pace, "--model", model, "--playbook", str(playbook)]


def hashes(playbook: Path) -> list[str]:
    with Store.open(playbook, create=False) as store:
        assert store.verify() == []
        return [version.hash for version in store.log()]


def count_calls(playbook: Path) -> int:
    """Return how many calls are in the file; -1 as long as there is no run."""
    try:
        with closing(sqlite3.connect(f"file:{playbook}?mode=ro", uri=True)) as db:
            runs, calls = db.execute("SELECT (SELECT count(*) FROM runs), count(*) FROM calls").fetchone()
    except sqlite3.OperationalError:
        return -1
    return calls if runs else -1


def is_done(playbook: Path) -> bool:
    """Return whether the run had ended, and the command was only closing what it had opened."""
    if count_calls(playbook) < 0:
        return False
    with Store.open(playbook, create=False) as store:
        return store.runs()[-1].status == "done"


@pytest.fixture(scope="module")
def processes() -> Any:
    """Forked from a process that has imported everything, so that each starts at once."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tests.interruptible"])
    return context


def learn(processes: Any, whole: tuple[str, Path], playbook: Path) -> BaseProcess:
    """Start `ace learn`; its files for the time being are beside the playbook."""
    args = (arguments(*whole, playbook), playbook.parent)
    process: BaseProcess = processes.Process(target=interruptible.run, args=args)
    process.start()
    return process


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory, processes: Any) -> Whole:
    model = cached("smollm2-135m", "qwen2.5-coder-1.5b")
    folder = tmp_path_factory.mktemp("numbers")
    (folder / "task.toml").write_text(TASK)
    rows = []
    for number in range(SAMPLES):
        rows.append({"id": f"n{number}", "question": f"Count to {number + 9}.", "answer": str(number)})
    (folder / "train.jsonl").write_text("\n".join(map(json.dumps, rows)))
    playbook = tmp_path_factory.mktemp("whole") / "whole.db"
    process = learn(processes, (model, folder), playbook)
    process.join()
    assert process.exitcode == 0, interruptible.read_errors(playbook.parent)
    versions = hashes(playbook)
    assert len(versions) == SAMPLES // 2 + 1
    assert leftovers(playbook.parent) == []
    return Whole(model, folder, versions, count_calls(playbook))


@pytest.mark.parametrize("point", range(POINTS))
def test_an_interrupted_run_ends_in_order_and_resumes(
    point: int, tmp_path: Path, whole: Whole, ace: Ace, processes: Any
) -> None:
    chance = random.Random(point)
    number, playbook = SIGNALS[point % 2], tmp_path / "cut.db"
    reached = chance.randint(-2, whole.calls - 1)  # -1: as soon as there is a run; -2: at any time
    process = learn(processes, (whole.model, whole.folder), playbook)
    while reached > -2 and count_calls(playbook) < reached and process.is_alive():
        time.sleep(0.01)
    time.sleep(chance.uniform(0, 2.0))
    had_ended, calls = not process.is_alive(), count_calls(playbook)
    assert process.pid is not None
    if not had_ended:
        os.kill(process.pid, number)
    sent = time.monotonic()
    process.join()
    seconds = time.monotonic() - sent
    errors = interruptible.read_errors(tmp_path)
    if calls < 0 and process.exitcode == 0:  # jobs of a background shell ignore what comes so early
        had_ended = True
    if had_ended:
        assert process.exitcode == 0
    elif calls >= 0:
        assert process.exitcode == 128 + number
        assert "everything committed so far is" in errors and "Traceback" not in errors
        assert leftovers(tmp_path) == []
    else:  # before the command listens, the signal itself ends it, or the interpreter that starts it
        assert process.exitcode in (128 + number, -number, 1)
        wait_until_gone(tmp_path)
    if not had_ended and not is_done(playbook):
        resume = []
        if count_calls(playbook) >= 0:
            resume = ["--resume"]
        assert ace(*arguments(whole.model, whole.folder, playbook), *resume).code == 0
    assert hashes(playbook) == whole.hashes
    assert leftovers(tmp_path) == []
    print(f"point {point}: {number.name} at {calls} calls, ended with {process.exitcode} in {seconds:.2f} s")
