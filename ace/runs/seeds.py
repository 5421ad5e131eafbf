"""Seeds that depend on what is done, not on when or by which thread."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Hashable


def seed_of(seed: int, *parts: Hashable) -> int:
    """Return a non-negative 31-bit seed that depends on the run's seed and on `parts` only.

    What JSON cannot write of `parts` counts by its text, so that must not hold an address in memory. Seeds
    for different parts are as good as independent (BLAKE2b).
    """
    text = json.dumps([seed, *parts], default=str)
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=4).digest()) & 0x7FFFFFFF
