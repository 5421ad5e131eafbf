"""ACE (arXiv 2510.04618) with verified lessons: a lesson is a proposal until an attempt proves it."""

from __future__ import annotations

from ace.methods.ace.curator import Curation, Curator
from ace.methods.ace.evidence import Evidence
from ace.methods.ace.method import Ace
from ace.methods.ace.reflector import Lesson, Reflector

__all__ = ["Ace", "Curation", "Curator", "Evidence", "Lesson", "Reflector"]
