"""Solve with a team: the task goes from agent to agent until one of them is done.

Each agent is a loop over its own tools (`ToolLoop`), with a prompt of its own. What an attempt's agents share
lives as long as the attempt: a resumed run gets it back, because it makes the same calls again from the
journal.
"""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass, field, replace

from ace.agent.generator import Draw, Generator
from ace.agent.solver import ENDS_RUN, failed_attempt
from ace.agent.team_desk import Desk, TeamMemory, quote_memory
from ace.agent.tool_loop import ToolLoop
from ace.context.assemble import Assembled
from ace.errors import InputError
from ace.llm.prompts import render
from ace.task.solving import Solving
from ace.task.team import Team, TeamAgent, find_team
from ace.task.types import Attempt, Failure, Sample, Task, Turn
from ace.task.workspace import Workspace
from ace.text import CountTokens


@dataclass(frozen=True, slots=True)
class TeamLoop:
    """Let the agents of a team act one after the other."""

    loop: ToolLoop
    """Holds the limits of the whole team: replies of a model, and seconds."""

    team: Team
    """The agents, and whom each may hand the task to."""

    @property
    def reserve(self) -> int:
        """Return how many tokens tools, results and a brief may add to a prompt."""
        return self.loop.reserve

    def solve(self, sample: Sample, context: Assembled, workspace: Workspace | None, draw: Draw) -> Attempt:
        """Return the attempt; see `Solver`. Its turns say who acted."""
        try:
            self._check_tools(workspace)
        except ENDS_RUN:
            raise
        except Exception as error:  # the workspace is gone: it counts as wrong, with its reason
            return failed_attempt(sample, error)
        relay = _Relay(self, sample, context, workspace, draw)
        agent = self.team.find(self.team.start)
        while True:
            attempt, desk = relay.act(agent)
            if desk.handover is None or attempt.error:
                return replace(attempt, text="\n".join(relay.texts), turns=tuple(relay.turns))
            agent = self.team.find(desk.handover.to)

    def _check_tools(self, workspace: Workspace | None) -> None:
        """Raise InputError for a tool that an agent may call and nobody has: its name is misspelled."""
        there = [tool.name for tool in workspace.tools()] if workspace is not None else []
        for agent in self.team.agents:
            for name in agent.tools or ():
                if name not in there:
                    message = f"The agent {agent.name} may call {name}, and there is no such tool."
                    raise InputError(message, hint=f"There are {', '.join(there) or 'none'}.")


@dataclass(slots=True)
class _Relay:
    """Hold one attempt of a team while it goes on."""

    solver: TeamLoop
    """The team and its limits."""

    sample: Sample
    """What is attempted."""

    context: Assembled
    """The prompt, in which each agent of the team may have its own."""

    workspace: Workspace | None
    """What all agents act on; None where there is nothing."""

    draw: Draw
    """Which attempt at the sample this is, with its seed."""

    memory: TeamMemory = field(default_factory=TeamMemory)
    """What the agents share: handovers and notes."""

    turns: list[Turn] = field(default_factory=list)
    """Those of all agents so far, in order, each with the name of who took it."""

    steps: Counter[str] = field(default_factory=Counter)
    """How many replies of the model each agent has taken, by its name."""

    texts: list[str] = field(default_factory=list)
    """What each agent said and called, under its name, in order."""

    began: float = field(default_factory=time.monotonic)
    """When the attempt began, by `time.monotonic`."""

    def act(self, agent: TeamAgent) -> tuple[Attempt, Desk]:
        """Let an agent act until it is done, hands over, or comes to a limit; return its part."""
        loop, team = self.solver.loop, self.solver.team
        desk = Desk(self.workspace, team, agent, self.memory)
        steps = min(agent.steps - self.steps[agent.name], loop.steps - self.steps.total())
        if steps <= 0:
            why = f"{agent.name}: it has no steps left, of {agent.steps}; the team has {loop.steps}"
            return Attempt(self.sample.id, "", error=why, failure=Failure.LIMIT), desk
        seconds = loop.seconds - (time.monotonic() - self.began)
        if seconds <= 0:
            why = f"{agent.name}: the team took more than {loop.seconds:g} s"
            return Attempt(self.sample.id, "", error=why, failure=Failure.LIMIT), desk
        part = replace(loop, steps=steps, seconds=seconds)
        draw = replace(self.draw, seed=self.draw.seed + self.steps.total())
        context = self.context.by_agent.get(agent.name, self.context)
        if self.memory.handovers:
            # What was handed over stands before the question.
            user = render("ace.agent", "team.brief", user=context.user, **quote_memory(self.memory))
            context = replace(context, user=user)
        attempt = part.solve(self.sample, context, desk, draw)
        self.steps[agent.name] += sum(turn.tokens is not None for turn in attempt.turns)
        self.turns += [replace(turn, agent=agent.name) for turn in attempt.turns]
        self.texts.append(f"{agent.name}:\n{attempt.text}")
        if desk.loop:
            why = f"{agent.name}: {desk.loop}"
            return Attempt(self.sample.id, "", error=why, failure=Failure.LOOP), desk
        if attempt.error:
            attempt = replace(attempt, error=f"{agent.name}: {attempt.error}")
        return attempt, desk


def build_team(generator: Generator, task: Task, count: CountTokens) -> TeamLoop:
    """Return the solver. Raises InputError where the task names no team."""
    team = find_team(task.solver)
    if team is None or not isinstance(task.solver, Solving):
        raise InputError("The solver 'team' has no agents.", hint="Name them in [[solver.agents]].")
    choice = task.solver
    loop = ToolLoop(generator, count, choice.steps, choice.seconds, choice.answers)
    return TeamLoop(loop, team)
