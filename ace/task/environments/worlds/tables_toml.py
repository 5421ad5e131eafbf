"""The [tables] table of task.toml: the limits of a statement."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from ace.task.environments.sql.worker_pool import SqlLimits
from ace.task.environments.worlds.tables import TablesEnvironment
from ace.task.toml_models import TomlModel
from ace.task.toml_table import TomlTable


class TablesTable(TomlModel):
    """Limit every statement; rows carry the tables."""

    time_limit: Annotated[float, Field(gt=0)] = 2.0
    """Seconds of computing."""

    row_limit: Annotated[int, Field(gt=0)] = 100
    """Rows that an agent sees of a result."""

    memory: Annotated[int, Field(ge=64)] = 512
    """Megabytes of address space."""


def load_tables_environment(table: TomlTable) -> TablesEnvironment:
    """Return the environment."""
    settings = table.validate(TablesTable)
    return TablesEnvironment(SqlLimits(settings.time_limit, settings.memory, settings.row_limit))
