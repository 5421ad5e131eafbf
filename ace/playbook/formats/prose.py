"""Plain text, such as a prompt that GEPA optimised: every paragraph becomes a bullet.

Read only when it is asked for: a prompt also says how to answer, and that is no lesson, so somebody
should review the bullets.
"""

from __future__ import annotations

from ace.playbook.formats.format import Collector, Entry, Format, Reading
from ace.playbook.model import Playbook

_FENCES = ("```", "~~~")


def read(text: str, file: str, base: Playbook | None) -> Reading:
    """Read every paragraph as a bullet. A code block is part of the paragraph it begins in."""
    collector = Collector()
    paragraph: list[str] = []
    begins, fence = 1, ""
    for number, raw in enumerate((*text.split("\n"), ""), 1):
        line = raw.removesuffix("\r")
        if line.strip() or fence:  # a blank line inside a code block does not end a paragraph
            begins = begins if paragraph else number
            paragraph.append(line)
            mark = line.strip()[:3]
            if fence:
                fence = "" if mark == fence else fence
            elif mark in _FENCES:
                fence = mark
        elif paragraph:
            collector.add(Entry(content="\n".join(paragraph).strip(), line=begins))
            paragraph = []
    if paragraph:  # a code block that never ended
        collector.add(Entry(content="\n".join(paragraph).strip(), line=begins))
    return collector.to_reading(votes=False)


TEXT = Format(
    name="text",
    about="plain text, one bullet a paragraph; import only",
    holds=frozenset(),
    detects=lambda text: False,
    read=read,
)
