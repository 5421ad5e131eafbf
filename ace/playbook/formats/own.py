"""Markdown and canonical JSON, the two forms of our own, as formats among the others."""

from __future__ import annotations

import json
import re

from ace.errors import FormatError
from ace.playbook.codec import FORMAT, playbook_from_json, playbook_to_json
from ace.playbook.formats.format import EVERYTHING, NO_BULLETS, Finding, Format, Reading
from ace.playbook.markdown import from_markdown, to_markdown
from ace.playbook.model import Playbook

_ITEM = re.compile(r"^(?:[-*+]|\d{1,9}[.)])(?:[ \t]|$)", re.MULTILINE)
_HEADINGS = re.compile(r"(?:#{1,6}[ \t]+[^\n]*|<!--[^\n]*-->|\s*)(?:\n|$)")


def _is_json(text: str) -> bool:
    """Return whether a text is a JSON object of our format, or looks like one."""
    try:
        data = json.loads(text)
    except (ValueError, RecursionError):
        return False
    return isinstance(data, dict) and (data.get("format") == FORMAT or "bullets" in data)


def _is_markdown(text: str) -> bool:
    """Return whether a text has a list item, or nothing but headings and comments: an empty playbook."""
    return bool(_ITEM.search(text)) or all(_HEADINGS.fullmatch(line) for line in text.split("\n"))


def _read_markdown(text: str, file: str, base: Playbook | None) -> Reading:
    """Read Markdown; raise FormatError for text that only happens to parse as such."""
    if not text.strip():
        return Reading(playbook=Playbook(), notes=(Finding(1, "the file is empty"),))
    playbook = from_markdown(text, file=file, base=base)
    if not _is_markdown(text):
        raise FormatError("It holds no bullets.", hint=NO_BULLETS, file=file)
    return Reading(playbook=playbook)


JSON = Format(
    name="json",
    about="canonical JSON: everything, removed bullets too",
    holds=EVERYTHING,
    detects=_is_json,
    read=lambda text, file, base: Reading(playbook=playbook_from_json(text, file=file)),
    write=lambda playbook, names: playbook_to_json(playbook),
    files=(".json",),
)
MARKDOWN = Format(
    name="markdown",
    about="Markdown for people to review and edit",
    holds=EVERYTHING,
    detects=_is_markdown,
    read=_read_markdown,
    write=lambda playbook, names: to_markdown(playbook),
    files=(".md",),
)
