"""Compares the rows of two queries.

Knows rows of plain values only. Column names are ignored; the number of columns counts. Whole numbers
compare exactly (identifiers, times), anything with a fraction within a tolerance.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import chain
from math import isclose
from typing import Any

Row = tuple[Any, ...]
_KINDS = (str, bytes)


def have_same_rows(gold: Sequence[Row], rows: Sequence[Row], *, ordered: bool) -> bool:
    """Return whether rows are equal: as lists when `ordered`, else as multisets.

    Fractions are equal within a millionth, or 1e-9 near zero. Text "3" is not the number 3.
    """
    widths = {len(row) for row in (*gold, *rows)}
    if len(gold) != len(rows) or len(widths) > 1:
        return False
    if not ordered:
        # Numbers that differ only by rounding are sorted alike, or one would shuffle the columns after it.
        ranks: list[dict[Any, int]] = []  # of each column
        for column in zip(*gold, *rows, strict=True):
            ranks.append(_rank_numbers(column))

        def key(row: Row) -> Any:
            """Order rows by their ranked cells; where those are equal, by the numbers themselves."""
            rounded = [_rank_cell(cell, rank) for cell, rank in zip(row, ranks, strict=True)]
            return rounded, [_rank_cell(cell, {}) for cell in row]

        gold, rows = sorted(gold, key=key), sorted(rows, key=key)
    pairs = zip(chain.from_iterable(gold), chain.from_iterable(rows), strict=True)
    return all(_is_same(a, b) for a, b in pairs)


def _is_same(a: Any, b: Any) -> bool:
    """Return whether two cells are equal: exactly, or nearly where one of two numbers is a fraction."""
    if {type(a), type(b)} in ({float}, {int, float}):
        return isclose(a, b, rel_tol=1e-6, abs_tol=1e-9)
    return type(a) is type(b) and bool(a == b)


def _rank_numbers(column: Iterable[Any]) -> dict[Any, int]:
    """Return a rank for each number of a column, the same for numbers within the tolerance.

    Ranks count from 0, the smallest number first. Cells of other types have none.
    """
    distinct: set[tuple[Any, bool]] = set()
    for cell in column:
        if isinstance(cell, int | float):
            distinct.add((cell, isinstance(cell, float)))
    ranks: dict[Any, int] = {}
    rank = 0
    previous: Any = None
    for number, _ in sorted(distinct):
        if previous is not None and previous != number and not _is_same(previous, number):
            rank += 1
        ranks[number] = rank
        previous = number
    return ranks


def _rank_cell(cell: Any, ranks: dict[Any, int]) -> tuple[int, Any]:
    """Return a key that sorts cells of different types: NULL, then numbers by their rank, texts, bytes."""
    if isinstance(cell, int | float):
        return 1, ranks.get(cell, cell)
    if isinstance(cell, _KINDS):
        return 2 + _KINDS.index(type(cell)), cell
    return 0, 0
