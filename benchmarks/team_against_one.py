"""Measure a team of agents against one agent with all tools, on the same tasks of a helpdesk, by seed.

    python benchmarks/team_against_one.py --seeds 1 2 3

Each seed is a helpdesk that tasks/helpdesk_team/generate.py draws. Its test tasks are scored with an empty,
the hand-written and the learned playbook, by the team and by one agent, and compared task by task. Stages are
kept under --work, so that a stopped measurement goes on where it was. Writes team_against_one.{json,md}.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from ace.llm import Client
from ace.task import load_task
from benchmarks import measured_pages, measuring
from benchmarks.measuring import EMPTY, REFERENCE, ROOT, Stage

GENERATE = ROOT / "tasks" / "helpdesk_team" / "generate.py"
ARMS = ("one", "team")


def make_task(work: Path, arm: str, seed: int) -> Path:
    """Return the folder of a seed's task; make it where it is not there."""
    folder = work / "tasks" / f"{arm}_{seed}"
    if not (folder / "helpdesk.py").exists():  # it is written last
        words = [str(seed), "--out", str(folder), *(["--one"] if arm == "one" else [])]
        subprocess.run([sys.executable, str(GENERATE), *words], check=True)
    return folder


def measure(options: argparse.Namespace, words: Sequence[str], model: Client | None = None) -> str:
    """Measure every seed with both arms and write the pages; return the page."""
    stages: list[Stage] = []
    with measuring.open_bench(options, model) as bench:
        record = measuring.describe_measurement("team_against_one.py", words, bench.model.model)
        for seed in options.seeds:
            for arm in ARMS:
                folder = make_task(options.work, arm, seed)
                task = load_task(folder, trust=True)
                reference = (folder / "reference.md").read_text("utf-8")
                stages += bench.measure(task, f"{arm}-{seed}", reference)
    variants = list(bench.variants)
    record["settings"] = {name: settings.record() for name, settings in bench.variants.items()}
    record |= measured_pages.record_stages(stages, variants)
    rows, differences = [], {}
    for name in (EMPTY, REFERENCE, *variants):
        pairs = pair_arms(stages, name)
        by, low, high = differences[name] = measured_pages.bound_difference(pairs)
        change = f"{by:+.1%} (95% {low:+.1%} to {high:+.1%})"
        rows.append([name, *map(measured_pages.format_count, zip(*pairs, strict=True)), change])
        rows[-1].append(measured_pages.format_pairs(pairs))
    record["team_minus_one"] = differences
    head = ["playbook", *ARMS, "team minus one, paired", "McNemar"]
    sections = [measured_pages.format_table(head, rows), *measured_pages.render_stages(stages, variants)]
    return measured_pages.write_result(options.out, options.name or "team_against_one", record, sections)


def pair_arms(stages: Sequence[Stage], name: str) -> list[tuple[bool, bool]]:
    """Return right or wrong of one agent and of the team, for every task, with one kind of playbook."""
    by_group = measured_pages.find_stages(stages, name)
    pairs = []
    for group, one in by_group.items():
        arm, _, seed = group.partition("-")
        if arm == "one" and f"team-{seed}" in by_group:
            team = by_group[f"team-{seed}"].right
            pairs += [(right, team[sample]) for sample, right in one.right.items()]
    return pairs


def read_options(words: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seeds", nargs="+", type=int, default=[1], help="of the helpdesks (default 1)")
    measuring.add_options(parser, "bench-team")
    return parser.parse_args(words)


if __name__ == "__main__":
    measuring.run_script(read_options, measure)
