"""Best of several answers, by votes: self-consistency (Wang et al., arXiv 2203.11171).

The first answer is greedy, the others are drawn with a temperature. What the environment shows of an answer
without a label is seen (rows, an error, its own check of the answer), and no label is. Answers that pass its
check go first, then the answer that most agree on, of equals the earliest.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace

from ace.agent.generator import Draw, Generator
from ace.agent.solver import SingleCall
from ace.context.assemble import Assembled
from ace.settings import FeedbackKind
from ace.task.extraction import extract_answer
from ace.task.guarded_scoring import observe_attempt, score_attempt
from ace.task.types import Attempt, Feedback, Observing, Sample
from ace.task.workspace import Workspace

_TEMPERATURE = 0.7  # of all answers but the first


@dataclass(frozen=True, slots=True)
class BestOfN:
    """Make several attempts with another solver, and return one of them. Several threads may use it."""

    solver: SingleCall
    """Makes the attempts."""

    generator: Generator
    """Has the task, whose environment looks at them."""

    answers: int
    """How many attempts are made."""

    reserve: int = 0
    """One call adds nothing to the prompt."""

    def solve(self, sample: Sample, context: Assembled, workspace: Workspace | None, draw: Draw) -> Attempt:
        """Return the attempt that wins; see `Solver`. Attempt n has the draw's seed plus n."""
        attempts, shown = list[Attempt](), list[Feedback]()
        for number in range(self.answers):
            temperature = max(draw.temperature, _TEMPERATURE) if number else draw.temperature
            own = replace(draw, seed=draw.seed + number, temperature=temperature)
            attempt = self.solver.solve(sample, context, workspace, own)
            attempts.append(attempt)
            shown.append(self._look(sample, attempt))
        # Answers that ran agree where they show the same; others are compared without case and spaces.
        keys = []
        for attempt, feedback in zip(attempts, shown, strict=True):
            answer = extract_answer(attempt, self.generator.task.extract).answer
            has_run = feedback.ran is not None and not feedback.checked
            keys.append(feedback.text if has_run else " ".join(answer.casefold().split()))
        votes = Counter(keys)
        ranks = []
        for attempt, feedback, key in zip(attempts, shown, keys, strict=True):
            ranks.append((bool(attempt.answer), feedback.ran is not False, votes[key]))
        return attempts[ranks.index(max(ranks))]

    def _look(self, sample: Sample, attempt: Attempt) -> Feedback:
        """Return what the environment shows of an attempt without a label."""
        environment = self.generator.task.environment
        attempt = extract_answer(attempt, self.generator.task.extract)
        look = observe_attempt if isinstance(environment, Observing) else score_attempt
        return look(environment, sample, attempt).shown(FeedbackKind.EXECUTION)
