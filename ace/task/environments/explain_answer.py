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
"""Returns what a wrong answer lacks, given the right answer and an answer."""

_LONGEST_LABEL = 80  # characters
_LONGEST_UNIT = 3  # words
_LONGEST_DATE = 40  # characters of a text that is a date and little else
_MOST_FACTS = 20
# Scripts that are written without spaces: Thai, Lao, Burmese, Khmer, kana, Han.
_UNSPACED = re.compile("[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff]")
# Between year, month and day: signs, space, or the words for year and month in Chinese and Korean.
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
    """Return what an answer lacks, by the form of the right one: JSON, a number or text.

    JSON begins with a bracket. This is for judges, which name no scorer.
    """
    if gold.lstrip()[:1] in ("{", "["):
        return explain_json(gold, answer)
    return explain_text(gold, answer)


def explain_text(gold: str, answer: str) -> tuple[Fact, ...]:
    """Return in what an answer misses a text by little, or what is telling about its number.

    That a number is another one tells nothing: the right one may be a name, such as a room's. The topic is
    the kind of difference.
    """
    difference = find_near_miss(gold, answer)
    if difference:
        topics = frozenset({Topic(difference.value)})
        return (Fact(_NEAR_MISSES[difference], topics, difference),)
    if not is_number(gold):
        return ()
    facts = explain_number(gold, answer)
    return tuple(fact for fact in facts if fact.difference not in _TELL_NOTHING)


def explain_ordered_labels(gold: str, answer: str) -> tuple[Fact, ...]:
    """Return the labels that are missing or too many, and whether the others stand in another order.

    The topics of another order are the labels that stand in each other's places.
    """
    expected = split_labels(gold)
    actual = split_labels(answer)
    facts = _compare_labels(Counter(expected), Counter(actual), f"{answer}\n{gold}")
    shared = [label for label in expected if label in actual]
    actual_shared = [label for label in actual if label in expected]
    if len(shared) == len(actual_shared) and shared != actual_shared:
        moved: set[str] = set()
        for label, other in zip(shared, actual_shared, strict=True):
            if label != other:
                moved.add(label)
        text = "the right labels in another order"
        facts = (*facts, Fact(text, frozenset(map(Topic, moved)), Difference.ORDER))
    return facts


def explain_label_set(gold: str, answer: str) -> tuple[Fact, ...]:
    """Return the labels that are missing or too many; a label is its own topic."""
    expected = dict.fromkeys(split_labels(gold), 1)
    actual = dict.fromkeys(split_labels(answer), 1)
    return _compare_labels(Counter(expected), Counter(actual), f"{answer}\n{gold}")


def _compare_labels(expected: Counter[str], actual: Counter[str], text: str) -> tuple[Fact, ...]:
    """Return facts on labels that are missing or too many, as they are written in the text; at most 20.

    Counters map folded labels to how often they are there. A label that nearly is a missing one is not named
    as well.
    """
    written = {fold_answer(label): label for label in split_labels(text, fold=False)}
    missing, extra = expected - actual, actual - expected
    facts = []
    for label in missing:
        difference, words = Difference.MISSING, written[label]
        for other in list(extra)[:_MOST_FACTS]:
            near_miss = find_near_miss(label, other)
            if near_miss:
                difference, words = near_miss, f"{written[label]}: {_NEAR_MISSES[near_miss]}"
                del extra[other]
                break
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
    """Return the one little thing in which an answer differs from the right text, if it is one.

    None where they are equal, and where they differ by more. The first that fits counts: case, punctuation,
    the form or the unit of a number, the form of a date, words around the right ones.
    """
    gold = unicodedata.normalize("NFC", gold.strip())
    answer = unicodedata.normalize("NFC", answer.strip())
    words, actual = split_answer(gold), split_answer(answer)
    if gold == answer or not words:
        return None
    if gold.casefold() == answer.casefold():
        return Difference.CASE
    has_same_figures = re.findall(r"\d+", gold) == re.findall(r"\d+", answer)
    if has_same_figures and "".join(words) == "".join(actual):
        return Difference.PUNCTUATION
    quantity, actual_quantity = read_quantity(gold), read_quantity(answer)
    if quantity and actual_quantity and quantity[0].equals(actual_quantity[0]):
        has_same_unit = quantity[1] == actual_quantity[1]
        return Difference.NUMBER_FORMAT if has_same_unit else Difference.UNIT
    if len(gold) <= _LONGEST_DATE and read_dates(gold) & read_dates(answer):
        return Difference.DATE_FORMAT
    is_inside = bool(_UNSPACED.search(gold)) and fold_answer(gold) in fold_answer(answer)
    if is_inside or (len(actual) > len(words) and holds_words(actual, words)):
        return Difference.WORDS_AROUND
    return None


def read_quantity(text: str) -> tuple[WrittenNumber, list[str]] | None:
    """Return the number and the words of its unit, where the text is nothing else.

    "12.5 km" gives 12.5 and ["km"]. A unit has at most three words and stands behind the number.
    """
    numbers = read_numbers(text)
    if len(numbers) != 1:
        return None
    number, plain_text = numbers[0], plain_numbers(text)
    has_words_before = any(character.isalnum() for character in plain_text[: number.start])
    unit = plain_text[number.end :].replace("%", " percent ")
    words = split_answer(unit)
    if has_words_before or len(words) > _LONGEST_UNIT:
        return None
    return number, words


def read_dates(text: str) -> set[date]:
    """Return the dates that a text can be read as: 3/4/2024 is two. Names of months are English.

    Years have four digits. Days that no calendar has are left out.
    """
    dates: set[date] = set()
    year_first, year_last, named_month = _compile_dates()
    for year, month, day in year_first.findall(text):
        dates |= _to_dates(year, month, day)
    for first, second, year in year_last.findall(text):
        dates |= _to_dates(year, first, second)
        dates |= _to_dates(year, second, first)
    in_order = [month_name[:3] for month_name in word_list("months")]
    for day, month, name, same_day, year in named_month.findall(text):
        number = in_order.index((month or name)[:3].lower()) + 1
        dates |= _to_dates(year, number, day or same_day)
    return dates


def _to_dates(year: Any, month: Any, day: Any) -> set[date]:
    """Return the date of three numbers or texts of digits; none where there is no such day."""
    try:
        return {date(int(year), int(month), int(day))}
    except ValueError:
        return set()


@cache
def _compile_dates() -> tuple[re.Pattern[str], re.Pattern[str], re.Pattern[str]]:
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
