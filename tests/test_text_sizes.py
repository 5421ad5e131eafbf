"""Sizes as people read them."""

from __future__ import annotations

import pytest

from ace.text.sizes import format_size


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (0, "0 bytes"),
        (1, "1 byte"),
        (999, "999 bytes"),
        (1_000, "1 kB"),
        (4_096, "4.1 kB"),
        (10_000, "10 kB"),
        (999_499, "999 kB"),
        (999_600, "1 MB"),
        (64_000_000, "64 MB"),
        (1_117_320_768, "1.12 GB"),
        (5 * 10**15, "5,000 TB"),
    ],
)
def test_a_size_is_never_nothing_and_never_a_row_of_digits(size: int, text: str) -> None:
    assert format_size(size) == text
