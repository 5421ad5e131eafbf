"""Types for what an agent did at one sample: its answer, the turns on the way, and why it stopped.

Knows no environment, and nothing of how an attempt is made or scored.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from ace.text.thoughts import split_thoughts

_LONGEST_SUMMARY = 300  # characters


class Failure(StrEnum):
    """Reasons why an attempt has no answer."""

    UNREACHABLE = "unreachable"  # ModelUnavailable
    REFUSED = "refused"  # another ModelError
    CONTEXT = "context"  # the sample does not fit into a prompt: nothing was attempted
    EMPTY = "empty"
    FORMAT = "format"  # the reply does not hold an answer in the form that the task asks for
    AGENT = "agent"  # somebody's own agent raised, crashed, or took too long
    WORKSPACE = "workspace"  # what it acts on does not open, hangs, or is gone
    LIMIT = "limit"  # it came to its limit of steps or time
    LOOP = "loop"  # the agents of a team handed it round in circles
    OTHER = "other"


class FinishReason(StrEnum):
    """Name why a model stopped writing."""

    STOP = "stop"
    LENGTH = "length"
    FILTER = "content_filter"
    TOOLS = "tool_calls"
    OTHER = "other"

    @classmethod
    def of(cls, word: str) -> FinishReason:
        """Return the reason that an endpoint's word stands for; OTHER for a word that nobody here knows.

        Endpoints have many words for one reason: "length" and "max_tokens" both mean LENGTH. What stands
        before a dot is the name of their type.
        """
        return _FINISH_REASONS.get(word.lower().rpartition(".")[2], cls.OTHER)


_FINISH_REASONS = {
    **{reason.value: reason for reason in FinishReason},
    "eos": FinishReason.STOP,
    "end_turn": FinishReason.STOP,
    "stop_sequence": FinishReason.STOP,
    "max_tokens": FinishReason.LENGTH,
    "max_output_tokens": FinishReason.LENGTH,
    "model_length": FinishReason.LENGTH,
    "max_length": FinishReason.LENGTH,
    "max_new_tokens": FinishReason.LENGTH,
    "max_tokens_reached": FinishReason.LENGTH,
    "token_limit": FinishReason.LENGTH,
    "incomplete": FinishReason.LENGTH,
    "model_context_window_exceeded": FinishReason.LENGTH,
    "refusal": FinishReason.FILTER,
    "safety": FinishReason.FILTER,
    "content_filtered": FinishReason.FILTER,
    "prohibited_content": FinishReason.FILTER,
    "recitation": FinishReason.FILTER,
    "function_call": FinishReason.TOOLS,
    "tool_use": FinishReason.TOOLS,
}


class TurnKind(StrEnum):
    """Name what happens in a turn."""

    USER = "user"  # somebody speaks to the agent
    AGENT = "assistant"  # the agent speaks
    THOUGHT = "thought"  # the agent thinks
    TOOL = "tool"  # the agent calls a tool, and sees what comes of it


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """Hold one step of an attempt."""

    kind: TurnKind
    """Who speaks, thinks or acts."""

    text: str = ""
    """What was said or thought."""

    tool: str = ""
    """The name of the tool that is called."""

    arguments: str = ""
    """What the tool is given, as text: JSON where it is named; a command where the tool has no name."""

    observation: str = ""
    """What came back from the tool."""

    failed: bool | None = None
    """Whether what came back is an error; None where nothing says so."""

    tokens: tuple[int, int] | None = None
    """The tokens that the model read and wrote for it; None where nobody counted."""

    agent: str = ""
    """Who of a team acted; "" where there is one agent only."""

    def lines(self) -> tuple[str, ...]:
        """Return the turn as text: what the agent or somebody else did, then what was observed.

        Each line begins with who speaks: "user: ...", "assistant calls search(...)", "tool search: ...". An
        entry may have line breaks of its own. An agent of a team is called by its name.
        """
        if self.kind is not TurnKind.TOOL:
            return (f"{self.agent or self.kind.value}: {self.text}",)
        lines: list[str] = []
        speaker = self.agent or TurnKind.AGENT.value
        if self.text:
            lines.append(f"{speaker}: {self.text}")
        if self.arguments:
            call = f"> {self.arguments}"
            if self.tool:
                call = f"{speaker} calls {self.tool}({self.arguments})"
            lines.append(call)
        if self.observation:
            name = f"tool {self.tool}: " if self.tool else ""
            lines.append(f"{name}{self.observation}")
        return tuple(lines)

    def to_json(self) -> dict[str, Any]:
        """Return the object that files keep, without what is empty; `read_turns` reads it."""
        row: dict[str, Any] = {"kind": self.kind.value}
        for name in ("text", "tool", "arguments", "observation", "agent"):
            value = getattr(self, name)
            if value:
                row[name] = value
        if self.failed is not None:
            row["failed"] = self.failed
        if self.tokens is not None:
            row["tokens"] = list(self.tokens)
        return row


@dataclass(frozen=True, slots=True)
class Attempt:
    """Hold what the agent did: its answer, the raw reply, and the turns that led there.

    Thoughts that stand in the answer in the marks of open models are moved to `reasoning`, whoever made it.
    """

    sample_id: str
    """The id of what was attempted."""

    answer: str
    """What is scored; "" where there is none."""

    text: str = ""
    """The raw reply that the answer was taken from."""

    error: str = ""
    """The sentence for people about what went wrong."""

    failure: Failure | None = None
    """The reason why there is no answer."""

    reasoning: str = ""
    """What the model thought, which is no part of answer or text."""

    finish_reason: FinishReason | None = None
    """Why the model stopped writing, where somebody knows."""

    turns: tuple[Turn, ...] = ()
    """The steps on the way; none where the model was asked once."""

    artifacts: Mapping[str, str] = field(default_factory=dict)
    """Texts that the agent made beside the answer, by name."""

    def __post_init__(self) -> None:
        thoughts, answer = split_thoughts(self.answer)
        if thoughts or answer != self.answer:
            object.__setattr__(self, "answer", answer.strip())
            object.__setattr__(self, "reasoning", "\n\n".join(filter(None, (self.reasoning, thoughts))))

    @property
    def observations(self) -> tuple[str, ...]:
        """Return what tools returned on the way, in order: texts that nobody vouches for."""
        return tuple(turn.observation for turn in self.turns if turn.observation)

    @property
    def last_seen(self) -> str:
        """Return what came back last, else the summary. Free of labels."""
        return self.observations[-1] if self.observations else self.summary

    @property
    def summary(self) -> str:
        """Return the answer, or the error, in at most 300 characters: "answer: 42"."""
        answer = self.answer.strip()
        text = f"answer: {answer}"
        if not answer:
            text = f"error: {self.error or 'no answer'}"
        if len(text) <= _LONGEST_SUMMARY:
            return text
        return text[: _LONGEST_SUMMARY - 3] + "..."


def read_turns(rows: Iterable[Any]) -> tuple[Turn, ...]:
    """Read turns that somebody's agent, a file or a log wrote; `role` and `content` are understood as well.

    A turn of another form becomes one in which the agent says the JSON of it, so that nothing is lost. Never
    raises.
    """
    turns: list[Turn] = []
    for row in rows:
        name: Any = None
        if isinstance(row, Mapping):
            name = row.get("kind") or row.get("role")
        if not isinstance(name, str) or name not in frozenset(TurnKind):
            turns.append(Turn(kind=TurnKind.AGENT, text=to_plain_text(row)))
            continue
        failed = row.get("failed")
        tokens: tuple[int, int] | None = None
        match row.get("tokens"):
            case [int(read), int(written)]:
                tokens = read, written
        turn = Turn(
            kind=TurnKind(name),
            text=to_plain_text(row.get("text") or row.get("content") or ""),
            tool=to_plain_text(row.get("tool") or row.get("name") or ""),
            arguments=to_plain_text(row.get("arguments") or ""),
            observation=to_plain_text(row.get("observation") or ""),
            failed=failed if isinstance(failed, bool) else None,
            tokens=tokens,
            agent=to_plain_text(row.get("agent") or ""),
        )
        turns.append(turn)
    return tuple(turns)


def to_plain_text(value: Any) -> str:
    """Return a text as it is, "" for None, and anything else as JSON. Never raises."""
    if value is None:
        return ""
    return value if isinstance(value, str) else write_value(value)


def write_value(value: Any) -> str:
    """Return a value as JSON, on one line; what JSON cannot hold stands there as `str` has it.

    Never raises: what has no text either becomes a note of its type.
    """
    with suppress(Exception):
        return json.dumps(value, ensure_ascii=False, default=str)
    with suppress(Exception):  # it holds itself, or has keys that are no texts
        return repr(value)
    return f"({type(value).__name__}, which cannot be shown)"
