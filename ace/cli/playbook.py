"""`ace playbook ...`: read a playbook, take it out and in; `history` has the commands on its versions."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ace.cli import history
from ace.cli.history import AUTHOR
from ace.cli.options import Json, PlaybookFile, playbook_file
from ace.cli.output import emit
from ace.errors import InputError, NotAPlaybook, StoreError, UnknownVersion

if TYPE_CHECKING:
    from ace.playbook.model import Bullet, Operation, Playbook
    from ace.store import Store

VersionOption = Annotated[
    str | None, typer.Option("--version", metavar="VERSION", help=f"{history.REF}  [default: main]")
]


def register(app: typer.Typer) -> None:
    group = typer.Typer(help="Read a playbook and its history; take it out and in.", no_args_is_help=True)
    for command in (list_, show, *history.COMMANDS, export, import_):
        group.command(command.__name__.rstrip("_"))(command)
    app.add_typer(group, name="playbook")


def list_(
    folder: Annotated[Path, typer.Argument(metavar="[FOLDER]", help="Where to look.")] = Path(),
    json: Json = False,
) -> None:
    """The playbook files in a folder."""
    from ace.runs.table import aligned

    found = [listed for path in sorted(folder.glob("*.db")) if (listed := _listed(path))]
    rows = [_playbook_row(item) for item in found if not item["problem"]]
    lines = [*([aligned(rows, right=(1,))] if rows else []), *(i["problem"] for i in found if i["problem"])]
    emit(json, {"playbooks": found}, "\n".join(lines) or f"No playbooks in {folder}.")


def show(
    bullet: Annotated[
        str | None, typer.Argument(metavar="[BULLET]", help="An id: its proof and history.")
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


def export(
    file: Annotated[
        Path | None, typer.Argument(metavar="[FILE]", help="A .md or .json file.  [default: stdout]")
    ] = None,
    version: VersionOption = None,
    playbook: PlaybookFile = None,
) -> None:
    """Write a playbook as text that can be reviewed, committed and imported."""
    from ace.playbook import playbook_to_json, to_markdown
    from ace.runs.table import counted

    with _open(playbook_file(playbook)) as store:
        value = store.checkout(version)
    text = playbook_to_json(value) if file and file.suffix == ".json" else to_markdown(value)
    if file is None:
        typer.echo(text, nl=False)
    else:
        file.write_text(text, encoding="utf-8")
        emit(False, {}, f"{counted(len(value), 'bullet')} written to {file}")


def import_(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A .md or .json file.")],
    replace: Annotated[bool, typer.Option("--replace", help="Also remove bullets the file lacks.")] = False,
    playbook: PlaybookFile = None,
    json: Json = False,
) -> None:
    """Add the bullets of a text file to a playbook; a bullet of the same id is brought in line with it."""
    from ace.playbook import Remove
    from ace.playbook import diff as difference
    from ace.runs.table import counted
    from ace.store import Store

    read = _reader(file)
    read(None)  # a file that does not read must not leave an empty playbook behind
    with Store.open(playbook_file(playbook)) as store:
        before = store.checkout()
        changes = difference(before, read(before))
        delta = tuple(change for change in changes if replace or not isinstance(change, Remove))
        commit = store.commit(delta, author=AUTHOR, reason=f"import of {file.name}")
    refused = [f"not applied: {describe(r.operation)} ({r.reason})" for r in commit.rejections]
    size = f"{counted(len(commit.playbook), 'bullet')}, {counted(len(delta), 'operation')}"
    text = f"version {commit.version.number}: {size}"
    data = {"version": asdict(commit.version), "bullets": len(commit.playbook), "rejected": refused}
    emit(json, data, "\n".join([text, *refused]))


def describe(operation: Operation) -> str:
    """One operation on one line, in the order its fields have."""
    fields: dict[str, Any] = {k: v for k, v in asdict(operation).items() if k != "op" and v not in (None, ())}
    name = operation.op.ljust(len("quarantine"))
    return f"{name}  " + "  ".join(_value(key, value) for key, value in fields.items())


def _value(key: str, value: Any) -> str:
    if isinstance(value, tuple):
        return f"{key} {', '.join(value)}"
    return str(value) if isinstance(value, str) else f"{key} {value}"


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
    from ace.runs.table import counted

    head = item["head"]
    return item["playbook"], counted(item["bullets"], "bullet"), f"version {head['number']}", head["created"]


def _reader(file: Path) -> Callable[[Playbook | None], Playbook]:
    """Reads the text once; what it says depends on the playbook it was exported from."""
    from ace.playbook import from_markdown, playbook_from_json

    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"cannot read {file}: {error}.", hint="Give a Markdown or JSON export.") from error
    if file.suffix == ".json":
        return lambda _: playbook_from_json(text, file=str(file))
    if not len(from_markdown(text, file=str(file))) and text.strip():
        raise InputError(f"{file} holds no bullets.", hint="A bullet is a line that begins with '- '.")
    return lambda base: from_markdown(text, file=str(file), base=base)


def _show_bullet(store: Store, playbook: Playbook, bullet_id: str, as_json: bool) -> None:
    if (bullet := playbook.bullets.get(bullet_id)) is None:
        raise UnknownVersion(
            f"{store.path} has no bullet {bullet_id}.", hint="`ace playbook show` lists them."
        )
    episodes = store.episodes(ids=bullet.provenance) if bullet.provenance else []
    history = store.blame(bullet_id)
    lines = [bullet.content, "", _state(bullet)]
    lines += [f"episode {e.id}: {e.question}\n  answered: {e.attempt.answer}" for e in episodes]
    lines += [f"version {touch.version.number}: {describe(touch.operation)}" for touch in history]
    data = {
        "bullet": asdict(bullet),
        "episodes": [asdict(episode) for episode in episodes],
        "history": [{"version": t.version.number, "operation": asdict(t.operation)} for t in history],
    }
    emit(as_json, data, "\n".join(lines))


def _state(bullet: Bullet) -> str:
    pinned = ", pinned" if bullet.pinned else ""
    return f"{bullet.section}, {bullet.status}{pinned}, helpful {bullet.helpful}, harmful {bullet.harmful}"
