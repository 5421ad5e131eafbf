"""`ace playbook add | edit | remove | pin | unpin | quarantine | promote | move`: a playbook edited by hand.

Each command makes one version, with a person as its author, or none where there is nothing to change.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from functools import partial
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from ace.cli.bullet_commands import describe, find_bullet
from ace.cli.completion import complete_bullet
from ace.cli.history_commands import open_to_write
from ace.cli.options import BranchName, Json
from ace.cli.output import emit
from ace.cli.playbook_places import PlaybookFile
from ace.errors import InputError

if TYPE_CHECKING:
    from ace.playbook.model import Bullet, Delta, Operation
    from ace.store import Store
    from ace.store.store_database import Place

    Decide = Callable[[Bullet], Operation | str]
    """Return what to do with a bullet, or say why there is nothing to do."""

AUTHOR = "person"
SECTION = "General"

Text = Annotated[str, typer.Argument(metavar="TEXT", help="What it says.")]
OneBullet = Annotated[
    str,
    typer.Argument(
        metavar="BULLET", help="An id, its beginning, or an alias.", autocompletion=complete_bullet
    ),
]
Bullets = Annotated[
    list[str],
    typer.Argument(
        metavar="BULLET", help="Ids, their beginnings, or aliases.", autocompletion=complete_bullet
    ),
]
Reason = Annotated[str, typer.Option(metavar="TEXT", help="Recorded with the version.")]


@dataclass(frozen=True, slots=True)
class Edit:
    """Hold what every edit takes."""

    reason: str
    """Recorded with the version."""

    branch: str
    """The branch that the edit is made on."""

    playbook: Place | None
    """The file that is edited; None is the only one here."""

    json: bool
    """Whether the result is printed as JSON."""


def add(
    text: Text,
    section: Annotated[str, typer.Option(metavar="NAME", help="Its section; made if missing.")] = SECTION,
    reason: Reason = "added by hand",
    branch: BranchName = "main",
    playbook: PlaybookFile = None,
    json: Json = False,
) -> None:
    """Write a bullet of your own. It is used at once."""
    from ace.playbook.arrange import derive_fresh_id
    from ace.playbook.model import Add, Status

    change = Edit(reason, branch, playbook, json)
    section = section.strip()
    text = _check_text(text, section)
    with open_to_write(playbook, branch, create=True) as store:
        base = store.head().number
        twin = store.find_text(text, base)
        if twin is None:
            fresh = derive_fresh_id(section, text, store.known_ids(base))
            notes = _note_new_section(store, base, section)
            _commit(change, store, base, (Add(fresh, section, text),), notes)
            return
        note = f"{twin.id} says that already."
        if twin.status is Status.QUARANTINED:
            note = f"{note} It waits in quarantine: `ace playbook promote {twin.id}`."
        _commit(change, store, base, (), [note])


def edit(
    bullet: OneBullet,
    text: Text,
    reason: Reason = "edited by hand",
    branch: BranchName = "main",
    playbook: PlaybookFile = None,
    json: Json = False,
) -> None:
    """Reword a bullet. Its votes, its place and the episodes that it cites stay."""
    from ace.playbook.model import Revise

    change = Edit(reason, branch, playbook, json)
    text = _check_text(text)
    with open_to_write(playbook, branch) as store:
        base = store.head().number
        old = _require_live(find_bullet(store, bullet, [base]))
        twin = store.find_text(text, base)
        if twin and twin.id != old.id:
            hint = f"`ace playbook remove {old.id}` if one of them is enough."
            raise InputError(f"{twin.id} says that already.", hint=hint)
        if old.content == text:
            _commit(change, store, base, (), [f"{old.id} says that already."])
        else:
            _commit(change, store, base, (Revise(old.id, text),), [])


def remove(
    bullets: Bullets,
    reason: Reason = "removed by hand",
    branch: BranchName = "main",
    playbook: PlaybookFile = None,
    json: Json = False,
) -> None:
    """Remove bullets. They stay in the history; `ace playbook promote` brings them back."""
    _edit_each(Edit(reason, branch, playbook, json), bullets, partial(_decide, "remove"))


def pin(
    bullets: Bullets,
    reason: Reason = "pinned by hand",
    branch: BranchName = "main",
    playbook: PlaybookFile = None,
    json: Json = False,
) -> None:
    """Keep bullets in the context even when there is not room for all."""
    _edit_each(Edit(reason, branch, playbook, json), bullets, partial(_decide, "pin"))


def unpin(
    bullets: Bullets,
    reason: Reason = "unpinned by hand",
    branch: BranchName = "main",
    playbook: PlaybookFile = None,
    json: Json = False,
) -> None:
    """Let bullets be left out again when there is not room for all."""
    _edit_each(Edit(reason, branch, playbook, json), bullets, partial(_decide, "unpin"))


def quarantine(
    bullets: Bullets,
    reason: Reason = "quarantined by hand",
    branch: BranchName = "main",
    playbook: PlaybookFile = None,
    json: Json = False,
) -> None:
    """Keep bullets without using them until something proves them."""
    _edit_each(Edit(reason, branch, playbook, json), bullets, partial(_decide, "quarantine"))


def promote(
    bullets: Bullets,
    anyway: Annotated[
        bool, typer.Option("--anyway", help="Even if it reads as an attempt to give instructions.")
    ] = False,
    reason: Reason = "promoted by hand",
    branch: BranchName = "main",
    playbook: PlaybookFile = None,
    json: Json = False,
) -> None:
    """Put bullets to use that are in quarantine or were removed: you vouch for them."""
    from ace.playbook.model import Promote, Status
    from ace.safety.injection import find_suspicion

    def decide(bullet: Bullet) -> Operation | str:
        """Return the operation, or why there is none. Raises InputError for a suspicious bullet."""
        why = find_suspicion(bullet.content) or find_suspicion(bullet.section)
        if why and not anyway:
            hint = "Read it. If it says what you want every attempt to be told, add --anyway."
            raise InputError(f"{bullet.id} is suspicious: {why}.\n  {bullet.content}", hint=hint)
        return "is in use already" if bullet.status is Status.ACTIVE else Promote(bullet.id)

    _edit_each(Edit(reason, branch, playbook, json), bullets, decide)


def move(
    bullets: Bullets,
    section: Annotated[str, typer.Option(metavar="NAME", help="Where to; made if missing.")],
    reason: Reason = "moved by hand",
    branch: BranchName = "main",
    playbook: PlaybookFile = None,
    json: Json = False,
) -> None:
    """Put bullets at the end of another section."""
    from ace.playbook.model import Move

    section = section.strip()

    def decide(bullet: Bullet) -> Operation | str:
        """Return the move, or why there is none."""
        if _require_live(bullet).section == section:
            return f"is in {section} already"
        return Move(bullet.id, section)

    _edit_each(Edit(reason, branch, playbook, json), bullets, decide, section=section)


def _decide(action: Literal["remove", "pin", "unpin", "quarantine"], bullet: Bullet) -> Operation | str:
    """Return the operation on a bullet, or say why there is nothing to do."""
    from ace.playbook.model import Pin, Quarantine, Remove, Status

    if action == "remove":
        return Remove(bullet.id) if bullet.live else "was removed already"
    _require_live(bullet)
    if action == "quarantine":
        waits = bullet.status is Status.QUARANTINED
        return "is in quarantine already" if waits else Quarantine(bullet.id)
    if action == "pin":
        return "is pinned already" if bullet.pinned else Pin(bullet.id)
    return Pin(bullet.id, pinned=False) if bullet.pinned else "is not pinned"


COMMANDS = (add, edit, remove, pin, unpin, quarantine, promote, move)


def _edit_each(edit: Edit, names: Iterable[str], decide: Decide, *, section: str = "") -> None:
    """Edit all the bullets in one version. An unknown or ambiguous name stops it before anything is done.

    `section` is the one that they go to, if they move: a new one is told of.
    """
    with open_to_write(edit.playbook, edit.branch) as store:
        base = store.head().number
        bullets = {}
        for name in names:
            bullet = find_bullet(store, name, [base])
            bullets[bullet.id] = bullet
        delta: list[Operation] = []
        notes: list[str] = []
        for bullet in bullets.values():
            decision = decide(bullet)
            if isinstance(decision, str):
                notes.append(f"{bullet.id} {decision}.")
            else:
                delta.append(decision)
        if section and delta:
            notes += _note_new_section(store, base, section)
        _commit(edit, store, base, tuple(delta), notes)


def _commit(edit: Edit, store: Store, base: int, delta: Delta, notes: list[str]) -> None:
    """Commit what there is to do, and print what was done.

    `base` is the version that it was decided on, `notes` what there was not to do. Raises InputError for an
    operation that cannot apply, StoreConflict where others edited the same bullets in between.
    """
    from ace.playbook.delta import apply, touched_ids
    from ace.runs.run_text import format_count

    ids = [name for operation in delta for name in touched_ids(operation)]
    _, rejections = apply(store.checkout_part(ids, base), delta)
    if rejections:
        raise InputError(f"That cannot be done: {rejections[0].reason}.")
    lines = [*map(describe, delta), *notes]
    version = store.head()
    if delta:  # decided on `base`, so that what came in between is found to conflict
        commit = store.commit(delta, author=AUTHOR, reason=edit.reason, expect=base, whole=False)
        version = commit.version
    size = sum(store.count_by_section(version.number).values())
    if delta:
        lines.insert(0, f"version {version.number} of {version.branch}: {format_count(size, 'bullet')}")
    else:
        lines.append(f"Nothing to do: {store.branch_name} stays at version {version.number}.")
    data = {
        "version": asdict(version),
        "bullets": size,
        "operations": [asdict(operation) for operation in delta],
        "notes": notes,
    }
    emit(edit.json, data, "\n".join(lines))


def _check_text(text: str, section: str = SECTION) -> str:
    """Return the text as it will be kept. Raises InputError before a file is made for it."""
    from ace.playbook.delta import find_flaw
    from ace.playbook.model import Bullet, bullet_id
    from ace.safety.secrets import find_secrets

    text = text.strip()
    reason = find_flaw(Bullet(bullet_id("", ""), section, text))
    if reason:
        raise InputError(f"That cannot be a bullet: {reason}.")
    if find_secrets(text):
        hint = "Every prompt would hold it. Name the place where it is kept instead."
        raise InputError("That cannot be a bullet: it holds what looks like a secret.", hint=hint)
    return text


def _require_live(bullet: Bullet) -> Bullet:
    """Return the bullet. Raises InputError where it was removed."""
    if not bullet.live:
        hint = f"`ace playbook promote {bullet.id}` brings it back."
        raise InputError(f"{bullet.id} was removed.", hint=hint)
    return bullet


def _note_new_section(store: Store, version: int, section: str) -> list[str]:
    """Tell of a section that is new, which may be a typing error; the first cannot be one.

    Return a list of one note, or of none.
    """
    names = list(store.count_by_section(version))
    if not names or section in names:
        return []
    return [f"{section} is a new section; the others are {', '.join(names)}."]
