"""A TOML table that is read key by key: what is missing, of the wrong type or left over is a TaskError."""

from __future__ import annotations

import re
import tomllib
from difflib import get_close_matches
from pathlib import Path
from typing import Any, TypeVar, overload

from ace.errors import TaskError
from ace.task.read_text import read_text

T = TypeVar("T")
_NAMES: dict[type, str] = {
    str: "text",
    int: "a whole number",
    float: "a number",
    bool: "true or false",
    dict: "a table",
    list: "a list",
}
_REQUIRED: Any = object()


class Table:
    """Keys are taken once; `done` refuses those nobody took."""

    def __init__(self, file: Path, values: dict[str, Any], name: str = "") -> None:
        self.file = file
        self._values = dict(values)
        self._name = name
        self._known: list[str] = []

    @classmethod
    def read(cls, file: Path) -> Table:
        try:
            return cls(file, tomllib.loads(read_text(file)))
        except (tomllib.TOMLDecodeError, RecursionError) as error:
            place = re.search(r"at line (\d+)", str(error))
            line = int(place.group(1)) if place else None
            raise TaskError(f"Not valid TOML: {error}.", file=str(file), line=line) from error

    @overload
    def take(self, key: str, kind: type[T]) -> T: ...
    @overload
    def take(self, key: str, kind: type[T], default: T) -> T: ...
    def take(self, key: str, kind: type[T], default: T = _REQUIRED) -> T:
        """The value of `key`; without a default it must be there."""
        self._known.append(key)
        value = self._values.pop(key, default)
        if value is _REQUIRED:
            raise self.problem(key, f"Missing; expected {_NAMES[kind]}.")
        if kind is float and type(value) is int:
            value = float(value)
        if type(value) is not kind:
            raise self.problem(key, f"Expected {_NAMES[kind]}, found {value!r}.")
        return value

    def table(self, key: str) -> Table:
        """A table inside this one; empty when absent."""
        return Table(self.file, self.take(key, dict, {}), self._field(key))

    def __contains__(self, key: str) -> bool:
        return key in self._values

    def rest(self) -> dict[str, Any]:
        """Every key not taken yet, for a reader that checks them itself."""
        values, self._values = self._values, {}
        return values

    def done(self) -> None:
        """Refuse keys that nobody took: a misspelt option must not be silently ignored."""
        for key in self._values:
            close = get_close_matches(key, self._known, n=1)
            hint = f"Did you mean {close[0]!r}?" if close else f"Known: {', '.join(self._known)}."
            raise self.problem(key, "Unknown key.", hint)

    def problem(self, key: str, message: str, hint: str = "") -> TaskError:
        return TaskError(message, hint=hint, file=str(self.file), field=self._field(key))

    def _field(self, key: str) -> str:
        return f"{self._name}.{key}" if self._name else key


def inside(table: Table, key: str, path: str, *, folder: bool = False) -> Path:
    """An existing file (or folder) of the task folder. Links count for what they point at."""
    root, what = table.file.parent, "folder" if folder else "file"
    try:
        target = (root / path).resolve()
    except (OSError, RuntimeError, ValueError) as error:
        raise table.problem(key, f"Not a usable path: {path!r} ({error}).") from error
    if not target.is_relative_to(root.resolve()):
        raise table.problem(key, f"{path!r} leaves the task folder.", f"Copy the {what} into it.")
    if not (target.is_dir() if folder else target.is_file()):
        raise table.problem(key, f"No such {what}: {path!r}.", "Paths are relative to the task folder.")
    return root / path
