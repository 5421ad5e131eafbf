"""The `answer` environment: an answer is a text, compared with the gold `answer` by a scorer.

Nothing is acted on, so without labels there is nothing to see.
"""

from __future__ import annotations

import json
from dataclasses import KW_ONLY, dataclass, replace
from typing import Any

from ace.task.environments.derive_number import derive_number
from ace.task.environments.explain_answer import EXPLAINERS, explain_label_set, explain_text
from ace.task.environments.json_answer import read_json
from ace.task.environments.scorers import (
    OPTIONS,
    SCORERS,
    Tolerance,
    read_tolerance,
    score_label_set,
    split_labels,
)
from ace.task.environments.written_number import read_last_number
from ace.task.types import Attempt, Environment, Fact, Outcome, Sample, Topic


@dataclass(eq=False)
class AnswerEnvironment(Environment):
    """Samples carry `answer`: text, a number, a list of labels, or JSON; and may name their own `scorer`.

    A list of texts and numbers holds all right ones, of which one is enough; for labels that is a list of
    lists. How wrong answers are explained depends on the scorer, too. Raises ValueError for a tolerance that
    is none.
    """

    scorer: str = "exact"
    """One of `SCORERS`, for samples that name none."""

    _: KW_ONLY

    ordered: bool = True
    """Whether labels must stand in their order; other scorers do not ask."""

    case: bool = False
    """Whether capitals count: for texts and labels."""

    tolerance: Tolerance = 0.0
    """What a number may be off by: an amount, or a share of the right number, as "1%"."""

    bounded = True
    label_field = "answer"

    def __post_init__(self) -> None:
        """Refuse a tolerance that is none."""
        read_tolerance(self.tolerance)

    def score(self, sample: Sample, attempt: Attempt) -> Outcome:
        """Compare the answer with the gold answer. Raises TaskError when the sample has none.

        Of labels each is a topic of its own; other answers have no topics.
        """
        golds = self._golds(sample)
        scorer = self._scorer_of(sample)
        compare = SCORERS[scorer]
        topics = frozenset[Topic]()
        if scorer == "labels":
            topics = frozenset(map(Topic, split_labels(golds[0])))
            if not self.ordered:
                compare = score_label_set
        names = (name for name in OPTIONS.get(scorer, ()) if name != "ordered")
        options = {name: getattr(self, name) for name in names}
        return Outcome(
            score=max(compare(gold, attempt.answer, **options) for gold in golds),
            observed=attempt.summary,
            detail=attempt.error,
            expected=" or ".join(golds),
            label_topics=topics,
            facts=derive_number(sample.question, golds[0]) if scorer == "numeric" else (),
        )

    def explain(self, sample: Sample, attempt: Attempt) -> tuple[Fact, ...]:
        """Return what a wrong answer lacks: labels, places in JSON, how a number or a text differs.

        Of several right answers the first counts that it can be explained by. Raises TaskError when the
        sample has no gold answer.
        """
        scorer = self._scorer_of(sample)
        explain = EXPLAINERS.get(scorer, explain_text)
        if scorer == "labels" and not self.ordered:
            explain = explain_label_set
        explanations = (explain(gold, attempt.answer) for gold in self._golds(sample))
        return next(filter(None, explanations), ())

    def check(self, sample: Sample) -> None:
        """Raise TaskError for an unknown scorer, or a gold answer that it cannot use.

        A number is asked for by "numeric", labels by "labels", and JSON by "json".
        """
        scorer = self._scorer_of(sample)
        if not isinstance(scorer, str) or scorer not in SCORERS:
            message = f"Expected one of {', '.join(SCORERS)}, found {scorer!r:.60}."
            raise sample.problem("scorer", message)
        for gold in self._golds(sample):
            if scorer == "numeric" and read_last_number(gold) is None:
                raise sample.problem("answer", f"Expected a number, found {gold!r:.60}.")
            if scorer == "labels" and not split_labels(gold):
                raise sample.problem("answer", f"Expected labels separated by commas, found {gold!r:.60}.")
            if scorer == "json":
                try:
                    read_json(gold)
                except ValueError as error:
                    raise sample.problem("answer", f"Expected JSON, found {gold!r:.60}.") from error

    def takes_alternatives(self, sample: Sample) -> bool:
        """Return whether a list of texts holds right answers of which one is enough."""
        return self._scorer_of(sample) not in ("labels", "json")

    def compose(self, first: Sample, second: Sample) -> Sample | None:
        """Return a sample that asks for both answers: labels in their order, or values of a JSON object.

        None for other scorers, for several right answers, and where the data beside the answers differ.
        """
        scorer = self._scorer_of(first)
        golds = [self._golds(sample) for sample in (first, second)]
        contexts = [
            {name: value for name, value in sample.data.items() if name != "answer"}
            for sample in (first, second)
        ]
        if contexts[0] != contexts[1] or any(len(each) > 1 for each in golds):
            return None
        answer: Any
        if scorer == "json":
            answer = {str(number): read_json(gold) for number, [gold] in enumerate(golds, start=1)}
            form = '{"1": ..., "2": ...}'
        else:
            labels = [split_labels(gold, fold=False) for [gold] in golds]
            is_one_each = all(len(each) == 1 for each in labels)
            if (
                scorer not in ("labels", "exact")
                or not self.ordered
                or (scorer == "exact" and not is_one_each)
            ):
                return None
            answer = [*labels[0], *labels[1]]
            form = "1, 2"
        return Sample(
            f"{first.id} + {second.id}",
            f"1. {first.question.strip()}\n2. {second.question.strip()}\n=> {form}",
            {**contexts[0], "answer": answer, "scorer": "json" if scorer == "json" else "labels"},
        )

    def make_gold_attempt(self, sample: Sample) -> Attempt:
        """Return the attempt that answers with the gold answer. Raises TaskError when the sample has none."""
        return Attempt(sample.id, self._golds(sample)[0])

    def _scorer_of(self, sample: Sample) -> str:
        """Return the name of the scorer of a sample: its own, or that of the task."""
        scorer: str = sample.data.get("scorer", self.scorer)
        return scorer

    def _golds(self, sample: Sample) -> list[str]:
        """Return the right answers as the scorer reads them. Raises TaskError when the sample has none."""
        answer, scorer = sample.data.get("answer"), self._scorer_of(sample)
        if scorer == "json" and not isinstance(answer, str | None):
            return [json_text(sample)]
        alternatives = answer if isinstance(answer, list) else []
        if scorer == "labels" and not all(isinstance(part, list) for part in alternatives):
            alternatives = []  # one right answer is a list, too
        if not alternatives:
            return [gold_text(sample)]
        return [gold_text(replace(sample, data={**sample.data, "answer": part})) for part in alternatives]


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
