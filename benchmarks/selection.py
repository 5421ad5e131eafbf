"""Whether selection holds what learning gains: several epochs, every selected version on the test set.

    python benchmarks/selection.py --seeds 0 1 2 --epochs 3

Each seed learns in a fresh playbook file under --work and goes on there when it is started again. After each
epoch the newest version meets the selected one on the validation questions; here each version that was ever
selected answers the test questions too, which the run itself never sees. Writes selection.json and .md.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import combinations
from pathlib import Path
from typing import Any

from shop_sql import ROOT, ceiling

from ace.llm import DEFAULT_MODEL, RoleModels, connect
from ace.llm.prompts import hash_prompts
from ace.loop import evaluate, learn
from ace.runs.metrics import mcnemar, wilson
from ace.runs.report import Report
from ace.settings import Settings
from ace.store import Store
from ace.task import Task, load_task


def show(phase: str, done: int, total: int, note: str = "") -> None:
    print(f"  {phase}: {done} of {total} {note}", flush=True)


def answers(task: Task, store: Store, team: RoleModels, version: int) -> list[bool]:
    """Right or wrong for every test question with one version: asked, or found in the file."""
    found = [e for run in store.runs() if run.status == "done" for e in store.episodes(run=run.id)]
    if not any(e.phase == "test" and e.context_version == version for e in found):
        found = list(store.episodes(run=evaluate(task, store, team, progress=show, version=version).run))
    return [e.verdict.correct for e in found if e.phase == "test" and e.context_version == version]


def one(task: Task, store: Store, team: RoleModels, options: Settings) -> dict[str, Any]:
    """One seed: what was selected when, and how each of these versions does on the test set."""
    learned = next((run for run in store.runs() if run.kind == "learn" and run.status == "done"), None)
    if learned is None:
        again = store.last_unfinished("learn", task.name) is not None
        report = learn(task, store, team, options, progress=show, resume=again)
    else:
        report = Report.from_json(learned.report or {})
    selected = [0, *(met.new for met in report.comparisons if met.accepted)]
    right = {str(version): answers(task, store, team, version) for version in selected}
    return {"seed": options.seed, "selected": selected, "right": right, "report": report.to_json()}


HEAD = (
    "| seed | after epoch | met | validation: won, lost, asked | selected | on test (95%) | of the ceiling |"
)


def table(rows: list[dict[str, Any]], best: list[bool]) -> str:
    lines = [f"Hand-written playbook: {_told(best)}.", "", HEAD, "|" + " --- |" * 7]
    for row in rows:
        for met in row["report"]["comparisons"]:
            selected = met["new"] if met["accepted"] else met["old"]
            right = row["right"][str(selected)]
            cells = [
                row["seed"],
                met["phase"],
                f"{met['new']} met {met['old']}",
                f"{met['wins']}, {met['losses']}, {met['asked']}",
                selected,
                _told(right),
                f"{sum(right) / sum(best):.0%}",
            ]
            lines.append("| " + " | ".join(map(str, cells)) + " |")
    last = [right for row in rows for right in row["right"][str(row["selected"][-1])]]
    share = sum(last) / len(last) / (sum(best) / len(best))
    lines += ["", f"Selected in the end, all seeds: {_told(last)}, {share:.0%} of the ceiling.", ""]
    lines += [
        "Each selected version against each one selected before, on test (McNemar, exact, two-sided):",
        "",
    ]
    return "\n".join([*lines, *(line for row in rows for line in _pairs(row))])


def _pairs(row: dict[str, Any]) -> Iterator[str]:
    for old, new in combinations(row["selected"], 2):
        before, after = row["right"][str(old)], row["right"][str(new)]
        lost = sum(x and not y for x, y in zip(before, after, strict=True))
        won = sum(y and not x for x, y in zip(before, after, strict=True))
        told = f"{won} won, {lost} lost, p = {mcnemar(before, after):.2g}"
        yield f"- seed {row['seed']}, {old} to {new}: {told}"


def _told(right: list[bool]) -> str:
    low, high = wilson(sum(right), len(right))
    return f"{sum(right)}/{len(right)} ({low:.0%} to {high:.0%})"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--task", type=Path, default=ROOT / "tasks" / "shop_sql")
    parser.add_argument("--out", type=Path, default=ROOT / "benchmarks" / "results")
    parser.add_argument("--work", type=Path, default=Path("bench-selection"))
    parser.add_argument("--model", default=DEFAULT_MODEL)
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--epochs", type=int, default=3)
    given = parser.parse_args()
    given.work.mkdir(parents=True, exist_ok=True)
    given.out.mkdir(parents=True, exist_ok=True)
    task, rows = load_task(given.task), list[dict[str, Any]]()
    with connect(given.model) as model:
        with Store.open(given.work / "reference.db") as store:
            if not any(run.status == "done" for run in store.runs()):
                ceiling(task, store, RoleModels.of(model), show)
            best = answers(task, store, RoleModels.of(model), store.head().number)
        for seed in given.seeds:
            print(f"seed {seed}", flush=True)
            with Store.open(given.work / f"seed-{seed}.db") as store:
                options = Settings(seed=seed, epochs=given.epochs, measure=False)
                rows.append(one(task, store, RoleModels.of(model), options))
            _write(given, rows, best)
    print(table(rows, best))


def _write(given: argparse.Namespace, rows: list[dict[str, Any]], best: list[bool]) -> None:
    record = {
        "date": datetime.now(UTC).date().isoformat(),
        "model": given.model,
        "machine": f"{platform.machine()}, {os.cpu_count()} cores",
        "prompts": hash_prompts("ace.agent", "ace.methods.ace", "ace.memory"),
        "ceiling": best,
        "runs": rows,
    }
    (given.out / "selection.json").write_text(
        json.dumps(record, indent=1, ensure_ascii=False) + "\n", "utf-8"
    )
    (given.out / "selection.md").write_text(
        f"{record['date']}, {given.model}\n\n{table(rows, best)}\n", "utf-8"
    )


if __name__ == "__main__":
    main()
