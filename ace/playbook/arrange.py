"""Making a playbook of bullets read from a file, in its order: fresh ids, and positions that move little.

Knows nothing about how the file is written.
"""

from __future__ import annotations

from collections.abc import Container, Iterable
from dataclasses import replace
from difflib import SequenceMatcher
from itertools import count

from immutables import Map

from ace.playbook.model import Bullet, Playbook, bullet_id


def derive_fresh_id(section: str, content: str, taken: Container[str]) -> str:
    """Return the id derived from the content, salted where another bullet has it: with 2, then 3 ..."""
    fresh = bullet_id(section, content)
    for salt in count(2):
        if fresh not in taken:
            break
        fresh = bullet_id(section, content, str(salt))
    return fresh


def arrange_bullets(ordered: Iterable[Bullet], base: Playbook | None = None) -> Playbook:
    """Return a playbook of these bullets in this order.

    Positions count from 0 over all sections, which come in the order of their first bullets. With `base`, the
    playbook they were exported from, bullets keep their positions in it wherever the order allows, so that
    diff(base, ...) holds only what was edited. The result has no tombstones: `diff` removes what it lacks.
    """
    placed = {bullet.id: replace(bullet, position=place) for place, bullet in enumerate(ordered)}
    sections = dict.fromkeys(bullet.section for bullet in placed.values())
    playbook = Playbook(Map(placed), tuple(sections), len(placed))
    if base is None:
        return playbook

    bullets = playbook.bullets
    end = base.next_position
    before = {section.name: [bullet.id for bullet in section.bullets] for section in base.sections}
    for section in playbook.sections:
        ids = [bullet.id for bullet in section.bullets]
        unmoved = set[str]()  # ids that can stay where they are: a long run common to both orders
        matcher = SequenceMatcher(None, before.get(section.name, []), ids, autojunk=False)
        for block in matcher.get_matching_blocks():
            unmoved.update(ids[block.b : block.b + block.size])
        last_unmoved = max((index for index, key in enumerate(ids) if key in unmoved), default=-1)
        previous = (-1, "")  # position and id: what sorts bullets in a section
        for index, key in enumerate(ids):
            if key in unmoved:
                wanted = base.bullets[key].position
            elif index > last_unmoved:
                wanted = end
            else:
                wanted = previous[0] + 1
            if (wanted, key) <= previous:
                wanted = previous[0] + 1
            previous = (wanted, key)
            bullets = bullets.set(key, replace(bullets[key], position=wanted))
            end = max(end, wanted + 1)
    names = dict.fromkeys((*base.section_names, *playbook.section_names))
    return Playbook(bullets, tuple(names), end)
