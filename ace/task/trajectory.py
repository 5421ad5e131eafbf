"""Show an attempt to a reader: all of it, or what matters most of it in a given number of tokens.

When it must be cut, long texts lose their middle first. Then turns are left out: its beginning, its end and
what surrounds errors stay. Knows nothing of who reads it: in a prompt the text is data, to be quoted.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ace.task.attempt import Attempt, Turn, TurnKind
from ace.text.tokens import CountTokens, estimate_tokens

TRAJECTORY_TOKENS = 8_000
"""How long an attempt is shown where a caller sets no limit."""

LONGEST_TEXT = 100_000
"""The most characters of one text that a reader is shown, however much room there is."""

_CAPS = (LONGEST_TEXT, 8_000, 3_000, 1_200, 500)  # characters of one text, from the roomiest to the tightest
_SELECTED = 1_200  # characters of one text where turns are left out as well
_HEAD = 0.6  # of a shortened text stands before the gap
_THOUGHTS = 0.25  # of all tokens, at most, where there are turns to show as well
_GAP = 16  # tokens, about, of the line that says which turns are left out


def show_trajectory(
    attempt: Attempt,
    limit_tokens: int = TRAJECTORY_TOKENS,
    count_tokens: CountTokens = estimate_tokens,
) -> str:
    """Return reasoning, turns, answer and error of an attempt as text of at most `limit_tokens` tokens.

    An attempt without turns is shown by its raw text. Turns are numbered from 1; a line says which are left
    out.
    """
    turns: Sequence[Turn] = attempt.turns
    if not turns and attempt.text.strip() not in ("", attempt.answer.strip()):
        turns = (Turn(kind=TurnKind.AGENT, text=attempt.text.strip()),)
    for cap in _CAPS:
        lines = _list_thoughts(attempt, cap)
        for number, turn in enumerate(turns, start=1):
            lines.append(_render_turn(number, turn, cap))
        lines += _list_ending(attempt, cap)
        text = "\n".join(lines)
        if count_tokens(text) <= limit_tokens:
            return text

    thoughts = "\n".join(_list_thoughts(attempt, cap=100_000))
    if thoughts:
        share = _THOUGHTS if turns else 1.0
        thoughts = _fit(thoughts, int(limit_tokens * share), count_tokens)
    ending = "\n".join(_list_ending(attempt, _SELECTED))
    room = limit_tokens - count_tokens(thoughts) - count_tokens(ending)
    selection = _select_turns(turns, room, count_tokens)
    text = "\n".join(filter(None, (thoughts, selection, ending)))
    return _fit(text, limit_tokens, count_tokens)


def shorten_middle(text: str, most: int) -> str:
    """Return about `most` characters of a text: its middle is left out, and what is missing is counted.

    The words that count it come on top of `most`. More of the beginning is kept than of the end.
    """
    if len(text) <= most:
        return text
    head = int(most * _HEAD)
    tail = most - head
    end = text[len(text) - tail :]
    return f"{text[:head]} [... {len(text) - most:,} characters left out ...] {end}"


def _list_thoughts(attempt: Attempt, cap: int) -> list[str]:
    """Return the line that says what was thought, shortened to `cap` characters; none without reasoning."""
    if not attempt.reasoning:
        return []
    return [f"{TurnKind.THOUGHT.value}: {shorten_middle(attempt.reasoning, cap)}"]


def _list_ending(attempt: Attempt, cap: int) -> list[str]:
    """Return lines for answer, artifacts and error, each shortened to `cap` characters."""
    lines: list[str] = []
    if attempt.answer:
        lines.append(f"answer: {shorten_middle(attempt.answer, cap)}")
    for name, content in attempt.artifacts.items():
        lines.append(f"made {name}: {shorten_middle(content, cap)}")
    if attempt.error:
        lines.append(f"error: {shorten_middle(attempt.error, cap)}")
    return lines


def _render_turn(number: int, turn: Turn, cap: int) -> str:
    """Return a turn behind its number, with further lines below it; each is shortened to `cap` characters."""
    lines = [shorten_middle(line, cap) for line in turn.lines()]
    return f"[{number}] " + "\n    ".join(lines)


def _select_turns(turns: Sequence[Turn], room: int, count_tokens: CountTokens) -> str:
    """Return as many turns as there is room for, the most important first, in their order.

    `room` is in tokens. A line stands in for each gap between them.
    """
    chosen: dict[int, str] = {}
    used = 0
    for place in _rank_turns(turns):
        block = _render_turn(place + 1, turns[place], _SELECTED)
        tokens = count_tokens(block) + _GAP  # it may stand alone between two gaps
        if used + tokens <= room:
            chosen[place] = block
            used += tokens

    lines: list[str] = []
    following = 0  # the place after the last turn that stands in `lines`
    for place in [*sorted(chosen), len(turns)]:
        if place > following:
            missing = f"turns {following + 1} to {place}" if place - following > 1 else f"turn {place}"
            lines.append(f"[... {missing} left out ...]")
        if place in chosen:
            lines.append(chosen[place])
        following = place + 1
    return "\n".join(lines)


def _rank_turns(turns: Sequence[Turn]) -> Iterator[int]:
    """Yield the place of every turn once: both ends, errors and what surrounds them, then inwards.

    The end comes before the beginning, and later errors before earlier ones.
    """
    last = len(turns) - 1
    order = [last, 0]
    failures = [place for place, turn in enumerate(turns) if turn.failed]
    for place in reversed(failures):
        order += [place, place - 1, place + 1]
    for distance in range(1, len(turns)):
        order += [last - distance, distance]
    for place in dict.fromkeys(order):
        if 0 <= place <= last:
            yield place


def _fit(text: str, limit_tokens: int, count_tokens: CountTokens) -> str:
    """Return a text shortened in its middle until it fits; "" where nothing does."""
    size = len(text)
    shortened = text
    while size and count_tokens(shortened) > limit_tokens:
        size = size * 4 // 5
        shortened = shorten_middle(text, size)
    return shortened if size else ""
