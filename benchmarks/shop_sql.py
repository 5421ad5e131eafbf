"""What learning buys on tasks/shop_sql: the loop, its ceiling and its ablations, on the same test questions.

    python benchmarks/shop_sql.py --out benchmarks/results --seeds 0 1 2

Each variant runs in a fresh playbook file under --work (kept, so that a stopped benchmark goes on where it
was: finished runs are read from there). Writes shop_sql.json and a table, shop_sql.md.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ace.llm import DEFAULT_MODEL, Client, RoleModels, connect
from ace.llm.prompts import hash_prompts
from ace.loop import evaluate, learn
from ace.playbook import Playbook, diff, from_markdown
from ace.runs.metrics import mcnemar, wilson
from ace.settings import Settings
from ace.store import Store
from ace.task import Task, load_task

ROOT = Path(__file__).parents[1]
VARIANTS = {  # the score before learning is the same for all of them, so it is measured once
    "learned": Settings(),
    "unverified": Settings(verify=False, measure=False),
    "one-try": Settings(tries=1, measure=False),
    "no-neighbours": Settings(neighbours=0, measure=False),
    "no-replays": Settings(replays=0, measure=False),
    "two-epochs": Settings(epochs=2, measure=False),
}


def ceiling(task: Task, store: Store, team: RoleModels, show: Callable[..., None]) -> dict[str, Any]:
    """The hand-written playbook on the test questions."""
    text = (ROOT / "playbooks" / "shop_sql.reference.md").read_text("utf-8")
    if not len(store.checkout()):
        store.commit(
            diff(Playbook(), from_markdown(text)), author="person", reason="the hand-written playbook"
        )
    return evaluate(task, store, team, progress=show).to_json()


def runs(
    task: Task, model: Client, work: Path, variants: list[str], seeds: list[int]
) -> Iterator[tuple[str, int, dict[str, Any], list[bool]]]:
    """(variant, seed, report, right or wrong for every test question) for every run, made or found."""
    for variant in variants:
        for seed in seeds if variant != "reference" else [0]:
            with Store.open(work / f"{variant}-{seed}.db") as store:
                print(f"{variant}, seed {seed}", flush=True)
                _make(variant, seed, task, store, RoleModels.of(model))
                done = [run for run in store.runs() if run.status == "done"]
                report, last = dict(done[0].report or {}), done[-1]
                report["after"] = (last.report or {})["after"]
                phase = "after" if last.kind == "learn" else "test"
                right = [e.verdict.correct for e in store.episodes(run=last.id) if e.phase == phase]
                yield variant, seed, report, right


def _make(variant: str, seed: int, task: Task, store: Store, team: RoleModels) -> None:
    """What is not in the file yet: learning, then the score."""

    def show(phase: str, done: int, total: int, note: str = "") -> None:
        print(f"  {phase}: {done} of {total} {note}", flush=True)

    done = [run.kind for run in store.runs() if run.status == "done"]
    if variant == "reference":
        if not done:
            ceiling(task, store, team, show)
        return
    options = replace(VARIANTS[variant], seed=seed)
    if "learn" not in done:
        again = store.last_unfinished("learn", task.name) is not None
        learn(task, store, team, options, progress=show, resume=again)
    if not options.measure and "eval" not in done:
        evaluate(task, store, team, progress=show)


def table(rows: list[tuple[str, int, dict[str, Any], list[bool]]]) -> str:
    """Markdown: every run, then every variant over its seeds against the unverified runs."""
    head = "| variant | seed | before | after | 95% interval | bullets | proposed | kept | minutes |"
    lines = [head, "|" + " --- |" * 9]
    for variant, seed, report, _ in rows:
        before, after = report["before"], report["after"]
        low, high = after["ci95"]
        cells = (
            variant,
            seed,
            f"{before['correct']}/{before['total']}" if before else "",
            f"{after['correct']}/{after['total']}",
            f"{low:.0%} to {high:.0%}",
            report["bullets"],
            report["proposed"] or "",
            report["accepted"] or "",
            f"{report['seconds'] / 60:.1f}",
        )
        lines.append("| " + " | ".join(map(str, cells)) + " |")
    return "\n".join([*lines, "", *_compared(rows)])


def _compared(rows: list[tuple[str, int, dict[str, Any], list[bool]]]) -> Iterator[str]:
    """Over all seeds. Pairs are the same question and seed; seeds share questions, so p is optimistic."""
    pooled: dict[str, list[bool]] = {}
    for variant, _, _, right in rows:
        pooled.setdefault(variant, []).extend(right)
    for variant, right in pooled.items():
        low, high = wilson(sum(right), len(right))
        share = f"{sum(right)}/{len(right)} = {sum(right) / len(right):.1%}"
        line = f"- {variant}: {share} (95% {low:.0%} to {high:.0%})"
        other = pooled.get("learned", [])
        if variant not in ("learned", "reference") and other:
            size = min(len(right), len(other))
            p_value = mcnemar(right[:size], other[:size])
            line += f"; learned with the same seeds {sum(other[:size])}/{size}, paired p = {p_value:.2g}"
        yield line


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--task", type=Path, default=ROOT / "tasks" / "shop_sql")
    parser.add_argument("--out", type=Path, default=ROOT / "benchmarks" / "results")
    parser.add_argument("--work", type=Path, default=Path("bench-shop_sql"))
    parser.add_argument("--model", default=DEFAULT_MODEL)
    parser.add_argument("--variants", nargs="+", default=["reference", "learned", "unverified"])
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    given = parser.parse_args()
    given.work.mkdir(parents=True, exist_ok=True)
    given.out.mkdir(parents=True, exist_ok=True)
    task = load_task(given.task)
    with connect(given.model) as model:
        rows = list(runs(task, model, given.work, given.variants, given.seeds))
    record = {
        "date": datetime.now(UTC).date().isoformat(),
        "model": given.model,
        "machine": f"{platform.machine()}, {os.cpu_count()} cores",
        "prompts": hash_prompts("ace.agent", "ace.methods.ace", "ace.memory"),
        "runs": [
            {"variant": variant, "seed": seed, "right": right, "report": report}
            for variant, seed, report, right in rows
        ],
    }
    (given.out / "shop_sql.json").write_text(json.dumps(record, indent=1, ensure_ascii=False) + "\n", "utf-8")
    (given.out / "shop_sql.md").write_text(f"{record['date']}, {given.model}\n\n{table(rows)}\n", "utf-8")
    print(table(rows))


if __name__ == "__main__":
    main()
