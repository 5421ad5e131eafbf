"""Choosing what a format can hold of a playbook, and under which names its bullets go out. Pure.

How a format is written is its own matter (`ace.playbook.formats`).
"""

from __future__ import annotations

from collections.abc import Iterable

from ace.playbook.exchange import Alias
from ace.playbook.formats.format import PINS, PROVENANCE, QUARANTINE, VOTES, Format
from ace.playbook.model import Playbook, Status


def list_losses(playbook: Playbook, form: Format) -> tuple[str, ...]:
    """Return what writing `playbook` in this format leaves out, a phrase each."""
    pins = provenance = votes = quarantined = 0
    for bullet in playbook:
        pins += bullet.pinned
        provenance += bool(bullet.provenance)
        votes += bool(bullet.helpful or bullet.harmful)
        quarantined += bullet.status is Status.QUARANTINED
    counts = (
        (PINS, "pins of {} bullet", pins),
        (PROVENANCE, "provenance of {} bullet", provenance),
        (VOTES, "votes on {} bullet", votes),
        (QUARANTINE, "{} quarantined bullet", quarantined),
    )
    losses = []
    for aspect, phrase, count in counts:
        if count and aspect not in form.holds:
            plural = "s" * (count != 1)
            losses.append(phrase.format(count) + plural)
    return tuple(losses)


def select_writable(playbook: Playbook, form: Format) -> Playbook:
    """Return what of a playbook is written in a format.

    Where the format cannot say that a bullet is in quarantine, it is left out: it never passes as an active
    one.
    """
    if QUARANTINE in form.holds:
        return playbook
    bullets = playbook.bullets
    for key, bullet in playbook.bullets.items():
        if bullet.status is Status.QUARANTINED:
            bullets = bullets.delete(key)
    return Playbook(bullets, playbook.section_names, playbook.next_position)


def choose_names(playbook: Playbook, aliases: Iterable[Alias]) -> dict[str, str]:
    """Return the name of each bullet elsewhere, by its id: its first alias.

    A bullet is left out that has none, or whose alias is another bullet's name or id already.
    """
    names: dict[str, str] = {}
    taken = set(playbook.bullets)
    for alias in aliases:
        if alias.bullet in playbook.bullets and alias.bullet not in names and alias.alias not in taken:
            names[alias.bullet] = alias.alias
            taken.add(alias.alias)
    return names
