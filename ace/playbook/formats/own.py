"""Markdown and canonical JSON, the two forms of our own, as formats among the others."""

from __future__ import annotations

import json
import re

from ace.errors import FormatError
from ace.playbook.arrange import arrange_bullets
from ace.playbook.codec import FORMAT, playbook_from_json, playbook_to_json
from ace.playbook.formats.format import EVERYTHING, Finding, Format, Reading, report_flaws
from ace.playbook.formats.handwritten import is_markdown, parse_blocks, read_handwritten
from ace.playbook.markdown import TITLE, parse_markdown, to_markdown
from ace.playbook.model import Playbook

# What stands in the comment behind a bullet of ours.
_DETAILS = re.compile(r"<!--\s*(?:id=|from=|helpful=|harmful=|pinned\b|quarantined\b)")


def _is_json(text: str) -> bool:
    """Return whether a text is a JSON object of our format, or looks like one."""
    try:
        data = json.loads(text)
    except (ValueError, RecursionError):
        return False
    return isinstance(data, dict) and (data.get("format") == FORMAT or "bullets" in data)


def _read_json(text: str, file: str, base: Playbook | None) -> Reading:
    """Read canonical JSON. A bullet that cannot be used is reported with the reason, by its number."""
    left_out: list[FormatError] = []
    playbook = playbook_from_json(text, file=file, left_out=left_out)
    return Reading(playbook=playbook, unread=tuple(Finding(1, error.message) for error in left_out))


def _read_markdown(text: str, file: str, base: Playbook | None) -> Reading:
    """Read Markdown: an export of ours exactly, edits by hand included, and any other by its own rules.

    What is wrong with a bullet costs that bullet alone.
    """
    if not text.strip():
        return Reading(playbook=Playbook(), notes=(Finding(1, "the file is empty"),))
    if not _is_export(text):
        return read_handwritten(text)
    bullets, flaws = parse_markdown(text)
    return Reading(playbook=arrange_bullets(bullets, base), unread=report_flaws(flaws))


def _is_export(text: str) -> bool:
    """Return whether a bullet has a comment of ours behind it, which is not part of an example."""
    if not _DETAILS.search(text):
        return False
    lines = text.removeprefix("\ufeff").split("\n")
    if lines[0].rstrip() == TITLE:  # a content of ours may look like any Markdown
        return True
    for block in parse_blocks(text):
        if block.kind == "item" and _DETAILS.search("\n".join(lines[block.first - 1 : block.last])):
            return True
    return False


JSON = Format(
    name="json",
    about="canonical JSON: everything, removed bullets too",
    holds=EVERYTHING,
    detects=_is_json,
    read=_read_json,
    write=lambda playbook, names: playbook_to_json(playbook),
    files=(".json",),
)
MARKDOWN = Format(
    name="markdown",
    about="Markdown for people to review and edit",
    holds=EVERYTHING,
    detects=is_markdown,
    read=_read_markdown,
    write=lambda playbook, names: to_markdown(playbook),
    files=(".md",),
)
