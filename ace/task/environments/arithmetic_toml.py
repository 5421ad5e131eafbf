"""The [arithmetic] table of task.toml, which has no keys."""

from __future__ import annotations

from ace.task.environments.arithmetic import ArithmeticEnvironment
from ace.task.toml_models import TomlModel
from ace.task.toml_table import TomlTable


class ArithmeticTable(TomlModel):
    """Refuse every key."""


def load_arithmetic_environment(table: TomlTable) -> ArithmeticEnvironment:
    """Return the environment."""
    table.validate(ArithmeticTable)
    return ArithmeticEnvironment()
