"""What learning buys on tasks/shop_sql: empty, hand-written and learned playbooks on the same test questions.

    python benchmarks/shop_sql.py --seeds 0 1 2 --variants default without=proof

A seed draws the order of the training questions; the first two playbooks depend on none and are scored once.
Stages are kept under --work, so that a stopped measurement goes on where it was. Writes
results/shop_sql.{json,md}.
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
from benchmarks import measured_pages, measuring

REFERENCE = measuring.ROOT / "playbooks" / "shop_sql.reference.md"
EARLIER_NAMES = {  # of variants, in results of 2026-11-24
    "learned": "default",
    "unverified": "without=proof",
    "one-try": "tries=1",
    "no-neighbours": "neighbours=0",
    "no-replays": "replays=0",
    "two-epochs": "epochs=2",
}
SHARED = """Seeds share their test questions, so intervals and p-values of sums over seeds are optimistic. The
empty and the hand-written playbook were scored once; their rows are the same for every seed."""


def measure(options: argparse.Namespace, words: Sequence[str], model: Client | None = None) -> str:
    """Measure every seed and write the pages; return the page."""
    task, reference = load_task(options.task), REFERENCE.read_text("utf-8")
    with measuring.open_bench(options, model, task=str(options.task.resolve())) as bench:
        record = measuring.describe_measurement("shop_sql.py", words, bench.model.model)
        plain = list(bench.measure_plain(task, "any", reference))
        stages = []
        for seed in options.seeds:
            stages += [replace(stage, group=str(seed)) for stage in plain]
            seeded = {name: replace(settings, seed=seed) for name, settings in bench.variants.items()}
            stages += replace(bench, variants=seeded).measure_learned(task, str(seed))
    variants = list(bench.variants)
    record["settings"] = {name: settings.record() for name, settings in bench.variants.items()}
    record |= measured_pages.record_stages(stages, variants)
    sections = measured_pages.render_stages(stages, variants)
    if len(options.seeds) > 1:
        sections.insert(1, SHARED)
    return measured_pages.write_result(options.out, options.name or "shop_sql", record, sections)


def read_options(words: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--task", type=Path, default=measuring.ROOT / "tasks" / "shop_sql")
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    measuring.add_options(parser, "bench-shop_sql")
    options = parser.parse_args(words)
    names = [EARLIER_NAMES.get(name, name) for name in options.variants if name != measuring.REFERENCE]
    options.variants = names or ["default"]
    return options


if __name__ == "__main__":
    measuring.run_script(read_options, measure)
