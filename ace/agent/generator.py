"""Attempt a sample with what was assembled for it. The generator words the messages.

With citations, a reply has a line that says which bullets it used. That is a claim, and no part of the
answer; whether such bullets exist is for others to say.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from ace.context.assemble import Assembled, Frame
from ace.llm.client import Client, Reply, Request, Role, Subject
from ace.llm.prompts import messages, render
from ace.safety.markup import defuse_markup
from ace.task.types import Sample, Task

_CITATIONS = re.compile(r"^[ \t>*`-]*used[ \t*]*:(?P<ids>[^\n]*)$", re.IGNORECASE | re.MULTILINE)
_ID = re.compile(r"[\w.:/-]+")


@dataclass(frozen=True, slots=True)
class Draw:
    """Tell several attempts at a sample apart.

    Number 0 is the attempt that counts, greedy; further ones differ in seed and temperature.
    """

    number: int = 0
    seed: int = 0
    temperature: float = 0.0


@dataclass(frozen=True, slots=True)
class Generator:
    """Ask a model for the answer to a sample; with `cite`, also for the ids of the bullets it used."""

    client: Client
    task: Task
    cite: bool = False

    def frame(self, sample: Sample) -> Frame:
        """Return how the messages for a sample are worded."""
        environment = self.task.environment.describe(sample)

        def system(playbook: str) -> str:
            words = {"instructions": self.task.instructions, "environment": environment}
            return render("ace.agent", "generator.system", **words, playbook=playbook, cite=self.cite)

        def user(lessons: str, passages: str) -> str:
            question = defuse_markup(sample.question)
            return render("ace.agent", "generator.user", lessons=lessons, found=passages, question=question)

        return Frame(system, user)

    def ask(self, sample: Sample, context: Assembled, draw: Draw) -> Reply:
        """Ask once, in plain text, so that a small model need not escape code.

        Raises ModelError as the client does.
        """
        request = Request(
            role=Role.GENERATOR,
            messages=messages(context.system, context.user),
            temperature=draw.temperature,
            seed=draw.seed,
            max_tokens=self.task.max_tokens,
            subject=Subject(sample=sample, bullets=context.contents, draw=draw.number),
        )
        return self.client.complete(request)

    def answer_in(self, reply: Reply) -> str:
        """Return the answer that a reply holds, without the space around it and the bullets it cites."""
        text = remove_citations(reply.text) if self.cite else reply.text
        return text.strip()


def find_citations(text: str) -> tuple[str, ...]:
    """Return the ids that lines of citations name, in order, each once."""
    lines = [line["ids"] for line in _CITATIONS.finditer(text)]
    return tuple(dict.fromkeys(name for line in lines for name in _ID.findall(line)))


def remove_citations(text: str) -> str:
    """Return a reply without its lines of citations."""
    return _CITATIONS.sub("", text).strip()
