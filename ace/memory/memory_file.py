"""Memories as JSON lines: one object for each, every field written. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, fields
from enum import StrEnum
from types import NoneType
from typing import Any

from ace.errors import FormatError, InputError
from ace.memory.acceptance import find_flaw
from ace.memory.memory_value import Kind, Memory, Scope, check_memory
from ace.text.json_lines import read_json_lines

_NAMES = tuple(item.name for item in fields(Memory))
_NEEDED = ("attribute", "value", "since")
_TYPES: Mapping[str, tuple[type, ...]] = {
    "turn": (int, NoneType),
    "until": (str, NoneType),
    "expires": (str, NoneType),
}


class RowFault(StrEnum):
    """Name the reasons for which a row is left out, as a report counts them."""

    SYNTAX = "not JSON"
    SHAPE = "not an object"
    VALUE = "with a field that cannot be used"
    RULE = "that must not be kept"
    TWICE = "with the id of an earlier row"
    TAKEN = "with the id of another memory here"


def dump_memories(memories: list[Memory]) -> str:
    """Return one JSON object a line, with every field: `load_memories` reads it."""
    return "".join(json.dumps(asdict(memory), ensure_ascii=False) + "\n" for memory in memories)


def load_memories(text: str, *, file: str = "", left_out: list[FormatError] | None = None) -> list[Memory]:
    """Read JSON lines; ids, where rows have them, must be unique: the first row with one has it.

    A row that cannot be used is added to `left_out` as a FormatError, which names file, line and field; its
    detail `fault` is the reason by which such rows are counted. Without a list for them, the first is raised.
    """
    memories: list[Memory] = []
    ids: set[str] = set()
    for number, line in enumerate(text.split("\n"), start=1):
        try:
            for _, row in read_json_lines(line, file, FormatError, first=number):
                memory = parse_memory_row(row, file, number)
                if memory.id in ids:
                    problem = f"Id {memory.id!r:.60} is used twice."
                    raise FormatError(problem, file=file, line=number, field="id", fault=RowFault.TWICE)
                ids.update(filter(None, [memory.id]))
                memories.append(memory)
        except FormatError as error:
            error.details.setdefault("fault", RowFault.SYNTAX)
            if left_out is None:
                raise
            left_out.append(error)
    return memories


def parse_memory_row(row: Any, file: str, line: int) -> Memory:
    """Return the memory of a row, checked by the same rules as any other.

    A row without a scope is for the session or the user that it names, else for everyone. No other memory is
    looked at, so a duplicate passes.
    Raises FormatError, which names file, line and field.
    """
    where: dict[str, Any] = {"file": file, "line": line, "fault": RowFault.VALUE}
    if not isinstance(row, Mapping):
        where["fault"] = RowFault.SHAPE
        raise FormatError(f"Expected an object, found {row!r:.60}.", **where)
    for field, problem, hint in _list_problems(row):
        raise FormatError(problem, hint=hint, field=field, **where)
    narrowest = Scope.EVERYONE  # that the row names somebody for
    if row.get("session"):
        narrowest = Scope.SESSION
    elif row.get("user"):
        narrowest = Scope.USER
    scope = Scope(row.get("scope", narrowest))
    try:
        memory = check_memory(Memory(**{**row, "scope": scope, "kind": Kind(row.get("kind", "fact"))}))
    except InputError as error:
        message = error.message.partition(": ")[2] or error.message
        message = f"{message[:1].upper()}{message[1:]}"  # without the field, which the new error names
        raise FormatError(message, hint=error.hint, field=error.details["field"], **where) from error
    if flaw := find_flaw(memory):
        where["fault"] = RowFault.RULE
        raise FormatError(f"This must not be kept: {flaw}.", field="value", **where)
    return memory


def _list_problems(row: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    """Yield (field, what is wrong, what to do): unknown and missing fields, wrong types, unknown choices."""
    for name in row:
        if name not in _NAMES:
            yield name, "Unknown field.", f"Known: {', '.join(_NAMES)}."
    for name in _NEEDED:
        if name not in row:
            yield name, "Missing; expected text.", ""
    for name, value in row.items():
        if not isinstance(value, _TYPES.get(name, (str,))) or isinstance(value, bool):
            expected = "a whole number" if name == "turn" else "text"
            yield name, f"Expected {expected}, found {value!r:.60}.", ""
    for name, choices in (("scope", Scope), ("kind", Kind)):
        if row.get(name, next(iter(choices))) not in [*choices]:
            yield name, f"Expected {', '.join(choices)}, found {row[name]!r:.60}.", ""
