"""Write BFCL's multi-turn tasks as a task folder outside the repository.

    python benchmarks/bfcl_task.py ../shared/data/bfcl-multi-turn ../bfcl [--category base]

The same scenario stands in all four categories, so a folder has one of them, or splits would share it. The
same arguments always write the same bytes.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks import task_folder

TASK = """name = "bfcl"
environment = "bfcl"
instructions = \"\"\"
You serve a user, with the tools that there are. Do what they ask for and nothing else, then `say` so: they
may ask for more. Where a tool or a detail is missing that you need, say so instead of guessing.\"\"\"

[data]

[solver]
kind = "tools"
steps = 60

[bfcl]
"""
CATEGORIES = ("base", "long_context", "miss_func", "miss_param")
MORE_TOOLS = "There are more tools now. Please try again."


def read(source: Path, category: str) -> list[dict[str, Any]]:
    """Return the rows of a category in the fields of a task."""
    name = f"BFCL_v4_multi_turn_{category}.json"
    right = {row["id"]: row["ground_truth"] for row in read_lines(source / "possible_answer" / name)}
    rows: list[dict[str, Any]] = []
    for entry in read_lines(source / name):
        said = [" ".join(message["content"] for message in turn) or MORE_TOOLS for turn in entry["question"]]
        rows.append(
            {
                "id": entry["id"],
                "question": said[0],
                "later": said[1:],
                "classes": entry["involved_classes"],
                "config": entry["initial_config"],
                "held_out": entry.get("missed_function", {}),
                "excluded": entry.get("excluded_function", []),
                "long_context": category == "long_context",
                "gold": right[entry["id"]],
            }
        )
    return rows


def read_lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def main() -> None:
    """Write the folder."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("source", type=Path, help="the folder with BFCL_v4_multi_turn_*.json")
    task_folder.add_options(parser, (40, 20, 40))
    parser.add_argument("--category", choices=CATEGORIES, default="base")
    parser.add_argument("--seed", type=int, default=0)
    options = task_folder.read_options(parser)
    parts = task_folder.split(read(options.source, options.category), options.sizes, options.seed)
    print(task_folder.write(options.target, TASK, parts))


if __name__ == "__main__":
    main()
