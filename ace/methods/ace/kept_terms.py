"""Which bullets in use share terms with a text: an index that follows the playbook from step to step."""

from __future__ import annotations

from collections import defaultdict
from threading import Lock
from typing import Any

from ace.playbook.ancestry import find_changed
from ace.playbook.model import Bullet, Playbook, Status
from ace.text import find_terms

_ROUNDING = 1e-9  # more than what sums of the same weights can differ by: equals are told by their places


class KeptTerms:
    """Know the terms of the bullets in use of the playbook that was looked at last. Safe for threads."""

    def __init__(self) -> None:
        self._playbook = Playbook()
        self._names: dict[str, set[str]] = defaultdict(set)  # by term
        self._lock = Lock()

    def __reduce__(self) -> tuple[Any, ...]:
        """Return what makes an empty one: a copy in another process looks at the playbook there."""
        return KeptTerms, ()

    def find_nearest(self, playbook: Playbook, text: str, most: int) -> list[Bullet]:
        """Return the bullets in use that share most with a text, at most so many, the nearest first.

        A term counts for more the fewer bullets have it, as in `ace.text.weigh_shared_terms`. Of equals those
        that stand first in the playbook come first, and so do those that share nothing where others are few.
        """
        with self._lock:
            self._follow(playbook)
            counts = {term: len(self._names.get(term, ())) for term in sorted(find_terms(text))}
            counts = {term: count for term, count in counts.items() if count}
            weights: dict[str, float] = {}
            rest = sum(1 / count for count in counts.values())
            for term in sorted(counts, key=lambda term: counts[term]):  # the rare ones, which count for most
                # Whoever has only terms that are left cannot come before those that are in already.
                if sum(weight > rest + _ROUNDING for weight in weights.values()) >= most:
                    break
                rest -= 1 / counts[term]
                for name in self._names[term]:
                    weights[name] = weights.get(name, 0.0) + 1 / counts[term]
            for name in weights:  # in one order of terms, on which the last digit of a sum depends
                shared = [term for term in counts if name in self._names[term]]
                weights[name] = sum(1 / counts[term] for term in shared)
        get_place = playbook.make_sort_key()
        sharing = [playbook.bullets[name] for name in weights]
        nearest = sorted(sharing, key=lambda bullet: (-weights[bullet.id], get_place(bullet)))[:most]
        for bullet in playbook.active if len(nearest) < most else ():
            if bullet.id not in weights:
                nearest.append(bullet)
            if len(nearest) == most:
                break
        return nearest

    def _follow(self, playbook: Playbook) -> None:
        """Know the bullets in use of `playbook` from now on."""
        old = self._playbook
        for name in find_changed(old, playbook):
            for bullet, is_new in ((old.bullets.get(name), False), (playbook.bullets.get(name), True)):
                if bullet is None or bullet.status is not Status.ACTIVE:
                    continue
                for term in find_terms(bullet.content):
                    if is_new:
                        self._names[term].add(name)
                    else:
                        self._names[term].discard(name)
        self._playbook = playbook
