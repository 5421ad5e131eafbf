"""Walks through the code as one sample is learned: `python -m tests.walk` counts what is passed on the way.

A reader who follows one sample from the loop to the committed version meets so many functions, in so many
modules, and changes the package so often. `python -m tests.walk --list` names the functions.
"""

from __future__ import annotations

import sys
import tempfile
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import FrameType
from typing import Any

import ace
from ace.loop import steps
from ace.store import Store
from tests import orders

ROOT = str(Path(ace.__file__).parent) + "/"


@dataclass
class Walk:
    """Counts calls of the package's functions. `changes`: calls that lead from one package into another."""

    functions: set[tuple[str, str]] = field(default_factory=set)
    changes: int = 0

    @property
    def modules(self) -> set[str]:
        return {module for module, _ in self.functions}

    def watch(self, frame: FrameType, event: str, argument: Any) -> None:
        """Take in a call; for `sys.setprofile`."""
        module, name = _place(frame)
        if event != "call" or not module.endswith(".py") or "<" in name.rpartition(".")[2]:
            return
        self.functions.add((module, name))
        caller = frame.f_back
        while caller is not None and not _place(caller)[0]:
            caller = caller.f_back
        if caller is not None and _place(caller)[0].split("/")[0] != module.split("/")[0]:
            self.changes += 1


def _place(frame: FrameType) -> tuple[str, str]:
    """Return module and name of a frame's function; empty outside the package."""
    code = frame.f_code
    return (
        code.co_filename.removeprefix(ROOT) if code.co_filename.startswith(ROOT) else "",
        code.co_qualname,
    )


def walk() -> Walk:
    """Learn one sample twice, the second time watched: nothing is built for the first time then."""
    walked, learn = Walk(), steps.learn

    def watched(*arguments: Any) -> None:
        sys.setprofile(walked.watch)
        try:
            learn(*arguments)
        finally:
            sys.setprofile(None)

    _learn_one()
    steps.learn = watched
    try:
        _learn_one()
    finally:
        steps.learn = learn
    return walked


def _learn_one() -> None:
    folder = Path(tempfile.mkdtemp())
    task = orders.orders(folder)
    task = replace(task, train=task.train[:1], val=(), test=())
    with Store.open(folder / "p.db") as store:
        report = ace.learn(task, store, orders.client(), workers=1, replays=0, profile="small")
    assert report.bullets == 1


def main() -> None:
    walked = walk()
    print(
        f"{len(walked.functions)} functions, {len(walked.modules)} modules, {walked.changes} package changes"
    )
    if "--list" in sys.argv:
        for module, name in sorted(walked.functions):
            print(f"  {module} {name}")


if __name__ == "__main__":
    main()
