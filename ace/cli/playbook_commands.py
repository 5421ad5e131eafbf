"""`ace playbook ...`: read a playbook; `editing`, `history` and `exchange` have the other commands."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ace.cli import edit_commands, exchange_commands, history_commands, refine_commands
from ace.cli.bullet_commands import describe, named
from ace.cli.options import Json, PlaybookFile, VersionOption, playbook_file
from ace.cli.output import emit
from ace.errors import NotAPlaybook, StoreError

if TYPE_CHECKING:
    from ace.playbook.model import Bullet, Playbook
    from ace.store import Store


def register(app: typer.Typer) -> None:
    about = "Read a playbook and its history, edit it, take it out and in."
    group = typer.Typer(help=about, no_args_is_help=True)
    own = (list_, show, *edit_commands.COMMANDS, refine_commands.refine)
    for command in (*own, *history_commands.COMMANDS, exchange_commands.export, exchange_commands.import_):
        group.command(command.__name__.rstrip("_"))(command)
    app.add_typer(group, name="playbook")


def list_(
    folder: Annotated[Path, typer.Argument(metavar="[FOLDER]", help="Where to look.")] = Path(),
    json: Json = False,
) -> None:
    """The playbook files in a folder."""
    from ace.runs.run_text import align_columns

    found = [listed for path in sorted(folder.glob("*.db")) if (listed := _listed(path))]
    rows = [_playbook_row(item) for item in found if not item["problem"]]
    lines = [
        *([align_columns(rows, right=(1,))] if rows else []),
        *(i["problem"] for i in found if i["problem"]),
    ]
    emit(json, {"playbooks": found}, "\n".join(lines) or f"No playbooks in {folder}.")


def show(
    bullet: Annotated[
        str | None,
        typer.Argument(metavar="[BULLET]", help="An id, its beginning, or an alias: its proof and history."),
    ] = None,
    version: VersionOption = None,
    playbook: PlaybookFile = None,
    json: Json = False,
) -> None:
    """A playbook as Markdown, or one bullet with the episodes it came from."""
    from ace.playbook import to_markdown

    with _open(playbook_file(playbook)) as store:
        value = store.checkout(version)
        if bullet is not None:
            _show_bullet(store, value, bullet, json)
            return
        text = to_markdown(value).rstrip("\n") or "No bullets yet."
        emit(json, {"bullets": [asdict(each) for each in value]}, text)


def _open(path: Path) -> Store:
    from ace.store import Store

    return Store.open(path, create=False, read_only=True)


def _listed(path: Path) -> dict[str, Any]:
    """Empty for some other file. A playbook that cannot be read must not hide the others."""
    try:
        with _open(path) as store:
            size, head = len(store.checkout()), store.head()
    except NotAPlaybook:
        return {}
    except StoreError as error:
        return {"playbook": str(path), "problem": str(error)}
    return {"playbook": str(path), "problem": "", "bullets": size, "head": asdict(head)}


def _playbook_row(item: dict[str, Any]) -> tuple[str, ...]:
    from ace.runs.run_text import format_count

    head = item["head"]
    return (
        item["playbook"],
        format_count(item["bullets"], "bullet"),
        f"version {head['number']}",
        head["created"],
    )


def _show_bullet(store: Store, playbook: Playbook, name: str, as_json: bool) -> None:
    bullet = named(store, playbook.bullets, name)
    aliases = [alias for alias in store.aliases() if alias.bullet == bullet.id]
    episodes = store.episodes(ids=bullet.provenance) if bullet.provenance else []
    history = store.blame(bullet.id)
    lines = [bullet.content, "", f"{bullet.id}: {_state(bullet)}"]
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


def _state(bullet: Bullet) -> str:
    pinned = ", pinned" if bullet.pinned else ""
    return f"{bullet.section}, {bullet.status}{pinned}, helpful {bullet.helpful}, harmful {bullet.harmful}"
