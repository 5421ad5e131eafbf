"""Says what a wrong answer lacks: labels, a near miss of a text, a number, places in JSON.

A new scorer gets a line in `EXPLAINERS`; without one its answers are explained as text.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Mapping
from datetime import date
from functools import cache
from typing import Any

from ace.task.environments.answer_words import fold_answer, holds_words, split_answer
from ace.task.environments.explain_number import explain_number
from ace.task.environments.json_answer import explain_json
from ace.task.environments.scorers import is_number, split_labels
from ace.task.environments.written_number import WrittenNumber, plain_numbers, read_numbers
from ace.task.types import Difference, Fact, Topic
from ace.text.word_lists import word_list

Explainer = Callable[[str, str], tuple[Fact, ...]]

_LONGEST_LABEL = 80
_LONGEST_UNIT = 3  # words
_LONGEST_DATE = 40
_MOST_FACTS = 20
_UNSPACED = re.compile("[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff]")
_SEPARATOR = r"[-/.\s\u5e74\u6708\ub144\uc6d4]{1,2}"
_NEAR_MISSES = {
    Difference.CASE: "only capitals differ",
    Difference.PUNCTUATION: "only spaces and punctuation differ",
    Difference.NUMBER_FORMAT: "the right number, written another way",
    Difference.UNIT: "the right number with another unit",
    Difference.DATE_FORMAT: "the right date in another format",
    Difference.WORDS_AROUND: "the right answer stands among other words",
}
_TELL_NOTHING = {Difference.NO_NUMBER, Difference.OTHER_NUMBER}


def explain_by_form(gold: str, answer: str) -> tuple[Fact, ...]:
    """Return what an answer lacks, by the form of the right one: JSON, a number or text."""
    explain = explain_json if gold.lstrip()[:1] in ("{", "[") else explain_text
    return explain(gold, answer)


def explain_text(gold: str, answer: str) -> tuple[Fact, ...]:
    """Return in what an answer misses a text by little, or what is telling about its number.

    That a number is another one tells nothing: the right one may be a name, such as a room's.
    """
    difference = find_near_miss(gold, answer)
    if difference:
        return (Fact(_NEAR_MISSES[difference], frozenset({Topic(difference.value)}), difference),)
    facts = explain_number(gold, answer) if is_number(gold) else ()
    return tuple(fact for fact in facts if fact.difference not in _TELL_NOTHING)


def explain_ordered_labels(gold: str, answer: str) -> tuple[Fact, ...]:
    """Return the labels that are missing or too many, and whether the others stand in another order."""
    expected, actual = split_labels(gold), split_labels(answer)
    facts = _compare_labels(Counter(expected), Counter(actual), f"{answer}\n{gold}")
    shared = [label for label in expected if label in actual]
    actual_shared = [label for label in actual if label in expected]
    if len(shared) == len(actual_shared) and shared != actual_shared:
        moved = {label for label, other in zip(shared, actual_shared, strict=True) if label != other}
        text = "the right labels in another order"
        facts = (*facts, Fact(text, frozenset(map(Topic, moved)), Difference.ORDER))
    return facts


def explain_label_set(gold: str, answer: str) -> tuple[Fact, ...]:
    """Return the labels that are missing or too many; a label is its own topic."""
    expected, actual = dict.fromkeys(split_labels(gold), 1), dict.fromkeys(split_labels(answer), 1)
    return _compare_labels(Counter(expected), Counter(actual), f"{answer}\n{gold}")


def _compare_labels(expected: Counter[str], actual: Counter[str], text: str) -> tuple[Fact, ...]:
    """Return facts on labels that are missing or too many, as they are written in the text."""
    written = {fold_answer(label): label for label in split_labels(text, fold=False)}
    missing, extra = expected - actual, actual - expected
    facts = []
    for label in missing:
        near = [other for other in [*extra][:_MOST_FACTS] if find_near_miss(label, other)]
        if near:
            difference = find_near_miss(label, near[0]) or Difference.CHANGED
            del extra[near[0]]
            words = f"{written[label]}: {_NEAR_MISSES[difference]}"
        else:
            difference, words = Difference.MISSING, written[label]
        facts.append(Fact(words, frozenset({Topic(label)}), difference))
    for label in extra:
        topics, words = frozenset({Topic(label)}), written[label]
        if len(label) > _LONGEST_LABEL:  # prose, which is nobody's topic
            topics, words = frozenset(), f"{words[:_LONGEST_LABEL]}..."
        words = f"{words} too often" if label in expected else f"not {words}"
        facts.append(Fact(words, topics, Difference.EXTRA))
    return tuple(facts[:_MOST_FACTS])


EXPLAINERS: Mapping[str, Explainer] = {
    "exact": explain_text,
    "short": explain_text,
    "numeric": explain_number,
    "labels": explain_ordered_labels,
    "json": explain_json,
}
"""What explains a wrong answer, by the name of the scorer that called it wrong."""


def find_near_miss(gold: str, answer: str) -> Difference | None:
    """Return the one little thing in which an answer differs from the right text, if it is one."""
    gold, answer = (unicodedata.normalize("NFC", text.strip()) for text in (gold, answer))
    words, actual = split_answer(gold), split_answer(answer)
    if gold == answer or not words:
        return None
    if gold.casefold() == answer.casefold():
        return Difference.CASE
    if "".join(words) == "".join(actual) and re.findall(r"\d+", gold) == re.findall(r"\d+", answer):
        return Difference.PUNCTUATION
    quantity, actual_quantity = read_quantity(gold), read_quantity(answer)
    if quantity and actual_quantity and quantity[0].equals(actual_quantity[0]):
        return Difference.NUMBER_FORMAT if quantity[1] == actual_quantity[1] else Difference.UNIT
    if len(gold) <= _LONGEST_DATE and read_dates(gold) & read_dates(answer):
        return Difference.DATE_FORMAT
    is_inside = bool(_UNSPACED.search(gold)) and fold_answer(gold) in fold_answer(answer)
    if is_inside or (len(actual) > len(words) and holds_words(actual, words)):
        return Difference.WORDS_AROUND
    return None


def read_quantity(text: str) -> tuple[WrittenNumber, list[str]] | None:
    """Return the number and the words of its unit, where the text is nothing else."""
    numbers, text = read_numbers(text), plain_numbers(text)
    if len(numbers) != 1 or any(character.isalnum() for character in text[: numbers[0].start]):
        return None
    unit = text[numbers[0].end :]
    words = split_answer(unit.replace("%", " percent "))
    return (numbers[0], words) if len(words) <= _LONGEST_UNIT else None


def read_dates(text: str) -> set[date]:
    """Return the dates that a text can be read as: 3/4/2024 is two. Names of months are English."""
    dates: set[date] = set()
    for year, month, day in _compile_dates()[0].findall(text):
        dates |= _to_dates(year, month, day)
    for first, second, year in _compile_dates()[1].findall(text):
        dates |= _to_dates(year, first, second) | _to_dates(year, second, first)
    for day, month, name, same_day, year in _compile_dates()[2].findall(text):
        in_order = [month_name[:3] for month_name in word_list("months")]
        number = in_order.index((month or name)[:3].lower()) + 1
        dates |= _to_dates(year, number, day or same_day)
    return dates


def _to_dates(year: Any, month: Any, day: Any) -> set[date]:
    try:
        return {date(int(year), int(month), int(day))}
    except ValueError:  # no such day
        return set()


@cache
def _compile_dates() -> tuple[re.Pattern[str], ...]:
    """Return patterns of dates: the year first, the year last, and with the name of a month."""
    months = "|".join((*word_list("months"), *word_list("short_months")))
    day = r"(?<!\d)(\d{1,2})(?:st|nd|rd|th)?"
    return (
        re.compile(rf"(?<!\d)(\d{{4}}){_SEPARATOR}(\d{{1,2}}){_SEPARATOR}(\d{{1,2}})(?!\d)"),
        re.compile(rf"(?<!\d)(\d{{1,2}}){_SEPARATOR}(\d{{1,2}}){_SEPARATOR}(\d{{4}})(?!\d)"),
        re.compile(
            rf"\b(?:{day}(?: of)?[ -]({months})\b|({months})\.? {day}\b)[.,]{{0,2}}[ -](\d{{4}})(?!\d)",
            re.IGNORECASE,
        ),
    )
