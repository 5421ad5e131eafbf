"""`ace playbook log | diff | blame | revert | branch | merge | tag | verify | backup | restore | push | pull`

The history of a playbook, and copies of it.
"""

from __future__ import annotations

from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from ace.cli.bullet_commands import describe, find_bullet, name_first, one_line
from ace.cli.completion import complete_bullet
from ace.cli.options import REF, BranchName, Json
from ace.cli.output import emit
from ace.cli.playbook_places import OtherPlaybook, PlaybookFile, list_playbooks_here, playbook_file
from ace.cli.progress import progress_on_terminal
from ace.errors import StoreError

if TYPE_CHECKING:
    from ace.store import Commit, Store, Version
    from ace.store.store_database import Place

AUTHOR = "person"
_NAMED = 4  # episodes of one operation


def log(
    version: Annotated[
        str | None, typer.Argument(metavar="[VERSION]", help=f"Start here. {REF}  [default: main]")
    ] = None,
    limit: Annotated[int | None, typer.Option(metavar="N", min=1, help="Show only the newest.")] = None,
    every: Annotated[bool, typer.Option("--all", help="Show the versions of every branch.")] = False,
    playbook: PlaybookFile = None,
    json: Json = False,
) -> None:
    """List the versions, newest first."""
    from ace.runs.run_text import align_columns

    with open_to_read(playbook) as store:
        versions = store.log(limit, version=version, every_branch=every)
        tags = store.tags()
    rows = []
    for item in versions:
        names = " ".join(f"[{tag.name}]" for tag in tags if tag.version == item.number)
        size = f"{item.operations} op"
        reason = one_line(item.reason)
        rows.append((str(item.number), item.created, size, item.branch, *_origin(item), names, reason))
    data = {"versions": [asdict(version) for version in versions], "tags": [asdict(tag) for tag in tags]}
    emit(json, data, align_columns(rows, right=(0, 2)))


def diff(
    a: Annotated[str, typer.Argument(metavar="A", help=f"From this version. {REF}")],
    b: Annotated[str, typer.Argument(metavar="[B]", help="To this one.")] = "main",
    playbook: PlaybookFile = None,
    json: Json = False,
) -> None:
    """Show the operations that lead from one version to another."""
    with open_to_read(playbook) as store:
        delta = store.diff(a, b)
    text = "\n".join(map(describe, delta)) or "No difference."
    emit(json, {"operations": [asdict(operation) for operation in delta]}, text)


def blame(
    bullet: Annotated[
        str,
        typer.Argument(
            metavar="BULLET",
            help="An id, its beginning, or an alias; `ace playbook show` lists them.",
            autocompletion=complete_bullet,
        ),
    ],
    playbook: PlaybookFile = None,
    json: Json = False,
) -> None:
    """Show every operation that touched a bullet: its version, author, reason and episodes."""
    with open_to_read(playbook) as store:
        branches = [item.version for item in store.branches()]  # main is the first
        touches = store.blame(find_bullet(store, bullet, branches).id)
    lines: list[str] = []
    for place, touch in enumerate(touches):
        version = touch.version
        if not place or touches[place - 1].version.number != version.number:
            origin = (f"version {version.number}", version.branch, version.created, *_origin(version))
            lines.append("  ".join(filter(None, (*origin, one_line(version.reason)))))
        lines.append(f"  {describe(touch.operation, most=_NAMED)}")
        if touch.episodes:
            lines.append(f"    episodes {name_first(touch.episodes, _NAMED)}")
    data = {"touches": [asdict(touch) for touch in touches]}
    emit(json, data, "\n".join(lines))


def revert(
    version: Annotated[str, typer.Argument(metavar="VERSION", help=f"What to go back to. {REF}")],
    branch: BranchName = "main",
    playbook: PlaybookFile = None,
    json: Json = False,
) -> None:
    """Make a new version that equals an old one. Nothing is forgotten."""
    with open_to_write(playbook, branch) as store:
        number = store.find_version(version)
        commit = store.revert(number, author=AUTHOR, reason=f"revert to version {number}")
    _emit_version(json, commit, f"version {commit.version.number} equals version {number}")


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
        with open_to_read(playbook) as store:
            branches = store.branches()
        rows = []
        for row in branches:
            base = "" if row.base is None else f"from version {row.base}"
            rows.append((row.name, f"version {row.version}", base, row.created))
        emit(json, {"branches": [asdict(row) for row in branches]}, align_columns(rows))
        return
    with open_to_write(playbook) as store:
        new = store.branch(name, at)
    emit(json, {"branch": asdict(new)}, f"branch {new.name} begins at version {new.version}")


def merge(
    source: Annotated[str, typer.Argument(metavar="BRANCH", help=f"What to merge. {REF}")],
    branch: BranchName = "main",
    prefer: Annotated[
        Literal["ours", "theirs"] | None,
        typer.Option(help="Whose bullet to keep where both edited it.  [default: stop]"),
    ] = None,
    playbook: PlaybookFile = None,
    json: Json = False,
) -> None:
    """Merge what another branch changed into this one, bullet by bullet.

    Votes add up. A bullet that both edited stops the merge unless --prefer says whose to keep.
    """
    with (
        open_to_write(playbook, branch) as store,
        progress_on_terminal(store.path, json=json) as show,
    ):
        before = store.head()
        commit = store.merge(source, author=AUTHOR, prefer=prefer, show=partial(show, "merging: steps"))
    if commit.version != before:
        _emit_version(json, commit, f"version {commit.version.number} of {branch} has taken in {source}")
    else:
        _emit_version(json, commit, f"{branch} has all of {source} already")


