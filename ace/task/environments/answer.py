"""The `answer` environment: an answer is a text, compared with the gold `answer` by a scorer.

Nothing is acted on, so without labels there is nothing to see.
"""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass

from ace.task.environments.scorers import (
    SCORERS,
    read_number,
    score_label_set,
    score_ordered_labels,
    split_labels,
)
from ace.task.types import Attempt, Environment, Outcome, Sample, Topic


@dataclass(eq=False)
class AnswerEnvironment(Environment):
    """Samples carry `answer`: text, a number, or a list of labels. `ordered`: labels stand in their order.

    A sample may name its own `scorer`.
    """

    scorer: str = "exact"
    _: KW_ONLY
    ordered: bool = True

    bounded = True
    label_field = "answer"

    def score(self, sample: Sample, attempt: Attempt) -> Outcome:
        """Compare the answer with the gold answer. Raises TaskError when the sample has none."""
        gold = gold_text(sample)
        scorer = sample.data.get("scorer", self.scorer)
        compare, topics = SCORERS[scorer], frozenset[Topic]()
        if scorer == "labels":
            compare = score_ordered_labels if self.ordered else score_label_set
            topics = frozenset(map(Topic, split_labels(gold)))
        return Outcome(
            score=compare(gold, attempt.answer),
            observed=attempt.summary,
            detail=attempt.error,
            expected=gold,
            label_topics=topics,
        )

    def check(self, sample: Sample) -> None:
        """Raise TaskError for an unknown scorer, or a gold answer that it cannot use."""
        gold = gold_text(sample)
        scorer = sample.data.get("scorer", self.scorer)
        if not isinstance(scorer, str) or scorer not in SCORERS:
            message = f"Expected one of {', '.join(SCORERS)}, found {scorer!r:.60}."
            raise sample.problem("scorer", message)
        if scorer == "numeric" and read_number(gold) is None:
            raise sample.problem("answer", f"Expected a number, found {gold!r:.60}.")
        if scorer == "labels" and not split_labels(gold):
            raise sample.problem("answer", f"Expected labels separated by commas, found {gold!r:.60}.")


def gold_text(sample: Sample) -> str:
    """Return the gold answer as text. Raises TaskError when the sample has none."""
    match sample.data.get("answer"):
        case str() as text if text.strip():
            return text
        case [*parts] if parts and all(isinstance(part, str) for part in parts):
            return ", ".join(parts)
        case (int() | float()) as number if not isinstance(number, bool):
            return repr(number)
        case value:
            message = f"Expected text, a number or a list of texts, found {value!r:.60}."
            raise sample.problem("answer", message)
