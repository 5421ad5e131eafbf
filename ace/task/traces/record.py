"""Reads one record of a log key by key: whatever is wrong with it becomes a TaskError that says where."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from math import isfinite
from typing import Any

from ace.errors import TaskError
from ace.task.traces.trace import Trace


@dataclass(frozen=True, slots=True)
class Record:
    """Hold one record of a log. Its methods raise TaskError for a value that is not what is asked for."""

    values: Mapping[str, Any]
    file: str

    number: int
    """Its place among the records of the file, from 1."""

    line: int = 0
    """Where it begins, from 1; 0 in a JSON list, whose records need not begin a line."""

    def problem(self, field: str, message: str, hint: str = "") -> TaskError:
        """Return an error that names the record, by its number where it has no line of its own.

        The caller raises it.
        """
        place = "" if self.line else f"Record {self.number}: "
        return TaskError(f"{place}{message}", hint=hint, file=self.file, line=self.line, field=field)

    def text(self, key: str, default: str | None = None) -> str:
        """Return a text, a number as text, or a list or an object as JSON.

        Without a `default` it must be there, and not empty.
        """
        value = self.values.get(key)
        if value is None and default is not None:
            return default
        if value is None:
            text = ""
        elif isinstance(value, list | dict):
            text = json.dumps(value, ensure_ascii=False)
        else:
            text = str(value)
        if not text.strip() and default is None:
            raise self.problem(key, f"Expected text, found {value!r:.60}.")
        return text

    def name(self, key: str, default: str) -> str:
        """Return an id, text or a whole number, as text; `default` where there is none."""
        value = self.values.get(key, default)
        is_name = isinstance(value, str | int) and not isinstance(value, bool)
        if not is_name or not str(value).strip():
            raise self.problem(key, f"Expected text or a whole number, found {value!r:.60}.")
        return str(value)

    def items(self, key: str) -> list[Any]:
        """Return a list that is not empty; its entries may be anything."""
        value = self.values.get(key)
        if not isinstance(value, list) or not value:
            raise self.problem(key, f"Expected a list that is not empty, found {value!r:.60}.")
        return value

    def score(self, key: str) -> float | None:
        """Return a number, cut to 0..1; None where there is none. True and false count as 1 and 0."""
        value = self.values.get(key)
        if value is None:
            return None
        if not isinstance(value, int | float) or not isfinite(value):
            raise self.problem(key, f"Expected a number, found {value!r:.60}.")
        return min(max(0.0, float(value)), 1.0)

    def trace(self, *, score: float | None, correct: bool | None = None, **fields: Any) -> Trace:
        """Return a trace that knows its place. A score of 1 is right, anything less is wrong.

        What the log says in words, `correct`, counts more. Without a score, right is 1 and all else 0.
        `fields` are the other fields of `Trace`.
        """
        if correct is None and score is not None:
            correct = score == 1.0
        if score is None:
            score = float(bool(correct))
        return Trace(correct=correct, score=score, file=self.file, line=self.line, **fields)
