"""Keeping a playbook small and true. Pure functions on bullets."""

from __future__ import annotations

from ace.refine.similar import same_words, topic

__all__ = ["same_words", "topic"]
