"""Describe a team: agents with tools of their own, whom each may hand a task to, and what each reads.

Values only. Who acts on them is `ace.agent.team`. A section of the playbook that begins with the name of an
agent, as "billing: strategies", is for that agent; every other section is for all.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ace.errors import InputError
from ace.task.solving import Solving

_BETWEEN = ": "  # stands between the name of an agent and that of a section


@dataclass(frozen=True, slots=True, kw_only=True)
class TeamAgent:
    """Describe one agent of a team."""

    name: str
    """Stands before the sections that are for it only, and in the turns that it takes."""

    instructions: str = ""
    """What it is told beside the instructions of the task."""

    about: str = ""
    """What those are told of it who may hand a task to it."""

    tools: tuple[str, ...] | None = None
    """The tools of the workspace that it may call; None: all of them."""

    hands_to: tuple[str, ...] = ()
    """The agents that it may hand the task to, by name."""

    steps: int = 10
    """How many replies of the model it may take in an attempt."""

    share: float = 1.0
    """The part of a prompt's budget that its prompts may take, up to 1."""


@dataclass(frozen=True, slots=True)
class Leg:
    """Hold calls that one agent makes one after the other, of all the calls of a task."""

    agent: str
    """The name of the agent."""

    start: int
    """The place of its first call, from 0."""

    stop: int
    """The place behind its last one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Team:
    """Hold agents, and the one that a task is given to first: the router.

        router = TeamAgent(name="triage", tools=(), hands_to=("billing",))
        billing = TeamAgent(name="billing", tools=("find_account", "pay"), hands_to=("triage",))
        team = Team(agents=(router, billing), start="triage")

    Raises InputError for two agents of one name, for a name of none, and for one that hands to itself.
    """

    agents: tuple[TeamAgent, ...]
    """In the order of the task's file."""

    start: str
    """The name of the one that begins."""

    handovers: int = 4
    """How often a task may go between two agents, in either direction."""

    notes: bool = True
    """Whether they share a board of notes."""

    def __post_init__(self) -> None:
        names = self.names
        if len(set(names)) < len(names):
            raise InputError("Two agents of a team have the same name.", hint="Rename one of them.")
        named = [("start", self.start)]
        named += [(f"hands_to of {agent.name}", name) for agent in self.agents for name in agent.hands_to]
        for place, name in named:
            if name not in names:
                hint = f"Name one of: {', '.join(names)}."
                raise InputError(f"{place}: there is no agent {name!r} in the team.", hint=hint)
        for agent in self.agents:
            if agent.name in agent.hands_to:
                raise InputError(f"hands_to of {agent.name}: an agent cannot hand a task to itself.")

    @property
    def names(self) -> tuple[str, ...]:
        """Return the names of the agents, in order."""
        return tuple(agent.name for agent in self.agents)

    def find(self, name: str) -> TeamAgent:
        """Return the agent of a name. Raises KeyError for a name of none."""
        for agent in self.agents:
            if agent.name == name:
                return agent
        raise KeyError(name)

    def list_owners(self, tool: str) -> tuple[str, ...]:
        """Return the agents that may call a tool."""
        return tuple(agent.name for agent in self.agents if agent.tools is None or tool in agent.tools)

    def divide(self, tools: Sequence[str]) -> tuple[Leg, ...]:
        """Return who makes each of some calls, given by the names of their tools, with few handovers.

        Nothing where nobody may make one of them.
        """
        legs = list[Leg]()
        able: tuple[str, ...] = ()  # those who may make every call since `start`
        start = 0
        for place, tool in enumerate(tools):
            owners = self.list_owners(tool)
            if not owners:
                return ()
            both = tuple(name for name in able if name in owners)
            if able and not both:
                legs.append(Leg(able[0], start, place))
                start = place
            able = both or owners
        return (*legs, Leg(able[0], start, len(tools))) if able else ()

    def find_way(self, giver: str, to: str) -> tuple[str, ...]:
        """Return the agents that a task goes through from one to another, the last one included.

        It is the shortest way; nothing where there is none.
        """
        ways: list[tuple[str, ...]] = [(giver,)]
        seen = {giver}
        for way in ways:
            for name in self.find(way[-1]).hands_to:
                if name == to:
                    return (*way[1:], name)
                if name not in seen:
                    seen.add(name)
                    ways.append((*way, name))
        return ()

    def find_reader(self, section: str) -> str:
        """Return the agent that a section of the playbook is for; "" where it is for all."""
        name = name_owner(section)
        return name if name in self.names else ""

    def name_section(self, agent: str, section: str) -> str:
        """Return a section as one for an agent only; as it is where it is somebody's already, or for all."""
        return f"{agent}{_BETWEEN}{section}" if agent and not self.find_reader(section) else section


@dataclass(frozen=True, slots=True)
class Reader:
    """Say whom lessons are for: an agent of a team, or all."""

    team: Team | None = None
    """None where one agent attempts the samples."""

    name: str = ""
    """That of the agent; "" for all of them."""

    def name_section(self, section: str) -> str:
        """Return the section in which the reader finds what would stand in `section` for all."""
        return self.team.name_section(self.name, section) if self.team else section

    def reads(self, section: str) -> bool:
        """Return whether a section is for the reader."""
        return self.team is None or self.team.find_reader(section) in ("", self.name)


@dataclass(frozen=True, slots=True, kw_only=True)
class TeamSolving(Solving):
    """Choose the solver "team". `seconds` is a limit of the whole team, too."""

    kind: str = "team"

    steps: int = 30
    """How many replies the agents of the team may take together."""

    team: Team
    """The agents."""


def name_owner(section: str) -> str:
    """Return what stands before the colon of a section, the name of an agent as a rule; "" without one.

    Lessons of two owners are never one, even if they say the same: each agent reads its own only.
    """
    name, between, _ = section.partition(_BETWEEN)
    return name if between else ""


def find_team(solver: object) -> Team | None:
    """Return the team of a task's solver; None where its attempts are made by one agent."""
    return solver.team if isinstance(solver, TeamSolving) else None
