"""Measure learning on InterCode's SQL questions: of Spider, whose schemas say what columns mean.

    python benchmarks/intercode_task.py --data ../shared/data/intercode-sql [--databases car_1 ...]

The task folder is made by `ace tasks add intercode_sql`, under --work, and taken as it is where it is there;
stages are kept there, too. The pages are results/intercode_sql.{json,md}. They say what was refused and why
nothing was learned, if so.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from ace.llm import Client
from ace.task import Task, load_task
from ace.task.makers.add_task import add_task
from benchmarks import measured_pages, measuring


def make_task(options: argparse.Namespace) -> Task:
    """Return the task; make its folder under --work where it is not there."""
    folder = options.work / "task"
    if not folder.exists():
        sizes = {name: getattr(options, name) for name in ("train", "val", "test")}
        chosen = {
            "seed": options.seed,
            "databases": tuple(options.databases),
            "test_databases": tuple(options.test_databases),
        }
        add_task("intercode_sql", out=folder, data=options.data, sizes=sizes, **chosen)
    return load_task(folder, trust=True)


def measure(options: argparse.Namespace, words: Sequence[str], model: Client | None = None) -> str:
    """Score the task before and after learning, and return the page."""
    task = make_task(options)
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
    parser.add_argument("--data", type=Path, required=True, help="the folder with tasks.jsonl and db/")
    parser.add_argument("--databases", nargs="*", default=[], help="only these (default: all)")
    parser.add_argument("--test-databases", nargs="*", default=[], help="tested on; others are learned from")
    parser.add_argument("--seed", type=int, default=0)
    for name, size in (("train", 120), ("val", 60), ("test", 60)):
        parser.add_argument(f"--{name}", type=int, default=size, help=f"questions (default {size})")
    measuring.add_options(parser, "bench-intercode")
    return parser.parse_args(words)


if __name__ == "__main__":
    measuring.run_script(read_options, measure)
