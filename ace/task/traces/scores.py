"""Reads the scores that evaluators gave to an attempt: which of them is the verdict, and what they remark."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ace.task.attempt import to_plain_text
from ace.task.traces.record import Record, load_names


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """Hold what one evaluator says. All of it is a label."""

    name: str
    """What the log calls the evaluator, as "correctness"."""

    value: Any
    """A number from 0 to 1, or a verdict in words."""

    label: str = ""
    """A word for it, such as "pass"."""

    remark: str = ""
    """Its reason, for people."""

    def describe(self) -> str:
        """Return it as a line: "tone: 0.5 (fair) Too short."."""
        words = [f"{self.name}: {to_plain_text(self.value)}"]
        if self.label and self.label != self.value:
            words.append(f"({self.label})")
        return " ".join(filter(None, (*words, self.remark)))


def read_scores(record: Record, scores: Sequence[Score]) -> dict[str, Any]:
    """Return the fields of a trace that scores of its record fill: score, correct and remark.

    The verdict is what evaluators with a name such as "correctness" say, or else all of them. Where those do
    not agree there is none: a high tone is no right answer. Everything else is part of the remark. Raises
    TaskError where the only score is a number of another scale.
    """
    named = [score for score in scores if score.name.lower() in load_names("scores")["verdicts"]]
    counted = named or list(scores)
    values: set[tuple[float | None, bool | None]] = set()
    for score in counted:
        value = score.value if score.value is not None else score.label
        holder = replace(record, values={"reward": value, "correct": score.label or None})
        correct = holder.flag("correct", lenient=True)
        is_word = isinstance(value, str) or len(counted) > 1
        values.add((holder.score("reward", lenient=is_word or correct is not None), correct))
    values.discard((None, None))
    number, correct = values.pop() if len(values) == 1 else (None, None)
    is_more = len(scores) > 1 or any(score.remark for score in scores) or (number, correct) == (None, None)
    remark = "\n".join(score.describe() for score in scores) if is_more else ""
    return {"score": number, "correct": correct, "remark": remark}


def flatten_scores(name: str, value: Any) -> list[tuple[str, Any]]:
    """Return a value under its name, or each value of an object under both names: ("f1.macro", 0.5)."""
    if isinstance(value, Mapping):
        return [pair for key, inner in value.items() for pair in flatten_scores(f"{name}.{key}", inner)]
    return [(name, value)]
