"""The files of somebody else's data, read where they lie. What is missing or odd is said by name."""

from __future__ import annotations

import csv
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ace.errors import InputError, TaskError
from ace.task.read_text import read_bytes, read_text
from ace.text.json_lines import read_json_lines


@dataclass(frozen=True, slots=True)
class SourceData:
    """Hold a data folder, and what in it could not be used."""

    folder: Path

    source: str
    """Where the data is to be had, for messages."""

    digests: Mapping[str, str] = field(default_factory=dict)
    """The SHA-256 of files in the version that is known."""

    odd: dict[str, str] = field(default_factory=dict)
    """Why rows were left out, by file and line."""

    def require_files(self, names: tuple[str, ...]) -> None:
        """Raise InputError where the folder, or a file or folder in it, is missing."""
        if not self.folder.is_dir():
            hint = f"--data is a folder with {', '.join(names)}. It comes from {self.source}"
            raise InputError(f"There is no folder {self.folder}.", hint=hint)
        for name in names:
            if not (self.folder / name).exists():
                hint = f"--data is the folder that has it. The data comes from {self.source}"
                raise InputError(f"{self.folder / name} is missing.", hint=hint)

    def find_changed(self) -> list[str]:
        """Return the files that are not those of the known version."""
        changed: list[str] = []
        for name, digest in self.digests.items():
            file = self.folder / name
            if file.is_file() and hashlib.sha256(read_bytes(file)).hexdigest() != digest:
                changed.append(name)
        return changed

    def read_rows(self, name: str, fields: Mapping[str, type]) -> dict[int, dict[str, Any]]:
        """Return the objects of a JSONL file by their place, from 0, that have these fields of these types.

        Others are left out, and noted in `odd`. Raises InputError where half of them or more do not fit.
        """
        rows: dict[int, dict[str, Any]] = {}
        lines = read_text(self.folder / name).split("\n")
        count = 0
        for number, line in enumerate(lines, start=1):
            if not line.strip():
                continue
            problem = ""
            try:
                ((_, row),) = read_json_lines(line, name, TaskError)
            except TaskError as error:
                problem = error.message
            else:
                problem = _find_misfit(row, fields)
            if problem:
                self.odd[f"{name}:{number}"] = problem
            else:
                rows[count] = row
            count += 1
        self._require_version(name, len(rows), count)
        return rows

    def read_table(self, name: str, columns: tuple[str, ...]) -> list[dict[str, str]]:
        """Return the rows of a CSV file that have these columns. Raises InputError where half have not."""
        rows: list[dict[str, str]] = []
        reader = csv.DictReader(read_text(self.folder / name).splitlines())
        count = 0
        for count, row in enumerate(reader, start=1):
            missing = [column for column in columns if not row.get(column)]
            if missing:
                self.odd[f"{name}:{count + 1}"] = f"it has no {missing[0]}"
            else:
                rows.append(row)
        self._require_version(name, len(rows), count)
        return rows

    def read_list(self, name: str) -> list[Any]:
        """Return the list in a JSON file; an empty one where there is no such file. Raises InputError."""
        file = self.folder / name
        if not file.is_file():
            return []
        try:
            values = json.loads(read_text(file))
        except (ValueError, RecursionError) as error:
            raise InputError(f"{file} is no JSON ({error}).", hint=f"Get it from {self.source}") from error
        if not isinstance(values, list):
            raise InputError(f"{file}: expected a list.", hint=f"Get it from {self.source}")
        return values

    def _require_version(self, name: str, fitting: int, count: int) -> None:
        """Raise InputError where most rows do not fit: this is other data, or another version."""
        if fitting * 2 > count:
            return
        first = next((f"{place}: {why}" for place, why in self.odd.items() if place.startswith(name)), "")
        message = (
            f"{self.folder / name} is another version of the data: {fitting} of {count} rows can be used."
        )
        hint = f"{first}. " if first else ""
        raise InputError(message, hint=f"{hint}Expected that of {self.source}")


def _find_misfit(row: Any, fields: Mapping[str, type]) -> str:
    """Return what is wrong with the value of a line; "" where it is an object with the fields."""
    if not isinstance(row, dict):
        return f"expected an object, found {row!r:.40}"
    for name, kind in fields.items():
        if not isinstance(row.get(name), kind):
            return f"expected {name} of type {kind.__name__}, found {row.get(name)!r:.40}"
    return ""
