"""The generator attempts a sample with what was assembled for it. It words the messages."""

from __future__ import annotations

from dataclasses import dataclass

from pydantic import BaseModel, Field

from ace.agent.citing import without_citations
from ace.context.assemble import Assembled, Frame
from ace.llm.client import Client, Request, Role, Subject
from ace.llm.prompts import messages, render
from ace.safety.markup import defused
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

    def frame(self, sample: Sample) -> Frame:
        """How the messages for a sample are worded."""
        environment = self.task.environment.describe(sample)

        def system(playbook: str) -> str:
            words = {"instructions": self.task.instructions, "environment": environment}
            return render("ace.agent", "generator.system", **words, playbook=playbook, cite=self.cite)

        def user(lessons: str, found: str) -> str:
            question = defused(sample.question)
            return render("ace.agent", "generator.user", lessons=lessons, found=found, question=question)

        return Frame(system, user)

    def __call__(
        self, sample: Sample, context: Assembled, *, temperature: float = 0.0, seed: int = 0, draw: int = 0
    ) -> Answer:
        """One call. Raises ValueError when the model answers nothing, ModelError as the client does."""
        request = Request(
            role=Role.GENERATOR,
            messages=messages(context.system, context.user),
            temperature=temperature,
            seed=seed,
            max_tokens=self.task.max_tokens,
            subject=Subject(sample=sample, draw=draw),
        )
        reply = self.client.complete(request)
        answer = (without_citations(reply.text) if self.cite else reply.text).strip()
        if not answer:
            raise ValueError(f"the model answered nothing (finish reason: {reply.finish_reason})")
        return Answer(answer=answer, text=reply.text)
