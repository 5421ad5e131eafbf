"""Registry of the forms a playbook can be written in, and detection of the one that a text has.

Its modules:

    format        what a format is, and what reading a file in one gives
    own           Markdown and canonical JSON
    handwritten   Markdown that people write for agents
    jsonl         a bullet a line, with our ids
    ace_text      the reference implementation of ACE
    kayba         Kayba's skillbook
    cheatsheet    Dynamic Cheatsheet
    instructions  our block in AGENTS.md, SKILL.md and the like
    skill         an Agent Skill: a folder, which is only written
    prose         any text, a paragraph a bullet
    oneline       any text on one line
"""

from __future__ import annotations

import json
from pathlib import PurePath

from ace.errors import FormatError, InputError
from ace.playbook.formats.ace_text import ACE, APPWORLD
from ace.playbook.formats.cheatsheet import CHEATSHEET
from ace.playbook.formats.format import NO_BULLETS, Entry, Finding, Format, Reading, Write
from ace.playbook.formats.handwritten import list_plain_lines
from ace.playbook.formats.instructions import INSTRUCTIONS
from ace.playbook.formats.jsonl import JSONL, first_object
from ace.playbook.formats.kayba import KAYBA, PROMPT
from ace.playbook.formats.own import JSON, MARKDOWN
from ace.playbook.formats.prose import TEXT

# In the order in which a text is asked whether it is one of them.
FORMATS = (INSTRUCTIONS, JSON, KAYBA, CHEATSHEET, JSONL, ACE, APPWORLD, MARKDOWN, TEXT)

# Names of files that hold Markdown whatever is in them.
MARKDOWN_SUFFIXES = (".md", ".mdc", ".markdown")
MARKDOWN_NAMES = (".cursorrules", ".windsurfrules", ".clinerules", ".goosehints")

__all__ = [
    "FORMATS",
    "Entry",
    "Finding",
    "Format",
    "Reading",
    "Write",
    "detect_format",
    "find_format",
    "find_format_by_file",
]


def find_format(name: str) -> Format:
    """Return the format with this name; raise InputError where there is none."""
    formats = {form.name: form for form in FORMATS}
    if name not in formats:
        raise InputError(f"There is no format {name!r}.", hint=f"Known: {', '.join(formats)}.")
    return formats[name]


def find_format_by_file(file: str) -> Format:
    """Return the format a file's name stands for: a whole name such as AGENTS.md, or a suffix.

    Raises InputError, which lists the formats that can be written, where it stands for none.
    """
    path = PurePath(file)
    for wanted in (path.name, path.suffix):
        for form in FORMATS:
            if wanted in form.files:
                return form
    writable = ", ".join(form.name for form in FORMATS if form.write)
    raise InputError(f"{file}: its name stands for no format.", hint=f"Give --format: {writable}.")


def detect_format(text: str, *, file: str = "") -> Format:
    """Return the format a text has, by its content: the first of `FORMATS` that knows it.

    Only a text of nothing but paragraphs is judged by the name of its file. Raises FormatError where it has
    none, with the line for JSON that is broken; `file` is named in it.
    """
    # What stands in a code fence is an example.
    plain = "\n".join(list_plain_lines(text))
    if PROMPT.search(plain):
        raise FormatError(
            "This is the prompt that Kayba makes of a skillbook.",
            hint="Import the skillbook's JSON.",
            file=file,
        )
    for form in FORMATS:
        if form.detects(text if form in (INSTRUCTIONS, MARKDOWN) else plain):
            return form
    if PurePath(file).suffix in MARKDOWN_SUFFIXES or PurePath(file).name in MARKDOWN_NAMES:
        return MARKDOWN  # paragraphs alone, which any text has
    what = "It holds no bullets that any format knows."
    hint = NO_BULLETS
    line = None
    if text.lstrip()[:1] in ("{", "["):
        what = "This is JSON, but no playbook."
        hint = "Known: json, jsonl, kayba, cheatsheet."
        try:
            json.loads(text)
        except (ValueError, RecursionError) as error:
            if first_object(text):
                hint = 'A bullet of jsonl has a "content"; other names are not known.'
            else:
                what = f"This is not JSON: {error}."
                line = getattr(error, "lineno", None)
    raise FormatError(what, hint=hint, file=file, line=line)
