"""Proposes how answers are scored, by looking at the right ones.

That is scorer, options, extraction and instructions. Each proposal comes with its reason, and stands in
task.toml where a person may change it.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import chain
from statistics import median
from typing import Any

from ace.task.environments.scorers import is_number, split_labels

_MOST_LABELS = 30  # different answers that count as labels
_REPEATED = 3  # times that a label stands in the rows, on average
_LOOKED_AT = 2_000  # answers by which their form is told, evenly over the file
_SHORT = 6  # words
_LONG = 25  # words: of texts as long nobody can say that they are the same
_LISTS = 0.3  # share of answers that are lists, from which on all count as lists
_ALL = 0.98  # share of answers that have a form, where a few odd ones are left out
_AROUND_NUMBER = "$€£¥% "  # what a number may have around it
_PADDED = re.compile(r"0\d+")  # 007 is no number, but a code


class AnswerForm(StrEnum):
    """Name what right answers are."""

    CHOICE = "choice"
    LABEL = "label"
    LABELS = "labels"
    NUMBER = "number"
    JSON = "json"
    SHORT = "short"
    TEXT = "text"


SCORER_OF: Mapping[AnswerForm, str] = {
    AnswerForm.CHOICE: "exact",
    AnswerForm.LABEL: "exact",
    AnswerForm.LABELS: "labels",
    AnswerForm.NUMBER: "numeric",
    AnswerForm.JSON: "json",
    AnswerForm.SHORT: "short",
    AnswerForm.TEXT: "exact",
}
"""The scorer that is proposed for each form."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoringProposal:
    """Hold what task.toml says of answers, and why."""

    form: AnswerForm

    scorer: str
    """One of `ace.task.environments.scorers.SCORERS`."""

    options: Mapping[str, Any] = field(default_factory=dict)
    """Keys of [answer] that the scorer takes."""

    extract: str = ""
    """Where in a reply the answer stands; "" for the whole reply."""

    instructions: str
    """What the agent is told before every question."""

    why_scorer: str
    """The reason, in a sentence."""

    why_extract: str
    """The reason, in a sentence."""

    warning: str = ""
    """What somebody has to do before the score means anything; "" where nothing is."""


