"""Bounds on the shape of the code. `python -m tests.shape` prints the values and where to look."""

from __future__ import annotations

import pytest

from tests import shape

MOST = {
    "functions and classes per 1,000 lines": 55,
    "function longest": 60,
    "longest static call chain": 12,
    "private helpers of at most 5 lines with one caller": 40,
    "bare participle names %": 1,
    "vague identifiers per 1,000 lines": 10,
    "docstrings without a verb %": 15,
    "calls with six or more positional arguments": 5,
    "lines that speak of SQL in general layers": 0,
    "module names used twice": 5,
    "import cycles between packages": 0,
    "README lines": 160,
}


@pytest.mark.parametrize("name", MOST)
def test_measure(name: str) -> None:
    assert shape.measures()[name] <= MOST[name]


def test_functions_are_neither_cut_small_nor_grown_large() -> None:
    assert 8 <= shape.measures()["function median"] <= 12
