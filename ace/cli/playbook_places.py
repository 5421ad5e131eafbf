"""How a command line names a playbook: a file, or the URL of a server."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ace.cli.completion import complete_playbook
from ace.errors import InputError

if TYPE_CHECKING:
    from ace.store.store_database import Place


def read_place(text: str) -> Place:
    """Return where a playbook is, as a word of the command line names it. Raises InputError for a bad URL."""
    from ace.store.store_database import parse_place

    return parse_place(text)


def refuse_password(place: Place | None, where: str) -> None:
    """Raise InputError for an address with a password that would have to be written down. `where` says where.

    What is written down is read by others, and an address without its password would open nothing later.
    """
    from ace.store.store_database import ServerAddress

    if isinstance(place, ServerAddress) and place.secret:
        hint = f"Put it into ~/.pgpass or PGPASSWORD, and give {place}."
        raise InputError(f"The password of an address is not written into {where}.", hint=hint)


if TYPE_CHECKING:
    PlaybookFile = Place | None
    SamePlaybook = Place | None
    TaskPlaybook = Place | None
    ShownPlaybook = Place | None
    ServedPlaybook = Place | None
    ShownPlaybooks = list[Place] | None
    CheckedPlaybook = Place | None
    PlaybookFolder = Place
    ProjectPlaybook = Place | None
    TracesFile = Place | None
    OtherPlaybook = Place
else:  # typer takes no union of types, and needs none where a function reads the word

    def _take_playbook(about: str) -> Any:
        """Return the type of the option --playbook, with what its help says."""
        option = typer.Option(
            "--playbook",
            metavar="FILE|URL",
            help=about,
            parser=read_place,
            autocompletion=complete_playbook,
        )
        return Annotated[Any, option]

    PlaybookFile = _take_playbook("[default: the only .db file here]")
    SamePlaybook = _take_playbook("The same as PLAYBOOK.")
    TaskPlaybook = _take_playbook("Made if missing.  [default: the task's name + .db]")
    ShownPlaybook = Annotated[
        Any,
        typer.Option(
            metavar="FILE|URL", help="[default: the task's name + .db, if there is one]", parser=read_place
        ),
    ]
    ServedPlaybook = Annotated[
        Any,
        typer.Argument(
            metavar="[PLAYBOOK]",
            help="A .db file or URL, made if missing, or a folder of them.  [default: the only one here]",
            parser=read_place,
        ),
    ]
    ShownPlaybooks = Annotated[
        list[Any] | None,
        typer.Argument(
            metavar="[PLAYBOOK...]",
            help="Files, folders of them, or URLs.  [default: the only file here]",
            parser=read_place,
        ),
    ]
    CheckedPlaybook = Annotated[
        Any,
        typer.Argument(
            metavar="[PLAYBOOK]",
            help="A playbook, FILE or URL: its size by table, and runs that were killed.",
            show_default=False,
            autocompletion=complete_playbook,
            parser=read_place,
        ),
    ]
    PlaybookFolder = Annotated[
        Any,
        typer.Argument(
            metavar="[FOLDER|URL]",
            help="Where to look.  [default: .]",
            show_default=False,
            parser=read_place,
        ),
    ]
    ProjectPlaybook = Annotated[
        Any,
        typer.Option(
            metavar="FILE|URL", help="Made when it is served.  [default: NAME + .db]", parser=read_place
        ),
    ]
    TracesFile = Annotated[
        Any,
        typer.Option(
            metavar="FILE|URL",
            help="Learn from attempts in a log, or from sessions that `ace hook` recorded in a playbook.",
            parser=read_place,
        ),
    ]
    OtherPlaybook = Annotated[
        Any, typer.Argument(metavar="OTHER", help="A file, or a server's URL.", parser=read_place)
    ]


def list_playbooks_here() -> list[Path]:
    """Return the playbook files of this folder, by name, without the databases that stand beside them."""
    from ace.servers.books import NO_PLAYBOOKS

    return sorted(file for file in Path().glob("*.db") if not file.name.endswith(NO_PLAYBOOKS))


def choose_word(word: Place | None, option: Place | None) -> Place | None:
    """Return the playbook that a command is given, as a word or by --playbook; None where it is neither.

    Raises InputError where it is both.
    """
    if word and option:
        raise InputError("Two playbooks are named.", hint="Leave out --playbook, or the one before it.")
    return word or option


def playbook_file(path: Place | None) -> Place:
    """Return the file that was named, or the only playbook in this folder.

    Raises InputError where there is none, or more than one.
    """
    if path:
        return path
    playbooks = list_playbooks_here()
    if len(playbooks) == 1:
        return playbooks[0]
    names = ", ".join(map(str, playbooks)) or "none"
    raise InputError(f"Which playbook? The .db files here are: {names}.", hint="Give one with --playbook.")
