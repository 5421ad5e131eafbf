"""Checks a long report against its brief: titles, facts, figures that nobody gave, length.

Everything that is checked stands in the question, so no label is needed: this environment checks itself. It
looks at form only, and cannot tell whether the text between the figures is any good.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ace.agent.ledger import extract_figures
from ace.errors import TaskError
from ace.task import Attempt, Outcome, Sample

_TITLES = re.compile(r"parts, in this order: (?P<titles>[^.\n]+)\.")
_LENGTH = re.compile(r"(?P<least>\d+) to (?P<most>\d+) words")
_FACT = re.compile(r"^- (?P<fact>.+)$", re.MULTILINE)


@dataclass(frozen=True)
class Brief:
    """Hold what a report must say."""

    titles: tuple[str, ...]
    facts: tuple[str, ...]
    least: int
    most: int

    @classmethod
    def of(cls, question: str) -> Brief | None:
        titles, length = _TITLES.search(question), _LENGTH.search(question)
        facts = tuple(_FACT.findall(question))
        if not titles or not length or not facts:
            return None
        named = tuple(title.strip() for title in titles["titles"].split(","))
        return cls(named, facts, int(length["least"]), int(length["most"]))


@dataclass(frozen=True)
class Reports:
    """Made by the task loader, with the folder and the [options] table, which must be empty."""

    folder: Path
    options: Mapping[str, Any]

    def __post_init__(self) -> None:
        if self.options:
            raise TaskError("Reports have no options.", field="options", file=str(self.folder))

    def describe(self, sample: Sample) -> str:
        return ""

    def score(self, sample: Sample, attempt: Attempt) -> Outcome:
        """Score the share of checks that hold; right means all of them."""
        flaws, checks = self._flaws(sample, attempt)
        return Outcome(
            score=1 - len(flaws) / checks,
            observed="; ".join(flaws) or "The report holds all that was asked for.",
            detail="; ".join(flaws) or attempt.error,
            self_check=not flaws,
        )

    def observe(self, sample: Sample, attempt: Attempt) -> Outcome:
        """Return the same checks: none of them needs a label."""
        return replace(self.score(sample, attempt), score=None)

    def check(self, sample: Sample) -> None:
        if Brief.of(sample.question) is None:
            raise TaskError(
                f"Sample {sample.id}: no parts, facts and length to check a report against.",
                field="question",
                file=sample.file,
                line=sample.line,
            )

    def _flaws(self, sample: Sample, attempt: Attempt) -> tuple[list[str], int]:
        """Return what is wrong, and the number of checks: titles, facts, figures and length."""
        brief = Brief.of(sample.question)
        assert brief is not None  # noqa: S101 (`check` has seen to it)
        text = attempt.answer
        checks = len(brief.titles) + len(brief.facts) + 2
        if not text:
            return ["there is no report"] * checks, checks
        return [*_untitled(brief, text), *_unsaid(brief, text), *_rest(brief, sample.question, text)], checks


def _untitled(brief: Brief, text: str) -> list[str]:
    """Return titles that do not stand on a line of their own, in their order."""
    lines = [line.strip("#*: \t").lower() for line in text.splitlines()]
    missing, place = [], 0
    for title in brief.titles:
        if title.lower() in lines[place:]:
            place = lines.index(title.lower(), place) + 1
        else:
            missing.append(f"the part {title!r} is missing or out of order")
    return missing


def _unsaid(brief: Brief, text: str) -> list[str]:
    """Return facts whose figures or names are not in the text."""
    numbers, lower = extract_figures(text), text.lower()
    missing = []
    for fact in brief.facts:
        value = fact.partition(": ")[2]
        wanted = extract_figures(value)
        is_said = wanted <= numbers if wanted else value.lower() in lower
        if not is_said:
            missing.append(f"it does not say: {fact}")
    return missing


def _rest(brief: Brief, question: str, text: str) -> list[str]:
    flaws = []
    if made_up := sorted(extract_figures(text) - extract_figures(question)):
        flaws.append(f"nobody gave the figures {', '.join(made_up[:8])}")
    words = len(text.split())
    if not brief.least <= words <= brief.most:
        flaws.append(f"it has {words} words, not {brief.least} to {brief.most}")
    return flaws
