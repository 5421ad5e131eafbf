"""Reads one record of a log key by key: whatever is wrong with it becomes a TaskError that says where."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from math import isfinite
from typing import Any

from ace.errors import TaskError
from ace.task.traces.trace import Trace


class Fault(StrEnum):
    """Name the reasons for which a record is left out, as a report counts them."""

    ENCODING = "not UTF-8"
    SYNTAX = "not JSON"
    SHAPE = "not an object"
    FORMAT = "of no known format"
    EMPTY = "without an attempt"
    VALUE = "with a value that cannot be used"
    SCALE = "with a reward above 1"


_ROUNDING = 1e-6  # by which a sum of shares may be above 1


@dataclass(frozen=True, slots=True)
class Record:
    """Hold one record of a log. Its methods raise TaskError for a value that is not what is asked for."""

    values: Mapping[str, Any]
    file: str

    number: int
    """Its place among the records of the file, from 1."""

    line: int = 0
    """Where it begins, from 1; 0 in a JSON list, whose records need not begin a line."""

    key: str = ""
    """Its name in an object that holds all records; "" where they are a list."""

    def problem(self, field: str, message: str, hint: str = "", fault: Fault = Fault.VALUE) -> TaskError:
        """Return an error that names the record, by its number where it has no line of its own.

        The caller raises it.
        """
        place = "" if self.line else f"Record {self.number}: "
        where: dict[str, Any] = {"file": self.file, "line": self.line, "field": field}
        return TaskError(f"{place}{message}", hint=hint, fault=fault, **where)

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
            raise self.problem(key, f"Expected text, found {value!r:.60}.", fault=Fault.EMPTY)
        return text

    def name(self, key: str) -> str:
        """Return an id, text or a number, as text on one line.

        Where there is none, or anything else, it is the record's own key or its number.
        """
        value = self.values.get(key)
        if isinstance(value, float) and value.is_integer():
            value = int(value)
        text = ""
        if isinstance(value, str | int | float) and not isinstance(value, bool):
            text = " ".join(str(value).split())
        return text or self.key or f"record-{self.number}"

    def items(self, key: str) -> list[Any]:
        """Return a list that is not empty; its entries may be anything."""
        value = self.values.get(key)
        if not isinstance(value, list) or not value:
            message = f"Expected a list that is not empty, found {value!r:.60}."
            raise self.problem(key, message, fault=Fault.EMPTY)
        return value

    def flag(self, key: str) -> bool | None:
        """Return true or false, which may be written as 1 and 0 or as texts; None where there is none."""
        value = self.values.get(key)
        if isinstance(value, str):
            value = {"true": True, "false": False}.get(value.strip().lower(), value)
        if value is None or isinstance(value, bool):
            return value
        if value in (0, 1):
            return bool(value)
        raise self.problem(key, f"Expected true or false, found {value!r:.60}.")

    def score(self, key: str, *, lenient: bool = False) -> float | None:
        """Return a number from 0 to 1, which may be written as text; None where there is none.

        What is below 0 counts as 0, and true and false as 1 and 0. With `lenient` any other value is none.
        """
        value = self.values.get(key)
        if value is None:
            return None
        try:
            score = float(value)
        except (TypeError, ValueError, OverflowError):
            score = float("nan")
        if lenient and not score <= 1 + _ROUNDING:
            return None
        if not isfinite(score):
            raise self.problem(key, f"Expected a number, found {value!r:.60}.")
        if score > 1 + _ROUNDING:
            hint = "Divide by the highest one that can be given: 1 is right, and anything less is wrong."
            raise self.problem(key, f"Expected a number from 0 to 1, found {value!r:.60}.", hint, Fault.SCALE)
        return min(max(0.0, score), 1.0)

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
