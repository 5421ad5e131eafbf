"""A TOML table that a pydantic model checks: what is wrong with it becomes a TaskError.

The error names the file, the field and the fix. pydantic takes 0.1 s to import, so it is imported on first
use. Knows no key of any table.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from ace.errors import TaskError
from ace.task.read_text import read_text

if TYPE_CHECKING:
    from pydantic import BaseModel

    Model = TypeVar("Model", bound=BaseModel)

_KINDS: dict[Any, str] = {
    str: "text",
    int: "a whole number",
    float: "a number",
    bool: "true or false",
    dict: "a table",
    list: "a list",
}
_WRONG_TYPE = {
    "string_type": "text",
    "int_type": "a whole number",
    "float_type": "a number",
    "bool_type": "true or false",
    "dict_type": "a table",
    "list_type": "a list",
}
_CONSTRAINTS = {"gt": "more than", "ge": "at least", "lt": "less than", "le": "at most", "expected": ""}


@dataclass(frozen=True, slots=True)
class TomlTable:
    """Hold the values of a table, and where it stands."""

    file: Path
    """The file. Paths in it are relative to its folder, unless there is a `root`."""

    values: dict[str, Any]
    """As TOML has them, tables within as dicts."""

    prefix: str = ""
    """What stands before its keys in messages, as "data."."""

    root: Path | None = None
    """The folder that paths are relative to, and stay in; None for that of the file."""

    @classmethod
    def from_file(cls, file: Path) -> TomlTable:
        """Return the whole file as a table without a prefix.

        Raises TaskError for a file that cannot be read, and for one that is no TOML, with the line where TOML
        names it.
        """
        try:
            return cls(file, tomllib.loads(read_text(file)))
        except (tomllib.TOMLDecodeError, RecursionError) as error:
            place = re.search(r"at line (\d+)", str(error))
            line = int(place.group(1)) if place else None
            raise TaskError(f"Not valid TOML: {error}.", file=str(file), line=line) from error

    def table(self, key: str) -> TomlTable:
        """Return the table under `key`, an empty one where there is none.

        Raises TaskError for a value that is no table.
        """
        values = self.values.get(key, {})
        if not isinstance(values, dict):
            raise self.problem(key, f"Expected a table, found {values!r:.60}.")
        return TomlTable(self.file, values, f"{self.prefix}{key}.")

    def validate(self, model: type[Model], *, ignore: Collection[str] = ()) -> Model:
        """Return the values as `model`; keys to `ignore` are for somebody else.

        Raises TaskError for the first value that does not fit, one that is missing, and an unknown key.
        """
        from pydantic import ValidationError

        values = {key: value for key, value in self.values.items() if key not in ignore}
        try:
            return model.model_validate(values)
        except ValidationError as error:
            raise self._translate(error.errors()[0], model, ignore) from error

    def problem(self, key: str, message: str, hint: str = "") -> TaskError:
        """Return an error that names the file and the field: to be raised by the caller."""
        return TaskError(message, hint=hint, file=str(self.file), field=f"{self.prefix}{key}")

    def resolve_path(self, key: str, path: str, *, folder: bool = False) -> Path:
        """Return an existing file, or folder, of the root. A link counts for what it points at.

        Raises TaskError, which names `key`, for a path that leaves the root or leads nowhere.
        """
        root = self.root or self.file.parent
        place = str(self.root or "the task folder")
        kind = "folder" if folder else "file"
        try:
            target = (root / path).resolve()
        except (OSError, RuntimeError, ValueError) as error:
            raise self.problem(key, f"Not a usable path: {path!r} ({error}).") from error
        if not target.is_relative_to(root.resolve()):
            raise self.problem(key, f"{path!r} leaves {place}.", f"Copy the {kind} into it.")
        exists = target.is_dir() if folder else target.is_file()
        if not exists:
            raise self.problem(key, f"No such {kind}: {path!r}.", f"Paths are relative to {place}.")
        return root / path

    def _translate(
        self, error: Mapping[str, Any], model: type[BaseModel], ignore: Collection[str]
    ) -> TaskError:
        """Say one error of pydantic in our words.

        A name that is nearly right is taken for a misspelling. Of a limit the message says what is allowed.
        """
        key = str(error["loc"][0])
        match error["type"]:
            case "missing":
                annotation = model.model_fields[key].annotation
                unknown = [name for name in self.values if name not in model.model_fields]
                similar = get_close_matches(key, unknown, n=1)
                hint = f"Is {similar[0]!r} a misspelling of it?" if similar else ""
                return self.problem(key, f"Missing; expected {_KINDS.get(annotation, 'a value')}.", hint)
            case "extra_forbidden":
                keys = [*model.model_fields, *ignore]
                similar = get_close_matches(key, keys, n=1)
                hint = f"Did you mean {similar[0]!r}?" if similar else f"Known: {', '.join(keys)}."
                return self.problem(key, "Unknown key.", hint)
            case "value_error":
                return self.problem(key, str(error["ctx"]["error"]))
        expected = _WRONG_TYPE.get(error["type"], "")
        if not expected or len(error["loc"]) > 1:
            limits: list[str] = []
            for name, limit in error.get("ctx", {}).items():
                if name in _CONSTRAINTS:
                    limits.append(f"{_CONSTRAINTS[name]} {limit}")
            in_words = " and ".join(limits).strip()  # as "at least 1"
            expected = model.model_fields[key].description or in_words or error["msg"]
        return self.problem(key, f"Expected {expected}, found {self.values[key]!r:.60}.")
