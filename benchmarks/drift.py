"""What watching for changes buys on tasks/shifting_policy: the same stream with it and without it.

    python benchmarks/drift.py --out benchmarks/results

Each arm runs in a playbook file of its own under --work and is read from there when it is done; one that was
cut off begins anew. `--arms off` runs only one of them. Writes drift.json and a table, drift.md. With
`--model lookup` a scripted model answers, which shows that the machinery works and nothing about models.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
from contextlib import AbstractContextManager, nullcontext
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ace.llm import DEFAULT_MODEL, Client, RoleModels, connect
from ace.llm.prompts import hash_prompts
from ace.loop import online
from ace.runs.metrics import wilson
from ace.runs.report import Report
from ace.settings import Settings
from ace.store import Store
from ace.task import Task, load_task

ROOT = Path(__file__).parents[1]
PHASE, WINDOW = 80, 20  # answers between two changes; answers that count for a level
WITHIN, NEAR = 40, 0.05  # back to within 5 points of the earlier level within 40 answers


def arm(task: Task, model: Client, path: Path, drift: bool, seed: int, tries: int) -> dict[str, Any]:
    """One run over the stream: right or wrong for every answer, and the report."""

    def show(phase: str, done: int, total: int, note: str = "") -> None:
        if done % 20 == 0:
            print(f"  {phase}: {done} of {total} {note}", flush=True)

    if report := _done(path):
        with Store.open(path, read_only=True) as store:
            return {
                "drift": drift,
                "seed": seed,
                "right": _right(store, report.run),
                "report": report.to_json(),
            }
    for old in path.parent.glob(f"{path.name}*"):
        old.unlink()
    with Store.open(path) as store:
        options = Settings(batch_size=1, drift=drift, seed=seed, tries=tries, window=WINDOW)
        report = online(task, store, RoleModels.of(model), options, progress=show)
        return {"drift": drift, "seed": seed, "right": _right(store, report.run), "report": report.to_json()}


def _done(path: Path) -> Report | None:
    if not path.exists():
        return None
    with Store.open(path, read_only=True) as store:
        done = [run for run in store.runs() if run.status == "done"]
        return Report.from_json(done[-1].report or {}) if done else None


def _right(store: Store, run: int) -> list[bool]:
    results = [result for step in store.steps(run) for result in step.payload["results"]]
    return [bool(result["correct"]) for result in results if result["phase"] == "online"]


def recovery(right: list[bool], change: int) -> tuple[float, int | None]:
    """The level before a change, and after how many answers the last `WINDOW` were near it again."""
    level = sum(right[change - WINDOW : change]) / WINDOW
    for end in range(change + WINDOW, min(change + PHASE, len(right)) + 1):
        if sum(right[end - WINDOW : end]) / WINDOW >= level - NEAR:
            return level, end - change
    return level, None


def table(arms: list[dict[str, Any]]) -> str:
    lines = [
        f"Level: of the last {WINDOW} answers before a change. Back: answers until the last {WINDOW} are "
        f"within {NEAR:.0%} of it (at least {WINDOW}); wanted within {WITHIN}.",
        "",
        "| drift | seed | right | 95% interval | found after | 1st: level, back | 2nd: level, back | min |",
        "|" + " --- |" * 8,
    ]
    for made in arms:
        right, report = made["right"], made["report"]
        low, high = wilson(sum(right), len(right))
        found = ", ".join(map(str, report["changes"])) or "none"
        cells = [
            f"{level:.0%}, {'never' if back is None else back}"
            for level, back in (recovery(right, change) for change in (PHASE, 2 * PHASE))
        ]
        share = f"{sum(right)}/{len(right)}"
        minutes = f"{report['seconds'] / 60:.1f}"
        row = ["on" if made["drift"] else "off", made["seed"], share, f"{low:.0%} to {high:.0%}", found]
        lines.append("| " + " | ".join(map(str, [*row, *cells, minutes])) + " |")
    lines += ["", "Right in each ten answers:", ""]
    for made in arms:
        tens = [str(sum(made["right"][start : start + 10])) for start in range(0, len(made["right"]), 10)]
        lines.append(f"- drift {'on' if made['drift'] else 'off'}, seed {made['seed']}: {' '.join(tens)}")
    return "\n".join(lines)


def model_of(name: str) -> AbstractContextManager[Client]:
    if name != "lookup":
        return connect(name)
    sys.path.insert(0, str(ROOT))
    from tests.desk import lookup

    return nullcontext(lookup())


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, default=ROOT / "benchmarks" / "results")
    parser.add_argument("--work", type=Path, default=Path("bench-drift"))
    parser.add_argument("--model", default=DEFAULT_MODEL, help="a model's name, or `lookup`")
    parser.add_argument("--seeds", nargs="+", type=int, default=[0])
    parser.add_argument("--tries", type=int, default=2)
    parser.add_argument("--arms", nargs="+", choices=["on", "off"], default=["on", "off"])
    given = parser.parse_args()
    given.work.mkdir(parents=True, exist_ok=True)
    given.out.mkdir(parents=True, exist_ok=True)
    task, arms = load_task(ROOT / "tasks" / "shifting_policy"), []
    with model_of(given.model) as model:
        for seed in given.seeds:
            for name in given.arms:
                print(f"drift {name}, seed {seed}", flush=True)
                path = given.work / f"{name}-{seed}.db"
                arms.append(arm(task, model, path, name == "on", seed, given.tries))
    now = datetime.now(UTC).date().isoformat()
    record = {
        "date": now,
        "model": given.model,
        "machine": f"{platform.machine()}, {os.cpu_count()} cores",
        "prompts": hash_prompts("ace.agent", "ace.methods.ace", "ace.memory"),
        "runs": arms,
    }
    name = "drift" if given.model != "lookup" else "drift_lookup"
    (given.out / f"{name}.json").write_text(json.dumps(record, indent=1, ensure_ascii=False) + "\n", "utf-8")
    (given.out / f"{name}.md").write_text(f"{now}, {given.model}\n\n{table(arms)}\n", "utf-8")
    print(table(arms))


if __name__ == "__main__":
    main()
