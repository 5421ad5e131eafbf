"""Kayba's skillbook: JSON, one object for each skill, by id.

Read: id, section, content, helpful, harmful and status; a status other than "active" is quarantine
here, which like there is kept and not shown. Knows nothing of the later schema that splits a skill
into issue and insight: such skills are reported.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Mapping
from typing import Any

from ace.errors import FormatError
from ace.playbook.formats.format import (
    QUARANTINE,
    VOTES,
    Collector,
    Entry,
    Finding,
    Format,
    Reading,
    mend_fields,
)
from ace.playbook.formats.oneline import to_line
from ace.playbook.markdown import GENERAL
from ace.playbook.model import Playbook, Status

PROMPT = re.compile(r"^skills\[\d+\s*\]\{", re.MULTILINE)  # a skillbook as it is shown to a model
_HELD = {"id", "section", "content", "helpful", "harmful", "status"}
_DERIVED = {"created_at", "updated_at", "embedding"}  # nothing that anybody wrote


def detects(text: str) -> bool:
    """Detect a skillbook by its object of skills."""
    try:
        data = json.loads(text)
    except (ValueError, RecursionError):
        return False
    return isinstance(data, dict) and isinstance(data.get("skills"), dict)


def read(text: str, file: str, base: Playbook | None) -> Reading:
    """Read a skillbook; skills that cannot be read are reported. Raises FormatError for any other text."""
    if not detects(text):
        raise FormatError('This is not a skillbook: it is no JSON object with "skills".', file=file)
    collector, lost = Collector(), Counter[str]()

    def keep_last(items: list[tuple[str, Any]]) -> dict[str, Any]:
        """Return the object, and report the keys that it has twice."""
        counts = Counter(key for key, _ in items)
        for key, count in counts.items():
            if count > 1:
                collector.unread.append(Finding(1, f"{to_line(key)} is there twice: the last one was taken"))
        return dict(items)

    skills = json.loads(text, object_pairs_hook=keep_last)["skills"]
    for (key, given), line in zip(skills.items(), _find_lines(text, skills), strict=True):
        skill = mend_fields(given) if isinstance(given, dict) else given
        if reason := _find_flaw_in(skill):
            collector.unread.append(Finding(line, f"{to_line(key)}: {reason}"))
            continue
        lost.update(name for name, value in skill.items() if value and name not in _HELD | _DERIVED)
        status = skill.get("status", "active")
        if status != "active":
            collector.notes.append(Finding(line, f"{to_line(key)} is {status} there: quarantined here"))
        collector.add(
            Entry(
                content=skill["content"],
                section=skill.get("section") or GENERAL,
                alias=key,
                helpful=skill.get("helpful", 0),
                harmful=skill.get("harmful", 0),
                quarantined=status != "active",
                line=line,
            )
        )
    return collector.to_reading(lost=tuple(f"{name} of {count}" for name, count in lost.items()))


def _find_flaw_in(skill: Any) -> str:
    """Return why a skill cannot be read; empty where it can."""
    if not isinstance(skill, dict):
        return "a skill is an object"
    texts = {name: skill.get(name, "") for name in ("content", "section", "status")}
    for name, value in texts.items():
        if type(value) is not str:
            return f"{name} is not text"
    for name in ("helpful", "harmful"):
        if type(skill.get(name, 0)) is not int:
            return f"{name} is not a whole number"
    return "" if "content" in skill else "it has no content"


def _find_lines(text: str, skills: Mapping[str, Any]) -> list[int]:
    """Return the line each skill begins on; that of the skill before where its key is spelled oddly."""
    lines, at, line = [], 0, 1
    for key in skills:
        spellings = (f"{json.dumps(key)}:", f"{json.dumps(key, ensure_ascii=False)}:")
        place = max(at, *(text.find(spelling, at) for spelling in spellings))
        line, at = line + text.count("\n", at, place), place
        lines.append(line)
    return lines


def write(playbook: Playbook, names: Mapping[str, str]) -> str:
    """Write a skillbook; each skill has the name that its bullet has elsewhere, or else its id."""
    skills = {}
    sections = dict[str, list[str]]()
    next_id = 0
    for bullet in playbook:
        name = names.get(bullet.id, bullet.id)
        skills[name] = {
            "id": name,
            "section": bullet.section,
            "content": bullet.content,
            "helpful": bullet.helpful,
            "harmful": bullet.harmful,
            "neutral": 0,
            "status": "active" if bullet.status is Status.ACTIVE else "invalid",
            "sources": [],
        }
        sections.setdefault(bullet.section, []).append(name)
        if number := re.search(r"-(\d{1,9})$", name):
            next_id = max(next_id, int(number[1]))
    data = {"skills": skills, "sections": sections, "next_id": next_id, "similarity_decisions": {}}
    return json.dumps(data, ensure_ascii=False, indent=2) + "\n"


KAYBA = Format(
    name="kayba",
    about="a skillbook of Kayba's agentic-context-engine",
    holds=frozenset({VOTES, QUARANTINE}),
    detects=detects,
    read=read,
    write=write,
)
