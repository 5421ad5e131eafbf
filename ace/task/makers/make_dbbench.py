"""AgentBench's tables (DBBench): the tasks that change one, judged by the state that they leave."""

from __future__ import annotations

from ace.task.makers.draft import MakeOptions, Row, TaskDraft
from ace.task.makers.source_data import SourceData

_TASK = """name = "dbbench"
environment = "tables"
instructions = "Change the table as the question says, with `execute_sql`, and nothing else in it."

[solver]
kind = "tools"
steps = 10

[tables]
"""
_CHANGES = {"INSERT", "UPDATE"}
_FIELDS = {"description": str, "add_description": str, "type": list, "table": dict, "label": list}


def make_dbbench(source: SourceData, options: MakeOptions) -> TaskDraft:
    """Return the tasks that change a table. Others, which ask for rows, are no part of this task."""
    rows: list[Row] = []
    for place, entry in source.read_rows("dev.jsonl", _FIELDS).items():
        if not _CHANGES & set(entry["type"]):
            continue
        table = entry["table"]
        rows.append(
            {
                "id": f"dbbench-{place}",
                "question": f"{entry['description']} {entry['add_description']}",
                "tables": [{"name": table.get("table_name"), **table.get("table_info", {})}],
                "gold_sql": entry["label"][0] if entry["label"] else "",
            }
        )
    return TaskDraft(toml=_TASK, learning=rows)
