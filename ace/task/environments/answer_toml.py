"""The [answer] table of task.toml. Imported on first use only, because pydantic is."""

from __future__ import annotations

from ace.task.environments.answer import AnswerEnvironment
from ace.task.environments.scorers import SCORERS
from ace.task.toml_models import ExtractionTable
from ace.task.toml_table import TomlTable


class AnswerTable(ExtractionTable):
    """Name the scorer; the fields are those of `AnswerEnvironment`."""

    scorer: str = "exact"

    ordered: bool | None = None
    """Only the scorer of labels has it; None where the table does not say."""


def load_answer_environment(table: TomlTable) -> AnswerEnvironment:
    """Return the environment that the table describes.

    Raises TaskError for an unknown scorer, and for `ordered` beside a scorer that has no labels.
    """
    settings = table.validate(AnswerTable)
    if settings.scorer not in SCORERS:
        scorers = ", ".join(SCORERS)
        raise table.problem("scorer", f"Expected one of {scorers}, found {settings.scorer!r}.")
    if settings.ordered is None:
        return AnswerEnvironment(settings.scorer)
    if settings.scorer != "labels":
        raise table.problem("ordered", "Unknown key.", "Only the scorer 'labels' has it.")
    return AnswerEnvironment("labels", ordered=settings.ordered)
