"""InterCode's questions about the databases of Spider. The databases are read where they lie."""

from __future__ import annotations

import json
import os
from difflib import get_close_matches

from ace.errors import InputError
from ace.task.makers.draft import MakeOptions, Row, TaskDraft
from ace.task.makers.source_data import SourceData

_TASK = """name = "intercode_sql"
environment = "sql"
max_tokens = 200
instructions = "Answer the question about the database with one SQLite SELECT statement."

[sql]
folder = {folder}
databases = "*.sqlite"
"""
_FIELDS = {"task_id": int, "db": str, "question": str, "gold_sql": str}


def make_intercode(source: SourceData, options: MakeOptions) -> TaskDraft:
    """Return the questions about the chosen databases. Raises InputError for a database that is not there."""
    files = {file.stem for file in (source.folder / "db").glob("*.sqlite")}
    if not files:
        raise InputError(f"No database in {source.folder / 'db'}.", hint=f"Get them from {source.source}")
    for name in (*options.databases, *options.test_databases):
        if name not in files:
            close = get_close_matches(name, files, n=1)
            hint = f"Did you mean {close[0]!r}?" if close else f"There are {', '.join(sorted(files))}."
            raise InputError(f"No database is called {name!r}.", hint=hint)
    learning: list[Row] = []
    held_out: list[Row] = []
    left_out: dict[str, str] = {}
    for entry in source.read_rows("tasks.jsonl", _FIELDS).values():
        database = entry["db"]
        name = f"{database}-{entry['task_id']}"
        if options.databases and database not in {*options.databases, *options.test_databases}:
            continue
        if database not in files:
            left_out[name] = f"db/{database}.sqlite is missing"
            continue
        row = {"id": name, "question": entry["question"], "db": database, "gold_sql": entry["gold_sql"]}
        (held_out if database in options.test_databases else learning).append(row)
    folder = source.folder / "db"
    path = str(folder) if options.absolute else os.path.relpath(folder, options.out)
    return TaskDraft(
        toml=_TASK.format(folder=json.dumps(path, ensure_ascii=False)),
        learning=learning,
        held_out=held_out,
        left_out=left_out,
    )
