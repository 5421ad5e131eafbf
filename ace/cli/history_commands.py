"""`ace playbook ...`, its history: what happened, going back, branches, tags, and keeping the file whole."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from ace.cli.bullet_commands import describe, everywhere, named, one_line
from ace.cli.options import REF, BranchName, Json, PlaybookFile, playbook_file
from ace.cli.output import emit
from ace.errors import StoreError

if TYPE_CHECKING:
    from ace.playbook.model import Operation
    from ace.store import Branch, Commit, Store, Tag, Touch, Version

AUTHOR = "person"


def log(
    version: Annotated[
        str | None, typer.Argument(metavar="[VERSION]", help=f"Back from here. {REF}  [default: main]")
    ] = None,
    limit: Annotated[int | None, typer.Option(metavar="N", min=1, help="Only the newest.")] = None,
    every: Annotated[bool, typer.Option("--all", help="The versions of every branch.")] = False,
    playbook: PlaybookFile = None,
    json: Json = False,
) -> None:
    """The versions, newest first."""
    from ace.runs.run_text import align_columns

    with reading(playbook) as store:
        versions, tags = store.log(limit, version=version, every_branch=every), store.tags()
    data = {"versions": [asdict(version) for version in versions], "tags": [asdict(tag) for tag in tags]}
    emit(json, data, align_columns((_version_row(version, tags) for version in versions), right=(0, 2)))


def diff(
    a: Annotated[str, typer.Argument(metavar="A", help=f"From this version. {REF}")],
    b: Annotated[str, typer.Argument(metavar="[B]", help="To this one.")] = "main",
    playbook: PlaybookFile = None,
    json: Json = False,
) -> None:
    """The operations that lead from one version to another."""
    with reading(playbook) as store:
        delta = store.diff(a, b)
    emit(json, {"operations": [asdict(operation) for operation in delta]}, _lines(delta, "No difference."))


def blame(
    bullet: Annotated[
        str,
        typer.Argument(
            metavar="BULLET", help="An id, its beginning, or an alias; `ace playbook show` lists them."
        ),
    ],
    playbook: PlaybookFile = None,
    json: Json = False,
) -> None:
    """Every operation that touched a bullet: in which version, by whom, why, and on which episodes."""
    from ace.runs.run_text import align_columns

    with reading(playbook) as store:
        touches = store.blame(named(store, everywhere(store), bullet).id)
    emit(
        json,
        {"touches": [asdict(touch) for touch in touches]},
        align_columns(map(_touch_row, touches), right=(0,)),
    )


def revert(
    version: Annotated[str, typer.Argument(metavar="VERSION", help=f"What to go back to. {REF}")],
    branch: BranchName = "main",
    playbook: PlaybookFile = None,
    json: Json = False,
) -> None:
    """Make a new version that equals an old one. Nothing is forgotten."""
    with writing(playbook, branch) as store:
        number = store.resolve(version)
        commit = store.revert(number, author=AUTHOR, reason=f"revert to version {number}")
    _tell(json, commit, f"version {commit.version.number} equals version {number}")


def branch(
    name: Annotated[
        str | None, typer.Argument(metavar="[NAME]", help="A new branch.  [default: list them]")
    ] = None,
    at: Annotated[str, typer.Option(metavar="VERSION", help=f"Where it begins. {REF}")] = "main",
    playbook: PlaybookFile = None,
    json: Json = False,
) -> None:
    """List the branches, or begin one. `ace learn --branch NAME` learns on it."""
    from ace.runs.run_text import align_columns

    if name is None:
        with reading(playbook) as store:
            found = store.branches()
        emit(json, {"branches": [asdict(each) for each in found]}, align_columns(map(_branch_row, found)))
        return
    with writing(playbook) as store:
        made = store.branch(name, at)
    emit(json, {"branch": asdict(made)}, f"branch {made.name} begins at version {made.version}")


def merge(
    other: Annotated[str, typer.Argument(metavar="BRANCH", help=f"What to take in. {REF}")],
    branch: BranchName = "main",
    prefer: Annotated[
        Literal["ours", "theirs"] | None,
        typer.Option(help="Whose bullet to keep where both edited it.  [default: stop]"),
    ] = None,
    playbook: PlaybookFile = None,
    json: Json = False,
) -> None:
    """Take what another branch changed into this one, bullet by bullet.

    Votes add up. A bullet that both edited stops the merge unless --prefer says whose to keep.
    """
    with writing(playbook, branch) as store:
        before = store.head()
        commit = store.merge(other, author=AUTHOR, prefer=prefer)
    new = commit.version != before
    text = f"version {commit.version.number} of {branch} has taken in {other}"
    _tell(json, commit, text if new else f"{branch} has all of {other} already")


def tag(
    name: Annotated[str | None, typer.Argument(metavar="[NAME]", help="[default: list them]")] = None,
    version: Annotated[str, typer.Argument(metavar="[VERSION]", help=f"What to name. {REF}")] = "main",
    delete: Annotated[bool, typer.Option("--delete", help="Take the name away.")] = False,
    playbook: PlaybookFile = None,
    json: Json = False,
) -> None:
    """List the tags, or give a version a name. A tag that is there moves."""
    from ace.runs.run_text import align_columns

    if name is None:
        with reading(playbook) as store:
            found = store.tags()
        text = align_columns((tag.name, f"version {tag.version}", tag.created) for tag in found)
        emit(json, {"tags": [asdict(tag) for tag in found]}, text if found else "No tags yet.")
        return
    with writing(playbook) as store:
        if delete:
            store.untag(name)
            emit(json, {"deleted": name}, f"{name} names no version any more")
        else:
            made = store.tag(name, version)
            emit(json, {"tag": asdict(made)}, f"{made.name} is version {made.version}")


def verify(playbook: PlaybookFile = None, json: Json = False) -> None:
    """Derive everything again and compare. Exit code 1 if anything is not as it should be."""
    from ace.runs.run_text import format_count

    with reading(playbook) as store:
        problems = store.verify()
        size = len(store.log(every_branch=True)) if not problems else 0
    data = {
        "playbook": str(store.path),
        "problems": [{"version": p.version, "problem": p.text} for p in problems],
    }
    fine = f"{store.path} is whole: {format_count(size, 'version')} derived again."
    advice = f"{format_count(len(problems), 'problem')}. `ace playbook restore` puts a backup in its place."
    emit(json, data, "\n".join([*map(str, problems), advice] if problems else [fine]))
    if problems:
        raise typer.Exit(StoreError.exit_code)


def backup(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Where to. Nothing may be there yet.")],
    playbook: PlaybookFile = None,
    json: Json = False,
) -> None:
    """Copy a playbook as it is at this moment, even while it is in use."""
    with reading(playbook) as store:
        store.backup(file)
    emit(json, {"backup": str(file), "playbook": str(store.path)}, f"{store.path} copied to {file}")


def restore(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A backup. It is verified first.")],
    playbook: PlaybookFile = None,
    json: Json = False,
) -> None:
    """Put a backup in a playbook's place. The file that was there is kept under another name."""
    from ace.store import restore as put_back

    path = playbook_file(playbook)
    kept = put_back(file, path)
    text = f"{path} is {file} now" + (f"; what was there is {kept}" if kept else "")
    emit(json, {"playbook": str(path), "kept": kept and str(kept)}, text)


