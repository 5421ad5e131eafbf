"""Details that must not get lost when bullets are summarised: every number, identifier, unit and denial.

A summary is a proposal of a model; this check comes before its proof. It says nothing of whether the new
text is true or reads well.
"""

from __future__ import annotations

from collections.abc import Iterable

from ace.refine.lesson_reading import read_lesson

DENIAL = "a denial"


def find_lost_facts(old: Iterable[str], new: str) -> tuple[str, ...]:
    """Return the numbers, names and units of the old texts that the new one lacks, sorted.

    `DENIAL` follows if one of the old texts says that something is not so and the new one denies nothing.
    """
    summary = read_lesson(new)
    facts, denies = set[str](), False
    for text in old:
        source = read_lesson(text)
        facts |= source.numbers | source.names | source.units
        denies = denies or bool(source.denials)
    lost = sorted(facts - summary.vocabulary)
    if denies and not summary.denials:
        lost.append(DENIAL)
    return tuple(lost)
