"""Write AgentBench's INSERT and UPDATE tasks (DBBench) as a task folder outside the repository.

    python benchmarks/dbbench_task.py ../shared/data/agentbench-dbbench ../dbbench

Tasks whose right statement fails on SQLite, or changes nothing, are left out by name. The same arguments
always write the same bytes.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from ace.errors import TaskError
from ace.task.environments.worlds.tables import TablesEnvironment
from ace.task.samples import to_sample
from benchmarks import task_folder

TASK = """name = "dbbench"
environment = "tables"
instructions = "Change the table as the question says, with `execute_sql`, and nothing else in it."

[data]

[solver]
kind = "tools"
steps = 10

[tables]
"""
KINDS = {"INSERT", "UPDATE"}


def read(source: Path) -> list[dict[str, Any]]:
    """Return the tasks that change a table, in the fields of a task."""
    rows: list[dict[str, Any]] = []
    for number, line in enumerate((source / "dev.jsonl").read_text(encoding="utf-8").splitlines()):
        entry = json.loads(line)
        if not KINDS & set(entry["type"]):
            continue
        table = entry["table"]
        rows.append(
            {
                "id": f"dbbench-{number}",
                "question": f"{entry['description']} {entry['add_description']}",
                "tables": [{"name": table["table_name"], **table["table_info"]}],
                "gold_sql": entry["label"][0],
            }
        )
    return rows


def leave_out(rows: list[dict[str, Any]]) -> tuple[list[dict[str, Any]], list[TaskError]]:
    """Return the rows that can be judged, and what is wrong with the others."""
    environment = TablesEnvironment()
    good: list[dict[str, Any]] = []
    problems: list[TaskError] = []
    for row in rows:
        try:
            environment.check(to_sample(row))
        except TaskError as error:
            problems.append(error)
        else:
            good.append(row)
    return good, problems


def main() -> None:
    """Write the folder."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("source", type=Path, help="the folder with dev.jsonl")
    task_folder.add_options(parser, (15, 8, 15))
    parser.add_argument("--seed", type=int, default=0)
    options = task_folder.read_options(parser)
    rows, problems = leave_out(read(options.source))
    for problem in problems:
        print(f"left out: {problem}", file=sys.stderr)
    print(task_folder.write(options.target, TASK, task_folder.split(rows, options.sizes, options.seed)))


if __name__ == "__main__":
    main()
