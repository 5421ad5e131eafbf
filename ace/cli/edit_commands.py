"""`ace playbook add | edit | remove | pin | unpin | quarantine | promote | move`: a playbook edited by hand.

Each command makes one version, with a person as its author, or none where there is nothing to change.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Annotated

import typer

from ace.cli.bullet_commands import describe, find_bullet
from ace.cli.completion import complete_bullet
from ace.cli.history_commands import open_to_write
from ace.cli.options import BranchName, Json
from ace.cli.output import emit
from ace.cli.playbook_places import PlaybookFile

if TYPE_CHECKING:
    from ace.playbook.model import Delta, Operation
    from ace.store import Store
    from ace.store.hand_edits import HandEdit
    from ace.store.store_database import Place

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
    from ace.store.hand_edits import check_text

    change = Edit(reason, branch, playbook, json)
    section = section.strip()
    text = check_text(text, section)
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
    from ace.store.hand_edits import HandEdit, check_text, check_twin, decide_edit

    change = Edit(reason, branch, playbook, json)
    text = check_text(text, SECTION)
    with open_to_write(playbook, branch) as store:
        base = store.head().number
        old = find_bullet(store, bullet, [base])
        decision = decide_edit(HandEdit.EDIT, old, text=text)
        if isinstance(decision, str):
            _commit(change, store, base, (), [f"{old.id} {decision}."])
            return
        check_twin(store, old, text, base)
        _commit(change, store, base, (decision,), [])


def remove(
    bullets: Bullets,
    reason: Reason = "removed by hand",
    branch: BranchName = "main",
    playbook: PlaybookFile = None,
    json: Json = False,
) -> None:
    """Remove bullets. They stay in the history; `ace playbook promote` brings them back."""
    from ace.store.hand_edits import HandEdit

    _edit_each(Edit(reason, branch, playbook, json), HandEdit.REMOVE, bullets)


def pin(
    bullets: Bullets,
    reason: Reason = "pinned by hand",
    branch: BranchName = "main",
    playbook: PlaybookFile = None,
    json: Json = False,
) -> None:
    """Keep bullets in the context even when there is not room for all."""
    from ace.store.hand_edits import HandEdit

    _edit_each(Edit(reason, branch, playbook, json), HandEdit.PIN, bullets)


def unpin(
    bullets: Bullets,
    reason: Reason = "unpinned by hand",
    branch: BranchName = "main",
    playbook: PlaybookFile = None,
    json: Json = False,
) -> None:
    """Let bullets be left out again when there is not room for all."""
    from ace.store.hand_edits import HandEdit

    _edit_each(Edit(reason, branch, playbook, json), HandEdit.UNPIN, bullets)


def quarantine(
    bullets: Bullets,
    reason: Reason = "quarantined by hand",
    branch: BranchName = "main",
    playbook: PlaybookFile = None,
    json: Json = False,
) -> None:
    """Keep bullets without using them until something proves them."""
    from ace.store.hand_edits import HandEdit

    _edit_each(Edit(reason, branch, playbook, json), HandEdit.QUARANTINE, bullets)


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
    from ace.store.hand_edits import HandEdit

    _edit_each(Edit(reason, branch, playbook, json), HandEdit.PROMOTE, bullets, anyway=anyway)


def move(
    bullets: Bullets,
    section: Annotated[str, typer.Option(metavar="NAME", help="Where to; made if missing.")],
    reason: Reason = "moved by hand",
    branch: BranchName = "main",
    playbook: PlaybookFile = None,
    json: Json = False,
) -> None:
    """Put bullets at the end of another section."""
    from ace.store.hand_edits import HandEdit

    _edit_each(Edit(reason, branch, playbook, json), HandEdit.MOVE, bullets, section=section.strip())


COMMANDS = (add, edit, remove, pin, unpin, quarantine, promote, move)


def _edit_each(
    edit: Edit, kind: HandEdit, names: Iterable[str], *, section: str = "", anyway: bool = False
) -> None:
    """Edit all the bullets in one version. An unknown or ambiguous name stops it before anything is done.

    `section` is the one that they go to, if they move: a new one is told of. `anyway` promotes what is
    suspicious, too.
    """
    from ace.store.hand_edits import decide_edit

    with open_to_write(edit.playbook, edit.branch) as store:
        base = store.head().number
        bullets = {}
        for name in names:
            bullet = find_bullet(store, name, [base])
            bullets[bullet.id] = bullet
        delta: list[Operation] = []
        notes: list[str] = []
        for bullet in bullets.values():
            decision = decide_edit(kind, bullet, section=section, anyway=anyway)
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
    from ace.runs.run_text import format_count
    from ace.store.hand_edits import commit_edit

    lines = [*map(describe, delta), *notes]
    version = store.head()
    if delta:  # decided on `base`, so that what came in between is found to conflict
        version = commit_edit(store, base, delta, reason=edit.reason)
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


def _note_new_section(store: Store, version: int, section: str) -> list[str]:
    """Tell of a section that is new, which may be a typing error; the first cannot be one.

    Return a list of one note, or of none.
    """
    names = list(store.count_by_section(version))
    if not names or section in names:
        return []
    return [f"{section} is a new section; the others are {', '.join(names)}."]
