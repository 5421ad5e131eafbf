"""Wrap a desk of tau2-bench as a task folder outside the repository: retail, airline or mock.

    python benchmarks/tau2_task.py ../shared/data/tau2/retail ../tau2_retail
    python benchmarks/tau2_task.py ../shared/data/tau2/retail ../tau2_retail --anchors

The source is a folder of the benchmark's data/tau2/domains. The target then holds task.toml, the policy and
three JSONL files: the benchmark's own test split, and its train split, of which every fifth task is for
`val`. Where it has no such splits, tasks are dealt in turn. Tasks that nobody can judge are left out by name.
With --anchors the right calls of every task are made: the script prints what they score, and what doing
nothing does. The same arguments always write the same bytes.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from ace.errors import InputError
from ace.task import load_task

ROOT = Path(__file__).resolve().parent.parent
TASK = '''name = "tau2_{domain}"
environment = "tau2"
max_tokens = 1024
instructions = """
You are an agent at a service desk, and follow its policy. You get everything that a user wants at once, as
the instructions that the user was given. There is nobody to ask: where the policy wants a confirmation, the
user confirms what is in line with these instructions. Do with the tools what is to be done. Then answer.
"""

[data]
train = "train.jsonl"
val = "val.jsonl"
test = "test.jsonl"

[tau2]
domain = "{domain}"
policy = "policy.md"

[solver]
kind = "tools"
steps = 30
'''
BASIS = ("DB", "COMMUNICATE")  # of a task that names none
JUDGED = {"DB", "COMMUNICATE", "ACTION"}
PARTS = (
    ("reason_for_call", "Why the user calls"),
    ("known_info", "What the user knows"),
    ("unknown_info", "What the user does not know"),
    ("task_instructions", "How the user behaves"),
)


def read_task(row: Mapping[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """Return the row of a task, and which parts of its reward nobody judges here."""
    criteria = row["evaluation_criteria"]
    basis = criteria.get("reward_basis") or list(BASIS)
    gold = {
        "actions": [
            {key: action[key] for key in ("name", "arguments", "compare_args") if action.get(key) is not None}
            for action in criteria.get("actions") or []
        ],
        "basis": [part for part in basis if part in JUDGED],
        "communicate_info": criteria.get("communicate_info") or [],
    }
    unjudged = []
    if "NL_ASSERTION" in basis and criteria.get("nl_assertions"):
        unjudged.append("NL_ASSERTION")
    if "ENV_ASSERTION" in basis and criteria.get("env_assertions"):
        unjudged.append("ENV_ASSERTION")
    name = str(row["id"])
    return {"id": f"tau2-{name}", "question": write_question(row), "task": name, "gold": gold}, unjudged


def write_question(row: Mapping[str, Any]) -> str:
    """Return all that the user would say, and what was said before."""
    instructions = row["user_scenario"]["instructions"]
    lines = []
    for message in ((row.get("initial_state") or {}).get("message_history")) or []:
        said = message.get("content") or json.dumps(message.get("tool_calls"))
        lines.append(f"{message['role']}: {said}")
    history = ["Said and done before:\n" + "\n".join(lines)] if lines else []
    if isinstance(instructions, str):
        return "\n\n".join([*history, instructions])
    parts = [f"{title}:\n{instructions[key]}" for key, title in PARTS if instructions.get(key)]
    return "\n\n".join([*history, *parts])


def split_tasks(source: Path, ids: list[str]) -> dict[str, list[str]]:
    """Return the ids of each split: all of them, each once."""
    splits = json.loads((source / "split_tasks.json").read_text("utf-8"))
    train, test = splits.get("train"), splits.get("test")
    if train is None or test is None:
        return {"train": ids[::2], "val": ids[1::4], "test": ids[3::4]}
    parts = {"train": [], "val": [], "test": list(test)}
    for number, each in enumerate(train):
        parts["val" if number % 5 == 4 else "train"].append(each)
    if sorted(each for part in parts.values() for each in part) != sorted(ids):
        raise InputError("The splits do not hold every task once.", file=str(source / "split_tasks.json"))
    return parts


def make_task(source: Path, target: Path) -> list[str]:
    """Write the folder and return the lines that say what is in it, and what is not."""
    tasks = json.loads((source / "tasks.json").read_text("utf-8"))
    rows: dict[str, dict[str, Any]] = {}
    lines = []
    for task in tasks:
        row, unjudged = read_task(task)
        if not row["gold"]["basis"]:
            lines.append(f"left out: task {task['id']}, judged by {', '.join(unjudged)} alone")
            continue
        if unjudged:
            lines.append(f"task {task['id']}: {', '.join(unjudged)} is not judged")
        rows[str(task["id"])] = row
    draft = target.with_name(f"{target.name}.draft")
    shutil.rmtree(draft, ignore_errors=True)  # of a start that was cut off
    draft.mkdir(parents=True)
    (draft / "task.toml").write_text(TASK.format(domain=source.name), encoding="utf-8")
    shutil.copyfile(source / "policy.md", draft / "policy.md")
    sizes = {}
    for split, ids in split_tasks(source, [str(task["id"]) for task in tasks]).items():
        chosen = [rows[each] for each in ids if each in rows]
        text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in chosen)
        (draft / f"{split}.jsonl").write_text(text, encoding="utf-8")
        sizes[split] = len(chosen)
    draft.rename(target)
    return [f"{target} {sizes}", *lines]


def measure_anchors(target: Path) -> list[str]:
    """Return what doing nothing and the right calls score in each split, and the right calls that fail."""
    task = load_task(target)
    lines = ["", "| split | tasks | doing nothing | the right calls |", "| --- | --- | --- | --- |"]
    notes = []
    for split in ("train", "val", "test"):
        samples = getattr(task, split)
        anchors = [task.environment.anchors(sample) for sample in samples]
        nothing, right = (sum(each) for each in zip(*anchors, strict=True))
        lines.append(f"| {split} | {len(samples)} | {nothing:g} | {right:g} |")
        for sample in samples:
            replay = task.environment.replay(sample)
            notes += [f"{sample.id}: refused: {words}" for words in replay.refused]
    return [*lines, "", *notes]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("source", type=Path, help="the folder of a domain: tasks.json, policy.md ...")
    parser.add_argument("target", type=Path, help="the folder to create")
    parser.add_argument("--anchors", action="store_true", help="score the right calls, and doing nothing")
    options = parser.parse_args()
    if options.target.resolve().is_relative_to(ROOT):
        parser.error("the target is inside the repository; its data must not end up there")
    if options.target.exists() and not options.anchors:
        parser.error(f"{options.target} exists")
    lines = [] if options.target.exists() else make_task(options.source, options.target)
    if options.anchors:
        lines += measure_anchors(options.target)
    print("\n".join(lines))


if __name__ == "__main__":
    main()
