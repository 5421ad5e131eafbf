"""Runs killed at random points: no call that ended is paid twice, and the outcome is that of a whole run.

ACE_KILL_POINTS sets how many points are tried. Real processes, a real server, the real litellm.
"""

from __future__ import annotations

import multiprocessing
import os
import random
import signal
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from ace.runs.report import Report
from ace.store import Store
from tests import doomed
from tests.fault_server import FaultServer
from tests.pace import patience
from tests.world import says

POINTS = int(os.environ.get("ACE_KILL_POINTS", "6"))
WORKERS = 3
# Faults that come in replies: they are paid for, and the repairs must not be paid twice either.
# They are the same for the same request, so that a call that was lost on its way is answered as it was.
FAULTY = ("empty", "null", "filtered", "refusal", "cut off", "prose", "wrong schema")


@dataclass(frozen=True)
class Whole:
    """What a run that nothing stopped left behind."""

    versions: list[str]
    report: dict[str, Any]
    calls: int


def faulty() -> FaultServer:
    return FaultServer(says, rate=0.1, seed=3, faults=FAULTY, steady=True)


@pytest.fixture
def server() -> Iterator[FaultServer]:
    server = faulty()
    yield server
    server.close()


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Whole:
    server = faulty()
    path = tmp_path_factory.mktemp("whole") / "whole.db"
    report = doomed.run(path, server.api_base, WORKERS)
    server.close()
    assert server.met
    return Whole(versions(path), figures(report), server.answered)


@pytest.fixture(scope="module")
def processes() -> Any:
    """Forked from a process that has imported everything, so that each starts at once."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tests.doomed"])
    return context


def versions(path: Path) -> list[str]:
    with Store.open(path) as store:
        assert store.verify() == []
        return [version.hash for version in store.log()]


def figures(report: Report) -> dict[str, Any]:
    """All of a report but the clock and the file's name."""
    told = report.to_json()
    usage = {role: {**used, "seconds": 0} for role, used in told["usage"].items()}
    return {**told, "usage": usage, "seconds": 0, "playbook": ""}


def kills_at(server: FaultServer, request: int, delay: float) -> threading.Event:
    """Set when the server has got that many requests, and a moment has passed."""
    now, serve = threading.Event(), server.serve

    def watched(handler: Any, body: bytes) -> None:
        if server.requests + 1 >= request:
            threading.Timer(delay, now.set).start()
        serve(handler, body)

    server.serve = watched  # type: ignore[method-assign]
    return now


@pytest.mark.parametrize("point", range(POINTS))
def test_a_killed_run_pays_for_no_call_twice(
    point: int, tmp_path: Path, server: FaultServer, whole: Whole, processes: Any
) -> None:
    chance = random.Random(point)
    path, workers = tmp_path / "cut.db", chance.choice([1, WORKERS])
    now = kills_at(server, chance.randint(1, whole.calls - 1), chance.uniform(0, 0.03))
    process = processes.Process(target=doomed.die, args=(path, server.api_base, workers))
    process.start()
    came = now.wait(patience(240))
    os.kill(process.pid, signal.SIGKILL)
    process.join()
    assert came, path.with_suffix(".log").read_text()
    with Store.open(path) as store:
        run = store.runs()[0]
        kept = len(store.calls(run.id))
    answered = server.answered
    assert 0 <= answered - kept <= workers, "what was on its way to each worker when it died"
    if run.status == "done":  # it was faster than the kill
        assert versions(path) == whole.versions
        return
    report = doomed.run(path, server.api_base, WORKERS, resume=True)
    assert server.answered - answered == whole.calls - kept
    assert versions(path) == whole.versions
    assert figures(report) == whole.report
    assert len({call.key for call in calls(path)}) == whole.calls


def calls(path: Path) -> list[Any]:
    with Store.open(path) as store:
        return store.calls(1)
