"""What a person decides on a page: each decision is one version, by the person, with a reason.

It is decided on the version that the page showed. Where others edited the same bullet since then, nothing is
written, and a page shows both texts.
"""

from __future__ import annotations

from dataclasses import replace
from http import HTTPStatus
from typing import TYPE_CHECKING

from ace.errors import InputError, StoreConflict, UnknownVersion
from ace.playbook.delta import apply
from ace.playbook.model import Add, Bullet, Delta, Operation, Status
from ace.report.review_queue import WaitKind, list_waiting
from ace.runs.answer_feedback import read_feedback
from ace.servers.review.view import View
from ace.store.hand_edits import (
    HandEdit,
    check_text,
    check_twin,
    commit_edit,
    decide_edit,
    restore_bullet,
)
from ace.store.store import Store

if TYPE_CHECKING:
    from starlette.responses import Response

_SECOND = {"edit_promote": (HandEdit.EDIT, HandEdit.PROMOTE)}


def decide(view: View) -> Response:
    """Do with a bullet what its form says, or show what is in the way."""
    form = view.form
    name = form.get("bullet", "")
    action = form.get("action", "")
    edits = _SECOND.get(action) or tuple(edit for edit in HandEdit if edit.value == action)
    if not edits:
        raise InputError(f"There is nothing to do called {action!r:.40}.")
    base = view.read_number("base", 0, least=0)
    reason = view.read_reason(f"{' and '.join(edit.value for edit in edits)} on the review page")
    with view.open(write=True) as store:
        bullet = store.checkout_part([name], base).bullets.get(name)
        begin: tuple[Operation, ...] = ()
        if bullet is None:
            bullet = find_undecided(store, name, base)
            begin = (Add(bullet.id, bullet.section, bullet.content, bullet.provenance),)
            if HandEdit.REMOVE not in edits:
                check_twin(store, bullet, bullet.content, base)
        delta, note = _decide_all(view, store, base, bullet, edits)
        if not begin and not delta:
            return view.go_back(note=f"Nothing to do: {bullet.id} {note}.")
        delta = (*begin, *delta)
        if begin and bullet.id in store.checkout_part([bullet.id]).bullets:  # others took it in meanwhile
            return _settle_conflict(view, store, bullet, delta)
        try:
            version = commit_edit(store, base, delta, reason=reason, author=view.author)
        except StoreConflict:
            return _settle_conflict(view, store, bullet, delta)
    return view.go_back(made=version.number)


def _decide_all(
    view: View, store: Store, base: int, bullet: Bullet, edits: tuple[HandEdit, ...]
) -> tuple[Delta, str]:
    """Return the operations that edits are, and why the last that is none is none."""
    text, section = "", view.form.get("section", "").strip()
    if HandEdit.EDIT in edits:
        text = check_text(view.form.get("text", ""), bullet.section)
        check_twin(store, bullet, text, base)
    if HandEdit.MOVE in edits:
        check_text(bullet.content, section)
    delta: list[Operation] = []
    note = ""
    for edit in edits:
        decision = decide_edit(edit, bullet, text=text, section=section, anyway="anyway" in view.form)
        if isinstance(decision, str):
            note = decision
            continue
        delta.append(decision)
        bullet = replace(bullet, content=text or bullet.content)  # what is approved is the new text
    return tuple(delta), note


def find_undecided(store: Store, name: str, version: int | None = None) -> Bullet:
    """Return a lesson that stood in the records alone at a version, the head by default.

    Raises UnknownVersion where none has this id.
    """
    queue = list_waiting(store, store.checkout_part([name], version), {})
    for waiting in queue[WaitKind.PROPOSED]:
        if waiting.bullet is not None and waiting.bullet.id == name and not waiting.in_playbook:
            return waiting.bullet
    raise UnknownVersion(f"There is no bullet {name!r:.60} in this playbook.", hint="Search for its words.")


