"""What an outline, a ledger and a check buy for long answers: tasks/museum_report with and without them.

    python benchmarks/long_form.py --limit 20

The same briefs, the same model, an empty playbook; "single" writes the whole report in one call, "outline" is
the solver of the task, "outline, no check" leaves the check out. Each arm runs in a playbook file of its own
under --work and is read from there when it is done. Writes long_form.json and long_form.md.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from statistics import fmean
from typing import Any

from scipy.stats import bootstrap, wilcoxon

from ace.llm import DEFAULT_MODEL, RoleModels, connect
from ace.llm.prompts import hash_prompts
from ace.loop import evaluate
from ace.runs.metrics import mcnemar, wilson
from ace.settings import Settings
from ace.store import Store
from ace.task import Task, load_task

ROOT = Path(__file__).parents[1]


def arms(task: Task) -> dict[str, Task]:
    whole = replace(task.solver, kind="single")
    unchecked = replace(task.solver, mends=0)
    return {
        "single": replace(task, solver=whole, max_tokens=1_200),
        "outline, no check": replace(task, solver=unchecked),
        "outline": task,
    }


def run(name: str, task: Task, store: Store, team: RoleModels, limit: int) -> dict[str, Any]:
    """One arm: score and outcome of every brief, made or found."""

    def show(phase: str, done: int, total: int, note: str = "") -> None:
        print(f"  {phase}: {done} of {total} {note}", flush=True)

    found = [made for made in store.runs() if made.status == "done"]
    report = found[-1].report if found else None
    if report is None:
        report = evaluate(task, store, team, Settings(limit=limit, batch_size=4), progress=show).to_json()
    episodes = list(store.episodes(run=store.runs()[-1].id))
    return {
        "arm": name,
        "score": [episode.verdict.score for episode in episodes],
        "right": [episode.verdict.correct for episode in episodes],
        "flaws": [episode.verdict.detail for episode in episodes],
        "words": [len(episode.attempt.answer.split()) for episode in episodes],
        "report": report,
    }


def table(rows: list[dict[str, Any]]) -> str:
    lines = [
        "| arm | all checks hold | 95% | share of checks | 95% | words | calls | tokens written | minutes |"
    ]
    lines.append("|" + " --- |" * 9)
    for row in rows:
        right, score, used = row["right"], row["score"], row["report"]["usage"]["generator"]
        low, high = wilson(sum(right), len(right))
        mean = bootstrap((score,), fmean, rng=0).confidence_interval if len(set(score)) > 1 else None
        between = f"{mean.low:.0%} to {mean.high:.0%}" if mean else ""
        cells = [
            row["arm"],
            f"{sum(right)}/{len(right)}",
            f"{low:.0%} to {high:.0%}",
            f"{fmean(score):.1%}",
            between,
            round(fmean(row["words"])),
            used["calls"],
            used["completion_tokens"],
            f"{row['report']['seconds'] / 60:.1f}",
        ]
        lines.append("| " + " | ".join(map(str, cells)) + " |")
    return "\n".join([*lines, "", *_compared(rows)])


def _compared(rows: list[dict[str, Any]]) -> list[str]:
    first, lines = rows[0], []
    for row in rows[1:]:
        pairs = list(zip(first["score"], row["score"], strict=True))
        differ = any(a != b for a, b in pairs)
        p_score = wilcoxon(*zip(*pairs, strict=True)).pvalue if differ else 1.0
        p_right = mcnemar(first["right"], row["right"])
        lines.append(
            f"- {row['arm']} against {first['arm']}, paired: share of checks p = {p_score:.2g} (Wilcoxon), "
            f"all checks p = {p_right:.2g} (McNemar)"
        )
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, default=ROOT / "benchmarks" / "results")
    parser.add_argument("--work", type=Path, default=Path("bench-long_form"))
    parser.add_argument("--model", default=DEFAULT_MODEL)
    parser.add_argument("--limit", type=int, default=20)
    given = parser.parse_args()
    given.work.mkdir(parents=True, exist_ok=True)
    given.out.mkdir(parents=True, exist_ok=True)
    rows = []
    with connect(given.model) as model:
        for name, task in arms(load_task(ROOT / "tasks" / "museum_report")).items():
            print(name, flush=True)
            with Store.open(given.work / f"{name.replace(', ', '-').replace(' ', '-')}.db") as store:
                rows.append(run(name, task, store, RoleModels.of(model), given.limit))
    record = {
        "date": datetime.now(UTC).date().isoformat(),
        "model": given.model,
        "machine": f"{platform.machine()}, {os.cpu_count()} cores",
        "prompts": hash_prompts("ace.agent", "ace.methods.ace", "ace.memory"),
        "arms": rows,
    }
    (given.out / "long_form.json").write_text(
        json.dumps(record, indent=1, ensure_ascii=False) + "\n", "utf-8"
    )
    (given.out / "long_form.md").write_text(f"{record['date']}, {given.model}\n\n{table(rows)}\n", "utf-8")
    print(table(rows))


if __name__ == "__main__":
    main()
