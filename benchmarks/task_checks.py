"""Check the labels of all that `ace tasks add` makes: gold answers have to be right, doing nothing wrong.

    python benchmarks/task_checks.py --data ../shared/data [--only bfcl tau2_retail]

Every row of the data here is made part of a task, in a folder of its own under --work, and scored with its
gold answer, and with an empty attempt. What needs an extra that is not installed is said and left as it was.
Writes results/task_checks.{json,md}; with --only, the other rows stay.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.util import find_spec
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from ace.errors import InputError
from ace.task import check_task, load_task
from ace.task.gold_check import check_gold
from ace.task.makers.add_task import add_task
from ace.task.makers.make_bfcl import CATEGORIES

ROOT = Path(__file__).resolve().parents[1]
NAME = "task_checks"
DESKS = ("retail", "airline", "mock")


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One task to be made: the benchmark, the folder of its data, and options."""

    benchmark: str
    data: str = ""
    sizes: dict[str, int] = field(default_factory=dict)
    options: dict[str, Any] = field(default_factory=dict)


ALL = {"train": 100_000, "val": 20, "test": 20}  # every row of the data
CASES = {
    "intercode_sql": Case(benchmark="intercode_sql", data="intercode-sql", sizes=ALL),
    "intercode_sql, test on two databases": Case(
        benchmark="intercode_sql",
        data="intercode-sql",
        sizes={**ALL, "test": 1000},
        options={"test_databases": ("car_1", "tvshow")},
    ),
    "formula": Case(benchmark="formula", data="ace-finance", sizes={**ALL, "test": 300}),
    "formula, without wrong targets": Case(
        benchmark="formula",
        data="ace-finance",
        sizes={**ALL, "test": 300},
        options={"without_wrong": True},
    ),
    "finer": Case(benchmark="finer", data="ace-finance", sizes=ALL),
    "finer, one question at a time": Case(
        benchmark="finer", data="ace-finance", sizes=ALL, options={"single": True}
    ),
    "equation_balancer": Case(benchmark="equation_balancer", data="puzzles", sizes=ALL),
    "game_of_24": Case(benchmark="game_of_24", data="puzzles", sizes={**ALL, "test": 100}),
    "dbbench": Case(benchmark="dbbench", data="agentbench-dbbench", sizes={**ALL, "test": 15, "val": 8}),
    **{
        f"bfcl, {category}": Case(
            benchmark="bfcl", data="bfcl-multi-turn", sizes=ALL, options={"category": category}
        )
        for category in CATEGORIES
    },
    **{f"tau2, {desk}": Case(benchmark="tau2", data=f"tau2/{desk}") for desk in DESKS},
    **{f"fresh_sql, seed {n}": Case(benchmark="fresh_sql", options={"seed": n}) for n in (7, 1001)},
    "fresh_rules, seed 7": Case(benchmark="fresh_rules", options={"seed": 7}),
    "fresh_rules, seed 7, de": Case(benchmark="fresh_rules", options={"seed": 7, "language": "de"}),
    "office_tools, seed 7": Case(benchmark="office_tools", options={"seed": 7}),
}


def check_case(case: Case, data: Path, folder: Path) -> dict[str, Any]:
    """Make the task and score its rows; return the figures. Raises InputError where something is missing."""
    source = data / case.data if case.data else None
    if case.benchmark == "office_tools":
        source = ROOT / "tasks" / "office_tools"
    started = time.monotonic()
    added = add_task(case.benchmark, out=folder, data=source, sizes=case.sizes, **case.options)
    task = load_task(folder, check=False, trust=True)
    rows = list(check_gold(task))
    return {
        "date": datetime.now(UTC).date().isoformat(),
        "sizes": dict(added.sizes),
        "left_out": dict(added.left_out),
        "problems": [str(problem) for problem in check_task(task)],
        "rows": len(rows),
        "wrong": {row.sample.id: row.gold_problem for row in rows if row.gold_problem},
        "nothing": {row.sample.id: row.nothing.score for row in rows if row.nothing.score},
        "seconds": round(time.monotonic() - started),
    }


def render(figures: dict[str, dict[str, Any]], command: str) -> str:
    """Return the page as Markdown."""
    lines = [
        "# Gold answers, and doing nothing",
        "",
        f"    {command}",
        "",
        "Every row of each data set here, made a task by `ace tasks add`. A gold answer has to get the full",
        "score, an empty attempt none. `ace tasks check FOLDER` does the same for one folder.",
        "",
        "| task | train, val, test | left out | gold right | doing nothing | date |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    notes: list[str] = []
    for name, found in figures.items():
        sizes = ", ".join(map(str, found["sizes"].values()))
        right = found["rows"] - len(found["wrong"])
        idle = f"{sum(found['nothing'].values()):g}"
        cells = [name, sizes, len(found["left_out"]), f"{right} of {found['rows']}", idle, found["date"]]
        lines.append(f"| {' | '.join(map(str, cells))} |")
        notes += [f"* {name}, {row}: the gold answer fails: `{why}`" for row, why in found["wrong"].items()]
        notes += [f"* {name}, {row}: left out: `{why}`" for row, why in found["left_out"].items()]
        if found["nothing"]:
            notes.append(f"* {name}: doing nothing scores in {', '.join(found['nothing'])}")
        notes += [f"* {name}: {problem}" for problem in found["problems"]]
    return "\n".join([*lines, "", *notes]).rstrip() + "\n"


def main(words: Sequence[str]) -> None:
    """Check the cases that were asked for, and write the page."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True, help="the folder of all data folders")
    parser.add_argument("--only", nargs="*", default=[], help="names of the page, or how they begin")
    parser.add_argument("--out", type=Path, default=ROOT / "benchmarks" / "results")
    options = parser.parse_args(words)
    file = options.out / f"{NAME}.json"
    figures = json.loads(file.read_text("utf-8")) if file.exists() else {}
    for name, case in CASES.items():
        if options.only and not name.startswith(tuple(options.only)):
            continue
        if case.benchmark == "bfcl" and find_spec("bfcl_eval") is None:
            print(f"{name}: needs the extra bfcl", file=sys.stderr, flush=True)
            continue
        work = Path(tempfile.mkdtemp(prefix="ace-checks-"))
        try:
            figures[name] = check_case(case, options.data, work / case.benchmark)
            row = figures[name]
            print(name, row["rows"], len(row["wrong"]), row["seconds"], flush=True)
        except InputError as error:
            print(f"{name}: {error}", file=sys.stderr, flush=True)
        finally:
            shutil.rmtree(work)
    figures = {name: figures[name] for name in CASES if name in figures}
    file.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")
    page = render(figures, "python benchmarks/task_checks.py --data ../shared/data")
    file.with_suffix(".md").write_text(page, encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
