"""The environments that task.toml can name, and how each is made of its own table."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from ace.task.environments.answer import SCORERS, AnswerEnvironment
from ace.task.toml_table import TomlTable
from ace.task.types import Environment

LABEL_FIELDS = frozenset({"answer", "gold_sql"})  # fields of rows that hold what is right


def load_answer(table: TomlTable) -> Environment:
    """Return the `answer` environment that a table describes. Raises TaskError."""
    from ace.task.environments.answer_toml import AnswerTable, LabelsTable

    if table.values.get("scorer") == "labels":
        ordered = table.validate(LabelsTable).ordered
        return AnswerEnvironment("labels", ordered=ordered)
    scorer = table.validate(AnswerTable).scorer
    if scorer not in SCORERS:
        known = ", ".join(SCORERS)
        raise table.problem("scorer", f"Expected one of {known}, found {scorer!r}.")
    return AnswerEnvironment(scorer)


def load_sql(table: TomlTable) -> Environment:
    """Return the `sql` environment that a table describes. Raises TaskError."""
    from ace.task.environments.sql.sql_toml import load_sql_environment

    return load_sql_environment(table)


BUILT_IN: Mapping[str, Callable[[TomlTable], Environment]] = {"sql": load_sql, "answer": load_answer}
