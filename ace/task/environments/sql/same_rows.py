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
    """Return whether rows are equal: as lists when `ordered`, else as multisets."""
    if len(gold) != len(rows) or len({len(row) for row in (*gold, *rows)}) > 1:
        return False
    if not ordered:
        # Numbers that differ only by rounding are sorted alike, or one would shuffle the columns after it.
        ranks = [_rank_numbers(column) for column in zip(*gold, *rows, strict=True)]

        def key(row: Row) -> Any:
            rounded = [_rank_cell(cell, rank) for cell, rank in zip(row, ranks, strict=True)]
            return rounded, [_rank_cell(cell, {}) for cell in row]

        gold, rows = sorted(gold, key=key), sorted(rows, key=key)
    pairs = zip(chain.from_iterable(gold), chain.from_iterable(rows), strict=True)
    return all(_is_same(a, b) for a, b in pairs)


def _is_same(a: Any, b: Any) -> bool:
    if {type(a), type(b)} in ({float}, {int, float}):
        return isclose(a, b, rel_tol=1e-6, abs_tol=1e-9)
    return type(a) is type(b) and bool(a == b)


def _rank_numbers(column: Iterable[Any]) -> dict[Any, int]:
    """Return a rank for each number of a column, the same for numbers within the tolerance."""
    numbers = sorted({(cell, isinstance(cell, float)) for cell in column if isinstance(cell, int | float)})
    ranks: dict[Any, int] = {}
    for index, (number, _) in enumerate(numbers):
        previous = numbers[index - 1][0] if index else number
        ranks[number] = ranks.get(previous, 0) + (not _is_same(previous, number) and previous != number)
    return ranks


def _rank_cell(cell: Any, ranks: dict[Any, int]) -> tuple[int, Any]:
    if isinstance(cell, int | float):
        return 1, ranks.get(cell, cell)
    return (2 + _KINDS.index(type(cell)), cell) if isinstance(cell, _KINDS) else (0, 0)