def _settle_conflict(view: View, store: Store, original: Bullet, delta: Delta) -> Response:
    """Return to the page where somebody has done the same; else show both texts, to decide again."""
    now = store.checkout_part([original.id])
    theirs = now.bullets.get(original.id)
    touches = store.blame(original.id) if theirs else []
    wanted, _ = apply(store.checkout_part([original.id], view.read_number("base", 0, least=0)), delta)
    mine = wanted.bullets.get(original.id, original)
    if theirs is not None and replace(theirs, position=0, helpful=0, harmful=0) == replace(
        mine, position=0, helpful=0, harmful=0
    ):
        return view.go_back(made=touches[-1].version.number if touches else None)
    return view.render(
        "conflict.html.j2",
        store,
        HTTPStatus.CONFLICT,
        original=original,
        theirs=theirs,
        mine=mine,
        is_edit="text" in view.form and "edit" in view.form.get("action", ""),
        touch=touches[-1] if touches else None,
    )


def roll_back(view: View) -> Response:
    """Make the playbook, or one bullet, as it was at an earlier version."""
    target = view.form.get("to", "")
    name = view.form.get("bullet", "")
    base = view.read_number("base", 0, least=0)
    with view.open(write=True) as store:
        to = store.find_version(target)
        reason = view.read_reason(f"rolled back to version {to} on the review page")
        if not name:
            before = store.head().number
            version = store.revert(to, author=view.author, reason=reason, expect=base).version
            if version.number == before:
                return view.go_back(note=f"Nothing to do: the bullets are those of version {to}.")
            return view.go_back(made=version.number)
        original = store.checkout_part([name], base).bullets.get(name)
        if original is None:
            raise UnknownVersion(f"Version {base} has no bullet {name!r:.60}.", hint="Search for its words.")
        delta = restore_bullet(store, name, base, to)
        if not delta:
            return view.go_back(note=f"Nothing to do: {name} is as it was at version {to}.")
        try:
            version = commit_edit(store, base, delta, reason=reason, author=view.author)
        except StoreConflict:
            return _settle_conflict(view, store, original, delta)
    return view.go_back(made=version.number)


def judge_label(view: View) -> Response:
    """Store what a person says of the label of a sample, as feedback on an attempt at it."""
    words = {"right": True, "wrong": False}
    row = read_feedback(
        view.form.get("episode", ""),
        right=words.get(view.form.get("right", "")),
        expected=view.form.get("expected", ""),
        text=view.form.get("text", ""),
        author=view.author,
    )
    if row is None:
        hint = "Say whether the attempt was right, or give the right answer, or a remark."
        raise InputError("This says nothing of the label.", hint=hint)
    with view.open(write=True) as store:
        store.add_feedback(row)
    return view.go_back(note="Kept: what you said of the label.")


def name_version(view: View) -> Response:
    """Begin a branch at a version, give one a tag, or take a tag away."""
    name = view.form.get("new", "").strip()
    kind = view.form.get("kind", "")
    with view.open(write=True) as store:
        if kind == "untag":
            store.untag(name)
            return view.go_back(note=f"{name} names no version any more.")
        at = store.find_version(view.form.get("version", "").strip() or store.head().number)
        if kind == "branch":
            store.branch(name, at)
        elif kind == "tag":
            store.tag(name, at)
        else:
            raise InputError(f"There is no such kind of name: {kind!r:.40}.")
    return view.go_back(note=f"{name} is version {at}.")


def list_actions(bullet: Bullet) -> list[tuple[str, str]]:
    """Return what can be done with a bullet by one press: the action, and what its button says."""
    if bullet.status is Status.REMOVED:
        return [("promote", "Bring back")]
    pin = ("unpin", "Unpin") if bullet.pinned else ("pin", "Pin")
    if bullet.status is Status.QUARANTINED:
        return [("promote", "Approve"), ("remove", "Retire"), pin]
    return [pin, ("quarantine", "Quarantine"), ("remove", "Retire")]
