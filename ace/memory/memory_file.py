"""Memories as JSON lines: one object for each, every field written. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, fields
from types import NoneType
from typing import Any

from ace.errors import FormatError, InputError
from ace.memory.acceptance import flaw
from ace.memory.memory import Kind, Memory, Scope, checked

_NAMES = tuple(item.name for item in fields(Memory))
_NEEDED = ("attribute", "value", "since")
_TYPES: Mapping[str, tuple[type, ...]] = {
    "turn": (int, NoneType),
    "until": (str, NoneType),
    "expires": (str, NoneType),
}


def to_lines(memories: list[Memory]) -> str:
    return "".join(json.dumps(asdict(memory), ensure_ascii=False) + "\n" for memory in memories)


def from_lines(text: str, *, file: str = "") -> list[Memory]:
    """FormatError names file, line and field of the first row that cannot be used."""
    rows = ((number, line) for number, line in enumerate(text.split("\n"), start=1) if line.strip())
    read = [memory_of_row(_object(line, file, number), file, number) for number, line in rows]
    seen: dict[str, int] = {}
    for number, memory in enumerate(read, start=1):
        if memory.id and seen.setdefault(memory.id, number) != number:
            raise FormatError(f"Id {memory.id!r:.60} is used twice.", file=file, field="id")
    return read


def memory_of_row(row: Any, file: str, line: int) -> Memory:
    """One memory, checked by the same rules as any other. FormatError names the field."""
    where: dict[str, Any] = {"file": file, "line": line}
    if not isinstance(row, Mapping):
        raise FormatError(f"Expected an object, found {row!r:.60}.", **where)
    for field, problem, hint in _problems(row):
        raise FormatError(problem, hint=hint, field=field, **where)
    try:
        memory = checked(Memory(**{**row, "scope": _scope(row), "kind": Kind(row.get("kind", "fact"))}))
    except InputError as error:
        message = error.message.partition(": ")[2] or error.message
        raise FormatError(
            f"{message[:1].upper()}{message[1:]}", hint=error.hint, field=error.details["field"], **where
        ) from error
    if why := flaw(memory):
        raise FormatError(f"This must not be kept: {why}.", field="value", **where)
    return memory


def _object(line: str, file: str, number: int) -> Any:
    try:
        value = json.loads(line)
        json.dumps(value, ensure_ascii=False).encode()  # JSON can escape characters no file can hold
        return value
    except (ValueError, RecursionError) as error:
        hint = "Write one object a line."
        raise FormatError(f"Not valid JSON: {error}.", hint=hint, file=file, line=number) from error


def _scope(row: Mapping[str, Any]) -> Scope:
    """Where none is given, the narrowest that the row names somebody for."""
    named = "session" if row.get("session") else "user" if row.get("user") else "everyone"
    return Scope(row.get("scope", named))


def _problems(row: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    """(field, what is wrong, what to do)."""
    for name in row:
        if name not in _NAMES:
            yield name, "Unknown field.", f"Known: {', '.join(_NAMES)}."
    for name in _NEEDED:
        if name not in row:
            yield name, "Missing; expected text.", ""
    for name, value in row.items():
        if not isinstance(value, _TYPES.get(name, (str,))) or isinstance(value, bool):
            what = "a whole number" if name == "turn" else "text"
            yield name, f"Expected {what}, found {value!r:.60}.", ""
    for name, choices in (("scope", Scope), ("kind", Kind)):
        if row.get(name, next(iter(choices))) not in [*choices]:
            yield name, f"Expected {', '.join(choices)}, found {row[name]!r:.60}.", ""
