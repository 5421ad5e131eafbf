"""Sizes in bytes as people read them. Every size that is shown is written here."""

from __future__ import annotations

_UNITS = ("bytes", "kB", "MB", "GB", "TB")  # each has 1,000 of the one before


def format_size(size: float) -> str:
    """Format bytes in the unit that suits them, with up to three digits: 512 bytes, 4.1 kB, 1.12 GB."""
    if size == 1:
        return "1 byte"
    number = float(size)
    unit = 0
    while abs(number) >= 999.5 and unit < len(_UNITS) - 1:  # what would be written as 1000
        number /= 1_000
        unit += 1
    digits = max(0, 3 - len(f"{abs(number):.0f}")) if unit else 0
    written = f"{number:,.{digits}f}"
    if "." in written:
        written = written.rstrip("0").rstrip(".")
    return f"{written} {_UNITS[unit]}"
