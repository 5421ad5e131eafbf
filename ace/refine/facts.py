"""What must not get lost when bullets are summarised: every number, identifier and unit of the old texts.

A summary is a proposal of a model; this check comes before its proof. It says nothing of whether the new
text is true or reads well.
"""

from __future__ import annotations

from collections.abc import Iterable

from ace.refine.reading import read


def lost_facts(old: Iterable[str], new: str) -> tuple[str, ...]:
    """Numbers, names and units that stand in an old text and not in the new one, sorted."""
    kept = read(new).said
    return tuple(sorted({fact for text in old for fact in read(text).facts if fact not in kept}))


def keeps_facts(old: Iterable[str], new: str) -> bool:
    """Whether the new text has every fact of the old ones, and denies something where one of them does."""
    texts = tuple(old)
    denials = max((len(read(text).denied) for text in texts), default=0)
    return not lost_facts(texts, new) and (not denials or bool(read(new).denied))
