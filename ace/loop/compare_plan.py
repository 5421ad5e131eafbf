"""What a comparison will do, before it does anything: which cells, on what data, with about how many calls.

Refuses what could not be compared fairly. Asks no model and writes no file.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass, replace
from enum import Enum
from pathlib import Path
from statistics import fmean
from typing import Any

from ace.errors import InputError, TaskError
from ace.loop.offline import limit_samples
from ace.methods import find_method
from ace.methods.method_variants import Variant, list_variants
from ace.runs.run_text import align_columns, format_count
from ace.runs.study_cells import FLOOR, Cell, CellState, StudyBasis
from ace.runs.study_report import Study
from ace.settings import Settings
from ace.store.study_file import check_basis
from ace.task.samples import digest_data, normalize_question
from ace.task.types import Sample, Task

_DEPTH = 6  # of values in values that a hash covers
_NAMED = 5  # samples that an error names


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedCell:
    """Hold a cell with what it will take."""

    cell: Cell
    variant: Variant

    least: int
    """The calls that learning takes at the least; 0 where nothing is learned."""

    usual: float | None
    """The calls that learning took with other seeds, on average; None where no seed is done yet."""

    most: int | None
    """The calls that learning may take; None where nothing bounds them."""

    answers: int
    """The calls for the test samples, at one call for each."""

    @property
    def is_done(self) -> bool:
        """Return whether there is nothing left to do."""
        return self.cell.state is CellState.DONE

    def describe(self) -> str:
        """Return what it takes as a phrase for people."""
        if self.is_done:
            return "done"
        phrases = []
        if self.least:
            phrase = f"learning: at least {format_count(self.least, 'call')}"
            if self.usual is not None:
                phrase += f", about {self.usual:,.0f} as with other seeds"
            if self.most is not None:
                phrase += f", at most {self.most:,}"
            phrases.append(phrase)
        phrases.append(f"test: {format_count(self.answers, 'call')}")
        return "; ".join(phrases)


@dataclass(frozen=True, slots=True, kw_only=True)
class StudyPlan:
    """Hold what a comparison will do, cell by cell, in the order in which it will."""

    task: Task
    """The task with the samples that count."""

    settings: Settings
    """Those that all methods begin with."""

    cells: tuple[PlannedCell, ...]

    def basis(self, models: Mapping[str, str]) -> StudyBasis:
        """Return what all cells share, with the model of each role."""
        values = self.settings.record()
        for name in ("method", "seed", "measure", "split"):
            del values[name]
        return StudyBasis(
            task=self.task.name, data=hash_task(self.task), models=dict(models), settings=values
        )

    @property
    def least_calls(self) -> int:
        """Return the calls that what is left to do takes at the least."""
        return sum(planned.least + planned.answers for planned in self.cells if not planned.is_done)

    def to_json(self) -> dict[str, Any]:
        """Return the object that `--dry-run --json` prints."""
        cells = []
        for planned in self.cells:
            row = {
                "method": planned.cell.method,
                "seed": planned.cell.seed,
                "state": str(planned.cell.state),
                "learning_calls_least": planned.least,
                "learning_calls_usual": planned.usual,
                "learning_calls_most": planned.most,
                "test_calls": planned.answers,
            }
            cells.append(row)
        sizes = {split: len(getattr(self.task, split)) for split in ("train", "val", "test")}
        return {"task": self.task.name, **sizes, "cells": cells, "calls_least": self.least_calls}

    def __str__(self) -> str:
        """Return the plan as a table for people."""
        task = self.task
        sizes = f"{len(task.train)} train, {len(task.val)} val, {len(task.test)} test"
        left = sum(not planned.is_done for planned in self.cells)
        rows = [(planned.cell.name, str(planned.cell.state), planned.describe()) for planned in self.cells]
        total = f"{left} of {format_count(len(rows), 'cell')} to do, at least {self.least_calls:,} calls"
        return f"{task.name} ({sizes}): {total}\n{align_columns(rows)}"


def plan_study(
    task: Task,
    settings: Settings,
    methods: Sequence[str],
    seeds: Sequence[int],
    *,
    floor: bool = True,
    known: Study | None = None,
) -> StudyPlan:
    """Return what a comparison of these methods with these seeds will do.

    `floor` adds the method that learns nothing where it is not named. `known` is the study as far as it was
    made. Cells come seed by seed, so that a study that is cut off compares what it has.

    Raises InputError for an unknown method or option, where there is no seed or no test sample, and where
    `known` was made with another task or other settings; TaskError where a test sample is among those that
    are learned from.
    """
    task = limit_samples(task, settings)
    names = list(methods)
    if floor and FLOOR not in names:
        names.insert(0, FLOOR)
    variants = list_variants(names, settings)
    if not seeds:
        raise InputError("There is no seed.", hint="Give --seeds 0,1,2.")
    if not task.test:
        raise InputError(f"Task {task.name} has no test samples.", hint="Add some to [data] test.")
    if not task.train and any(find_method(variant.method).learns for variant in variants):
        raise InputError(f"Task {task.name} has no training samples.", hint="Add some to [data] train.")
    check_separation(task)
    planned = []
    for seed in dict.fromkeys(seeds):
        planned += [_plan_cell(task, variant, seed, known) for variant in variants]
    plan = StudyPlan(task=task, settings=settings, cells=tuple(planned))
    if known is not None:
        check_basis(Path(known.file), known.basis, plan.basis(known.basis.models))
    return plan


def _plan_cell(task: Task, variant: Variant, seed: int, known: Study | None) -> PlannedCell:
    """Return one cell of a plan; `known` says how far it is, and what its method took with other seeds."""
    settings = replace(variant.settings, seed=seed, measure=False)
    cell = Cell(
        method=variant.name, seed=seed, file=f"{variant.name}.seed-{seed}.db", settings=settings.record()
    )
    counts = []
    for other in known.cells if known else ():
        if other.method == variant.name and other.seed == seed:
            cell = replace(cell, state=other.state)
        if other.method == variant.name and other.state is CellState.DONE:
            counts.append(sum(usage.calls for usage in other.learning.values()))
    least = len(task.train) * settings.epochs
    if settings.calls is not None:
        least = min(least, settings.calls)
    return PlannedCell(
        cell=cell,
        variant=replace(variant, settings=settings),
        least=least if find_method(variant.method).learns else 0,
        usual=fmean(counts) if counts else None,
        most=settings.calls,
        answers=len(task.test),
    )


def check_separation(task: Task) -> None:
    """Raise TaskError, which names them, for test samples that are among the train or val samples too.

    A sample is the same with the same id, or with the same question about the same data, labels apart;
    questions that differ in case, spaces or punctuation only are the same.
    """
    learned: dict[object, tuple[str, Sample]] = {}
    for split in ("train", "val"):
        for sample in getattr(task, split):
            for key in _identify_sample(task, sample):
                learned.setdefault(key, (split, sample))
    overlaps = []
    for sample in task.test:
        for key in _identify_sample(task, sample):
            if key in learned:
                split, other = learned[key]
                same = "id" if key == sample.id else "question"
                overlaps.append(f"{sample.id} (same {same} as {other.id} in {split})")
                break
    if overlaps:
        more = f" and {len(overlaps) - _NAMED} more" if len(overlaps) > _NAMED else ""
        raise TaskError(
            f"{format_count(len(overlaps), 'test sample')} of {task.name} would be learned from: "
            f"{', '.join(overlaps[:_NAMED])}{more}.",
            hint="Remove them from test, or from train and val.",
            field="test",
        )


def _identify_sample(task: Task, sample: Sample) -> tuple[object, object]:
    """Return the two keys by which a sample is known again: its id, and its question with its data."""
    return sample.id, (normalize_question(sample.question), digest_data(task.environment, sample))


def hash_task(task: Task) -> dict[str, str]:
    """Return a hash of each part of a task, by its name for people. The same task gives the same hashes.

    Of code, such as a judge, the name counts and not what it does.
    """
    parts: dict[str, object] = {
        "instructions": (task.instructions, task.max_tokens, task.solver, task.extract),
        "environment": task.environment,
        "documents": _read_folder(task.context.documents),
    }
    for split in ("train", "val", "test"):
        rows = []
        for sample in getattr(task, split):
            rows.append([sample.id, sample.question, sorted(sample.data.items())])
        parts[f"{split} samples"] = json.dumps(rows, default=str)
    hashes = {}
    for name, part in parts.items():
        text = json.dumps(_simplify(part, _DEPTH), sort_keys=True, default=str)
        hashes[name] = hashlib.sha256(text.encode("utf-8", "backslashreplace")).hexdigest()[:16]
    return hashes


def _read_folder(folder: Path | None) -> list[tuple[str, str]]:
    """Return the names and hashes of all files in a folder."""
    if folder is None or not folder.is_dir():
        return []
    files = sorted(file for file in folder.rglob("*") if file.is_file())
    return [(file.relative_to(folder).as_posix(), _simplify(file, 1)) for file in files]


def _simplify(value: Any, depth: int) -> Any:
    """Return a value as JSON that is the same in another process; a file counts by its content.

    Of a dataclass its public fields count, of any other object its files alone: other attributes may change
    while it works, such as a counter or the address of a server.
    """
    if isinstance(value, Enum):
        return str(value.value)
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, Path):
        return hashlib.sha256(value.read_bytes()).hexdigest() if value.is_file() else "folder"
    kind = type(value).__qualname__
    if depth == 0:
        return kind
    if isinstance(value, Mapping):
        return [[_simplify(key, 1), _simplify(item, depth - 1)] for key, item in value.items()]
    if isinstance(value, (list, tuple)):
        return [_simplify(item, depth - 1) for item in value]
    if isinstance(value, (set, frozenset)):
        return sorted(json.dumps(_simplify(item, depth - 1)) for item in value)
    if callable(value) and hasattr(value, "__qualname__"):  # a function or a class
        return value.__qualname__
    if is_dataclass(value):
        names = [item.name for item in fields(value) if not item.name.startswith("_")]
        return [kind, [[name, _simplify(getattr(value, name), depth - 1)] for name in names]]
    attributes = sorted(getattr(value, "__dict__", {}).items())
    return [kind, [[name, _simplify(item, 1)] for name, item in attributes if isinstance(item, Path)]]
