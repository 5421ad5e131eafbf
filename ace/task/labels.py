"""Giving a sample its right answer after it was asked: the field depends on the environment."""

from __future__ import annotations

from dataclasses import replace

from ace.task.types import Environment, Sample


def with_label(environment: Environment, sample: Sample, expected: str) -> Sample:
    """Return the sample with `expected` in the field where its environment looks for the right answer.

    That is the environment's `label_field`, or "answer" where it names none.
    """
    field = getattr(environment, "label_field", "answer")
    return replace(sample, data={**sample.data, field: expected})
