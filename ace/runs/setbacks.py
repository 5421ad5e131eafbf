"""What a journal keeps of feedback that could not be learned from. Knows nothing about SQL."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Setback:
    """Report that learning from a piece of feedback failed, or that it was set aside for that."""

    run: int
    """The run that it befell, or that set the feedback aside."""

    step: int
    """The number of its record in the journal of the run."""

    feedback: int
    """The number of the feedback."""

    error: str
    """Why, for people."""

    counts: bool
    """Whether it speaks against the feedback: not where a model was out of reach, as far as one can tell."""

    set_aside: bool
    """Whether the feedback is not learned from any more."""