def tag(
    name: Annotated[str | None, typer.Argument(metavar="[NAME]", help="[default: list them]")] = None,
    version: Annotated[str, typer.Argument(metavar="[VERSION]", help=f"What to name. {REF}")] = "main",
    delete: Annotated[bool, typer.Option("--delete", help="Delete the tag.")] = False,
    playbook: PlaybookFile = None,
    json: Json = False,
) -> None:
    """List the tags, or give a version a name. An existing tag moves."""
    from ace.runs.run_text import align_columns

    if name is None:
        with open_to_read(playbook) as store:
            tags = store.tags()
        rows = [(tag.name, f"version {tag.version}", tag.created) for tag in tags]
        text = align_columns(rows) if rows else "No tags yet."
        emit(json, {"tags": [asdict(tag) for tag in tags]}, text)
        return
    with open_to_write(playbook) as store:
        if delete:
            store.untag(name)
            emit(json, {"deleted": name}, f"{name} names no version any more")
        else:
            new = store.tag(name, version)
            emit(json, {"tag": asdict(new)}, f"{new.name} is version {new.version}")


def verify(playbook: PlaybookFile = None, json: Json = False) -> None:
    """Derive everything again and compare. Exit code 1 if anything is not as it should be."""
    from ace.runs.run_text import format_count

    with open_to_read(playbook) as store:
        problems = store.verify()
        size = 0 if problems else len(store.log(every_branch=True))
    rows = [{"version": problem.version, "problem": problem.text} for problem in problems]
    lines = [str(problem) for problem in problems]
    if problems:
        count = format_count(len(problems), "problem")
        lines.append(f"{count}. `ace playbook restore` puts a backup in its place.")
    else:
        lines.append(f"{store.path} is whole: {format_count(size, 'version')} derived again.")
    emit(json, {"playbook": str(store.path), "problems": rows}, "\n".join(lines))
    if problems:
        raise typer.Exit(StoreError.exit_code)


def backup(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Where to write; it must not exist yet.")],
    playbook: PlaybookFile = None,
    json: Json = False,
) -> None:
    """Copy a playbook as it is now, even while it is in use."""
    with open_to_read(playbook) as store:
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
    old = put_back(file, path)
    text = f"{path} is {file} now"
    if old:
        text = f"{text}; what was there is {old}"
    emit(json, {"playbook": str(path), "kept": old and str(old)}, text)


def push(other: OtherPlaybook, playbook: PlaybookFile = None, json: Json = False) -> None:
    """Copy what a playbook has and another lacks to the other, such as a server: ids, hashes, history, runs.

    The other is made if it is missing. Where it has something of its own that this one lacks, nothing is
    copied.
    """
    _transfer(playbook_file(playbook), other, json)


def pull(other: OtherPlaybook, playbook: PlaybookFile = None, json: Json = False) -> None:
    """Copy what another playbook has and this one lacks to this one. A missing file is made."""
    if playbook is None and not list_playbooks_here():
        playbook = Path(f"{other.stem}.db")
    _transfer(other, playbook_file(playbook), json)


def _transfer(source: Place, target: Place, json: bool) -> None:
    """Copy what is missing from one playbook to another, and print what that was."""
    from ace.runs.run_text import format_count
    from ace.store import Store

    with Store.open(source, create=False, read_only=True) as giver, Store.open(target) as taker:
        copied = taker.pull(giver)
    rows = ", ".join(f"{table} {count}" for table, count in copied.rows.items()) or "nothing was missing"
    text = f"{target} has {format_count(copied.after - copied.before, 'new version')} of {source}: {rows}."
    emit(json, {"from": str(source), "to": str(target), **asdict(copied)}, text)


COMMANDS = (log, diff, blame, revert, branch, merge, tag, verify, backup, restore, push, pull)


def open_to_read(playbook: Place | None) -> Store:
    """Open a playbook file that is there, to read; None is the only one in this folder.

    Raises InputError where there is none or a choice, StoreError as `Store.open` does.
    """
    from ace.store import Store

    return Store.open(playbook_file(playbook), create=False, read_only=True)


def open_to_write(playbook: Place | None, branch: str = "main", *, create: bool = False) -> Store:
    """Open a playbook file to write on a branch; None is the only one in this folder.

    `create` makes one where there is none. Raises InputError and StoreError as `open_to_read` does,
    UnknownVersion for a branch that is not there.
    """
    from ace.store import Store

    return Store.open(playbook_file(playbook), create=create, branch=branch)


def _emit_version(json: bool, commit: Commit, text: str) -> None:
    """Print a version that a command made, with how many live bullets it has."""
    from ace.runs.run_text import format_count

    size = format_count(len(commit.playbook), "bullet")
    emit(json, {"version": asdict(commit.version), "bullets": len(commit.playbook)}, f"{text}: {size}")


def _origin(version: Version) -> tuple[str, str]:
    """Return the author of a version, and its run, as two cells of a table; a version by hand has no run."""
    return version.author, f"run {version.run}" if version.run else ""
