"""The [bfcl] table of task.toml: how many conversations go on at once."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from ace.task.environments.worlds.bfcl import ConversationEnvironment
from ace.task.toml_models import TomlModel
from ace.task.toml_table import TomlTable


class BfclTable(TomlModel):
    """Limit the conversations; rows describe them."""

    processes: Annotated[int, Field(ge=1)] = 4
    """Conversations that may go on at once."""


def load_bfcl_environment(table: TomlTable) -> ConversationEnvironment:
    """Return the environment."""
    return ConversationEnvironment(most=table.validate(BfclTable).processes)
