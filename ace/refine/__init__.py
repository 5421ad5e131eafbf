"""When two bullets say the same thing, or speak of the same thing. Pure functions on texts."""

from __future__ import annotations

from ace.refine.similar import same_meaning, same_words, topic

__all__ = ["same_meaning", "same_words", "topic"]
