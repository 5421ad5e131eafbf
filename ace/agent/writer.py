"""Write long answers: an outline first, then one part at a time, then a part with faults again.

One model call each. The writer words the messages; what goes into them, and what is a fault, others decide.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

from pydantic import BaseModel, Field

from ace.llm.client import Client, Message, Reply, Request, Role, Subject
from ace.llm.prompts import messages, quote_text, render

MOST_PARTS, MOST_POINTS = 8, 8
_OUTLINE_TOKENS = 700
_ORDERS = 200  # tokens, about: what a request says beside the outline, the ledger and a draft
_LONGEST_DRAFT = 8_000  # characters


# A schema's docstring goes into requests: to edit it makes recordings and unfinished runs useless.
class Part(BaseModel):
    """A part of an outline: what it is called, and what it has to say."""

    title: str = Field(min_length=1, max_length=120)
    points: list[str] = Field(min_length=1, max_length=MOST_POINTS)


class Outline(BaseModel):
    """The parts of a long answer, in order."""

    parts: list[Part] = Field(min_length=1, max_length=MOST_PARTS)


@dataclass(frozen=True, slots=True)
class PlannedPart:
    """Plan a part as it is to be written: its title and its points."""

    title: str
    points: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Writer:
    """Ask a model for the pieces of a long answer."""

    client: Client
    max_tokens: int

    @property
    def adds(self) -> int:
        """Estimate the tokens that a request adds to a prompt: the outline, points and faults, a draft."""
        return _ORDERS + 2 * _OUTLINE_TOKENS + self.max_tokens

    def outline_prompt(self, system: str, user: str) -> tuple[Message, ...]:
        """Return the messages that ask for the outline: to be counted, then sent with `outline`."""
        order = render("ace.agent", "writer.outline", most=MOST_PARTS)
        return messages(system, f"{user}\n\n{order}")

    def outline(self, prompt: tuple[Message, ...], *, seed: int, subject: Subject) -> Outline:
        """Ask for the outline. Raises MalformedReply when there is none, ModelError as the client does."""
        request = Request(
            role=Role.GENERATOR,
            messages=prompt,
            schema=Outline,
            seed=seed,
            max_tokens=_OUTLINE_TOKENS,
            subject=subject,
        )
        return cast(Outline, self.client.complete(request).parsed)  # what `schema` promises

    def part_prompt(
        self,
        system: str,
        user: str,
        outline: Sequence[PlannedPart],
        place: int,
        *,
        words: int,
        ledger: Sequence[str] = (),
        draft: str = "",
        faults: Sequence[str] = (),
    ) -> tuple[Message, ...]:
        """Return the messages that ask for the part at a place: to be counted, then sent with `part`.

        With `draft` and its `faults` the part is asked for again.
        """
        titles = [(quote_text(part.title), [quote_text(point) for point in part.points]) for part in outline]
        task = render(
            "ace.agent",
            "writer.part",
            outline=titles,
            place=place,
            words=words,
            ledger=[quote_text(line) for line in ledger],
            draft=quote_text(draft, _LONGEST_DRAFT),
            faults=[quote_text(fault) for fault in faults],
        )
        return messages(system, f"{user}\n\n{task}")

    def part(self, prompt: tuple[Message, ...], *, temperature: float, seed: int, subject: Subject) -> Reply:
        """Ask for the text of a part. Raises ValueError for an empty one, ModelError as the client does."""
        request = Request(
            role=Role.GENERATOR,
            messages=prompt,
            temperature=temperature,
            seed=seed,
            max_tokens=self.max_tokens,
            subject=subject,
        )
        reply = self.client.complete(request)
        if not reply.text.strip():
            raise ValueError(f"the model wrote nothing (finish reason: {reply.finish_reason})")
        return reply
