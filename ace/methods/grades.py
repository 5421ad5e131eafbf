"""Compare attempts by how good a learner may know them to be."""

from __future__ import annotations

from ace.methods.protocol import Trial
from ace.task.types import Feedback

MARGIN = 0.1  # by which a graded score must rise or fall to count


def grade(feedback: Feedback) -> float | None:
    """Return how good an attempt was, 0 to 1, as far as a learner may see; None where that is not said."""
    solved = feedback.is_solved
    if solved is None:
        return None
    return 1.0 if solved else min(feedback.score or 0.0, 1.0)


def is_better(trial: Trial, base: float) -> bool:
    """Return whether an attempt is right, or its score is above `base` by a margin."""
    score = grade(trial.feedback)
    return score is not None and (score >= 1.0 > base or score >= base + MARGIN)


def is_worse(trial: Trial, base: float) -> bool:
    """Return whether an attempt's score is below `base` by a margin."""
    score = grade(trial.feedback)
    return score is None or score <= base - MARGIN
