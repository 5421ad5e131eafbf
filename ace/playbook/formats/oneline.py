"""Any text on one line, for formats that know no line breaks.

Line breaks, characters nobody sees and space at either end become references such as `&#xa;`, which
other tools show as they are. Only these are read back, so that other references in other tools' files
stay the text they are.
"""

from __future__ import annotations

import re

from ace.text.unicode import HIDDEN

_REFERENCE = re.compile(r"&#x([0-9a-f]{1,6});")
_WRITTEN = re.compile(rf"{HIDDEN.pattern}|[\n\t &h]")
_SPECIAL = re.compile(rf"{HIDDEN.pattern}|\n|^[ \t]|[ \t]$")


def to_line(text: str) -> str:
    """Write a text without a line break in it."""
    safe = _REFERENCE.sub(lambda match: f"&#x26;{match[0][1:]}" if _decode(match) else match[0], text)
    return _SPECIAL.sub(lambda match: write_reference(match[0]), safe)


def from_line(line: str) -> str:
    """Return the text that `to_line` was given."""
    return _REFERENCE.sub(lambda match: _decode(match) or match[0], line)


def write_reference(character: str) -> str:
    """Write a character as a reference such as `&#xa;`."""
    return f"&#x{ord(character):x};"


def _decode(match: re.Match[str]) -> str:
    """Return the character a reference stands for, if it is one that `to_line` writes."""
    code = int(match[1], 16)
    return chr(code) if code <= 0x10FFFF and _WRITTEN.fullmatch(chr(code)) else ""
