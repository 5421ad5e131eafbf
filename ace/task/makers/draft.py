"""What a maker is asked for, and what it returns. Knows no benchmark."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from random import Random
from typing import Any

SPLITS = ("train", "val", "test")

Row = dict[str, Any]
"""A sample as it is written: {"id", "question", ...}."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MakeOptions:
    """Hold what somebody may ask of a maker. `Benchmark.options` names those of the second part it takes."""

    out: Path
    """The folder to be made: paths in task.toml are relative to it."""

    sizes: Mapping[str, int]
    """How many rows each split shall have."""

    seed: int = 0
    """Draws the splits; of a generator, everything."""

    absolute: bool = False
    """Whether paths to data are absolute, so that the folder may be moved, and not relative."""

    databases: tuple[str, ...] = ()
    """Only questions about these; empty for all."""

    test_databases: tuple[str, ...] = ()
    """What is tested are questions about these, and what is learned from are the others."""

    single: bool = False
    """Whether questions that stand in one row are asked one at a time."""

    without_wrong: bool = False
    """Whether rows whose right answer is listed as wrong are left out."""

    category: str = ""
    """A part of the data; "" for its first."""

    language: str = "en"
    """The language of a generator's questions."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskDraft:
    """Hold a task before it is written: either rows to draw splits from, or splits."""

    toml: str
    """task.toml without its [data]."""

    learning: Sequence[Row] = ()
    """Rows that train and val are drawn from; test as well where nothing is held out."""

    held_out: Sequence[Row] = ()
    """Rows that test is drawn from."""

    splits: Mapping[str, Sequence[Row]] = field(default_factory=dict)
    """What a generator has drawn by itself."""

    group: str = ""
    """A field: rows that have the same value there stay in one split, and it is not written; "" for none."""

    wrong: Mapping[str, str] = field(default_factory=dict)
    """Why the right answer of a row is listed as wrong, by its id."""

    partly: Mapping[str, str] = field(default_factory=dict)
    """What of a row nobody judges, by its id."""

    files: Mapping[str, str] = field(default_factory=dict)
    """Texts of further files, by their names in the folder."""

    left_out: Mapping[str, str] = field(default_factory=dict)
    """Why a row of the data is no part of the task, by its name."""

    def draw_splits(self, sizes: Mapping[str, int], seed: int) -> dict[str, list[Row]]:
        """Return disjoint random splits. The test rows do not depend on how many are learned from.

        Where there are too few rows, train gets what is left.
        """
        if self.splits:
            return {split: list(rows)[: sizes[split]] for split, rows in self.splits.items()}
        learning = iter(self._shuffle(self.learning, seed))
        held_out = iter(self._shuffle(self.held_out, seed)) if self.held_out else learning
        drawn = {"test": list(islice(held_out, sizes["test"]))}
        taken = {row.get(self.group) for row in drawn["test"]} if self.group else set()
        for split in ("val", "train"):
            free = (row for row in learning if not self.group or row[self.group] not in taken)
            drawn[split] = list(islice(free, sizes[split]))
            taken |= {row.get(self.group) for row in drawn[split]} if self.group else set()
        for row in (row for rows in drawn.values() for row in rows):
            row.pop(self.group, None)
        return {split: drawn[split] for split in SPLITS}

    def _shuffle(self, rows: Sequence[Row], seed: int) -> list[Row]:
        """Return the rows in an order of the seed. Those of one group stand together."""
        rng = Random(seed)
        if not self.group:
            return rng.sample(list(rows), len(rows))
        groups: dict[Any, list[Row]] = {}
        for row in rows:
            groups.setdefault(row[self.group], []).append(row)
        return [row for name in rng.sample(list(groups), len(groups)) for row in groups[name]]
