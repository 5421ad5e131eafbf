"""Reads one record of a log key by key: whatever is wrong with it becomes a TaskError that says where."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from importlib.resources import files
from math import isfinite
from typing import Any

from ace.errors import TaskError
from ace.task.traces.trace import Trace
from ace.text.message_content import read_message


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
_NUMBER = r"[-+]?\d{1,15}(?:\.\d{1,15})?"


@cache
def load_names(table: str) -> dict[str, Any]:
    """Return a table of `field_names.toml`."""
    text = files("ace.task.traces").joinpath("field_names.toml").read_text("utf-8")
    names: dict[str, Any] = tomllib.loads(text)[table]
    return names


def parse_json(value: Any) -> Any:
    """Return what a text holds that is JSON of a list or an object; any other value as it is."""
    if isinstance(value, str) and value.lstrip()[:1] in ("[", "{"):
        try:
            return json.loads(value)
        except (ValueError, RecursionError):
            pass
    return value


def find_field(values: Mapping[str, Any], names: Iterable[str]) -> Any:
    """Return the first of some fields that holds anything; None where none does."""
    return next((values[name] for name in names if values.get(name) not in (None, "")), None)


@dataclass(frozen=True, slots=True)
class Record:
    """Hold one record of a log. Its methods raise TaskError for a value that is not what is asked for."""

    values: Mapping[str, Any]
    """Its fields, as the log has them."""

    file: str
    """The path of the log; "" for a part of a record."""

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

    def find(self, key: str) -> tuple[str, Any]:
        """Return a field under its own name or another that stands for it, as (name, value).

        An answer that is named as a model's comes before "answer", which is the right one then. Where there
        is none, the name is the one that was asked for, and the value None.
        """
        others = load_names("fields").get(key, ())
        for name in (*load_names("generated").get(key, ()), key, *others):
            value = self.values.get(name)
            if value is None:
                continue
            if name in others and key == "question" and isinstance(value, int | float):
                continue  # such as a count of tokens
            if key == "messages":
                value = parse_json(value)
                is_chat = isinstance(value, list) and any(map(read_message, value))
                if name != key and not is_chat:
                    continue
                if value == [] and self.find("question")[1] is not None:
                    continue  # some loggers write every field
            return name, value
        return key, None

    def text(self, key: str, default: str | None = None) -> str:
        """Return a text, a number as text, or a list or an object as JSON.

        Without a `default` it must be there, and not empty.
        """
        field = key
        key, value = self.find(key)
        if isinstance(value, Mapping):  # such as the inputs and outputs of a chain
            _, inner = Record(value, "", 0).find(field)
            if inner is None and len(value) == 1:
                (inner,) = value.values()
            value = inner if isinstance(inner, str) else value
        if value is None and default is not None:
            return default
        if value is None:
            text = ""
        elif isinstance(value, list | dict | bool):
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
        _, value = self.find(key)
        if isinstance(value, float):
            value = int(value) if value.is_integer() else value if isfinite(value) else None
        text = ""
        if isinstance(value, str | int | float) and not isinstance(value, bool):
            text = " ".join(str(value).split())
        return text or self.key or f"record-{self.number}"

    def items(self, key: str) -> list[Any]:
        """Return a list that is not empty; its entries may be anything."""
        key, value = self.find(key)
        if not isinstance(value, list) or not value:
            message = f"Expected a list that is not empty, found {value!r:.60}."
            raise self.problem(key, message, fault=Fault.EMPTY)
        return value

    def flag(self, key: str, *, lenient: bool = False) -> bool | None:
        """Return true or false, which may be written as 1 and 0 or in words; None where there is none.

        With `lenient` any other value is none.
        """
        key, value = self.find(key)
        if isinstance(value, str):
            if value.strip().lower() in load_names("absent")["texts"]:
                return None
            for verdict, words in load_names("verdicts").items():
                if value.strip().lower() in words:
                    return bool(verdict == "right")
            value = {"1": 1, "0": 0}.get(value.strip(), value)
        if value is None or isinstance(value, bool):
            return value
        if value in (0, 1):
            return bool(value)
        if lenient:
            return None
        hint = "Write true or false, or a number from 0 to 1 as a reward."
        raise self.problem(key, f"Expected true or false, found {value!r:.60}.", hint)

    def score(self, key: str, *, lenient: bool = False) -> float | None:
        """Return a number from 0 to 1; None where there is none.

        It may be a text, a verdict in words, a share ("4/5", "80%") or an object that holds one. What is
        below 0 counts as 0, and true and false as 1 and 0. With `lenient` any other value is none.
        """
        key, given = self.find(key)
        value, names = given, (key, "reward", "score", "value")
        for _ in range(3):  # objects within objects
            if isinstance(value, Mapping):
                inner = next((value[name] for name in names if name in value), None)
                value = next(iter(value.values())) if inner is None and len(value) == 1 else inner
        is_absent = isinstance(value, str) and value.strip().lower() in load_names("absent")["texts"]
        if given is None or is_absent:
            return None
        holder = given if isinstance(given, Mapping) else self.values
        limits = [holder[name] for name in load_names("scale")["highest"] if name in holder]
        highest = next((limit for limit in limits if isinstance(limit, int | float) and limit > 0), 1)
        if isinstance(value, str):
            verdict = [verdict for verdict, words in load_names("verdicts").items()
                       if value.strip().lower() in words]  # fmt: skip
            between = load_names("scale")["between"]
            share = re.fullmatch(rf"({_NUMBER})\s*(?:%|(?:{between})\s*({_NUMBER}))", value.strip(), re.I)
            if verdict:
                value = verdict[0] == "right"
            elif share:
                value, highest = share[1], float(share[2] or 100)
        try:
            score = float(value) / highest
        except (TypeError, ValueError, ArithmeticError):
            score = float("nan")
        if lenient and not score <= 1 + _ROUNDING:
            return None
        if not isfinite(score):
            hint = "Write a number from 0 to 1: 1 is right, and anything less is wrong."
            raise self.problem(key, f"Expected a number, found {given!r:.60}.", hint)
        if score > 1 + _ROUNDING:
            hint = "Divide by the highest one that can be given: 1 is right, and anything less is wrong."
            raise self.problem(key, f"Expected a number from 0 to 1, found {given!r:.60}.", hint, Fault.SCALE)
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
