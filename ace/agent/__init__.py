"""Solvers make the attempts at samples. A new one is a file here and a line in `SOLVERS`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

from ace.agent.best_of_n import BestOfN
from ace.agent.generator import Draw, Generator
from ace.agent.outline import LongForm, build_long_form
from ace.agent.own_agent import OwnCall, build_own_solver, connect_agent
from ace.agent.self_refine import SelfRefine
from ace.agent.solver import SingleCall, Solver
from ace.agent.team import TeamLoop, build_team
from ace.agent.think_first import ThinkFirst
from ace.agent.tool_loop import ToolLoop, build_tool_loop
from ace.agent.writer import Writer
from ace.errors import InputError
from ace.settings import Manner, Settings
from ace.task.types import Task
from ace.text import CountTokens

__all__ = [
    "MANNERS",
    "SOLVERS",
    "BestOfN",
    "Draw",
    "Generator",
    "LongForm",
    "SelfRefine",
    "SingleCall",
    "Solver",
    "TeamLoop",
    "ThinkFirst",
    "ToolLoop",
    "Writer",
    "build_solver",
    "connect_agent",
]

SOLVERS: Mapping[str, Callable[[Generator, Task, CountTokens], Solver]] = MappingProxyType(
    {
        # One call: the reply is the answer.
        "single": lambda generator, task, count: SingleCall(generator),
        # A long answer: an outline, then part by part.
        "outline": build_long_form,
        # Call after call of the tools that the environment gives.
        "tools": build_tool_loop,
        # Several agents, each with tools of its own, that hand the task to each other.
        "team": build_team,
        # Somebody's own function or command: it is the generator's client.
        "agent": lambda generator, task, count: OwnCall(generator),
        "command": lambda generator, task, count: OwnCall(generator),
        # Somebody's own class, which may use the generator.
        "class": build_own_solver,
    }
)
"""The kinds of `ace.task.solving`, each with what builds the solver of a run.

It is given the generator, the task, and what counts the tokens of a text.
"""

MANNERS: Mapping[Manner, Callable[[Generator, CountTokens, Settings], Solver]] = MappingProxyType(
    {
        Manner.THINK_FIRST: lambda generator, count, settings: ThinkFirst(generator),
        Manner.SELF_REFINE: lambda generator, count, settings: SelfRefine(generator, count, settings.answers),
        Manner.BEST_OF_N: lambda generator, count, settings: BestOfN(
            SingleCall(generator), generator, settings.answers
        ),
    }
)
"""What builds the solver of each manner, for tasks that take one call."""


def build_solver(
    generator: Generator, task: Task, count: CountTokens, settings: Settings, manner: Manner | None = None
) -> Solver:
    """Return who makes attempts, as the task wants it, or in the `manner` of the method of `settings`.

    `count` counts the tokens of a text, as the run's model does. Raises InputError for a kind that is not in
    SOLVERS, and for a manner where an attempt takes more than one call; AgentFailed where a class of the
    task's own cannot be made.
    """
    if manner:
        if task.solver.kind != "single":
            raise InputError(
                f"{settings.method} asks for an answer in a manner of its own, and {task.name} is attempted "
                f"by the solver {task.solver.kind!r}.",
                hint="Choose another --method.",
            )
        return MANNERS[manner](generator, count, settings)
    build = SOLVERS.get(task.solver.kind)
    if build is None:
        known = ", ".join(SOLVERS)
        raise InputError(f"There is no solver {task.solver.kind!r}.", hint=f"Choose from: {known}.")
    return build(generator, task, count)
