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

_WHOLE_NUMBER = re.compile(r"[-+]?\d[\d,_'\u2019\u00a0\u202f]*(?:\.\d+)?")
_AROUND = 8  # words beside the gold ones that a short answer may have
_NUMBERING = re.compile(r"^(?:\d+[.)]|[-*])\s+")


def score_exact(gold: str, answer: str) -> float:
    """Score the same text, but for case and spaces."""
    return float(fold_answer(gold) == fold_answer(answer))


def score_numeric(gold: str, answer: str) -> float:
    """Score the same number: the last one in the answer. "12.5%" equals both 12.5 and 0.125."""
    expected, actual = read_last_number(gold), read_last_number(answer)
    return float(expected is not None and actual is not None and expected.equals(actual))


def score_ordered_labels(gold: str, answer: str) -> float:
    """Score the share of places that hold the right label."""
    expected, actual = split_labels(gold), split_labels(answer)
    right = sum(a == b for a, b in zip(expected, actual, strict=False))
    return right / max(len(expected), len(actual), 1)


def score_label_set(gold: str, answer: str) -> float:
    """Score the labels in both, as a share of the labels in either."""
    expected, actual = set(split_labels(gold)), set(split_labels(answer))
    return len(expected & actual) / max(len(expected | actual), 1)


def score_short(gold: str, answer: str) -> float:
    """Score a number, a code or a name in a few words.

    A gold number is right when it is the only number in the answer, however it is written ("12 euros",
    "12.00"). Other gold text is right when its words stand in the answer one after another, with few words
    around them: an answer that lists everything is not right.
    """
    if is_number(gold):
        expected, numbers = read_numbers(gold)[0].value, read_numbers(answer)
        return float(bool(numbers) and all(is_close(number.value, expected) for number in numbers))
    gold_words, words = split_answer(gold), split_answer(answer)
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


def is_number(text: str) -> bool:
    """Return whether the text is one number and nothing else."""
    return bool(_WHOLE_NUMBER.fullmatch(plain_signs(text.strip()))) and len(read_numbers(text)) == 1


def split_labels(text: str, *, fold: bool = True) -> list[str]:
    """Return the labels of a list separated by commas, semicolons or lines, without numbering.

    They are folded, or with `fold=False` as they are written.
    """
    labels = []
    for part in re.split(r"[,;\n]", text):
        label = _NUMBERING.sub("", part.strip()).strip("\"'`[]() \t")
        if label:
            labels.append(fold_answer(label) if fold else label)
    return labels
