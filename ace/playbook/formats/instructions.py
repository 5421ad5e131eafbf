"""Instructions for agents (AGENTS.md, SKILL.md, ...): our block in such a file, between two markers.

Everything outside the markers is the user's, and stays as it is byte for byte. Markers inside code
fences and code spans are examples. A marker that is damaged, doubled or without its partner is an
error, because a guess could swallow the user's text.

The block is Markdown with ids, so an edited block can be imported. Only active bullets are in it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import PurePath

from ace.errors import FormatError
from ace.playbook.arrange import arrange_bullets
from ace.playbook.formats.format import Finding, Format, Reading, report_flaws
from ace.playbook.markdown import TITLE, parse_markdown, to_markdown
from ace.playbook.model import Bullet, Playbook

BEGIN, END = "<!-- ace:begin -->", "<!-- ace:end -->"
NAMES = ("AGENTS.md", "SKILL.md", "CLAUDE.md", "GEMINI.md")
_FENCE = re.compile(r" {0,3}(`{3,}(?=[^`]*$)|~{3,})(.*)")
_CODE_SPAN = re.compile(r"(?<!`)(`+)(?!`).*?(?<!`)\1(?!`)")
_TRACE = re.compile(r"<!--\s*ace:(?:begin|end)|ace:(?:begin|end)\s*-->")
_NESTED = re.compile(r"<!--\s*ace:(?:begin|end)")  # a bullet may say the rest
_DAMAGED = "This marker is damaged, doubled or alone."
_MEND = f"Put each of {BEGIN} and {END} on a line of its own, once and in this order, or remove both."


def detects(text: str) -> bool:
    """Detect a file with our block in it, or with markers that reading would object to."""
    if not any(line.rstrip() == BEGIN for line in text.split("\n")):
        return False
    try:
        return _find_block(text, "") is not None
    except FormatError:
        return True


def write(playbook: Playbook, names: Mapping[str, str]) -> str:
    """Write the block alone."""
    bare = [Bullet(b.id, b.section, b.content) for b in playbook.active]
    lines = to_markdown(arrange_bullets(bare)).replace(TITLE, "# Lessons", 1)
    return f"{BEGIN}\n{re.sub('^#', '##', lines, flags=re.MULTILINE)}{END}\n"


def read(text: str, file: str, base: Playbook | None) -> Reading:
    """Read the bullets of the block; what a block does not hold stays as it is in the playbook."""
    damaged: list[Finding] = []
    place = _find_block(text, file, damaged)
    if place is None:
        raise FormatError(f"There is no block between {BEGIN} and {END}.", file=file)
    first = text.count("\n", 0, place[0]) + 1
    # Blank lines stand for what comes before, so that an error names the line of the file.
    inside = "\n" * first + text[place[0] : place[1]].split("\n", 1)[1].rsplit(END, 1)[0]
    lines = inside.split("\n")
    for line in (finding.line for finding in damaged if finding.line <= len(lines)):
        lines[line - 1] = ""
    bullets = []
    parsed, flaws = parse_markdown("\n".join(lines))
    for bullet in parsed:
        old = base.bullets.get(bullet.id) if base is not None else None
        if old is not None and old.live:
            bullet = replace(old, section=bullet.section, content=bullet.content)
        bullets.append(bullet)
    note = Finding(first, "only the block between the markers was read")
    unread = (*damaged, *report_flaws(flaws))
    return Reading(playbook=arrange_bullets(bullets, base), unread=unread, notes=(note,))


def update(text: str, block: str, *, file: str = "") -> str:
    """Return `text` with its block replaced, or appended where it has none."""
    newline = "\r\n" if "\r\n" in text else "\n"
    block = block.replace("\n", newline)
    if place := _find_block(text, file):
        begin, end = place
        if not text[:end].endswith("\n"):
            block = block.rstrip("\r\n")
        return text[:begin] + block + text[end:]
    if text and not text.endswith("\n"):
        text += newline
    return text + newline + block if text else block


def new_file(name: str, title: str) -> str:
    """Return the beginning of a new file: agents find a skill by the description in its front matter."""
    if PurePath(name).name != "SKILL.md":
        return ""
    label = re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-") or "lessons"
    return f"---\nname: {label}\ndescription: Lessons learned about {label}.\n---\n"


def _find_block(text: str, file: str, damaged: list[Finding] | None = None) -> tuple[int, int] | None:
    """Return where the block begins and ends, markers and the last line's end included.

    Other markers are added to `damaged`, where there is a block beside them. Else raises FormatError.
    """
    begin = at = 0
    inside, end, fence, opened = False, None, "", 0
    first_error: FormatError | None = None
    for number, line in enumerate(re.findall(r"[^\n]*\n|[^\n]+", text), 1):
        bare = line.rstrip()
        mark = _FENCE.match(bare)
        if fence and not inside:
            if mark and mark[1].startswith(fence) and not mark[2].strip():
                fence = ""
        elif mark and not inside:
            fence, opened = mark[1], number
        elif bare == BEGIN and not inside and end is None:
            inside, begin = True, at
        elif bare == END and inside:
            inside, end = False, at + len(line)
        elif _NESTED.search(bare) if inside else _TRACE.search(_CODE_SPAN.sub("", bare)):
            error = FormatError(_DAMAGED, hint=_MEND, file=file, line=number)
            if damaged is None:
                raise error
            damaged.append(Finding(number, f"{_DAMAGED} {_MEND}"))
            first_error = first_error or error
            begin = at if bare == BEGIN and inside else begin  # of two the second has the end
        at += len(line)
    if first_error and end is None:
        raise first_error
    if inside:
        line_of = text.count("\n", 0, begin) + 1
        raise FormatError("The block that begins here never ends.", hint=_MEND, file=file, line=line_of)
    if fence and end is None:
        hint = f"Close it, or a block at the end of the file would be part of it: add a line {fence}."
        raise FormatError("This code fence is never closed.", hint=hint, file=file, line=opened)
    return None if end is None else (begin, end)


INSTRUCTIONS = Format(
    name="instructions",
    about="a block in AGENTS.md, SKILL.md or the like, updated in place",
    holds=frozenset(),
    detects=detects,
    read=read,
    write=write,
    files=NAMES,
)
