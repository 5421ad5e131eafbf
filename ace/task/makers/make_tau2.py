"""A desk of tau2-bench, without a simulated user, in its own splits."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from ace.errors import InputError
from ace.task.makers.draft import MakeOptions, Row, TaskDraft
from ace.task.makers.source_data import SourceData
from ace.task.read_text import read_text

_TASK = '''name = "tau2_{domain}"
environment = "tau2"
max_tokens = 1024
instructions = """
You are an agent at a service desk, and follow its policy. You get everything that a user wants at once, as
the instructions that the user was given. There is nobody to ask: where the policy wants a confirmation, the
user confirms what is in line with these instructions. Do with the tools what is to be done. Then answer.
"""

[tau2]
domain = "{domain}"
policy = "policy.md"

[solver]
kind = "tools"
steps = 30
'''
_BASIS = ("DB", "COMMUNICATE")  # of a task that names none
_JUDGED = {"DB", "COMMUNICATE", "ACTION"}
_PARTS = (
    ("reason_for_call", "Why the user calls"),
    ("known_info", "What the user knows"),
    ("unknown_info", "What the user does not know"),
    ("task_instructions", "How the user behaves"),
)


def make_tau2(source: SourceData, options: MakeOptions) -> TaskDraft:
    """Return the tasks of a desk; those that nobody can judge here are left out by name.

    Raises InputError for splits that do not belong to the tasks.
    """
    rows: dict[str, Row] = {}
    left_out: dict[str, str] = {}
    partly: dict[str, str] = {}
    entries = source.read_list("tasks.json")
    for entry in entries:
        row, unjudged = _read_task(entry)
        if row["gold"]["basis"]:
            rows[str(entry["id"])] = row
            if unjudged:
                partly[row["id"]] = f"{', '.join(unjudged)} is not judged"
        else:
            left_out[row["id"]] = f"it is judged by {', '.join(unjudged)} alone"
    splits = json.loads(read_text(source.folder / "split_tasks.json"))
    parts = _split_tasks(splits, [str(entry["id"]) for entry in entries])
    return TaskDraft(
        toml=_TASK.format(domain=source.folder.name),
        splits={split: [rows[name] for name in names if name in rows] for split, names in parts.items()},
        files={"policy.md": read_text(source.folder / "policy.md")},
        left_out=left_out,
        partly=partly,
    )


def _read_task(row: Mapping[str, Any]) -> tuple[Row, list[str]]:
    """Return the row of a task, and which parts of its reward nobody judges here."""
    criteria = row["evaluation_criteria"]
    basis = criteria.get("reward_basis") or list(_BASIS)
    gold = {
        "actions": [
            {key: action[key] for key in ("name", "arguments", "compare_args") if action.get(key) is not None}
            for action in criteria.get("actions") or []
        ],
        "basis": [part for part in basis if part in _JUDGED],
        "communicate_info": criteria.get("communicate_info") or [],
    }
    unjudged = []
    if "NL_ASSERTION" in basis and criteria.get("nl_assertions"):
        unjudged.append("NL_ASSERTION")
    if "ENV_ASSERTION" in basis and criteria.get("env_assertions"):
        unjudged.append("ENV_ASSERTION")
    name = str(row["id"])
    return {"id": f"tau2-{name}", "question": _write_question(row), "task": name, "gold": gold}, unjudged


def _write_question(row: Mapping[str, Any]) -> str:
    """Return all that the user would say, and what was said before."""
    instructions = row["user_scenario"]["instructions"]
    lines = []
    for message in ((row.get("initial_state") or {}).get("message_history")) or []:
        said = message.get("content") or json.dumps(message.get("tool_calls"))
        lines.append(f"{message['role']}: {said}")
    history = ["Said and done before:\n" + "\n".join(lines)] if lines else []
    if isinstance(instructions, str):
        return "\n\n".join([*history, instructions])
    parts = [f"{title}:\n{instructions[key]}" for key, title in _PARTS if instructions.get(key)]
    return "\n\n".join([*history, *parts])


def _split_tasks(splits: Any, ids: Sequence[str]) -> dict[str, list[str]]:
    """Return the ids of each split: all of them, each once. Of its training tasks every fifth is for val.

    Where the benchmark has no such splits, tasks are dealt in turn. Raises InputError for splits that do not
    hold every task once.
    """
    train, test = splits.get("train"), splits.get("test")
    if train is None or test is None:
        return {"train": list(ids[::2]), "val": list(ids[1::4]), "test": list(ids[3::4])}
    parts: dict[str, list[str]] = {"train": [], "val": [], "test": list(test)}
    for number, each in enumerate(train):
        parts["val" if number % 5 == 4 else "train"].append(each)
    if sorted(each for part in parts.values() for each in part) != sorted(ids):
        hint = "Get tasks.json and split_tasks.json of one version."
        raise InputError("The splits do not hold every task once.", hint=hint)
    return parts
