"""`ace playbook add | edit | remove | pin | unpin | quarantine | promote | move`: a playbook edited by hand.

Each command is one version, by a person. What is so already makes none.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ace.cli.bullet_commands import describe, named
from ace.cli.options import BranchName, Json, PlaybookFile, playbook_file
from ace.cli.output import emit
from ace.errors import InputError

if TYPE_CHECKING:
    from ace.playbook.model import Bullet, Delta, Operation, Playbook
    from ace.store import Store

    Decision = tuple[Operation | None, str]
    """What to do, and what to say where there is nothing to do."""

AUTHOR = "person"
SECTION = "General"

Text = Annotated[str, typer.Argument(metavar="TEXT", help="What it says.")]
OneBullet = Annotated[str, typer.Argument(metavar="BULLET", help="An id, its beginning, or an alias.")]
Bullets = Annotated[list[str], typer.Argument(metavar="BULLET", help="Ids, their beginnings, or aliases.")]
Reason = Annotated[str, typer.Option(metavar="TEXT", help="Kept with the version.")]


def add(
    text: Text,
    section: Annotated[str, typer.Option(metavar="NAME", help="A new one is made.")] = SECTION,
    reason: Reason = "added by hand",
    branch: BranchName = "main",
    playbook: PlaybookFile = None,
    json: Json = False,
) -> None:
    """Write a bullet of your own. It is used at once."""
    from ace.playbook.arrange import derive_fresh_id
    from ace.playbook.model import Add

    text, section = _usable(text, section), section.strip()
    with _editing(playbook, branch, create=True) as store:
        value = store.checkout()
        if twin := _saying(value, text):
            waits = f" It waits in quarantine: `ace playbook promote {twin.id}`." if _waits(twin) else ""
            _close(store, value, (), [f"{twin.id} says that already.{waits}"], reason, json)
            return
        made = Add(derive_fresh_id(section, text, set(value.bullets)), section, text)
        _close(store, value, (made,), _new_section(value, section), reason, json)


def edit(
    bullet: OneBullet,
    text: Text,
    reason: Reason = "edited by hand",
    branch: BranchName = "main",
    playbook: PlaybookFile = None,
    json: Json = False,
) -> None:
    """Put a bullet differently. Its votes, its place and the episodes it cites stay."""
    from ace.playbook.model import Revise

    text = _usable(text)
    with _editing(playbook, branch) as store:
        value = store.checkout()
        old = _live(named(store, value.bullets, bullet))
        twin = _saying(value, text)
        if twin and twin.id != old.id:
            hint = f"`ace playbook remove {old.id}` if one of them is enough."
            raise InputError(f"{twin.id} says that already.", hint=hint)
        if old.content == text:
            _close(store, value, (), [f"{old.id} says that already."], reason, json)
        else:
            _close(store, value, (Revise(old.id, text),), [], reason, json)


def remove(
    bullets: Bullets,
    reason: Reason = "removed by hand",
    branch: BranchName = "main",
    playbook: PlaybookFile = None,
    json: Json = False,
) -> None:
    """Take bullets out. They stay in the history; `ace playbook promote` brings them back."""
    from ace.playbook.model import Remove

    def decide(old: Bullet) -> Decision:
        return (Remove(old.id) if old.live else None), "was removed already"

    _each(bullets, decide, reason, branch, playbook, json)


def pin(
    bullets: Bullets,
    reason: Reason = "pinned by hand",
    branch: BranchName = "main",
    playbook: PlaybookFile = None,
    json: Json = False,
) -> None:
    """Keep bullets in the context when there is not room for all."""
    from ace.playbook.model import Pin

    def decide(old: Bullet) -> Decision:
        return (None if _live(old).pinned else Pin(old.id)), "is pinned already"

    _each(bullets, decide, reason, branch, playbook, json)


def unpin(
    bullets: Bullets,
    reason: Reason = "unpinned by hand",
    branch: BranchName = "main",
    playbook: PlaybookFile = None,
    json: Json = False,
) -> None:
    """Let bullets be left out again when there is not room for all."""
    from ace.playbook.model import Pin

    def decide(old: Bullet) -> Decision:
        return (Pin(old.id, pinned=False) if _live(old).pinned else None), "is not pinned"

    _each(bullets, decide, reason, branch, playbook, json)


def quarantine(
    bullets: Bullets,
    reason: Reason = "quarantined by hand",
    branch: BranchName = "main",
    playbook: PlaybookFile = None,
    json: Json = False,
) -> None:
    """Keep bullets without using them, until something proves them."""
    from ace.playbook.model import Quarantine

    def decide(old: Bullet) -> Decision:
        return (None if _waits(_live(old)) else Quarantine(old.id)), "is in quarantine already"

    _each(bullets, decide, reason, branch, playbook, json)


def _vouched(bullet: Bullet, anyway: bool) -> None:
    """What reads as an attempt to give instructions is let in by somebody who has read it, knowingly."""
    from ace.safety.injection import find_suspicion

    why = find_suspicion(bullet.content) or find_suspicion(bullet.section)
    if why and not anyway:
        hint = "Read it. If it says what you want every attempt to be told, add --anyway."
        raise InputError(f"{bullet.id} is suspicious: {why}.\n  {bullet.content}", hint=hint)


def promote(
    bullets: Bullets,
    anyway: Annotated[
        bool, typer.Option("--anyway", help="Although it reads as an attempt to give instructions.")
    ] = False,
    reason: Reason = "promoted by hand",
    branch: BranchName = "main",
    playbook: PlaybookFile = None,
    json: Json = False,
) -> None:
    """Put bullets to use that are in quarantine or were removed: you vouch for them."""
    from ace.playbook.model import Promote, Status

    def decide(old: Bullet) -> Decision:
        _vouched(old, anyway)
        return (None if old.status is Status.ACTIVE else Promote(old.id)), "is in use already"

    _each(bullets, decide, reason, branch, playbook, json)


def move(
    bullets: Bullets,
    section: Annotated[str, typer.Option(metavar="NAME", help="Where to. A new one is made.")],
    reason: Reason = "moved by hand",
    branch: BranchName = "main",
    playbook: PlaybookFile = None,
    json: Json = False,
) -> None:
    """Put bullets at the end of another section."""
    from ace.playbook.model import Move

    section = section.strip()

    def decide(old: Bullet) -> Decision:
        there = _live(old).section == section
        return (None if there else Move(old.id, section)), f"is in {section} already"

    _each(bullets, decide, reason, branch, playbook, json, section)


COMMANDS = (add, edit, remove, pin, unpin, quarantine, promote, move)


def _each(
    names: Iterable[str],
    decide: Callable[[Bullet], Decision],
    reason: str,
    branch: str,
    playbook: Path | None,
    json: bool,
    section: str = "",
) -> None:
    """One version for all of them. A name that nobody can tell stops it before anything is done."""
    with _editing(playbook, branch) as store:
        value = store.checkout()
        chosen = {bullet.id: bullet for bullet in (named(store, value.bullets, name) for name in names)}
        decided = [(bullet, *decide(bullet)) for bullet in chosen.values()]
        delta = tuple(operation for _, operation, _ in decided if operation)
        told = [f"{bullet.id} {words}." for bullet, operation, words in decided if not operation]
        told += _new_section(value, section) if section and delta else []
        _close(store, value, delta, told, reason, json)


def _close(store: Store, value: Playbook, delta: Delta, told: list[str], reason: str, json: bool) -> None:
    """Commit what there is to do, and say what was done. `value` is the playbook that it was decided on."""
    from ace.playbook.delta import apply
    from ace.runs.run_text import format_count

    _, refused = apply(value, delta)
    if refused:
        raise InputError(f"That cannot be done: {refused[0].reason}.")
    if delta:  # without a look at the head before: what came in between is found to conflict
        commit = store.commit(delta, author=AUTHOR, reason=reason)
        value, version = commit.playbook, commit.version
    else:
        version = store.head()
    lines = [*map(describe, delta), *told]
    if delta:
        lines.insert(0, f"version {version.number} of {version.branch}: {format_count(len(value), 'bullet')}")
    else:
        lines.append(f"Nothing to do: {store.branch_name} stays at version {version.number}.")
    data = {
        "version": asdict(version),
        "bullets": len(value),
        "operations": [asdict(operation) for operation in delta],
        "notes": told,
    }
    emit(json, data, "\n".join(lines))


def _editing(playbook: Path | None, branch: str, *, create: bool = False) -> Store:
    from ace.store import Store

    return Store.open(playbook_file(playbook), create=create, branch=branch)


def _usable(text: str, section: str = SECTION) -> str:
    """The text as it will be kept, checked before a file is made for it."""
    from ace.playbook.delta import find_flaw
    from ace.playbook.model import Bullet, bullet_id

    text = text.strip()
    if reason := find_flaw(Bullet(bullet_id("", ""), section.strip(), text)):
        raise InputError(f"That cannot be a bullet: {reason}.")
    return text


def _live(bullet: Bullet) -> Bullet:
    if not bullet.live:
        hint = f"`ace playbook promote {bullet.id}` brings it back."
        raise InputError(f"{bullet.id} was removed.", hint=hint)
    return bullet


def _waits(bullet: Bullet) -> bool:
    from ace.playbook.model import Status

    return bullet.status is Status.QUARANTINED


def _saying(playbook: Playbook, text: str) -> Bullet | None:
    return next((bullet for bullet in playbook if bullet.content == text), None)


def _new_section(playbook: Playbook, section: str) -> list[str]:
    """A slip of the hand makes a section too. The first can be confused with none."""
    known = [each.name for each in playbook.sections]
    new = bool(known) and section not in known
    return [f"{section} is a new section; the others are {', '.join(known)}."] if new else []
