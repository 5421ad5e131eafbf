"""The reflector reads a failed attempt and its feedback, and puts what was not known into words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, cast

from pydantic import BaseModel, Field

from ace.llm.client import Client
from ace.roles.prompt import messages, render, shown
from ace.task.types import Attempt, Feedback, Sample

MAX_TOKENS = 256


class Lessons(BaseModel):
    """Short lessons, one for each thing that was not known, general beyond their sample."""

    lessons: list[Annotated[str, Field(min_length=1, max_length=400)]] = Field(min_length=1, max_length=6)


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
        refuted: Sequence[str] = (),
        temperature: float = 0.0,
        seed: int = 0,
    ) -> tuple[str, ...]:
        """The lessons, each one line. `refuted`: what an attempt has shown not to help with this sample.

        Raises MalformedReply when the model gives no usable lesson, ModelError as the client does.
        """
        user = render(
            "reflector",
            "user",
            question=sample.question,
            answer=shown(attempt.answer or attempt.error),
            outcome="" if feedback.expected else shown(feedback.text),
            expected=shown(feedback.expected),
            refuted=refuted,
        )
        asked = messages(render("reflector", "system"), user)
        reply = self.client.complete(
            asked, schema=Lessons, temperature=temperature, seed=seed, max_tokens=MAX_TOKENS
        )
        said = cast(Lessons, reply.parsed).lessons  # what `schema` promises
        return tuple(dict.fromkeys(" ".join(lesson.split()) for lesson in said))
