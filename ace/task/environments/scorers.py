"""Scorers: pure functions of the right answer and an answer that return 0 to 1. A new one is a line in
`SCORERS`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import partial
from math import isclose

Scorer = Callable[[str, str], float]

_NUMBER = re.compile(r"(?<![\w.])[-+]?(?:\d+(?:\.\d*)?|\.\d+)(?:e[-+]?\d+)?", re.IGNORECASE)
_THOUSANDS = re.compile(r"(?<=\d)[,_'\u2019\u00a0\u202f](?=\d{3}(?!\d))")
_CURRENCY = re.compile(
    r"(?:\b[a-z]{1,3})?[$\u20ac\u00a3\u00a5]\s*|\b(?:usd|eur|gbp|jpy|chf)\s*(?=[-+\d.])", re.IGNORECASE
)
_WHOLE_NUMBER = re.compile(r"[-+]?\d[\d,_'\u2019\u00a0\u202f]*(?:\.\d+)?")
_WORDS = re.compile(r"\w+")
_is_close = partial(isclose, rel_tol=1e-6, abs_tol=1e-9)
_AROUND = 8  # words beside the gold ones that a short answer may have
_NUMBERING = re.compile(r"^(?:\d+[.)]|[-*])\s+")


def score_exact(gold: str, answer: str) -> float:
    """Score the same text, but for case and spaces."""
    return float(_fold(gold) == _fold(answer))


def score_numeric(gold: str, answer: str) -> float:
    """Score the same number: the last one in the answer. "12.5%" equals both 12.5 and 0.125."""
    expected, actual = read_number(gold), read_number(answer)
    if expected is None or actual is None:
        return 0.0
    (a, a_is_percent), (b, b_is_percent) = expected, actual
    if a_is_percent != b_is_percent:
        share_a = a / 100 if a_is_percent else a
        share_b = b / 100 if b_is_percent else b
        return float(_is_close(a, b) or _is_close(share_a, share_b))
    return float(_is_close(a, b))


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
    number = _WHOLE_NUMBER.fullmatch(gold.strip())
    if number:
        expected = float(_strip_marks(number[0]))
        numbers = [float(text) for text in _NUMBER.findall(_strip_marks(answer))]
        return float(bool(numbers) and all(_is_close(actual, expected) for actual in numbers))
    gold_words, words = _WORDS.findall(gold.casefold()), _WORDS.findall(answer.casefold())
    size = len(gold_words)
    if not size or len(words) > size + _AROUND:
        return 0.0
    return float(any(words[at : at + size] == gold_words for at in range(len(words) - size + 1)))


SCORERS: Mapping[str, Scorer] = {
    "exact": score_exact,
    "numeric": score_numeric,
    "labels": score_ordered_labels,
    "short": score_short,
}


def split_labels(text: str) -> list[str]:
    """Return the labels of a list separated by commas, semicolons or lines, folded, without numbering."""
    labels = []
    for part in re.split(r"[,;\n]", text):
        label = _NUMBERING.sub("", part.strip()).strip("\"'`[]() \t")
        if label:
            labels.append(_fold(label))
    return labels


def _fold(text: str) -> str:
    return " ".join(text.casefold().split())


def read_number(text: str) -> tuple[float, bool] | None:
    """Return the last number, and whether a percent sign follows it."""
    text = _strip_marks(text)
    numbers = list(_NUMBER.finditer(text))
    if not numbers:
        return None
    return float(numbers[-1].group()), text[numbers[-1].end() :].lstrip().startswith("%")


def _strip_marks(text: str) -> str:
    """Remove currencies, and the marks between thousands."""
    return _THOUSANDS.sub("", _CURRENCY.sub("", text))
