"""Chain of thought: the model thinks in words before it answers (Wei et al., arXiv 2201.11903).

Without worked examples, in two calls (Kojima et al., arXiv 2205.11916): the first one is for the thoughts,
the second one, which is shown them, for the answer in the form that the task asks for. So nothing has to be
told apart in a reply. The thoughts are kept as the attempt's reasoning.
"""

from __future__ import annotations

from dataclasses import dataclass

from ace.agent.generator import Draw, Generator
from ace.agent.solver import ENDS_RUN, failed_attempt, read_reply
from ace.context.assemble import Assembled
from ace.llm.client import Message
from ace.llm.prompts import messages, render
from ace.task.types import Attempt, Sample
from ace.task.workspace import Workspace

_THOUGHTS = 1_000  # tokens, at most
_ORDER = 60  # tokens, about: what the two requests say beside the prompt and the thoughts


@dataclass(frozen=True, slots=True)
class ThinkFirst:
    """Ask for thoughts, then for the answer: two calls. Several threads may use one solver."""

    generator: Generator

    reserve: int = _THOUGHTS + _ORDER
    """What the second request adds to a prompt."""

    def solve(self, sample: Sample, context: Assembled, workspace: Workspace | None, draw: Draw) -> Attempt:
        """Return the attempt; see `Solver`. Both calls have the draw's seed and temperature."""
        thoughts = ""
        room = max(1, min(_THOUGHTS, context.budget - context.tokens - _ORDER))
        order = render("ace.agent", "think_first.thoughts")
        prompt = messages(context.system, f"{context.user}\n\n{order}")
        try:
            thoughts = self.generator.say(sample, context, draw, prompt, max_tokens=room).text.strip()
            prompt = (
                *messages(context.system, context.user),
                Message("assistant", thoughts),
                Message("user", render("ace.agent", "think_first.answer")),
            )
            reply = self.generator.say(sample, context, draw, prompt)
        except ENDS_RUN:
            raise
        except Exception as error:  # a sample becomes a record: it counts as wrong, with its reason
            return failed_attempt(sample, error, text=thoughts)
        return read_reply(self.generator, sample, reply, thoughts=thoughts)
