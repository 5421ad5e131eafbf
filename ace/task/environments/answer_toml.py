"""The [answer] table of task.toml. Imported on first use only, because pydantic is."""

from __future__ import annotations

from ace.task.environments.answer import AnswerEnvironment
from ace.task.environments.scorers import SCORERS
from ace.task.toml_models import ExtractionTable
from ace.task.toml_table import TomlTable


class AnswerTable(ExtractionTable):
    """Name the scorer. `ordered`: labels must stand in their order, which only the scorer of labels asks."""

    scorer: str = "exact"
    ordered: bool | None = None


def load_answer_environment(table: TomlTable) -> AnswerEnvironment:
    """Return the environment that the table describes. Raises TaskError."""
    settings = table.validate(AnswerTable)
    if settings.scorer not in SCORERS:
        scorers = ", ".join(SCORERS)
        raise table.problem("scorer", f"Expected one of {scorers}, found {settings.scorer!r}.")
    if settings.ordered is None:
        return AnswerEnvironment(settings.scorer)
    if settings.scorer != "labels":
        raise table.problem("ordered", "Unknown key.", "Only the scorer 'labels' has it.")
    return AnswerEnvironment("labels", ordered=settings.ordered)
