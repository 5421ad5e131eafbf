"""The reflector reads a failed attempt and its feedback, and puts the lesson into words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

from pydantic import BaseModel, Field

from ace.llm.client import Client
from ace.roles.prompt import messages, render
from ace.task.types import Attempt, Feedback, Sample

MAX_TOKENS = 200


class Lesson(BaseModel):
    """One lesson, short and general beyond its sample."""

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
        refuted: Sequence[str] = (),
        temperature: float = 0.0,
        seed: int = 0,
    ) -> str:
        """The lesson. `refuted`: lessons for this sample that an attempt has shown not to help.

        Raises MalformedReply when the model gives no usable lesson, ModelError as the client does.
        """
        user = render(
            "reflector",
            "user",
            question=sample.question,
            answer=attempt.answer or attempt.error,
            outcome="" if feedback.expected else feedback.text,
            expected=feedback.expected,
            refuted=refuted,
        )
        asked = messages(render("reflector", "system"), user)
        reply = self.client.complete(
            asked, schema=Lesson, temperature=temperature, seed=seed, max_tokens=MAX_TOKENS
        )
        parsed = cast(Lesson, reply.parsed)  # what `schema` promises
        return " ".join(parsed.lesson.split())
