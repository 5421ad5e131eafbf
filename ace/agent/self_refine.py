"""Self-Refine (Madaan et al., arXiv 2303.17651): the model criticises its own answer and mends it, in turns.

One model plays all parts, and nothing but its own words tells it whether an answer is right: no label, no
check. It ends when the model has no objection, or after so many answers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

from pydantic import BaseModel, Field

from ace.agent.generator import Draw, Generator
from ace.agent.solver import ENDS_RUN, failed_attempt, read_reply
from ace.context.assemble import TEMPLATE, Assembled
from ace.llm.client import Message
from ace.llm.prompts import messages, render
from ace.task.types import Attempt, Sample
from ace.task.workspace import Workspace
from ace.text import CountTokens

_CRITICISM = 400  # tokens of one, at most
_ORDER = 80  # tokens, about: what a request says beside the prompt, answers and criticism


# A schema's docstring goes into requests: to edit it makes recordings and unfinished runs useless.
class SelfFeedback(BaseModel):
    """What can be said against an answer. "fine" says that nothing can."""

    criticism: str = Field(default="", max_length=2_000)
    fine: bool


@dataclass(frozen=True, slots=True)
class SelfRefine:
    """Answer, criticise, answer again. Several threads may use one solver."""

    generator: Generator

    count: CountTokens
    """Counts the tokens of a text, as the model does."""

    answers: int
    """How many answers are written, at most; there is one criticism fewer."""

    @property
    def reserve(self) -> int:
        """Return what the last request adds to a prompt: one answer with its criticism."""
        return self.generator.task.max_tokens + _CRITICISM + _ORDER

    def solve(self, sample: Sample, context: Assembled, workspace: Workspace | None, draw: Draw) -> Attempt:
        """Return the attempt with the last answer; what went before is its reasoning.

        When a criticism cannot be had, or a further answer, the last one counts.
        """
        say = self.generator.say
        prompt = messages(context.system, context.user)
        past: list[Message] = []
        log: list[str] = []
        try:
            attempt = read_reply(self.generator, sample, say(sample, context, draw, prompt))
        except ENDS_RUN:
            raise
        except Exception as error:  # a sample becomes a record: it counts as wrong, with its reason
            return failed_attempt(sample, error)
        for _ in range(1, self.answers):
            past.append(Message("assistant", attempt.text or attempt.error))
            try:
                order = Message("user", render("ace.agent", "self_refine.criticise"))
                asked = (*prompt, past[-1], order)
                reply = say(sample, context, draw, asked, max_tokens=_CRITICISM, schema=SelfFeedback)
                feedback = cast(SelfFeedback, reply.parsed)  # what `schema` promises
                if feedback.fine:
                    break
                again = render("ace.agent", "self_refine.again", criticism=feedback.criticism)
                past.append(Message("user", again))
                reply = say(sample, context, draw, (*prompt, *self._fit(context, past)))
            except ENDS_RUN:
                raise
            except Exception as error:  # an answer is worth more than none
                log.append(f"not refined: {type(error).__name__}: {error}")
                break
            log += [attempt.answer, feedback.criticism]
            attempt = read_reply(self.generator, sample, reply, thoughts="\n\n".join(log))
        return attempt

    def _fit(self, context: Assembled, past: Sequence[Message]) -> Sequence[Message]:
        """Return the answers and criticism that a prompt has room for: all, or the latest of them."""
        room = context.budget - context.tokens
        start = len(past) - 2
        tokens = sum(self.count(message.content) + TEMPLATE for message in past[start:])
        while start >= 2:
            tokens += sum(self.count(message.content) + TEMPLATE for message in past[start - 2 : start])
            if tokens > room:
                break
            start -= 2
        return past[start:]
