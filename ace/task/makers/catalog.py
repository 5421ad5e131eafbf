"""What can be added: the entries of catalog.toml."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from functools import cache
from pathlib import Path

from ace.errors import InputError
from ace.task.makers.draft import MakeOptions, TaskDraft
from ace.task.makers.source_data import SourceData

_FILE = Path(__file__).with_name("catalog.toml")

Maker = Callable[[SourceData, MakeOptions], TaskDraft]


@dataclass(frozen=True, slots=True, kw_only=True)
class Benchmark:
    """Describe a task that can be added."""

    name: str

    maker: str
    """The function that makes it, as "module:function"."""

    about: str
    """What the task asks, in one sentence."""

    source: str
    """Where its data comes from."""

    licence: str

    defects: str
    """What is known to be wrong with the data, in one line."""

    score: str
    """How an answer is scored."""

    sizes: Mapping[str, int]
    """How many rows each split has where nobody says otherwise."""

    files: tuple[str, ...] = ()
    """What the data folder has to have, by its path in it. A generator needs no data."""

    digests: Mapping[str, str] = field(default_factory=dict)
    """The SHA-256 of files, in the version that the maker was tried with."""

    options: tuple[str, ...] = ()
    """Fields of `MakeOptions` that it takes beside sizes and seed."""


@cache
def read_catalog() -> Mapping[str, Benchmark]:
    """Return what can be added, by name, in order."""
    tables = tomllib.loads(_FILE.read_text(encoding="utf-8"))
    entries: dict[str, Benchmark] = {}
    for name, table in tables.items():
        files, options = tuple(table.pop("files", ())), tuple(table.pop("options", ()))
        entries[name] = Benchmark(name=name, files=files, options=options, **table)
    return entries


def find_benchmark(name: str) -> Benchmark:
    """Return what has this name. Raises InputError, with the nearest name, where nothing has."""
    entries = read_catalog()
    if name in entries:
        return entries[name]
    close = get_close_matches(name.lower().replace("-", "_"), entries, n=1)
    hint = f"Did you mean {close[0]!r}?" if close else f"There are {', '.join(entries)}."
    raise InputError(f"Nothing to add is called {name!r}.", hint=f"{hint} `ace tasks list` has them.")
