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
"""The time that an agent has for one attempt, where its task sets none."""

AgentFunction = Callable[..., str | Attempt | Awaitable[str | Attempt]]
"""An agent as a function of a question and the context for it: playbook and retrieved items, as text."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Solving:
    """Choose a solver of the engine. `words` and `mends` are for "outline", the last three for "tools"."""

    kind: str = "single"
    """"single", one call; "outline", a long answer written part by part; "tools", call after call."""

    words: int = 120
    """The length of a part, roughly."""

    mends: int = 1
    """How often a part with faults is written again, at most."""

    steps: int = 20
    """How many replies of the model an attempt may take."""

    seconds: float = 600.0
    """The time for one attempt."""

    answers: bool = False
    """Whether a model that writes its calls as text is asked for an answer when it is done."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnAgent:
    """Let a function of a question and a context make attempts."""

    kind: ClassVar[str] = "agent"

    function: AgentFunction = field(repr=False)
    """Takes question and context; several threads may call it at once."""

    name: str
    """What records and errors call it: its qualified name."""

    seconds: float = AGENT_SECONDS
    """The time for one attempt."""

    digest: str = ""
    """Identifies its code, so that a run is not resumed with another agent; "" where none can be read."""

    @classmethod
    def of(cls, function: AgentFunction, seconds: float = AGENT_SECONDS) -> OwnAgent:
        """Return the choice of a function, named as it is, or as its class is."""
        try:
            digest = hash_text(inspect.getsource(function))
        except (OSError, TypeError):  # typed in at a prompt, or an object that can be called
            digest = ""
        name = getattr(function, "__qualname__", type(function).__qualname__)
        return cls(function=function, name=name, seconds=seconds, digest=digest)


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnCommand:
    """Let a command make attempts: a process for each, started in the task's folder."""

    kind: ClassVar[str] = "command"

    command: tuple[str, ...]
    """The program and its arguments, one word each; no shell reads them."""

    folder: Path = field(repr=False)
    """The task's: each process is started in it."""

    seconds: float = AGENT_SECONDS
    """The time for one attempt."""

    memory: int = 4_096
    """The most memory in MB; 0 is no limit."""

    output: int = 1_000_000
    """The most that it may write, in bytes."""

    env: tuple[str, ...] = ()
    """The environment variables that it is given, beside PATH and LANG."""

    digest: str = ""
    """Identifies its files in the folder, so that a run is not resumed with another agent."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnSolver:
    """Let a class that implements `ace.agent.Solver` make attempts."""

    kind: ClassVar[str] = "class"

    create: Callable[..., Any] = field(repr=False)
    """The class: it is called with generator, task and options when a run begins."""

    name: str
    """What records and errors call it: "module:Class"."""

    options: Mapping[str, Any] = field(default_factory=dict)
    """As the task's file has them."""

    seconds: float | None = None
    """The time for one attempt; None where it limits its own."""

    digest: str = ""
    """Identifies the file of the class in the task's folder; "" for one that is installed."""


SolverChoice = Solving | OwnAgent | OwnCommand | OwnSolver


def hash_text(*texts: str) -> str:
    """Return 16 hex digits that change with any of the texts, or with their order."""
    return hashlib.sha256("\0".join(texts).encode("utf-8", "backslashreplace")).hexdigest()[:16]
