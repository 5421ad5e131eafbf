"""Which of several attempts at a sample: the one that counts, or another one."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Draw:
    """Number 0 is the attempt that counts, greedy; further ones differ in seed and temperature."""

    number: int = 0
    seed: int = 0
    temperature: float = 0.0
