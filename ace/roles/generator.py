"""The generator attempts a sample with a playbook in its context."""

from __future__ import annotations

from dataclasses import dataclass

from pydantic import BaseModel, Field

from ace.context.render import defused
from ace.llm.client import Client
from ace.roles.citing import without_citations
from ace.roles.prompt import messages, render
from ace.task.types import Sample, Task


class Answer(BaseModel):
    """What the generator replies: plain text, so that a small model need not escape its SQL.

    `text` is the reply unchanged, `answer` without the space around it and the bullets it cites.
    """

    answer: str = Field(min_length=1)
    text: str


@dataclass(frozen=True, slots=True)
class Generator:
    """Asks a model for the answer to a sample; with `cite`, also for the ids of the bullets it used."""

    client: Client
    task: Task
    cite: bool = False

    def __call__(self, sample: Sample, playbook: str, *, temperature: float = 0.0, seed: int = 0) -> Answer:
        """One call. Raises ValueError when the model answers nothing, ModelError as the client does."""
        system = render(
            "generator",
            "system",
            instructions=self.task.instructions,
            environment=self.task.environment.describe(sample),
            playbook=playbook,
            cite=self.cite,
        )
        asked = messages(system, render("generator", "user", question=defused(sample.question)))
        reply = self.client.complete(
            asked, temperature=temperature, seed=seed, max_tokens=self.task.max_tokens
        )
        answer = (without_citations(reply.text) if self.cite else reply.text).strip()
        if not answer:
            raise ValueError(f"the model answered nothing (finish reason: {reply.finish_reason})")
        return Answer(answer=answer, text=reply.text)
