"""Search for phrases: a few short expressions, one after the other, with a bounded gap between them. Pure.

A regular expression such as "send[^.]{0,40}password[^.]{0,30}to" takes time with the product of its gaps, and
an unbounded gap takes time with the square of the text. Here each short expression is looked for once in the
whole text, and places are joined afterwards, so the time is proportional to the length of the text.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from dataclasses import dataclass

_GAP = re.compile(r"(\[\^(?:\\.|[^\]\\])+\]|\[\\s\\S\]|\\S|\.)\{0,(\d{2,3})\}")
_PIECE = re.compile(r"\\.|\[\^?\]?(?:\\.|[^\]\\])*\]|.", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Phrase:
    """Hold expressions, and before each but the first the gap that may precede it.

    A gap is written as in a regular expression, outside of any group: "[^.\\n]{0,40}". It counts from
    {0,10} on.
    """

    parts: tuple[re.Pattern[str], ...]
    gaps: tuple[tuple[re.Pattern[str], int], ...]

    def search(self, text: str) -> tuple[int, int] | None:
        """Return the start and end of the first place where all parts stand in order, or None."""
        starts, ends = list[int](), list[int]()
        for match in self.parts[0].finditer(text):
            starts.append(match.start())
            ends.append(match.end())
            if len(self.parts) == 1:
                break
        for part, (allowed, most) in zip(self.parts[1:], self.gaps, strict=True):
            next_starts, next_ends = list[int](), list[int]()
            for match in part.finditer(text) if ends else ():
                nearest = bisect_right(ends, match.start()) - 1
                if nearest < 0 or match.start() - ends[nearest] > most:
                    continue
                if allowed.fullmatch(text, ends[nearest], match.start()):
                    next_starts.append(starts[nearest])
                    next_ends.append(match.end())
            starts, ends = next_starts, next_ends
        return (starts[0], ends[0]) if starts else None


def compile_phrase(expression: str, flags: re.RegexFlag = re.IGNORECASE | re.MULTILINE) -> Phrase:
    """Split a regular expression at its gaps, and compile what is between them.

    Raises re.PatternError for an expression that is none.
    """
    parts, gaps, depth = [""], list[tuple[re.Pattern[str], int]](), 0
    position = 0
    while position < len(expression):
        gap = _GAP.match(expression, position) if depth == 0 and parts[-1] else None
        if gap:
            gaps.append((re.compile(f"{gap[1]}*"), int(gap[2])))
            parts.append("")
            position = gap.end()
            continue
        piece = _PIECE.match(expression, position)
        assert piece  # noqa: S101 (it matches any character)
        depth += {"(": 1, ")": -1}.get(piece[0], 0)
        parts[-1] += piece[0]
        position = piece.end()
    return Phrase(tuple(re.compile(part, flags) for part in parts), tuple(gaps))
