"""Write the folder of a task: what scripts that wrap other people's data have in common."""

from __future__ import annotations

import argparse
import json
import random
import shutil
from collections.abc import Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
SPLITS = ("train", "val", "test")

Row = Mapping[str, Any]


def split(rows: Sequence[Row], sizes: Mapping[str, int], seed: int) -> dict[str, list[Row]]:
    """Return disjoint random parts of the wanted sizes, fewer when the rows run out."""
    rest = iter(random.Random(seed).sample(list(rows), len(rows)))
    return {name: list(islice(rest, size)) for name, size in sizes.items()}


def write(target: Path, toml: str, parts: Mapping[str, Sequence[Row]]) -> str:
    """Write task.toml and a file of rows for each part, all or nothing; return how many rows each has."""
    draft = target.with_name(f"{target.name}.draft")
    shutil.rmtree(draft, ignore_errors=True)  # of a start that was cut off
    draft.mkdir(parents=True)
    data = "".join(f'{name} = "{name}.jsonl"\n' for name in parts)
    (draft / "task.toml").write_text(toml.replace("[data]\n", f"[data]\n{data}"), encoding="utf-8")
    for name, rows in parts.items():
        lines = (json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
        (draft / f"{name}.jsonl").write_text("".join(lines), encoding="utf-8")
    draft.rename(target)
    return f"{target} { ({name: len(rows) for name, rows in parts.items()}) }"


def add_options(parser: argparse.ArgumentParser, sizes: tuple[int, int, int]) -> None:
    """Add what every such script takes."""
    parser.add_argument("target", type=Path, help="the folder to create")
    for name, size in zip(SPLITS, sizes, strict=True):
        parser.add_argument(f"--{name}", type=int, default=size, help=f"rows (default {size})")


def read_options(parser: argparse.ArgumentParser, words: Sequence[str] | None = None) -> argparse.Namespace:
    """Return the options. Ends the program for a target inside the repository, and one that exists."""
    options = parser.parse_args(words)
    if options.target.resolve().is_relative_to(ROOT):
        parser.error("the target is inside the repository; its data must not end up there")
    if options.target.exists():
        parser.error(f"{options.target} exists")
    options.sizes = {name: getattr(options, name) for name in SPLITS}
    return options
