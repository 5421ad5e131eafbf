"""The reflector reads a failed attempt and its feedback, and puts what was not known into words."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

from pydantic import BaseModel, Field

from ace.llm.client import Client
from ace.roles.prompt import messages, render, shown
from ace.task.types import Attempt, Feedback, Sample

MAX_TOKENS = 256
_BETWEEN = re.compile(r"(?<=[.;])\s+(?=[A-Z])")


class Lesson(BaseModel):
    """One sentence for each thing that was not known, short and general beyond its sample.

    One text and not a list: asked for a list, a small model fills it up with sentences that are not true.
    """

    lesson: str = Field(min_length=1, max_length=600)


@dataclass(frozen=True, slots=True)
class Reflector:
    """Asks a model what a failed attempt teaches. It sees feedback only, never a verdict."""

    client: Client

    def __call__(
        self,
        sample: Sample,
        attempt: Attempt,
        feedback: Feedback,
        *,
        about: Sequence[str] = (),
        known: Sequence[str] = (),
        refuted: Sequence[str] = (),
        flaws: Sequence[str] = (),
        temperature: float = 0.0,
        seed: int = 0,
    ) -> tuple[str, ...]:
        """The lessons, one sentence each.

        `about`: what the lesson is to say, where the feedback shows it. `known`: what the playbook says about
        the question already. `refuted`: lessons for this sample that an attempt has shown not to help.
        `flaws`: what was wrong with those that were not tried. Raises MalformedReply when the model gives no
        usable lesson, ModelError as the client does.
        """
        user = render(
            "reflector",
            "user",
            question=sample.question,
            answer=shown(attempt.answer or attempt.error),
            outcome="" if feedback.expected else shown(feedback.text),
            expected=shown(feedback.expected),
            wrong=feedback.passed is False or feedback.ran is False,
            about=[shown(text) for text in about],
            known=[shown(text) for text in known],
            refuted=[shown(text) for text in refuted],
            flaws=[shown(text) for text in flaws],
        )
        asked = messages(render("reflector", "system"), user)
        reply = self.client.complete(
            asked, schema=Lesson, temperature=temperature, seed=seed, max_tokens=MAX_TOKENS
        )
        said = cast(Lesson, reply.parsed).lesson  # what `schema` promises
        return sentences(" ".join(said.split()))


def sentences(text: str) -> tuple[str, ...]:
    """A lesson taken apart, where every sentence has the form "words: meaning"; otherwise the whole."""
    parts = tuple(dict.fromkeys(_BETWEEN.split(text)))
    return parts if all(":" in part for part in parts) else (text,)
