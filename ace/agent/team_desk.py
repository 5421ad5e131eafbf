"""Give one agent of a team its desk: its own tools of the workspace, the way to hand over, and the notes.

A handover is a call like any other, so it is recorded, journaled and made again in a resumed run. It carries
a brief, open questions and the notes of the team, never what was said before.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ace.safety.markup import defuse_markup
from ace.task.team import Team, TeamAgent
from ace.task.workspace import Conversing, Observation, ToolCall, ToolSpec, Workspace

_LONGEST_BRIEF = 2_000  # characters
_LONGEST_NOTE = 400
_MOST_QUESTIONS = 5
_MOST_NOTES = 12
_TEXT = {"type": "string"}


@dataclass(frozen=True, slots=True)
class Handover:
    """Hold a task on its way from one agent to another."""

    giver: str
    """The name of the agent whose part ends with it."""

    to: str
    """The name of the agent that goes on."""

    brief: str
    """What was done, and what is to do, in the words of the giver."""

    questions: tuple[str, ...] = ()
    """What the giver could not answer."""


@dataclass(slots=True)
class TeamMemory:
    """Hold what an attempt's agents share."""

    handovers: list[Handover] = field(default_factory=list)
    """Those so far, in order."""

    notes: dict[str, str] = field(default_factory=dict)
    """The board: texts by their keys."""

    def describe_loop(self, handover: Handover, most: int) -> str:
        """Return why a handover would only go round in circles; "" where it would not.

        It does where a brief comes back to the one who wrote it, or is given again, and where a task went
        between the two `most` times already.
        """
        pair = {handover.giver, handover.to}
        earlier = [other for other in self.handovers if {other.giver, other.to} == pair]
        names = f"{handover.giver} and {handover.to}"
        briefs = [" ".join(other.brief.casefold().split()) for other in (handover, *earlier)]
        if briefs[0] in briefs[1:]:
            return f"{names} hand the same brief to each other: {handover.brief:.200}"
        if len(earlier) >= most:
            return f"{names} handed the task to each other {most} times"
        return ""


