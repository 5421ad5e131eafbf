"""The [answer] table of task.toml."""

from __future__ import annotations

from ace.task.toml_models import TomlModel


class AnswerTable(TomlModel):
    """Name the scorer."""

    scorer: str = "exact"


class LabelsTable(AnswerTable):
    """Say whether labels must stand in their order, which only this scorer asks for."""

    ordered: bool = True
