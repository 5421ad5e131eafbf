"""Wrap the equation-balancer puzzles as a task folder outside the repository.

    python benchmarks/puzzles_task.py ../shared/data/puzzles ../balancer
    ace learn ../balancer --trust --feedback execution

The folder then holds task.toml, three JSONL files and balancer.py, the environment, which checks answers
without labels. The same arguments always write the same bytes.
"""

from __future__ import annotations

import argparse
import json
import random
import shutil
from itertools import islice
from pathlib import Path
from typing import Any

TASK = """name = "balancer"
environment = "balancer:Balancer"
max_tokens = 300
instructions = \"\"\"
Put one of + - * / in place of every ? so that the equation holds. Products and quotients come before sums and
differences; the numbers keep their order, and there are no brackets. End with the whole equation on one line.
\"\"\"

[data]
train = "train.jsonl"
val = "val.jsonl"
test = "test.jsonl"
"""
ROOT = Path(__file__).resolve().parent.parent
ENVIRONMENT = Path(__file__).with_name("balancer.py")


def read(source: Path) -> list[dict[str, Any]]:
    """Return the puzzles, each once, in the fields of a task."""
    text = (source / "math_equation_balancer.jsonl").read_text(encoding="utf-8")
    rows = {row["input"]: row["target"] for row in map(json.loads, text.splitlines())}
    return [
        {"id": f"balance-{number}", "question": question, "answer": answer}
        for number, (question, answer) in enumerate(rows.items(), start=1)
    ]


def split(rows: list[dict[str, Any]], sizes: dict[str, int], seed: int) -> dict[str, list[dict[str, Any]]]:
    """Return disjoint random parts of the wanted sizes, fewer when the puzzles run out."""
    rest = iter(random.Random(seed).sample(rows, len(rows)))
    return {name: list(islice(rest, size)) for name, size in sizes.items()}


def write(target: Path, parts: dict[str, list[dict[str, Any]]]) -> None:
    target.mkdir(parents=True)
    (target / "task.toml").write_text(TASK, encoding="utf-8")
    for name, rows in parts.items():
        lines = (json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
        (target / f"{name}.jsonl").write_text("".join(lines), encoding="utf-8")
    shutil.copyfile(ENVIRONMENT, target / ENVIRONMENT.name)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("source", type=Path, help="the folder with math_equation_balancer.jsonl")
    parser.add_argument("target", type=Path, help="the folder to create")
    parser.add_argument("--seed", type=int, default=0)
    for name, size in (("train", 100), ("val", 50), ("test", 100)):
        parser.add_argument(f"--{name}", type=int, default=size, help=f"puzzles (default {size})")
    options = parser.parse_args()
    if options.target.resolve().is_relative_to(ROOT):
        parser.error("the target is inside the repository; its data must not end up there")
    if options.target.exists():
        parser.error(f"{options.target} exists")
    sizes = {name: getattr(options, name) for name in ("train", "val", "test")}
    parts = split(read(options.source), sizes, options.seed)
    write(options.target, parts)
    print(options.target, {name: len(rows) for name, rows in parts.items()})


if __name__ == "__main__":
    main()
