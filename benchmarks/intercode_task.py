"""Wrap the InterCode SQL questions as a task folder outside the repository, and measure learning on it.

    python benchmarks/intercode_task.py ../shared/data/intercode-sql ../intercode_sql [--databases ...]
    python benchmarks/intercode_task.py ../shared/data/intercode-sql ../intercode_sql --measure

The folder then holds task.toml, three JSONL files and copies of the databases: a task never reaches
outside its own folder. The same arguments always write the same bytes. With --measure a folder that is there
is taken as it is; stages are kept under --work; the pages are results/intercode_sql.{json,md}. They say what
was refused and why nothing was learned, if so.
"""

from __future__ import annotations

import argparse
import json
import random
import shutil
import sys
from collections.abc import Sequence
from itertools import islice
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from ace.errors import InputError
from ace.llm import Client
from ace.task import load_task
from benchmarks import measured_pages, measuring

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


def make_task(options: argparse.Namespace) -> str:
    """Write the folder, unless it is there to be measured; return how many questions each split has."""
    if options.target.exists():
        return f"{options.target} as it is"
    sizes = {name: getattr(options, name) for name in ("train", "val", "test")}
    rows = read(options.source, options.databases)
    parts = split(rows, sizes, options.seed)
    if not (parts["train"] and parts["test"]):
        hint = "Ask for fewer with --train, --val and --test, or for more --databases."
        raise InputError(f"There are only {len(rows)} questions, and no split may be empty.", hint=hint)
    draft = options.target.with_name(f"{options.target.name}.draft")
    shutil.rmtree(draft, ignore_errors=True)  # of a start that was cut off
    write(options.source, draft, parts)
    draft.rename(options.target)
    return f"{options.target} { ({name: len(rows) for name, rows in parts.items()}) }"


def measure(options: argparse.Namespace, words: Sequence[str], model: Client | None = None) -> str:
    """Make the task; with --measure score it before and after learning, and return the page."""
    made = make_task(options)
    if not options.measure:
        return made
    task = load_task(options.target)
    questions = [sample.id for sample in (*task.train, *task.test)]
    with measuring.open_bench(options, model, questions=questions) as bench:
        record = measuring.describe_measurement("intercode_task.py", words, bench.model.model)
        stages = list(bench.measure(task, "intercode"))
    variants = list(bench.variants)
    record["settings"] = {name: settings.record() for name, settings in bench.variants.items()}
    record |= measured_pages.record_stages(stages, variants)
    sections = measured_pages.render_stages(stages, variants)
    return measured_pages.write_result(options.out, options.name or "intercode_sql", record, sections)


def read_options(words: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("source", type=Path, help="the folder with tasks.jsonl and db/")
    parser.add_argument("target", type=Path, help="the folder to create")
    parser.add_argument("--databases", nargs="*", default=[], help="only these (default: all)")
    parser.add_argument("--seed", type=int, default=0)
    for name, size in (("train", 120), ("val", 60), ("test", 60)):
        parser.add_argument(f"--{name}", type=int, default=size, help=f"questions (default {size})")
    parser.add_argument("--measure", action="store_true", help="score before and after learning")
    measuring.add_options(parser, "bench-intercode")
    options = parser.parse_args(words)
    if options.target.resolve().is_relative_to(ROOT):
        parser.error("the target is inside the repository; its data must not end up there")
    if options.target.exists() and not options.measure:
        parser.error(f"{options.target} exists")
    return options


if __name__ == "__main__":
    measuring.run_script(read_options, measure)