@dataclass(slots=True)
class Desk(Workspace):
    """Offer an agent its tools."""

    inner: Workspace | None
    """What the team acts on; None where there is nothing."""

    team: Team
    """The agents, and how often a task may go between two of them."""

    agent: TeamAgent
    """The one that sits here."""

    memory: TeamMemory
    """What it shares with the others."""

    handover: Handover | None = field(default=None, init=False)
    """Set once the agent has handed over."""

    loop: str = field(default="", init=False)
    """Why the agents go round in circles; "" as long as they do not."""

    def tools(self) -> Sequence[ToolSpec]:
        """Return the agent's own tools, then those of the team."""
        own = self._list_own()
        tools = list(own)
        if self.agent.hands_to:
            tools.append(self._describe_handover(_name_free("hand_over", own)))
        if self.team.notes:
            schema = {"key": _TEXT, "text": _TEXT}
            about = "Write something down that whoever goes on with the task must know."
            tools.append(_describe(_name_free("note", own), about, schema, ("key", "text")))
        return tools

    def call(self, call: ToolCall) -> Observation:
        """Do what a call asks for. What goes wrong is an observation that failed."""
        own = self._list_own()
        if any(tool.name == call.name for tool in own) and self.inner is not None:
            return self.inner.call(call)
        if self.agent.hands_to and call.name == _name_free("hand_over", own):
            return self._hand_over(call.arguments)
        if self.team.notes and call.name == _name_free("note", own):
            return self._note(call.arguments)
        names = ", ".join(tool.name for tool in self.tools()) or "none"
        return Observation.error(f"{self.agent.name} has no tool {call.name}; there are {names}")

    @property
    def converses(self) -> bool:
        """Return whether somebody in the workspace speaks to the agents."""
        return bool(getattr(self.inner, "converses", isinstance(self.inner, Conversing)))

    def reply(self, text: str) -> Observation | None:
        """Return what somebody in the workspace says to the agent's words; None where nobody does."""
        return self.inner.reply(text) if isinstance(self.inner, Conversing) else None

    def finish(self) -> Mapping[str, str]:
        """Return what is left of the workspace."""
        return self.inner.finish() if self.inner is not None else {}

    def close(self) -> None:
        """Nothing of its own is held."""

    def _list_own(self) -> list[ToolSpec]:
        """Return those tools of the workspace that the agent may call, as they are now."""
        tools = self.inner.tools() if self.inner is not None else ()
        allowed = self.agent.tools
        return [tool for tool in tools if allowed is None or tool.name in allowed]

    def _describe_handover(self, name: str) -> ToolSpec:
        """Return the tool that hands over, with what is known of each colleague."""
        colleagues = map(self.team.find, self.agent.hands_to)
        known = ""
        for colleague in colleagues:
            if colleague.about:
                known += f"{colleague.name}: {colleague.about.rstrip('.')}. "
        about = "Give the task to a colleague, who goes on with it and sees nothing but the brief. "
        schema = {
            "to": {"type": "string", "enum": list(self.agent.hands_to)},
            "brief": {**_TEXT, "description": "what was done, and what is to do"},
            "open_questions": {"type": "array", "items": _TEXT},
        }
        return _describe(name, about + known, schema, ("to", "brief"))

    def _hand_over(self, arguments: Mapping[str, Any]) -> Observation:
        """Hand the task over, if that can be; the agent's part ends with it, or the attempt does."""
        unknown = arguments.keys() - {"to", "brief", "open_questions"}
        to, brief = arguments.get("to"), arguments.get("brief")
        questions = arguments.get("open_questions") or ()
        if isinstance(questions, str):
            questions = (questions,)
        if unknown or not isinstance(brief, str) or not brief.strip():
            takes = "a handover takes the arguments (to, brief, open_questions)"
            return Observation.error(f"{takes}, and a brief that is text")
        if to not in self.agent.hands_to:
            return Observation.error(
                f"{self.agent.name} hands to {', '.join(self.agent.hands_to)}, not to {to!r:.60}"
            )
        if not isinstance(questions, Sequence) or len(questions) > _MOST_QUESTIONS:
            return Observation.error(f"open_questions are at most {_MOST_QUESTIONS} texts")
        handover = Handover(self.agent.name, to, brief.strip(), tuple(map(str, questions)))
        size = len(brief) + sum(map(len, handover.questions))
        if size > _LONGEST_BRIEF:
            return Observation.error(f"the brief has {size} characters, of {_LONGEST_BRIEF} at most")
        self.loop = self.memory.describe_loop(handover, self.team.handovers)
        if self.loop:
            return Observation.error(self.loop, ends=True)
        self.memory.handovers.append(handover)
        self.handover = handover
        return Observation(f"handed over to {to}", ends=True)

    def _note(self, arguments: Mapping[str, Any]) -> Observation:
        """Write a note on the board; one with the same key takes its place."""
        key, text = arguments.get("key"), arguments.get("text")
        if arguments.keys() != {"key", "text"} or not isinstance(key, str) or not isinstance(text, str):
            return Observation.error("a note takes the arguments (key, text), both texts")
        if len(key) + len(text) > _LONGEST_NOTE:
            return Observation.error(f"a note has {_LONGEST_NOTE} characters at most")
        if key not in self.memory.notes and len(self.memory.notes) >= _MOST_NOTES:
            return Observation.error(f"the board is full, with {_MOST_NOTES} notes; use one of their keys")
        self.memory.notes[key] = text
        return Observation("noted")


def quote_memory(memory: TeamMemory) -> dict[str, Any]:
    """Return the last handover and the notes as a template takes them: data that nobody vouches for."""
    handover = memory.handovers[-1]
    return {
        "giver": handover.giver,
        "brief": defuse_markup(handover.brief),
        "questions": [defuse_markup(question) for question in handover.questions],
        "notes": [(defuse_markup(key), defuse_markup(text)) for key, text in memory.notes.items()],
    }


def _describe(name: str, about: str, properties: Mapping[str, Any], required: Sequence[str]) -> ToolSpec:
    """Return a tool of the team, by the schemas of its arguments."""
    schema = {"type": "object", "properties": dict(properties), "required": list(required)}
    return ToolSpec(name, about.strip(), schema)


def _name_free(name: str, own: Sequence[ToolSpec]) -> str:
    """Return a name that no tool of the workspace has: this one, or with "team_" before it."""
    taken = {tool.name for tool in own}
    while name in taken:
        name = f"team_{name}"
    return name
