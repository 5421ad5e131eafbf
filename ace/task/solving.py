"""Choose how attempts are made: by the engine's own solvers, or by an agent that is somebody else's.

Values only. Who acts on them is in `ace.agent`.
"""

from __future__ import annotations

import hashlib
import inspect
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

from ace.task.attempt import Attempt

AGENT_SECONDS = 300.0

AgentFunction = Callable[..., str | Attempt | Awaitable[str | Attempt]]
"""An agent as a function of a question and the context for it: playbook and retrieved items, as text."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Solving:
    """Choose a solver of the engine: "single", one call; or "outline", a long answer written part by part.

    `words` is the length of a part, roughly; `mends` is how often a part with faults is written again.
    """

    kind: str = "single"
    words: int = 120
    mends: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnAgent:
    """Let a function of a question and a context make attempts, each in at most `seconds`.

    `digest` identifies its code, so that a run is not resumed with another agent.
    """

    kind: ClassVar[str] = "agent"
    function: AgentFunction = field(repr=False)
    name: str
    seconds: float = AGENT_SECONDS
    digest: str = ""

    @classmethod
    def of(cls, function: AgentFunction, seconds: float = AGENT_SECONDS) -> OwnAgent:
        """Return the choice of a function, named as it is."""
        try:
            digest = hash_text(inspect.getsource(function))
        except (OSError, TypeError):  # typed in at a prompt, or an object that can be called
            digest = ""
        name = getattr(function, "__qualname__", type(function).__qualname__)
        return cls(function=function, name=name, seconds=seconds, digest=digest)


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnCommand:
    """Let a command make attempts: a process for each, started in the task's folder.

    It takes at most `seconds`, `memory` in MB (0: no limit) and `output` in bytes, and is given the
    environment variables that `env` names and no others. `digest` identifies its files in the folder.
    """

    kind: ClassVar[str] = "command"
    command: tuple[str, ...]
    folder: Path = field(repr=False)
    seconds: float = AGENT_SECONDS
    memory: int = 4_096
    output: int = 1_000_000
    env: tuple[str, ...] = ()
    digest: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnSolver:
    """Let a class that implements `ace.agent.Solver` make attempts: `create(generator, task, options)`.

    Without `seconds` it limits its own time.
    """

    kind: ClassVar[str] = "class"
    create: Callable[..., Any] = field(repr=False)
    name: str
    options: Mapping[str, Any] = field(default_factory=dict)
    seconds: float | None = None
    digest: str = ""


SolverChoice = Solving | OwnAgent | OwnCommand | OwnSolver


def hash_text(*texts: str) -> str:
    """Return 16 hex digits that change with any of the texts."""
    return hashlib.sha256("\0".join(texts).encode("utf-8", "backslashreplace")).hexdigest()[:16]