COMMANDS = (log, diff, blame, revert, branch, merge, tag, verify, backup, restore)


def reading(playbook: Path | None) -> Store:
    from ace.store import Store

    return Store.open(playbook_file(playbook), create=False, read_only=True)


def writing(playbook: Path | None, branch: str = "main") -> Store:
    from ace.store import Store

    return Store.open(playbook_file(playbook), create=False, branch=branch)


def _tell(json: bool, commit: Commit, text: str) -> None:
    from ace.runs.run_text import format_count

    size = format_count(len(commit.playbook), "bullet")
    emit(json, {"version": asdict(commit.version), "bullets": len(commit.playbook)}, f"{text}: {size}")


def _lines(delta: Iterable[Operation], otherwise: str) -> str:
    return "\n".join(map(describe, delta)) or otherwise


def _version_row(version: Version, tags: list[Tag]) -> tuple[str, ...]:
    names = " ".join(f"[{tag.name}]" for tag in tags if tag.version == version.number)
    size = f"{version.operations} op"
    reason = one_line(version.reason)
    return (str(version.number), version.created, size, version.branch, *_who(version), names, reason)


def _branch_row(branch: Branch) -> tuple[str, ...]:
    began = "" if branch.base is None else f"from version {branch.base}"
    return branch.name, f"version {branch.version}", began, branch.created


def _touch_row(touch: Touch) -> tuple[Any, ...]:
    version = touch.version
    cited = f"episodes {', '.join(touch.episodes)}" if touch.episodes else ""
    row = (
        str(version.number),
        version.branch,
        version.created,
        *_who(version),
        one_line(version.reason),
        cited,
    )
    return (*row, describe(touch.operation))


def _who(version: Version) -> tuple[str, str]:
    return version.author, f"run {version.run}" if version.run else ""
