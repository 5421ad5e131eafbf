"""The [solver] table of task.toml: how an attempt at a sample is made."""

from __future__ import annotations

from ace.task.config import Table
from ace.task.types import Solving

_KINDS = ("single", "outline")


def read_solver(table: Table) -> Solving:
    """Every key has a default, and an unknown one is refused. TaskError names the key."""
    default = Solving()
    kind = table.take("kind", str, default.kind)
    if kind not in _KINDS:
        raise table.problem("kind", f"Expected {' or '.join(map(repr, _KINDS))}, found {kind!r}.")
    if kind == "single":
        table.done()
        return default
    words, mends = table.take("words", int, default.words), table.take("mends", int, default.mends)
    if words < 1:
        raise table.problem("words", f"Expected at least 1, found {words}.")
    if mends < 0:
        raise table.problem("mends", f"Expected at least 0, found {mends}.")
    table.done()
    return Solving(kind="outline", words=words, mends=mends)
