"""BFCL's multi-turn conversations. A scenario stands in all four categories, so a folder has one of them."""

from __future__ import annotations

from difflib import get_close_matches

from ace.errors import InputError
from ace.task.makers.draft import MakeOptions, Row, TaskDraft
from ace.task.makers.source_data import SourceData

CATEGORIES = ("base", "long_context", "miss_func", "miss_param")
_TASK = '''name = "bfcl"
environment = "bfcl"
instructions = """
You serve a user, with the tools that there are. Do what they ask for and nothing else, then `say` so: they
may ask for more. Where a tool or a detail is missing that you need, say so instead of guessing."""

[solver]
kind = "tools"
steps = 60

[bfcl]
'''
_MORE_TOOLS = "There are more tools now. Please try again."
_FIELDS = {"id": str, "question": list, "involved_classes": list, "initial_config": dict}


def make_bfcl(source: SourceData, options: MakeOptions) -> TaskDraft:
    """Return the conversations of a category. Raises InputError for a category that there is not."""
    category = options.category or CATEGORIES[0]
    if category not in CATEGORIES:
        close = get_close_matches(category, CATEGORIES, n=1)
        hint = f"Did you mean {close[0]!r}?" if close else f"There are {', '.join(CATEGORIES)}."
        raise InputError(f"No category is called {category!r}.", hint=hint)
    name = f"BFCL_v4_multi_turn_{category}.json"
    source.require_files((name, f"possible_answer/{name}"))
    answers = source.read_rows(f"possible_answer/{name}", {"id": str, "ground_truth": list})
    right = {entry["id"]: entry["ground_truth"] for entry in answers.values()}
    rows: list[Row] = []
    left_out: dict[str, str] = {}
    for entry in source.read_rows(name, _FIELDS).values():
        if entry["id"] not in right:
            left_out[entry["id"]] = f"possible_answer/{name} has no answer to it"
            continue
        texts = [
            " ".join(message["content"] for message in turn) or _MORE_TOOLS for turn in entry["question"]
        ]
        rows.append(
            {
                "id": entry["id"],
                "question": texts[0],
                "later": texts[1:],
                "classes": entry["involved_classes"],
                "config": entry["initial_config"],
                "held_out": entry.get("missed_function", {}),
                "excluded": entry.get("excluded_function", []),
                "long_context": category == "long_context",
                "gold": right[entry["id"]],
            }
        )
    return TaskDraft(toml=_TASK, learning=rows, left_out=left_out)
