"""What must not get lost when bullets are summarised: every number, identifier, unit and denial.

A summary is a proposal of a model; this check comes before its proof. It says nothing of whether the new
text is true or reads well.
"""

from __future__ import annotations

from collections.abc import Iterable

from ace.refine.lesson_reading import read

DENIAL = "a denial"


def lost_facts(old: Iterable[str], new: str) -> tuple[str, ...]:
    """Numbers, names and units that stand in an old text and not in the new one, sorted; then `DENIAL`, if
    one of the old texts says that something is not so and the new one denies nothing.
    """
    texts, told = [read(text) for text in old], read(new)
    lost = sorted({fact for text in texts for fact in text.facts if fact not in told.said})
    denied = any(text.denied for text in texts) and not told.denied
    return (*lost, *((DENIAL,) if denied else ()))
