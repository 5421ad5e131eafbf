"""Scorers: pure functions of the right answer and an answer that return 0 to 1. A new one is a line in
`SCORERS`; a line in `EXPLAINERS` of `ace.task.environments.explain_answer` says what a wrong answer lacks.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from ace.task.environments.answer_words import fold_answer, holds_words, split_answer
from ace.task.environments.json_answer import score_json
from ace.task.environments.written_number import is_close, plain_signs, read_last_number, read_numbers

Scorer = Callable[[str, str], float]
"""A function of the right answer and an answer. It never raises."""

# "1,204.50": digits with marks between thousands, and decimals.
_WHOLE_NUMBER = re.compile(r"[-+]?\d[\d,_'\u2019\u00a0\u202f]*(?:\.\d+)?")
# "1. ", "2) ", "- " at the beginning of a label.
_NUMBERING = re.compile(r"^(?:\d+[.)]|[-*])\s+")
_AROUND = 8  # words beside the gold ones that a short answer may have


def score_exact(gold: str, answer: str) -> float:
    """Score 1 for the same text, but for case and spaces, else 0."""
    return float(fold_answer(gold) == fold_answer(answer))


def score_numeric(gold: str, answer: str) -> float:
    """Score 1 for the same number, the last one in the answer, else 0. "12.5%" equals both 12.5 and 0.125.

    Without a number on either side it is 0.
    """
    expected = read_last_number(gold)
    actual = read_last_number(answer)
    if expected is None or actual is None:
        return 0.0
    return float(expected.equals(actual))


def score_ordered_labels(gold: str, answer: str) -> float:
    """Score the share of places that hold the right label, of the places in the longer list."""
    expected = split_labels(gold)
    actual = split_labels(answer)
    right = sum(a == b for a, b in zip(expected, actual, strict=False))
    places = max(len(expected), len(actual), 1)
    return right / places


def score_label_set(gold: str, answer: str) -> float:
    """Score the labels in both, as a share of the labels in either (the Jaccard index)."""
    expected = set(split_labels(gold))
    actual = set(split_labels(answer))
    labels = max(len(expected | actual), 1)
    return len(expected & actual) / labels


def score_short(gold: str, answer: str) -> float:
    """Score 1 for the right number, code or name in a few words, else 0.

    A gold number is right when it is the only number in the answer, however it is written ("12 euros",
    "12.00"). Other gold text is right when its words stand in the answer one after another, with few words
    around them: an answer that lists everything is not right.
    """
    if is_number(gold):
        expected = read_numbers(gold)[0].value
        numbers = read_numbers(answer)
        are_right = all(is_close(number.value, expected) for number in numbers)
        return float(bool(numbers) and are_right)
    gold_words = split_answer(gold)
    words = split_answer(answer)
    if not gold_words or len(words) > len(gold_words) + _AROUND:
        return 0.0
    return float(holds_words(words, gold_words))


SCORERS: Mapping[str, Scorer] = {
    "exact": score_exact,
    "numeric": score_numeric,
    "labels": score_ordered_labels,
    "short": score_short,
    "json": score_json,
}
"""What a task's `scorer` may name. Each is given the right answer and an answer, and returns 0 to 1."""


def is_number(text: str) -> bool:
    """Return whether the text is one number and nothing else: no unit, no currency, no percent sign."""
    has_form = _WHOLE_NUMBER.fullmatch(plain_signs(text.strip())) is not None
    return has_form and len(read_numbers(text)) == 1


def split_labels(text: str, *, fold: bool = True) -> list[str]:
    """Return the labels of a list separated by commas, semicolons or lines, without numbering.

    They are folded, or with `fold=False` as they are written. Numbering, quotes and brackets around a label
    are dropped: '1. "Red"' is "red".
    """
    labels = []
    for part in re.split(r"[,;\n]", text):
        label = _NUMBERING.sub("", part.strip()).strip("\"'`[]() \t")
        if label:
            labels.append(fold_answer(label) if fold else label)
    return labels
