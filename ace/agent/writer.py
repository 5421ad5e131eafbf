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

MOST_PARTS = 8
MOST_POINTS = 8  # of one part
OUTLINE_TOKENS = 700  # of the reply that holds it
ORDER_TOKENS = 200  # about: what a request says beside the outline, the ledger and a draft
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
    """Plan a part as it is to be written.

    Unlike `Part` it is no schema: points that the model forgot may be added beyond MOST_POINTS.
    """

    title: str

    points: tuple[str, ...]
    """What its text has to say."""


@dataclass(frozen=True, slots=True)
class Writer:
    """Ask a model for the pieces of a long answer.

    The words of its requests are in `ace/agent/prompts/`. Several threads may use one writer.
    """

    client: Client

    max_tokens: int
    """The most tokens of one part."""

    def outline_prompt(self, system: str, user: str) -> tuple[Message, ...]:
        """Return the messages that ask for the outline: to be counted, then sent with `outline`.

        `system` and `user` are the messages that a single call would send; the order to write an outline is
        added to the second.
        """
        order = render("ace.agent", "writer.outline", most=MOST_PARTS)
        return messages(system, f"{user}\n\n{order}")

    def outline(self, prompt: tuple[Message, ...], *, seed: int, subject: Subject) -> Outline:
        """Ask for the outline, greedily: at most MOST_PARTS parts.

        Raises MalformedReply when there is none, ModelError as the client does.
        """
        request = Request(
            role=Role.GENERATOR,
            messages=prompt,
            schema=Outline,
            seed=seed,
            max_tokens=OUTLINE_TOKENS,
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

        `place` counts from 0, `words` is the length that is asked for. `ledger` is what other parts say
        already, the sentences that matter most first. With `draft` and its `faults` the part is asked for
        again. All these texts come from a model, so they are quoted.
        """
        quoted_outline: list[tuple[str, list[str]]] = []
        for part in outline:
            points = [quote_text(point) for point in part.points]
            quoted_outline.append((quote_text(part.title), points))
        order = render(
            "ace.agent",
            "writer.part",
            outline=quoted_outline,
            place=place,
            words=words,
            ledger=[quote_text(line) for line in ledger],
            draft=quote_text(draft, _LONGEST_DRAFT),
            faults=[quote_text(fault) for fault in faults],
        )
        return messages(system, f"{user}\n\n{order}")

    def part(self, prompt: tuple[Message, ...], *, temperature: float, seed: int, subject: Subject) -> Reply:
        """Ask for the text of a part, of at most `max_tokens` tokens.

        Raises ValueError for an empty one, ModelError as the client does.
        """
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
