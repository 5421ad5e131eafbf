"""The [context] table of task.toml: what a prompt holds beside instructions, playbook and question."""

from __future__ import annotations

from ace.task.config import Table, inside
from ace.task.types import TaskContext


def read_context(table: Table) -> TaskContext:
    """Every key has a default, and an unknown one is refused. TaskError names the key."""
    default = TaskContext()
    folder = table.take("documents", str, "") if "documents" in table else None
    documents = None if folder is None else inside(table, "documents", folder, folder=True)
    if documents is not None and documents.resolve() == table.file.parent.resolve():
        message = "The task folder itself holds the questions and their answers."
        raise table.problem("documents", message, "Give a folder inside it.")
    passages = table.take("passages", int, default.passages)
    if passages < 1:
        raise table.problem("passages", f"Expected at least 1, found {passages}.")
    memories = table.take("memories", bool, default.memories)
    embedder = table.take("embedder", str, default.embedder)
    share = table.take("share", float, default.share)
    if not 0 < share < 1:
        raise table.problem("share", f"Expected more than 0 and less than 1, found {share:g}.")
    fields = tuple(table.take("fields", list, list(default.fields)))
    if not all(isinstance(name, str) and name for name in fields):
        raise table.problem("fields", f"Expected names of fields, found {list(fields)!r}.")
    if labels := sorted({"answer", "gold_sql"} & set(fields)):
        raise table.problem("fields", f"{labels[0]} is a label: what is retrieved must not depend on it.")
    table.done()
    return TaskContext(
        documents=documents,
        passages=passages,
        memories=memories,
        embedder=embedder.strip(),
        share=share,
        fields=fields,
    )
