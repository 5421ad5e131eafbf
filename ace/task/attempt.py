"""Types for what an agent did at one sample: its answer, the turns on the way, and why it stopped.

Knows no environment, and nothing of how an attempt is made or scored.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

_LONGEST_SUMMARY = 300


class Failure(StrEnum):
    """Reasons why an attempt has no answer."""

    UNREACHABLE = "unreachable"  # ModelUnavailable
    REFUSED = "refused"  # another ModelError
    CONTEXT = "context"  # the sample does not fit into a prompt: nothing was attempted
    EMPTY = "empty"
    FORMAT = "format"  # the reply does not hold an answer in the form that the task asks for
    AGENT = "agent"  # somebody's own agent raised, crashed, or took too long
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
        """Return the reason that an endpoint's word stands for; OTHER for a word that nobody here knows."""
        return _FINISH_REASONS.get(word.lower(), cls.OTHER)


_FINISH_REASONS = {
    **{reason.value: reason for reason in FinishReason},
    "eos": FinishReason.STOP,
    "end_turn": FinishReason.STOP,
    "stop_sequence": FinishReason.STOP,
    "max_tokens": FinishReason.LENGTH,
    "refusal": FinishReason.FILTER,
    "safety": FinishReason.FILTER,
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
    """Hold one step of an attempt.

    `text` is what was said or thought. A tool call has the name of the `tool`, its `arguments` as text (JSON
    where they are named; a command where the tool has no name), and the `observation` that came back.
    `failed`: what came back is an error; None where nothing says so.
    """

    kind: TurnKind
    text: str = ""
    tool: str = ""
    arguments: str = ""
    observation: str = ""
    failed: bool | None = None

    def lines(self) -> tuple[str, ...]:
        """Return the turn as text: what the agent or somebody else did, then what was observed."""
        if self.kind is not TurnKind.TOOL:
            return (f"{self.kind.value}: {self.text}",)
        lines: list[str] = []
        if self.text:
            lines.append(f"{TurnKind.AGENT.value}: {self.text}")
        if self.arguments:
            call = f"> {self.arguments}"
            if self.tool:
                call = f"{TurnKind.AGENT.value} calls {self.tool}({self.arguments})"
            lines.append(call)
        if self.observation:
            name = f"tool {self.tool}: " if self.tool else ""
            lines.append(f"{name}{self.observation}")
        return tuple(lines)

    def to_json(self) -> dict[str, Any]:
        """Return the object that files keep, without what is empty."""
        values = {
            "kind": self.kind.value,
            "text": self.text,
            "tool": self.tool,
            "arguments": self.arguments,
            "observation": self.observation,
        }
        row: dict[str, Any] = {name: value for name, value in values.items() if value}
        if self.failed is not None:
            row["failed"] = self.failed
        return row


@dataclass(frozen=True, slots=True)
class Attempt:
    """Hold what the agent did: its answer, the raw reply, and the turns that led there.

    `failure` is the reason why there is no answer, `error` the sentence about it for people. `reasoning` is
    what the model thought, which is no part of answer or text. `finish_reason` says why it stopped writing,
    where somebody knows. `artifacts` are texts that it made beside the answer, by name.
    """

    sample_id: str
    answer: str
    text: str = ""
    error: str = ""
    failure: Failure | None = None
    reasoning: str = ""
    finish_reason: FinishReason | None = None
    turns: tuple[Turn, ...] = ()
    artifacts: Mapping[str, str] = field(default_factory=dict)

    @property
    def observations(self) -> tuple[str, ...]:
        """Return what tools returned on the way: texts that nobody vouches for."""
        return tuple(turn.observation for turn in self.turns if turn.observation)

    @property
    def summary(self) -> str:
        """Return the answer, or the error, in one line of at most 300 characters."""
        answer = self.answer.strip()
        text = f"answer: {answer}" if answer else f"error: {self.error or 'no answer'}"
        return text if len(text) <= _LONGEST_SUMMARY else text[: _LONGEST_SUMMARY - 3] + "..."


def read_turns(rows: Iterable[Any]) -> tuple[Turn, ...]:
    """Read turns that somebody's agent, a file or a log wrote; `role` and `content` are understood as well.

    A turn of another form becomes one in which the agent says the JSON of it, so that nothing is lost.
    """
    turns: list[Turn] = []
    for row in rows:
        name = row.get("kind") or row.get("role") if isinstance(row, Mapping) else None
        if not isinstance(row, Mapping) or name not in frozenset(TurnKind):
            turns.append(Turn(kind=TurnKind.AGENT, text=to_plain_text(row)))
            continue
        failed = row.get("failed")
        turn = Turn(
            kind=TurnKind(name),
            text=to_plain_text(row.get("text") or row.get("content") or ""),
            tool=to_plain_text(row.get("tool") or row.get("name") or ""),
            arguments=to_plain_text(row.get("arguments") or ""),
            observation=to_plain_text(row.get("observation") or ""),
            failed=failed if isinstance(failed, bool) else None,
        )
        turns.append(turn)
    return tuple(turns)


def to_plain_text(value: Any) -> str:
    """Return a text as it is, "" for None, and anything else as JSON."""
    if value is None or isinstance(value, str):
        return value or ""
    return json.dumps(value, ensure_ascii=False, default=str)