def propose_scoring(answers: Sequence[Any], *, letters: bool = False) -> ScoringProposal:
    """Return the proposal for right answers of any type; `letters` says that they mark an option."""
    form, why = AnswerForm.CHOICE, "the answer is the letter of an option"
    if not letters:
        form, why = _find_form(answers[:: 1 + len(answers) // _LOOKED_AT])
    texts = [text for answer in answers for text in _list_alternatives(answer)]
    extract = "last line"
    why_extract = "a model may think first: its answer is what it writes last"
    if form is AnswerForm.JSON:
        extract = ""
        why_extract = "the scorer finds the JSON in a reply"
    elif any("\n" in text.strip() for text in texts):
        extract = ""
        why_extract = "answers have several lines, so the whole reply counts"
    options: dict[str, Any] = {}
    if form is AnswerForm.LABELS:
        options["ordered"] = False
    warning = ""
    if form is AnswerForm.TEXT:
        words = median(len(text.split()) for text in texts)
        warning = (
            f"The right answers are texts of some {words:.0f} words. No scorer here compares such texts by "
            "what they mean, and `exact` takes only the very same words. Take a column with a short answer "
            "(--answer), or write a scorer of your own: docs/task-format.md#your-own-environment."
        )
    return ScoringProposal(
        form=form,
        scorer=SCORER_OF[form],
        options=options,
        extract=extract,
        instructions=_word_instructions(form, texts, with_reasoning=bool(extract)),
        why_scorer=why,
        why_extract=why_extract,
        warning=warning,
    )


def count_labels(texts: Sequence[str]) -> Counter[str]:
    """Count how often each answer stands there, without capitals; empty where they are no labels."""
    counts = Counter(text.strip().casefold() for text in texts)
    few_enough = len(counts) <= min(_MOST_LABELS, max(2, len(texts) // _REPEATED))
    return counts if few_enough and len(texts) >= 2 * len(counts) else Counter()


def _find_form(answers: Sequence[Any]) -> tuple[AnswerForm, str]:
    """Return what most of the answers are, and why it is thought so."""
    texts = [text for answer in answers for text in _list_alternatives(answer)]
    count = max(len(answers), 1)
    if sum(_is_json(answer) for answer in answers) >= _ALL * count:
        return AnswerForm.JSON, "the answers are JSON"
    lists = [answer for answer in answers if isinstance(answer, list) and len(answer) > 1]
    if lists and count_labels(texts):
        return AnswerForm.LABELS, "the answers are lists of a few labels, whose order may be any"
    numbers = 0
    for text in texts:
        bare = text.strip().strip(_AROUND_NUMBER)
        numbers += is_number(bare) and not _PADDED.fullmatch(bare)
    if texts and numbers >= _ALL * len(texts):
        return AnswerForm.NUMBER, "the answers are numbers, which may be written in any way"
    parts = [split_labels(text, fold=False) for text in texts]
    several = sum(len(labels_of_one) > 1 for labels_of_one in parts)
    labels = count_labels(texts)
    are_lists = _combine_labels(labels) if labels else several >= _LISTS * max(len(texts), 1)
    if are_lists and count_labels(list(chain.from_iterable(parts))):
        return AnswerForm.LABELS, "the answers are lists of a few labels with commas or semicolons between"
    if labels:
        return AnswerForm.LABEL, f"the answers are {len(labels)} labels, each in several rows"
    lengths = sorted(len(text.split()) for text in texts)
    usual = lengths[int(0.9 * (len(lengths) - 1))] if lengths else 0
    if usual <= _SHORT:
        why = "the answers are names, codes or figures of a few words, around which a reply may have others"
        return AnswerForm.SHORT, why
    if usual <= _LONG:
        return AnswerForm.TEXT, "the answers are sentences, of which only the same words are right"
    return AnswerForm.TEXT, "the answers are long texts"


def _combine_labels(texts: Iterable[str]) -> bool:
    """Tell whether one answer is a label that stands in the list of another."""
    lists = [split_labels(text, fold=True) for text in texts]
    single = {labels[0] for labels in lists if len(labels) == 1}
    return any(len(labels) > 1 and single & {*labels} for labels in lists)


def _list_alternatives(answer: Any) -> list[str]:
    """Return an answer as texts: each of a list, or itself."""
    if isinstance(answer, list):
        return [str(part) for part in answer]
    return [str(answer)]


def _is_json(answer: Any) -> bool:
    """Tell whether an answer is an object, a list of values that are no texts, or JSON of either as text."""
    if isinstance(answer, str):
        text = answer.strip()
        if not text.startswith(("{", "[")):
            return False
        try:
            answer = json.loads(text)
        except (ValueError, RecursionError):
            return False
        return isinstance(answer, dict | list)
    return isinstance(answer, dict)


def _word_instructions(form: AnswerForm, texts: Sequence[str], *, with_reasoning: bool) -> str:
    """Return instructions that ask for an answer of this form, and for nothing behind it."""
    named = dict[str, str]()
    for text in texts:
        parts = split_labels(text, fold=False) if form is AnswerForm.LABELS else [text.strip()]
        for part in parts:
            named.setdefault(part.casefold(), part)
    listed = ", ".join(sorted(named.values(), key=str.casefold))
    place = "alone on the last line" if with_reasoning else "and nothing else"
    match form:
        case AnswerForm.CHOICE:
            wanted = "the letter of the right option"
        case AnswerForm.LABEL:
            return f"Choose the label that fits: {listed}. Write it {place}."
        case AnswerForm.LABELS:
            return f"Choose every label that fits: {listed}. Write them with commas between, {place}."
        case AnswerForm.NUMBER:
            wanted = "the number"
        case AnswerForm.JSON:
            return "Reply with the JSON and nothing else."
        case AnswerForm.SHORT:
            wanted = "the answer in a few words"
        case AnswerForm.TEXT:
            wanted = "the answer"
    return f"Answer the question. Write {wanted}, {place}."
