"""The `answer` environment: an answer is a text, compared with the gold `answer` by a scorer.

Nothing is acted on, so without labels there is nothing to see.
"""

from __future__ import annotations

import json
from dataclasses import KW_ONLY, dataclass

from ace.task.environments.derive_number import derive_number
from ace.task.environments.explain_answer import EXPLAINERS, explain_label_set, explain_text
from ace.task.environments.json_answer import read_json
from ace.task.environments.scorers import SCORERS, score_label_set, split_labels
from ace.task.environments.written_number import read_last_number
from ace.task.types import Attempt, Environment, Fact, Outcome, Sample, Topic


@dataclass(eq=False)
class AnswerEnvironment(Environment):
    """Samples carry `answer`: text, a number, a list of labels, or JSON; and may name their own `scorer`.

    How wrong answers are explained depends on the scorer, too.
    """

    scorer: str = "exact"
    """One of `SCORERS`, for samples that name none."""

    _: KW_ONLY

    ordered: bool = True
    """Whether labels must stand in their order; other scorers do not ask."""

    bounded = True
    label_field = "answer"

    def score(self, sample: Sample, attempt: Attempt) -> Outcome:
        """Compare the answer with the gold answer. Raises TaskError when the sample has none.

        Of labels each is a topic of its own; other answers have no topics.
        """
        gold = self._gold(sample)
        scorer = self._scorer_of(sample)
        compare = SCORERS[scorer]
        topics = frozenset[Topic]()
        if scorer == "labels":
            topics = frozenset(map(Topic, split_labels(gold)))
            if not self.ordered:
                compare = score_label_set
        return Outcome(
            score=compare(gold, attempt.answer),
            observed=attempt.summary,
            detail=attempt.error,
            expected=gold,
            label_topics=topics,
            facts=derive_number(sample.question, gold) if scorer == "numeric" else (),
        )

    def explain(self, sample: Sample, attempt: Attempt) -> tuple[Fact, ...]:
        """Return what a wrong answer lacks: labels, places in JSON, how a number or a text differs.

        Raises TaskError when the sample has no gold answer.
        """
        scorer = self._scorer_of(sample)
        explain = EXPLAINERS.get(scorer, explain_text)
        if scorer == "labels" and not self.ordered:
            explain = explain_label_set
        return explain(self._gold(sample), attempt.answer)

    def check(self, sample: Sample) -> None:
        """Raise TaskError for an unknown scorer, or a gold answer that it cannot use.

        A number is asked for by "numeric", labels by "labels", and JSON by "json".
        """
        scorer = self._scorer_of(sample)
        if not isinstance(scorer, str) or scorer not in SCORERS:
            message = f"Expected one of {', '.join(SCORERS)}, found {scorer!r:.60}."
            raise sample.problem("scorer", message)
        gold = self._gold(sample)
        if scorer == "numeric" and read_last_number(gold) is None:
            raise sample.problem("answer", f"Expected a number, found {gold!r:.60}.")
        if scorer == "labels" and not split_labels(gold):
            raise sample.problem("answer", f"Expected labels separated by commas, found {gold!r:.60}.")
        if scorer == "json":
            try:
                read_json(gold)
            except ValueError as error:
                raise sample.problem("answer", f"Expected JSON, found {gold!r:.60}.") from error

    def _scorer_of(self, sample: Sample) -> str:
        """Return the name of the scorer of a sample: its own, or that of the task."""
        scorer: str = sample.data.get("scorer", self.scorer)
        return scorer

    def _gold(self, sample: Sample) -> str:
        """Return the gold answer as the scorer reads it. Raises TaskError when the sample has none."""
        is_value = not isinstance(sample.data.get("answer"), str | None)
        if is_value and self._scorer_of(sample) == "json":
            return json_text(sample)
        return gold_text(sample)


def gold_text(sample: Sample) -> str:
    """Return the gold answer as text: a number as Python writes it, a list with commas.

    Raises TaskError when the sample has none, or one of another type.
    """
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


def json_text(sample: Sample) -> str:
    """Return the gold answer, an object or a list, as JSON.

    Raises TaskError for what JSON cannot hold, such as NaN or a date.
    """
    try:
        return json.dumps(sample.data["answer"], ensure_ascii=False, allow_nan=False)
    except (TypeError, ValueError, RecursionError) as error:
        raise sample.problem("answer", f"Expected a value that JSON can hold ({error}).") from error
