"""The [textworld] and [scienceworld] tables of task.toml: how long a game may be, and how many go on."""

from __future__ import annotations

from functools import partial
from typing import Annotated

from pydantic import Field

from ace.task.environments.worlds.text_game import SCIENCEWORLD, TEXTWORLD, Game, TextGameEnvironment
from ace.task.toml_models import TomlModel
from ace.task.toml_table import TomlTable


class TextGameTable(TomlModel):
    """Limit the games; rows name them."""

    steps: Annotated[int, Field(ge=1)] = 100
    """Commands of one attempt."""

    commands: bool = True
    """Whether an agent may ask which commands are understood."""

    processes: Annotated[int, Field(ge=1)] = 4
    """Games that may go on at once. Each is a Java process."""


def load_games(game: Game, table: TomlTable) -> TextGameEnvironment:
    """Return the environment for games of a package."""
    settings = table.validate(TextGameTable)
    return TextGameEnvironment(
        game, steps=settings.steps, lists_commands=settings.commands, most=settings.processes
    )


load_textworld_environment = partial(load_games, TEXTWORLD)
load_scienceworld_environment = partial(load_games, SCIENCEWORLD)
