"""A study whose process is killed goes on where it was: the same content, and no call paid twice."""

from __future__ import annotations

import multiprocessing
import os
import random
import signal
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ace.runs.study_report import Study
from ace.store.study_file import read_study
from tests import doomed_study
from tests.fault_server import FaultServer
from tests.pace import patience
from tests.world import says


@pytest.fixture(scope="module")
def processes() -> Any:
    """Forked from a process that has imported everything, so that each starts at once."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tests.doomed_study"])
    return context


def content(study: Study) -> list[Any]:
    """Return all of a study's cells but the clock."""
    cells = []
    for cell in study.cells:
        answers = [replace(answer, usage=replace(answer.usage, seconds=0)) for answer in cell.answers]
        usage = {
            part: {role: replace(use, seconds=0) for role, use in getattr(cell, part).items()}
            for part in ("learning", "scoring")
        }
        same = replace(
            cell, answers=tuple(answers), started="", ended="", learning_seconds=0, scoring_seconds=0, **usage
        )
        cells.append(same)
    return cells


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> tuple[list[Any], int]:
    """What a study that nothing stopped holds, and how many calls it took."""
    server = FaultServer(says, rate=0)
    study = doomed_study.run(tmp_path_factory.mktemp("whole") / "whole.study.db", server.api_base)
    server.close()
    assert all(cell.state == "done" for cell in study.cells)
    return content(study), server.answered


@pytest.mark.parametrize("point", range(3))
def test_a_killed_study_goes_on_and_pays_nothing_twice(
    point: int, tmp_path: Path, whole: tuple[list[Any], int], processes: Any
) -> None:
    cells, calls = whole
    server = FaultServer(says, rate=0)
    path = tmp_path / "cut.study.db"
    at = random.Random(point).randint(1, calls - 1)
    now, serve = threading.Event(), server.serve

    def watch(handler: Any, body: bytes) -> None:
        if server.requests + 1 >= at:
            now.set()
        serve(handler, body)

    server.serve = watch  # type: ignore[method-assign]
    process = processes.Process(target=doomed_study.run, args=(path, server.api_base))
    process.start()
    assert now.wait(patience(240))
    os.kill(process.pid, signal.SIGKILL)
    process.join()
    under_way = 2  # workers, whose calls had not come to an end
    study = doomed_study.run(path, server.api_base)
    server.close()
    assert content(study) == cells
    assert calls <= server.answered <= calls + under_way
    assert content(read_study(path)) == cells
