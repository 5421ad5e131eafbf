"""Bullets read from a file, in its order, made into a playbook: fresh ids, and positions that move little.

Knows nothing about how the file is written.
"""

from __future__ import annotations

from collections.abc import Container, Iterable
from dataclasses import replace
from difflib import SequenceMatcher
from itertools import chain, count

from immutables import Map

from ace.playbook.model import Bullet, Playbook, bullet_id


def fresh_id(section: str, content: str, taken: Container[str]) -> str:
    """The id derived from the content; salted where another bullet has it."""
    salts = chain([""], map(str, count(2)))
    return next(fresh for salt in salts if (fresh := bullet_id(section, content, salt)) not in taken)


def arranged(bullets: Iterable[Bullet], base: Playbook | None = None) -> Playbook:
    """A playbook of these bullets in this order.

    With `base`, the playbook they were exported from, bullets keep their positions in it wherever
    the order allows, so that diff(base, ...) holds only what was edited.
    """
    placed = {bullet.id: replace(bullet, position=place) for place, bullet in enumerate(bullets)}
    sections = dict.fromkeys(bullet.section for bullet in placed.values())
    playbook = Playbook(Map(placed), tuple(sections), len(placed))
    return playbook if base is None else _aligned(playbook, base)


def _aligned(playbook: Playbook, base: Playbook) -> Playbook:
    """The same bullets in the same order, at the positions they have in `base` where that is possible."""
    bullets, end = playbook.bullets, base.next_position
    before = {section.name: [bullet.id for bullet in section.bullets] for section in base.sections}
    for section in playbook.sections:
        ids = [bullet.id for bullet in section.bullets]
        kept = _in_order(before.get(section.name, []), ids)
        last = max((index for index, key in enumerate(ids) if key in kept), default=-1)
        place = (-1, "")
        for index, key in enumerate(ids):
            wanted = base.bullets[key].position if key in kept else end if index > last else place[0] + 1
            place = (wanted if (wanted, key) > place else place[0] + 1, key)
            bullets = bullets.set(key, replace(bullets[key], position=place[0]))
            end = max(end, place[0] + 1)
    names = dict.fromkeys((*base.section_names, *playbook.section_names))
    return Playbook(bullets, tuple(names), end)


def _in_order(before: list[str], after: list[str]) -> set[str]:
    """The ids that can stay where they are: a long run common to both orders."""
    blocks = SequenceMatcher(None, before, after, autojunk=False).get_matching_blocks()
    return {key for block in blocks for key in after[block.b : block.b + block.size]}
