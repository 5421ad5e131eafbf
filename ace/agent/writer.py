"""The writer of long answers: an outline first, then one part at a time, then a part again that has faults.

One model call each. It words the messages; what goes into them, and what is a fault, others decide.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

from pydantic import BaseModel, Field

from ace.llm.client import Client, Message
from ace.llm.prompts import messages, render, shown

MOST_PARTS, MOST_POINTS = 8, 8
_OUTLINE_TOKENS = 700
_ORDERS = 200  # tokens, about: what a request says beside the outline, the ledger and a draft
_LONGEST_DRAFT = 8_000  # characters


class Part(BaseModel):
    """A part of an outline: what it is called, and what it has to say."""

    title: str = Field(min_length=1, max_length=120)
    points: list[str] = Field(min_length=1, max_length=MOST_POINTS)


class Outline(BaseModel):
    """The parts of a long answer, in order."""

    parts: list[Part] = Field(min_length=1, max_length=MOST_PARTS)


@dataclass(frozen=True, slots=True)
class Writer:
    """Asks a model for the pieces of a long answer."""

    client: Client
    max_tokens: int

    @property
    def adds(self) -> int:
        """Tokens, about, that a request adds to a prompt: the outline, points and faults, a draft."""
        return _ORDERS + 2 * _OUTLINE_TOKENS + self.max_tokens

    def asks_outline(self, system: str, user: str) -> Sequence[Message]:
        """The messages that ask for the outline: to be counted, then sent with `outline`."""
        return messages(system, f"{user}\n\n{render('ace.agent', 'writer.outline', most=MOST_PARTS)}")

    def outline(self, asked: Sequence[Message], *, seed: int) -> Outline:
        """Raises MalformedReply when there is none, ModelError as the client does."""
        reply = self.client.complete(asked, schema=Outline, seed=seed, max_tokens=_OUTLINE_TOKENS)
        return cast(Outline, reply.parsed)  # what `schema` promises

    def asks(
        self,
        system: str,
        user: str,
        outline: Sequence[tuple[str, Sequence[str]]],
        place: int,
        *,
        words: int,
        ledger: Sequence[str] = (),
        draft: str = "",
        faults: Sequence[str] = (),
    ) -> Sequence[Message]:
        """The messages that ask for one part: to be counted, then sent with `part`.

        `outline`: titles and points. With `draft` and its `faults` the part is asked for again.
        """
        titles = [(shown(title), [shown(point) for point in points]) for title, points in outline]
        task = render(
            "ace.agent",
            "writer.part",
            outline=titles,
            place=place,
            words=words,
            ledger=[shown(line) for line in ledger],
            draft=shown(draft, _LONGEST_DRAFT),
            faults=[shown(fault) for fault in faults],
        )
        return messages(system, f"{user}\n\n{task}")

    def part(self, asked: Sequence[Message], *, temperature: float, seed: int) -> str:
        """The text of a part. Raises ValueError for an empty one, ModelError as the client does."""
        reply = self.client.complete(asked, temperature=temperature, seed=seed, max_tokens=self.max_tokens)
        text = reply.text.strip()
        if not text:
            raise ValueError(f"the model wrote nothing (finish reason: {reply.finish_reason})")
        return text
