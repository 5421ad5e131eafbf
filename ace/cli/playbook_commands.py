"""`ace playbook list | show`, and the group with the other commands of a playbook."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ace.cli import edit_commands, exchange_commands, history_commands, refine_commands
from ace.cli.bullet_commands import describe, find_bullet
from ace.cli.completion import complete_bullet
from ace.cli.options import Json, VersionOption
from ace.cli.output import emit
from ace.cli.playbook_places import PlaybookFile, PlaybookFolder
from ace.errors import NotAPlaybook, StoreError

if TYPE_CHECKING:
    from ace.playbook.model import Bullet
    from ace.store import Store
    from ace.store.store_database import Place


def list_(
    folder: PlaybookFolder = Path(),
    json: Json = False,
) -> None:
    """List the playbooks in a folder, or in a database of a server."""
    from ace.runs.run_text import align_columns, format_count

    places: Sequence[Place]
    if isinstance(folder, Path):
        places = sorted(folder.glob("*.db"))
    else:
        from ace.store.postgres.server_look import list_playbooks

        places = list_playbooks(folder)

    playbooks = list[dict[str, Any]]()
    rows = list[tuple[str, ...]]()
    problems = list[str]()
    for path in places:
        try:
            with history_commands.open_to_read(path) as store:
                head = store.head()
                size = sum(store.count_by_section().values())
        except NotAPlaybook:
            continue
        except StoreError as error:  # one that cannot be read must not hide the others
            playbooks.append({"playbook": str(path), "problem": str(error)})
            problems.append(str(error))
        else:
            playbooks.append({"playbook": str(path), "problem": "", "bullets": size, "head": asdict(head)})
            rows.append((str(path), format_count(size, "bullet"), f"version {head.number}", head.created))
    lines = [align_columns(rows, right=(1,))] if rows else []
    text = "\n".join([*lines, *problems]) or f"No playbooks in {folder}."
    emit(json, {"playbooks": playbooks}, text)


def show(
    bullet: Annotated[
        str | None,
        typer.Argument(
            metavar="[BULLET]",
            help="An id, its beginning, or an alias: its proof and history.",
            autocompletion=complete_bullet,
        ),
    ] = None,
    version: VersionOption = None,
    playbook: PlaybookFile = None,
    json: Json = False,
) -> None:
    """Show a playbook as Markdown, or one bullet with the episodes it came from."""
    from ace.playbook import to_markdown

    with history_commands.open_to_read(playbook) as store:
        if bullet is not None:
            _show_bullet(store, find_bullet(store, bullet, [version or store.head().number]), json)
            return
        value = store.checkout(version)
        text = to_markdown(value).rstrip("\n") or "No bullets yet."
        emit(json, {"bullets": [asdict(item) for item in value]}, text)


def _show_bullet(store: Store, bullet: Bullet, as_json: bool) -> None:
    """Print a bullet: its content, its place, its votes, what it cites, and its history."""
    aliases = store.aliases(bullet=bullet.id)
    episodes = store.episodes(ids=bullet.provenance) if bullet.provenance else []
    history = store.blame(bullet.id)
    state = f"{bullet.section}, {bullet.status}"
    if bullet.pinned:
        state = f"{state}, pinned"
    votes = f"helpful {bullet.helpful}, harmful {bullet.harmful}"
    lines = [bullet.content, "", f"{bullet.id}: {state}, {votes}"]
    lines += [f"alias {alias.alias} in {alias.source}" for alias in aliases]
    lines += [f"episode {e.id}: {e.question}\n  answered: {e.attempt.answer}" for e in episodes]
    lines += [f"version {touch.version.number}: {describe(touch.operation)}" for touch in history]
    data = {
        "bullet": asdict(bullet),
        "aliases": [{"alias": alias.alias, "source": alias.source} for alias in aliases],
        "episodes": [asdict(episode) for episode in episodes],
        "history": [{"version": t.version.number, "operation": asdict(t.operation)} for t in history],
    }
    emit(as_json, data, "\n".join(lines))


ABOUT = "Read a playbook and its history, edit it, export and import it."
COMMANDS = (
    list_,
    show,
    *edit_commands.COMMANDS,
    refine_commands.refine,
    *history_commands.COMMANDS,
    exchange_commands.export,
    exchange_commands.import_,
)
