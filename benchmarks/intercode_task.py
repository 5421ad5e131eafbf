"""Wrap the InterCode SQL questions as a task folder outside the repository.

    python benchmarks/intercode_task.py ../shared/data/intercode-sql ../intercode_sql [--databases ...]

The folder then holds task.toml, three JSONL files and copies of the databases: a task never reaches
outside its own folder. The same arguments always write the same bytes.
"""

from __future__ import annotations

import argparse
import json
import random
import shutil
from itertools import islice
from pathlib import Path
from typing import Any

TASK = """name = "intercode_sql"
environment = "sql"
max_tokens = 200
instructions = "Answer the question about the database with one SQLite SELECT statement."

[data]
train = "train.jsonl"
val = "val.jsonl"
test = "test.jsonl"

[sql]
databases = "db/*.sqlite"
"""
ROOT = Path(__file__).resolve().parent.parent


def read(source: Path, databases: list[str]) -> list[dict[str, Any]]:
    """Return the questions in the fields of a task."""
    rows = map(json.loads, (source / "tasks.jsonl").read_text(encoding="utf-8").splitlines())
    return [
        {
            "id": f"{row['db']}-{row['task_id']}",
            "question": row["question"],
            "db": row["db"],
            "gold_sql": row["gold_sql"],
        }
        for row in rows
        if not databases or row["db"] in databases
    ]


def split(rows: list[dict[str, Any]], sizes: dict[str, int], seed: int) -> dict[str, list[dict[str, Any]]]:
    """Return disjoint random parts of the wanted sizes, fewer when the questions run out."""
    rest = iter(random.Random(seed).sample(rows, len(rows)))
    return {name: list(islice(rest, size)) for name, size in sizes.items()}


def write(source: Path, target: Path, parts: dict[str, list[dict[str, Any]]]) -> None:
    (target / "db").mkdir(parents=True)
    (target / "task.toml").write_text(TASK, encoding="utf-8")
    for name, rows in parts.items():
        lines = (json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
        (target / f"{name}.jsonl").write_text("".join(lines), encoding="utf-8")
    for name in sorted({row["db"] for rows in parts.values() for row in rows}):
        shutil.copyfile(source / "db" / f"{name}.sqlite", target / "db" / f"{name}.sqlite")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("source", type=Path, help="the folder with tasks.jsonl and db/")
    parser.add_argument("target", type=Path, help="the folder to create")
    parser.add_argument("--databases", nargs="*", default=[], help="only these (default: all)")
    parser.add_argument("--seed", type=int, default=0)
    for name, size in (("train", 120), ("val", 60), ("test", 120)):
        parser.add_argument(f"--{name}", type=int, default=size, help=f"questions (default {size})")
    options = parser.parse_args()
    if options.target.resolve().is_relative_to(ROOT):
        parser.error("the target is inside the repository; its data must not end up there")
    if options.target.exists():
        parser.error(f"{options.target} exists")
    sizes = {name: getattr(options, name) for name in ("train", "val", "test")}
    parts = split(read(options.source, options.databases), sizes, options.seed)
    write(options.source, options.target, parts)
    print(options.target, {name: len(rows) for name, rows in parts.items()})


if __name__ == "__main__":
    main()
