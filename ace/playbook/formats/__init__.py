"""The forms a playbook can be written in: which there are, and which one a text has."""

from __future__ import annotations

import json
from pathlib import PurePath

from ace.errors import FormatError, InputError
from ace.playbook.formats.ace_text import ACE, APPWORLD
from ace.playbook.formats.cheatsheet import CHEATSHEET
from ace.playbook.formats.format import NO_BULLETS, Entry, Finding, Format, Reading, Write
from ace.playbook.formats.instructions import INSTRUCTIONS
from ace.playbook.formats.jsonl import JSONL
from ace.playbook.formats.kayba import KAYBA, PROMPT
from ace.playbook.formats.own import JSON, MARKDOWN
from ace.playbook.formats.prose import TEXT

# In the order in which a text is asked whether it is one of them.
FORMATS = (INSTRUCTIONS, JSON, KAYBA, CHEATSHEET, JSONL, ACE, APPWORLD, MARKDOWN, TEXT)

__all__ = ["FORMATS", "Entry", "Finding", "Format", "Reading", "Write", "by_file", "by_name", "detected"]


def by_name(name: str) -> Format:
    found = next((each for each in FORMATS if each.name == name), None)
    if found is None:
        known = ", ".join(each.name for each in FORMATS)
        raise InputError(f"There is no format {name!r}.", hint=f"Known: {known}.")
    return found


def by_file(file: str) -> Format:
    """The format a file's name stands for: a whole name such as AGENTS.md, or a suffix."""
    path = PurePath(file)
    for wanted in (path.name, path.suffix):
        if found := next((each for each in FORMATS if wanted in each.files), None):
            return found
    known = ", ".join(each.name for each in FORMATS if each.write)
    raise InputError(f"{file}: its name stands for no format.", hint=f"Give --format: {known}.")


def detected(text: str, *, file: str = "") -> Format:
    """The format a text has, by what is in it."""
    if PROMPT.search(text):
        what, hint = "This is the prompt that Kayba makes of a skillbook.", "Import the skillbook's JSON."
        raise FormatError(what, hint=hint, file=file)
    if found := next((each for each in FORMATS if each.detects(text)), None):
        return found
    what, hint = "It holds no bullets that any format knows.", NO_BULLETS
    line = None
    if text.lstrip()[:1] in ("{", "["):
        what, hint = "This is JSON, but no playbook.", "Known: json, jsonl, kayba, cheatsheet."
        try:
            json.loads(text)
        except (ValueError, RecursionError) as error:
            what, line = f"This is not JSON: {error}.", getattr(error, "lineno", None)
    raise FormatError(what, hint=hint, file=file, line=line)
