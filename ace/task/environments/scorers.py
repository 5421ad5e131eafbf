"""Scorers: pure functions of the right answer and an answer that return 0 to 1. A new one is a line in
`SCORERS`; a line in `EXPLAINERS` of `ace.task.environments.explain_answer` says what a wrong answer lacks.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from math import inf

from ace.task.environments.answer_words import (
    denies_number,
    drop_currencies,
    find_currencies,
    fold_answer,
    holds_words,
    split_answer,
)
from ace.task.environments.json_answer import score_json
from ace.task.environments.written_number import (
    plain_numbers,
    read_last_number,
    read_numbers,
    spell_numbers,
)

Scorer = Callable[..., float]
"""A function of the right answer, an answer, and the options that it takes. It never raises."""

Tolerance = float | str
"""What a number may be off by: an amount, as 0.5, or a share of the right number, as "1%"."""

# "1. ", "2) ", "(3) ", "- " at the beginning of a label.
_NUMBERING = re.compile(r"^(?:\d+[.)]|\(\d+\)|[-*\u2022\u2023\u25e6\u00b7])\s+")
_BETWEEN_LABELS = re.compile("[,;\n\u3001\uff0c\uff1b\u060c\u061b]")
_AROUND_LABEL = "\"'`[]() \t\u2018\u2019\u201c\u201d\u201e\u00ab\u00bb\u300c\u300d"
_AROUND = 8  # words beside the gold ones that a short answer may have


def score_exact(gold: str, answer: str, *, case: bool = False) -> float:
    """Score 1 for the same text, but for spaces and, unless `case` counts, for case; else 0."""
    return float(fold_answer(gold, case=case) == fold_answer(answer, case=case))


def score_numeric(gold: str, answer: str, *, tolerance: Tolerance = 0.0) -> float:
    """Score 1 for the same number, the last one in the answer, else 0. "12.5%" equals both 12.5 and 0.125.

    "$1.5 million" is 1500000, and "3/4" is 0.75. Without a number on either side it is 0.
    """
    expected = read_last_number(gold)
    actual = read_last_number(answer)
    if expected is None or actual is None:
        return 0.0
    absolute, relative = read_tolerance(tolerance)
    return float(expected.equals(actual, absolute=absolute, relative=relative))


def score_ordered_labels(gold: str, answer: str, *, case: bool = False) -> float:
    """Score the share of places that hold the right label, of the places in the longer list."""
    expected = split_labels(gold, fold=not case)
    actual = split_labels(answer, fold=not case)
    right = sum(a == b for a, b in zip(expected, actual, strict=False))
    places = max(len(expected), len(actual), 1)
    return right / places


def score_label_set(gold: str, answer: str, *, case: bool = False) -> float:
    """Score the labels in both, as a share of the labels in either (the Jaccard index)."""
    expected = set(split_labels(gold, fold=not case))
    actual = set(split_labels(answer, fold=not case))
    labels = max(len(expected | actual), 1)
    return len(expected & actual) / labels


def score_short(gold: str, answer: str, *, case: bool = False, tolerance: Tolerance = 0.0) -> float:
    """Score 1 for the right number, code or name in a few words, else 0.

    A gold number is right when it is the only number in the answer, however it is written ("12 euros",
    "12.00"). Other gold text is right when its words stand in the answer one after another, with few words
    around them: an answer that lists everything is not right. Numbers among them may be written in any way
    ("1,000 km"), too. Of signs alone each counts.
    """
    absolute, relative = read_tolerance(tolerance)
    numbers, answer_numbers = read_numbers(gold), read_numbers(answer)
    if is_number(gold):
        is_right = bool(answer_numbers) and not denies_number(split_answer(answer))
        for number in answer_numbers:
            same = numbers[0].equals(replace(number, per=1), absolute=absolute, relative=relative)
            is_right = is_right and same
        if is_right or not any(map(str.isalpha, gold)):
            return float(is_right)
    signs, answer_signs = fold_answer(gold), fold_answer(answer)
    if not any(map(str.isalnum, signs)):
        said = (answer_signs.strip("`'\"., "), answer_signs, *answer_signs.split()[-_AROUND:])
        return float(bool(signs) and signs in said)

    is_quantity = bool(re.match(r"\W*\d", plain_numbers(gold)))
    gold_words, words = (
        split_answer(spell_numbers(text, rounded=is_quantity), case=case) for text in (gold, answer)
    )
    currencies, answer_currencies = (find_currencies(text, named=is_quantity) for text in (gold, answer))
    if currencies and answer_currencies:
        if not currencies & answer_currencies:
            return 0.0
        if is_quantity:
            gold_words, words = drop_currencies(gold_words), drop_currencies(words)
    if not gold_words or len(words) > len(gold_words) + _AROUND:
        return 0.0
    rates, answer_rates = ({number.per for number in found} - {1} for found in (numbers, answer_numbers))
    are_other_rates = bool(rates and answer_rates and not rates & answer_rates)  # "5%" and "5 bps"
    if not are_other_rates and holds_words(words, gold_words):
        return 1.0
    is_rate = len(numbers) == len(rates) == len(gold_words) == 1
    return float(is_rate and score_numeric(gold, answer, tolerance=tolerance))


SCORERS: Mapping[str, Scorer] = {
    "exact": score_exact,
    "numeric": score_numeric,
    "labels": score_ordered_labels,
    "short": score_short,
    "json": score_json,
}
"""What a task's `scorer` may name. Each is given the right answer and an answer, and returns 0 to 1."""

OPTIONS: Mapping[str, tuple[str, ...]] = {
    "exact": ("case",),
    "numeric": ("tolerance",),
    "labels": ("case", "ordered"),
    "short": ("case", "tolerance"),
}
"""The options of the scorers that have any; with `ordered = false` labels are scored by `score_label_set`."""


def read_tolerance(tolerance: Tolerance) -> tuple[float, float]:
    """Return the amount that a number may be off by, and the share of the right number; one of them is 0.

    Raises ValueError for what is neither a number of at least 0 nor one with a percent sign.
    """
    text = str(tolerance).strip()
    share = text.removesuffix("%")
    value = float(share)
    if not 0 <= value < inf:
        raise ValueError(f"could not use {tolerance!r:.60}")
    return (value, 0.0) if share == text else (0.0, value / 100)


def is_number(text: str) -> bool:
    """Return whether the text is one number and nothing else: no unit, no currency, no percent sign.

    A magnitude is part of a number: "1.5 million".
    """
    numbers = read_numbers(text)
    if len(numbers) != 1 or numbers[0].per > 1 or numbers[0].relation or find_currencies(text, named=True):
        return False
    plain = plain_numbers(text)
    return not (plain[: numbers[0].start] + plain[numbers[0].end :]).strip()


def split_labels(text: str, *, fold: bool = True) -> list[str]:
    """Return the labels of a list separated by commas, semicolons or lines, without numbering.

    They are folded, or with `fold=False` as they are written. Numbering, quotes and brackets around a label
    are dropped: '1. "Red"' is "red".
    """
    labels = []
    for part in _BETWEEN_LABELS.split(text):
        label = _NUMBERING.sub("", part.strip()).strip(_AROUND_LABEL)
        if label:
            labels.append(fold_answer(label) if fold else label)
    return labels
