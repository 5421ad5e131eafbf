"""Place memories in time, so that at most one on a line holds at any instant. Pure.

Two memories of one owner about the same subject and attribute stand on one line: the newer closes the older,
which stays as history. A memory that arrives late is put where it belongs in time.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from ace.memory.memory_value import Line, Memory


@dataclass(frozen=True, slots=True)
class Placement:
    """Hold a new memory with its place in time."""

    memory: Memory
    """The new one: it ends where the next on its line begins."""

    closed: Memory | None = None
    """The older one that it closes, as it is then."""


def place_memory(line: Iterable[Memory], new: Memory) -> Placement:
    """Place a memory among those of its line, which do not overlap. The memory that came last wins a tie.

    One that arrives late ends where the next begins. It closes what held when it begins.
    """
    memories = sorted(line, key=lambda memory: memory.since)
    starts = [memory.since for memory in memories if memory.since > new.since]
    until = min([*starts[:1], *filter(None, [new.until])], default=None)
    closed = None
    if until != new.since:  # else it held for no time, as one that was corrected at once: it closes nothing
        for memory in reversed(memories):
            if memory.since <= new.since and (memory.until is None or memory.until > new.since):
                closed = replace(memory, until=new.since)
                break
    return Placement(replace(new, until=until), closed)


def select_holding(memories: Iterable[Memory], at: str) -> list[Memory]:
    """Return the memories that hold at an instant, in the order given."""
    return [memory for memory in memories if memory.holds(at)]


def find_overlaps(memories: Sequence[Memory]) -> list[tuple[Memory, Memory]]:
    """Return pairs on one line that hold at the same time, the earlier first.

    There are none, if `place_memory` put them there. A memory that held for no time overlaps nothing.
    """
    lines: dict[Line, list[Memory]] = {}
    for memory in sorted(memories, key=lambda memory: memory.since):
        if memory.since != memory.until:
            lines.setdefault(memory.line, []).append(memory)
    overlaps: list[tuple[Memory, Memory]] = []
    for line in lines.values():
        for earlier, later in pairwise(line):
            if earlier.until is None or later.since < earlier.until:
                overlaps.append((earlier, later))
    return overlaps
