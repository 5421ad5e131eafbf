"""The `answer` environment: an answer is a text, compared with the gold `answer` by a scorer.

Scorers are pure: (gold, answer) -> 0..1. Nothing is acted on, so without labels there is nothing to see.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Mapping
from math import isclose
from typing import Any

from ace.errors import TaskError
from ace.task.types import Attempt, Outcome, Sample, Topic

Scorer = Callable[[str, str], float]

_NUMBER = re.compile(r"(?<![\w.])[-+]?(?:\d+(?:\.\d*)?|\.\d+)(?:e[-+]?\d+)?", re.IGNORECASE)
_THOUSANDS = re.compile(r"(?<=\d)[,_'\u2019\u00a0\u202f](?=\d{3}(?!\d))")
_CURRENCY = re.compile(
    r"(?:\b[a-z]{1,3})?[$\u20ac\u00a3\u00a5]\s*|\b(?:usd|eur|gbp|jpy|chf)\s*(?=[-+\d.])", re.IGNORECASE
)
_WHOLE_NUMBER = re.compile(r"[-+]?\d[\d,_'\u2019\u00a0\u202f]*(?:\.\d+)?")
_WORDS = re.compile(r"\w+")
_AROUND = 8  # words beside the gold ones that a short answer may have
_NUMBERING = re.compile(r"^(?:\d+[.)]|[-*])\s+")


def exact(gold: str, answer: str) -> float:
    """The same text, but for case and spaces."""
    return float(_plain(gold) == _plain(answer))


def numeric(gold: str, answer: str) -> float:
    """The same number: the last one in the answer. "12.5%" equals both 12.5 and 0.125."""
    wanted, found = _number(gold), _number(answer)
    if wanted is None or found is None:
        return 0.0
    (a, percent_a), (b, percent_b) = wanted, found
    same = _close(a, b) or (percent_b and not percent_a and _close(a, b / 100))
    return float(same or (percent_a and not percent_b and _close(a / 100, b)))


def ordered_labels(gold: str, answer: str) -> float:
    """The share of places that hold the right label."""
    wanted, found = labels(gold), labels(answer)
    right = sum(a == b for a, b in zip(wanted, found, strict=False))
    return right / max(len(wanted), len(found), 1)


def label_set(gold: str, answer: str) -> float:
    """Labels in both, as a share of the labels in either."""
    wanted, found = Counter(set(labels(gold))), Counter(set(labels(answer)))
    return (wanted & found).total() / max((wanted | found).total(), 1)


def short(gold: str, answer: str) -> float:
    """A number, a code or a name, said in a few words.

    A gold number is right when it is the only number in the answer, however it is written ("12 euros",
    "12.00"). Other gold text is right when its words stand in the answer one after another, with few words
    around them: an answer that lists everything is not right.
    """
    wanted = _WHOLE_NUMBER.fullmatch(gold.strip())
    if wanted:
        found = {float(number) for number in _NUMBER.findall(_bare(answer))}
        return float(bool(found) and all(_close(number, float(_bare(wanted[0]))) for number in found))
    words, said = _WORDS.findall(gold.casefold()), _WORDS.findall(answer.casefold())
    size = len(words)
    stands = any(said[at : at + size] == words for at in range(len(said) - size + 1))
    return float(bool(words) and stands and len(said) <= size + _AROUND)


SCORERS: Mapping[str, Scorer] = {
    "exact": exact,
    "numeric": numeric,
    "labels": ordered_labels,
    "short": short,
}


def labels(text: str) -> list[str]:
    """The labels of a list separated by commas, semicolons or lines, in plain form."""
    parts = (_NUMBERING.sub("", part.strip()).strip("\"'`[]() \t") for part in re.split(r"[,;\n]", text))
    return [_plain(part) for part in parts if part]


class AnswerEnvironment:
    """Samples carry `answer`: text, a number, or a list of labels."""

    bounded = True

    def __init__(self, scorer: str = "exact", *, ordered: bool = True) -> None:
        self.scorer = scorer
        self._score = label_set if scorer == "labels" and not ordered else SCORERS[scorer]

    def describe(self, sample: Sample) -> str:
        return ""

    def score(self, sample: Sample, attempt: Attempt) -> Outcome:
        """Compare the answer with the gold answer. Raises TaskError when the sample has none."""
        gold = gold_text(sample)
        topics = frozenset(map(Topic, labels(gold))) if self.scorer == "labels" else frozenset[Topic]()
        return Outcome(
            score=self._score(gold, attempt.answer),
            observed=attempt.summary,
            detail=attempt.error,
            expected=gold,
            label_topics=topics,
        )

    def check(self, sample: Sample) -> None:
        gold = gold_text(sample)
        if self.scorer == "numeric" and _number(gold) is None:
            raise _problem(sample, f"Expected a number, found {gold!r:.60}.")
        if self.scorer == "labels" and not labels(gold):
            raise _problem(sample, f"Expected labels separated by commas, found {gold!r:.60}.")


def gold_text(sample: Sample) -> str:
    """The gold answer as text; TaskError when the sample has none."""
    match sample.data.get("answer"):
        case str() as text if text.strip():
            return text
        case [*parts] if parts and all(isinstance(part, str) for part in parts):
            return ", ".join(parts)
        case (int() | float()) as number if not isinstance(number, bool):
            return repr(number)
        case other:
            raise _problem(sample, f"Expected text, a number or a list of texts, found {other!r:.60}.")


def _plain(text: str) -> str:
    return " ".join(text.casefold().split())


def _number(text: str) -> tuple[float, bool] | None:
    """The last number, and whether a percent sign follows it."""
    text = _bare(text)
    found = list(_NUMBER.finditer(text))
    if not found:
        return None
    return float(found[-1].group()), text[found[-1].end() :].lstrip().startswith("%")


def _bare(text: str) -> str:
    """Without currencies, and thousands without their marks."""
    return _THOUSANDS.sub("", _CURRENCY.sub("", text))


def _close(a: float, b: float) -> bool:
    return isclose(a, b, rel_tol=1e-6, abs_tol=1e-9)


def _problem(sample: Sample, message: str) -> TaskError:
    where: dict[str, Any] = {"file": sample.file, "line": sample.line, "sample": sample.id}
    return TaskError(f"Sample {sample.id}: {message}", field="answer", **where)
