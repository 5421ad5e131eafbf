"""What a command says of the address of a server in the place of a file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from typer.core import TyperCommand

from ace.errors import InputError

_PATHS = ("TASK", "[TASK]", "FILE|-")  # of words that a command makes a path of itself
_HINT = (
    "Give a path. A playbook on a server is named by --playbook, and `ace playbook pull` makes a file of it."
)


class FileCommand(TyperCommand):
    """Refuse addresses where only files can be meant, before a path is made of one.

    Options and arguments that take both are read by `ace.cli.playbook_places.read_place`, and have no path as
    their type.
    """

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Read the words of a command. Raises InputError, which names the option and no word of the address.

        A password may stand in it.
        """
        from ace.store.store_database import is_address

        left = super().parse_args(ctx, args)
        for parameter in self.params:
            word = ctx.params.get(parameter.name)
            is_path = isinstance(word, Path) or parameter.metavar in _PATHS
            if is_path and word is not None and is_address(word):
                name = (
                    parameter.opts[0]
                    if parameter.opts[0].startswith("-")
                    else str(parameter.metavar).strip("[]")
                )
                raise InputError(f"{name} is on this machine, and not on a server.", hint=_HINT)
        return left
