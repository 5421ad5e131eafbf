"""Measure learning on ACE's Formula task: 100 questions to learn from, 60 held out of the validation file.

    python benchmarks/formula.py --data ../shared/data/ace-finance [--train 100 --test 60] [--playbook FILE]

The test questions are scored with an empty playbook, with a hand-written one (formula.reference.md, written
from the training file only) and after learning. Targets are as given. Some are wrong: a second score leaves
out the rows of formula_label_defects.json, where the folder has it. Stages are kept under --work, so that a
stopped measurement goes on where it was. Writes results/formula.{json,md}.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
from collections.abc import Collection, Sequence
from dataclasses import replace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from ace.llm import Client
from ace.task import Task, load_task
from ace.task.makers.add_task import add_task
from ace.task.makers.make_finance import read_wrong_targets
from ace.task.makers.source_data import SourceData
from benchmarks import measured_pages, measuring
from benchmarks.measuring import Stage


def make_task(options: argparse.Namespace) -> Task:
    """Return the task of these questions; make its folder under --work where it is not there."""
    sizes = {"train": options.train, "val": 0, "test": options.test}
    folder = options.work / f"task-{options.train}-{options.test}-{options.seed}"
    if not folder.exists():
        add_task("formula", out=folder, data=options.data, seed=options.seed, sizes=sizes)
    return load_task(folder)


def read_defects(data: Path) -> dict[str, str]:
    """Return the rows whose target is wrong, by id, with the verdict; none where there is no list."""
    return read_wrong_targets(SourceData(data, ""))


def leave_out(stage: Stage, samples: Collection[str]) -> Stage:
    """Return the stage as if these test questions had not been asked."""
    right = {sample: mark for sample, mark in stage.right.items() if sample not in samples}
    return replace(stage, right=right)


def measure(options: argparse.Namespace, words: Sequence[str], model: Client | None = None) -> str:
    """Measure the three playbooks and write the pages; return the page."""
    task = make_task(options)
    reference, defects = options.playbook.read_text("utf-8"), read_defects(options.data)
    asked = json.dumps([[sample.id, sample.question] for sample in (*task.train, *task.test)])
    stamp = {"questions": hashlib.sha256(asked.encode()).hexdigest()[:16]}
    with measuring.open_bench(options, model, **stamp) as bench:
        record = measuring.describe_measurement("formula.py", words, bench.model.model)
        stages = list(bench.measure(task, "formula", reference))
    variants = list(bench.variants)
    clean = [leave_out(stage, defects) for stage in stages]
    record["settings"] = {name: settings.record() for name, settings in bench.variants.items()}
    wrong = {
        "train": [sample.id for sample in task.train[: options.limit] if sample.id in defects],
        "test": [sample for sample in stages[0].right if sample in defects],
    }
    record["wrong_targets"] = wrong
    record["as_given"] = measured_pages.record_stages(stages, variants)
    record["without_wrong_targets"] = measured_pages.record_stages(clean, variants)
    sections = ["Targets as given:", *measured_pages.render_stages(stages, variants)]
    if defects:
        sections += [
            f"Without the {len(wrong['test'])} test questions whose target is known to be wrong. "
            f"{len(wrong['train'])} training questions have a wrong target and were learned from.",
            measured_pages.render_pooled(clean, variants),
        ]
    return measured_pages.write_result(options.out, options.name or "formula", record, sections)


def read_options(words: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True, help="the folder with ACE's finance data")
    parser.add_argument("--train", type=int, default=100, help="questions to learn from (default 100)")
    parser.add_argument("--test", type=int, default=60, help="held-out questions (default 60)")
    parser.add_argument("--seed", type=int, default=0, help="draws the questions")
    parser.add_argument("--playbook", type=Path, default=Path(__file__).with_name("formula.reference.md"))
    measuring.add_options(parser, "bench-formula")
    return parser.parse_args(words)


if __name__ == "__main__":
    measuring.run_script(read_options, measure)
