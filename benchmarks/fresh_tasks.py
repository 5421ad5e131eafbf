"""Measure learning on tasks that nobody has tuned for: empty, hand-written and learned playbooks, by seed.

    python benchmarks/fresh_tasks.py sql --seeds 1001 1002 1003
    python benchmarks/fresh_tasks.py rules --seeds 1001 1002 --language de --variants default without=refine
    python benchmarks/fresh_tasks.py office --seeds 1001 1002 1003

Each seed is a task of `ace tasks add`: fresh_sql, fresh_rules or office_tools. Its test questions are scored
with an empty playbook, with the hand-written reference, and after learning with each variant of the settings.
Stages are kept under --work, so that a stopped measurement goes on where it was.
Writes results/fresh_KIND.{json,md}.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from ace.llm import Client
from ace.task import load_task
from ace.task.makers.add_task import add_task
from ace.task.makers.fresh_rules import LANGUAGES
from benchmarks import measured_pages, measuring
from benchmarks.measuring import Stage

KINDS = {"sql": "fresh_sql", "rules": "fresh_rules", "office": "office_tools"}


def make_task(options: argparse.Namespace, seed: int) -> Path:
    """Return the folder of a seed's task; make it where it is not there."""
    folder = options.work / str(seed) / "task"
    sizes = {"train": options.train, "val": 20, "test": options.test}
    generator = None
    if options.kind == "office":  # its program draws 40, 20 and 40 tasks
        sizes, generator = {}, measuring.ROOT / "tasks" / "office_tools"
    if not folder.exists():
        name, language = KINDS[options.kind], options.language
        add_task(name, out=folder, data=generator, seed=seed, sizes=sizes, language=language)
    return Path(folder)


def measure(options: argparse.Namespace, words: Sequence[str], model: Client | None = None) -> str:
    """Measure every seed and write the pages; return the page."""
    stages: list[Stage] = []
    stamp = {"kind": options.kind, "language": options.language, "sizes": [options.train, options.test]}
    with measuring.open_bench(options, model, **stamp) as bench:
        record = measuring.describe_measurement("fresh_tasks.py", words, bench.model.model)
        for seed in options.seeds:
            folder = make_task(options, seed)
            reference = (folder / "reference.md").read_text("utf-8")
            task = load_task(folder, trust=True)
            task = replace(task, test=task.test[: options.test])
            stages += bench.measure(task, str(seed), reference)
    variants = list(bench.variants)
    record["settings"] = {name: settings.record() for name, settings in bench.variants.items()}
    record |= measured_pages.record_stages(stages, variants)
    language = "" if options.language == "en" else f"_{options.language}"
    name = options.name or f"fresh_{options.kind}{language}"
    sections = measured_pages.render_stages(stages, variants)
    return measured_pages.write_result(options.out, name, record, sections)


def read_options(words: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("kind", choices=KINDS)
    parser.add_argument("--seeds", nargs="+", type=int, required=True, help="from 1000 on nobody has tuned")
    parser.add_argument("--language", choices=LANGUAGES, default="en", help="of rules")
    parser.add_argument("--train", type=int, default=60, help="training questions (default 60)")
    parser.add_argument("--test", type=int, default=40, help="test questions (default 40)")
    measuring.add_options(parser, "bench-fresh")
    options = parser.parse_args(words)
    if options.kind != "rules" and options.language != "en":
        parser.error("--language is for rules; the words of the others are English")
    options.work = options.work / f"{options.kind}-{options.language}"
    return options


if __name__ == "__main__":
    measuring.run_script(read_options, measure)
