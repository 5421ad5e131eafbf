"""Count why attempts at training samples failed, from the journal of a run."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from ace.runs.steps import StepRecord


def count_causes(steps: Iterable[StepRecord]) -> dict[str, int]:
    """Return how often a method noted each "cause" of a failure, the most frequent first.

    A method notes it beside the result of a sample; one that notes none gives an empty table.
    """
    causes = Counter[str]()
    for step in steps:
        for result in step.results:
            cause = result.notes.get("cause")
            if cause:
                causes[cause] += 1
    return dict(causes.most_common())
