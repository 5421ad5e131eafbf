"""Attempt a sample with what was assembled for it. The generator words the messages.

With citations, a reply has a line that says which bullets it used. That is a claim, and no part of the
answer; whether such bullets exist is for others to say.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from ace.context.assemble import Assembled, Frame
from ace.llm.client import Client, Message, Reply, Request, Role, Subject
from ace.llm.prompts import messages, render
from ace.safety.markup import defuse_markup
from ace.task.team import TeamAgent
from ace.task.types import Sample, Task

if TYPE_CHECKING:
    from pydantic import BaseModel

# "Used: b-1, b-2", also as a quote, a list item or in bold letters.
_CITATIONS = re.compile(r"^[ \t>*`-]*used[ \t*]*:(?P<ids>[^\n]*)$", re.IGNORECASE | re.MULTILINE)
# The id of a bullet, without the brackets and commas around it.
_ID = re.compile(r"[\w.:/-]+")


@dataclass(frozen=True, slots=True)
class Draw:
    """Tell several attempts at a sample apart.

    The attempt that counts is greedy; further ones differ in seed and temperature.
    """

    number: int = 0
    """0 for the attempt that counts, 1, 2 and so on for the others."""

    seed: int = 0
    """What the model's random numbers start from, where it takes a seed."""

    temperature: float = 0.0
    """0 is greedy. More of it gives more variety between draws."""


@dataclass(frozen=True, slots=True)
class Generator:
    """Ask a model for the answer to a sample. One generator serves all threads of a run."""

    client: Client
    """The model; the task's own agent where it has one (see `ace.agent.connect_agent`)."""

    task: Task
    """Its instructions, its environment and its limit of tokens go into every request."""

    cite: bool = False
    """Whether a reply shall end with the ids of the bullets that were used for it."""

    def frame(self, sample: Sample, tools: str = "") -> Frame:
        """Return how the messages for a sample are worded.

        The system message holds instructions, what the environment says of the sample, `tools` where a model
        has to read them there, and the playbook. The user message holds lessons for this question, what
        sources found, and the question.
        """
        environment = self.task.environment.describe(sample)

        question = defuse_markup(sample.question)

        def system(playbook: str) -> str:
            """Word the system message around a playbook; "" leaves its heading out as well."""
            return render(
                "ace.agent",
                "generator.system",
                instructions=self.task.instructions,
                environment=environment,
                tools=tools,
                playbook=playbook,
                cite=self.cite,
            )

        def user(lessons: str, passages: str) -> str:
            """Word the user message around lessons and passages; each may be ""."""
            return render("ace.agent", "generator.user", lessons=lessons, found=passages, question=question)

        return Frame(system, user)

    def speak_as(self, agent: TeamAgent) -> Generator:
        """Return the generator of one agent of a team: its instructions follow those of the task."""
        instructions = "\n\n".join(filter(None, (self.task.instructions, agent.instructions)))
        return replace(self, task=replace(self.task, instructions=instructions))

    def ask(self, sample: Sample, context: Assembled, draw: Draw) -> Reply:
        """Ask once, in plain text, so that a small model need not escape code.

        `context` holds the messages as `frame` worded them. Raises ModelError as the client does.
        """
        return self.say(sample, context, draw, messages(context.system, context.user))

    def say(
        self,
        sample: Sample,
        context: Assembled,
        draw: Draw,
        prompt: Sequence[Message],
        *,
        max_tokens: int | None = None,
        schema: type[BaseModel] | None = None,
    ) -> Reply:
        """Ask with a prompt that a solver has worded around `context`.

        `max_tokens` are those of the task by default. Raises ModelError as the client does.
        """
        request = Request(
            role=Role.GENERATOR,
            messages=tuple(prompt),
            schema=schema,
            temperature=draw.temperature,
            seed=draw.seed,
            max_tokens=max_tokens or self.task.max_tokens,
            subject=Subject(sample=sample, bullets=context.contents, draw=draw.number),
        )
        return self.client.complete(request)


def find_citations(text: str) -> tuple[str, ...]:
    """Return the ids that lines of citations name, in order, each once.

    "Used: none" gives the id "none": whether there is such a bullet is for the caller to say.
    """
    names: list[str] = []
    for line in _CITATIONS.finditer(text):
        names += _ID.findall(line["ids"])
    return tuple(dict.fromkeys(names))


def remove_citations(text: str) -> str:
    """Return a reply without its lines of citations, and without space around the rest."""
    return _CITATIONS.sub("", text).strip()
