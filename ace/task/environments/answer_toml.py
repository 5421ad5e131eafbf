"""The [answer] table of task.toml. Imported on first use only, because pydantic is."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, field_validator

from ace.task.environments.answer import AnswerEnvironment
from ace.task.environments.scorers import OPTIONS, SCORERS, read_tolerance
from ace.task.toml_models import ExtractionTable
from ace.task.toml_table import TomlTable


class AnswerTable(ExtractionTable):
    """Name the scorer; the fields are those of `AnswerEnvironment`, of which not every scorer has each."""

    scorer: str = "exact"
    ordered: bool = True
    case: bool = False
    tolerance: Annotated[float | str, Field(description='a number of at least 0, or a share as "1%"')] = 0.0

    @field_validator("tolerance")
    @classmethod
    def check_tolerance(cls, tolerance: float | str) -> float | str:
        """Raise ValueError for what is no tolerance."""
        try:
            read_tolerance(tolerance)
        except ValueError as error:
            raise ValueError(f'Expected a number of at least 0, or a share as "1%"; {error}.') from error
        return tolerance


def load_answer_environment(table: TomlTable) -> AnswerEnvironment:
    """Return the environment that the table describes.

    Raises TaskError for an unknown scorer, and for an option that no scorer of the task can have: rows may
    name other scorers, whose options count for them.
    """
    settings = table.validate(AnswerTable)
    if settings.scorer not in SCORERS:
        scorers = ", ".join(SCORERS)
        raise table.problem("scorer", f"Expected one of {scorers}, found {settings.scorer!r}.")
    options = table.values.keys() & {name for names in OPTIONS.values() for name in names}
    for name in sorted(options - set(OPTIONS.get(settings.scorer, ()))):
        scorers = " and ".join(repr(scorer) for scorer, names in OPTIONS.items() if name in names)
        raise table.problem(name, "Unknown key.", f"Only {scorers} have it.")
    return AnswerEnvironment(
        settings.scorer, ordered=settings.ordered, case=settings.case, tolerance=settings.tolerance
    )
