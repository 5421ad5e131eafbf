"""The roles: one model call each. A role sees what it is given and cannot write to the store."""

from __future__ import annotations

from ace.roles.curator import Curation, Curator
from ace.roles.generator import Answer, Generator
from ace.roles.prompt import prompt_hash
from ace.roles.reflector import Lesson, Reflector
from ace.roles.team import Team
from ace.roles.writer import Writer

__all__ = [
    "Answer",
    "Curation",
    "Curator",
    "Generator",
    "Lesson",
    "Reflector",
    "Team",
    "Writer",
    "prompt_hash",
]
