"""Make the folder of a benchmark: draft, check, split, write. Nothing half-written is left behind."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from importlib import import_module
from pathlib import Path
from typing import Any

from ace.errors import InputError, TaskError, UntrustedCode
from ace.task.folder import load_task
from ace.task.makers.catalog import Benchmark, Maker, find_benchmark, read_catalog
from ace.task.makers.draft import SPLITS, MakeOptions, Row, TaskDraft
from ace.task.makers.readme import write_readme
from ace.task.makers.source_data import SourceData
from ace.task.samples import check_task
from ace.task.trust import remember_trust


@dataclass(frozen=True, slots=True)
class AddedTask:
    """Say what was made."""

    folder: Path

    sizes: Mapping[str, int]
    """How many rows each split has."""

    left_out: Mapping[str, str]
    """Why a row of the data is no part of the task, by its name."""

    changed: Sequence[str]
    """Files of the data that are not those of the known version."""


def add_task(
    name: str, *, out: Path, data: Path | None = None, sizes: Mapping[str, int] | None = None, **chosen: Any
) -> AddedTask:
    """Make the folder `out` of the benchmark called `name`, whose data lies in `data`.

    `sizes` are how many rows each split shall have, where that is not the benchmark's own; `chosen` are
    fields of `MakeOptions`. Raises InputError for a name that nothing has, for data that is missing or of
    another version, for an option that the benchmark does not take, and for a folder that exists. A folder
    outside of the project is trusted from now on.
    """
    benchmark = find_benchmark(name)
    options = MakeOptions(out=out.absolute(), sizes={**benchmark.sizes, **(sizes or {})}, **chosen)
    _require_options(benchmark, options)
    if os.path.lexists(out):
        raise InputError(f"{out} exists.", hint="Give another folder with --out, or remove it.")
    if benchmark.files and data is None:
        hint = f"Give --data, the folder that has {benchmark.files[0]}. It comes from {benchmark.source}"
        raise InputError(f"{name} needs data.", hint=hint)
    if data is not None and not benchmark.files:
        raise InputError(f"{name} draws its own data.", hint="Leave --data out.")
    source = SourceData((data or Path()).absolute(), benchmark.source, benchmark.digests)
    source.require_files(benchmark.files)
    module, _, function = benchmark.maker.partition(":")
    maker: Maker = getattr(import_module(module), function)
    draft = maker(source, options)
    draft = replace(draft, left_out={**source.odd, **draft.left_out})
    added = _write_checked(benchmark, draft, options, source)
    try:
        load_task(added.folder, check=False)
    except UntrustedCode as error:  # outside of the project here; but it is of our own making
        remember_trust(error)
    return added


def _require_options(benchmark: Benchmark, options: MakeOptions) -> None:
    """Raise InputError for an option that the benchmark does not take, and for a size that is none."""
    plain = MakeOptions(out=options.out, sizes=options.sizes)
    always = ("out", "sizes", "seed")
    for name, value in asdict(options).items():
        if name in always or name in benchmark.options or value == getattr(plain, name):
            continue
        takers = [each.name for each in read_catalog().values() if name in each.options]
        hint = f"It is for {', '.join(takers)}."
        raise InputError(f"{benchmark.name} takes no --{name.replace('_', '-')}.", hint=hint, field=name)
    for split, size in options.sizes.items():
        least = 0 if split == "val" else 1
        if size < least:
            raise InputError(f"--{split} must be at least {least}, and is {size}.", field=split)


def _write_checked(
    benchmark: Benchmark, draft: TaskDraft, options: MakeOptions, source: SourceData
) -> AddedTask:
    """Write all rows beside the folder, leave out what its environment refuses, and write the splits.

    The folder gets its name at the very end. Whatever goes wrong before that removes what was written.
    """
    work = options.out.with_name(f".{options.out.name}.{os.getpid()}")
    try:
        every = draft.splits or {"train": draft.learning, "test": draft.held_out}
        write_folder(work, draft, {split: rows for split, rows in every.items() if rows})
        refused = _find_refused(work)
        draft = _drop_rows(draft, refused)
        splits = draft.draw_splits(options.sizes, options.seed)
        if options.without_wrong:
            splits = {
                split: [row for row in rows if row["id"] not in draft.wrong] for split, rows in splits.items()
            }
        sizes = {split: len(splits[split]) for split in SPLITS}
        if not (sizes["train"] and sizes["test"]):
            message = (
                f"There are not enough rows: {sizes['train']} to learn from and {sizes['test']} to test on."
            )
            raise InputError(message, hint="Ask for fewer with --train, --val and --test, or choose more.")
        changed = source.find_changed()
        shutil.rmtree(work)
        readme = write_readme(benchmark, draft, options, data=source.folder, splits=splits, changed=changed)
        files = {**draft.files, "README.md": readme}
        write_folder(
            work, replace(draft, files=files), {split: rows for split, rows in splits.items() if rows}
        )
        work.rename(options.out)
    except TaskError as error:  # of the environment, as of a package that is missing
        error.details["file"] = str(options.out / Path(error.details.get("file", "")).name)
        raise
    except OSError as error:
        raise InputError(f"{options.out} cannot be written ({error}).", hint="Give another --out.") from error
    finally:
        shutil.rmtree(work, ignore_errors=True)
    return AddedTask(options.out, sizes, draft.left_out, changed)


def write_folder(folder: Path, draft: TaskDraft, splits: Mapping[str, Sequence[Row]]) -> None:
    """Write task.toml, the rows of each split, and the other files."""
    folder.mkdir(parents=True)
    named = "".join(f'{split} = "{split}.jsonl"\n' for split in splits)
    texts = {"task.toml": f"{draft.toml.rstrip()}\n\n[data]\n{named}", **draft.files}
    for split, rows in splits.items():
        texts[f"{split}.jsonl"] = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    for name, text in texts.items():
        (folder / name).write_text(text, encoding="utf-8", newline="\n")


def _find_refused(folder: Path) -> dict[str, str]:
    """Return why rows cannot be used, by id: their right answer fails, or they stand there twice.

    Raises TaskError for what is wrong with the whole folder.
    """
    refused: dict[str, str] = {}
    for problem in check_task(load_task(folder, check=False, trust=True)):
        if "sample" not in problem.details:
            raise problem
        refused.setdefault(problem.details["sample"], problem.message)
    return refused


def _drop_rows(draft: TaskDraft, refused: Mapping[str, str]) -> TaskDraft:
    """Return the draft without these rows, which are named as left out."""
    parts = {"learning": draft.learning, "held_out": draft.held_out, **draft.splits}
    good = {name: [row for row in rows if row["id"] not in refused] for name, rows in parts.items()}
    return replace(
        draft,
        learning=good.pop("learning"),
        held_out=good.pop("held_out"),
        splits=good,
        left_out={**draft.left_out, **refused},
    )
