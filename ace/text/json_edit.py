"""Edits JSON text in place: what is not edited stays as it is, byte for byte.

A path names a value: keys of objects and places in lists, from the outside in. Knows nothing about what the
values mean.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

_BLANKS = " \t\r\n"
_BLANK = re.compile(rf"[{_BLANKS}]*")
_FIRST_INDENT = re.compile(r"\A[\[{][ \t]*\r?\n([ \t]+)")

Path = Sequence[str | int]


@dataclass(frozen=True, slots=True)
class Entry:
    """Locate one entry of an object or a list by offsets in the text."""

    key: str | int
    """Its key in an object; its place in a list, from 0."""

    start: int
    """Where it begins, with its key in an object."""

    value: int
    """Where its value begins."""

    end: int
    """Where its value has ended."""


def read_json(text: str) -> Any:
    """Return the value of a JSON text.

    Raises ValueError, also where a key stands twice in one object, and for a value that is nested too deeply.
    """
    try:
        return json.loads(text, object_pairs_hook=_read_object)
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error


def replace_value(text: str, path: Path, value: Any) -> str:
    """Return the text with another value at a path. Raises KeyError where there is none."""
    entry, _ = _locate(text, path)
    return text[: entry.value] + json.dumps(value, ensure_ascii=False) + text[entry.end :]


def append_value(text: str, path: Path, value: Any, key: str = "") -> str:
    """Return the text with a value added behind the others of the list, or object, at a path.

    In an object it gets `key`. It is laid out as its neighbours are. Raises KeyError where nothing is at the
    path.
    """
    holder, entries = _locate(text, path)
    newline = "\r\n" if "\r\n" in text else "\n"
    unit = _find_indent(text)
    if entries:
        last = entries[-1]
        gap = text[len(text[: last.start].rstrip(_BLANKS)) : last.start]
        is_flat, inner = "\n" not in gap, gap.rpartition("\n")[2]
        if is_flat and ": " in text:
            gap = gap or " "
        before, after = f"{text[: last.end]},{gap}", text[last.end :]
    else:
        line = text.rfind("\n", 0, holder.value) + 1
        outer = text[line : _skip(text, line)]
        is_flat, inner = not unit, outer + unit
        before, after = text[: holder.value + 1], text[holder.end - 1 :]
        if not is_flat:
            before, after = f"{before}{newline}{inner}", f"{newline}{outer}{after}"
    written = json.dumps(value, ensure_ascii=False, indent=None if is_flat else unit)
    if key:
        written = f"{json.dumps(key, ensure_ascii=False)}: {written}"
    if not is_flat:
        written = written.replace("\n", newline + inner)
    return before + written + after


def insert_value(text: str, path: Path, place: int, value: Any) -> str:
    """Return the text with a value at a place of the list at a path; those from there on move by one.

    It is written on one line. Raises KeyError where there is no such list.
    """
    holder, entries = _locate(text, path)
    if text[holder.value] != "[":
        raise KeyError(*path[-1:])
    written = json.dumps(value, ensure_ascii=False)
    if not entries:
        return f"{text[: holder.value + 1]}{written}{text[holder.end - 1 :]}"
    if place >= len(entries):
        end = entries[-1].end
        return f"{text[:end]}, {written}{text[end:]}"
    start = entries[place].start
    return f"{text[:start]}{written}, {text[start:]}"


def extend_text(text: str, path: Path, addition: str) -> str:
    """Return the JSON text with an addition at the end of the string at a path; its own escapes stay.

    Raises KeyError where there is no string.
    """
    entry, _ = _locate(text, path)
    if text[entry.value] != '"':
        raise KeyError(*path[-1:])
    written = json.dumps(addition, ensure_ascii=False)[1:-1]
    return f"{text[: entry.end - 1]}{written}{text[entry.end - 1 :]}"


def remove_value(text: str, path: Path) -> str:
    """Return the text without the entry at a path, and without the holders that it would leave empty.

    The outermost value stays. Raises KeyError where nothing is at the path.
    """
    _, siblings = _locate(text, path[:-1])
    if len(siblings) == 1 and len(path) > 1:
        return remove_value(text, path[:-1])
    entry, _ = _locate(text, path)
    place = [sibling.start for sibling in siblings].index(entry.start)
    if place:
        return text[: siblings[place - 1].end] + text[entry.end :]
    if len(siblings) > 1:
        return text[: entry.start] + text[siblings[1].start :]
    holder, _ = _locate(text, path[:-1])
    return text[: holder.value + 1] + text[holder.end - 1 :]


def _read_object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return an object. Raises ValueError for a key that stands twice."""
    values = dict(pairs)
    if len(values) < len(pairs):
        keys = [key for key, _ in pairs]
        double = next(key for key in keys if keys.count(key) > 1)
        raise ValueError(f"the key {double!r} stands twice in one object")
    return values


def _locate(text: str, path: Path) -> tuple[Entry, list[Entry]]:
    """Return where the value at a path stands, and its entries, none for a plain value.

    Raises KeyError where it is not there.
    """
    start = _skip(text, 0)
    _, end = json.JSONDecoder().raw_decode(text, start)
    entry, entries = Entry("", start, start, end), _list_entries(text, start)
    for step in path:
        entry = {inner.key: inner for inner in entries}[step]
        entries = _list_entries(text, entry.value)
    return entry, entries


def _list_entries(text: str, start: int) -> list[Entry]:
    """Return the entries of the object or list that begins at `start`; none for another value."""
    entries: list[Entry] = []
    if text[start] not in "{[":
        return entries
    is_object = text[start] == "{"
    decode = json.JSONDecoder().raw_decode
    place = _skip(text, start + 1)
    while text[place] not in "}]":
        begin, key = place, len(entries)
        name: str | int = key
        if is_object:
            name, place = decode(text, place)
            place = _skip(text, _skip(text, place) + 1)  # behind the colon
        _, end = decode(text, place)
        entries.append(Entry(name, begin, place, end))
        place = _skip(text, end)
        if text[place] == ",":
            place = _skip(text, place + 1)
    return entries


def _find_indent(text: str) -> str:
    """Return what one level is indented by: two spaces, unless the text says otherwise; "" for one line."""
    first = _FIRST_INDENT.match(text.lstrip())
    if first:
        return first[1]
    return "" if len(text.strip()) > len("{}") and "\n" not in text.strip() else "  "


def _skip(text: str, place: int) -> int:
    """Return the next place that is not blank."""
    match = _BLANK.match(text, place)
    return match.end() if match else place
