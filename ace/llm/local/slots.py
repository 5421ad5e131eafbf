"""Choose the slot of the embedded server that serves a call: a long common prefix is computed once.

llama.cpp caches a prompt per slot: four slots that see the same playbook would each read it from scratch,
at about 60 tokens a second. Here the first call with a new prefix reads it alone and its state is saved;
the other slots load the copy, which takes milliseconds.

Knows texts and slot numbers; how a slot is read, saved and loaded is passed in.
"""

from __future__ import annotations

import os
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from threading import Condition
from typing import Literal

WORTH_SHARING = 160  # characters, some 40 tokens: what is shorter is read faster than it is copied
KEPT = 6  # saved states; each takes about 28 KB a token


Backend = Callable[[Literal["save", "restore", "discard"], int, str], bool]
"""Saves or loads what a slot has read, or discards it: takes the action, the slot and the state's name.

Returns whether it could: a disk may be full. Then a prompt is read again, which only takes longer.
"""


@dataclass(slots=True)
class Lease:
    """Hold a slot for one call."""

    slot: int
    """Its number, from 0."""

    prime: bool
    """Whether to read the prefix first, then call `share`. Otherwise it has loaded all it can."""

    share: Callable[[], None]
    """Saves the prefix that was read for the other slots."""


@dataclass(slots=True)
class Slots:
    """Lease slots to calls; safe to use from many threads."""

    count: int
    """How many slots the server has."""

    backend: Backend
    """Called outside the lock, since it takes its time: only the bookkeeping is exclusive."""

    _free: dict[int, str] = field(init=False)
    """What each free slot has in its cache, least recent first."""

    _saved: OrderedDict[str, str] = field(default_factory=OrderedDict, init=False)
    """The text of the call that each saved state is of, by the name of the state, least recent first."""

    _loading: list[str] = field(default_factory=list, init=False)
    """The names of saved states that must not go now."""

    _coming: list[str] = field(default_factory=list, init=False)
    """The prefixes that are being read now."""

    _change: Condition = field(default_factory=Condition, init=False)
    """Guards all of these; notified when a slot is free again or a prefix is shared."""

    _names: int = field(default=0, init=False)
    """How many names have been given to saved states."""

    def __post_init__(self) -> None:
        self._free = dict.fromkeys(range(self.count), "")

    @contextmanager
    def lease(self, prefix: str, text: str) -> Iterator[Lease]:
        """Lease a slot for a prompt `text` that begins with `prefix`, the part that other calls will share.

        Waits while no slot is free, or the prefix is being read. The slot that has most of the text is taken,
        and loads a saved state if that has a good deal more (`WORTH_SHARING`). What the backend raises passes
        through, and the slot is free again.
        """
        with self._change:
            slot, cache = self._wait_for_slot(prefix, text)
            shared = {name: _count_common(saved, text) for name, saved in self._saved.items()}
            name = max(shared, key=shared.__getitem__, default="")
            longest = shared.get(name, 0)
            common = _count_common(cache, text)
            load = longest >= common + WORTH_SHARING
            if load:
                self._loading.append(name)
                self._saved.move_to_end(name)
            prime = len(prefix) - max(longest, common) >= WORTH_SHARING
            if prime:
                self._coming.append(prefix)
        try:
            if load:
                loaded = False
                try:
                    loaded = self.backend("restore", slot, name)
                finally:
                    with self._change:
                        self._loading.remove(name)
                        if not loaded and name not in self._loading:
                            self._saved.pop(name, None)
            yield Lease(slot, prime, lambda: self._share(slot, prefix, text))
        finally:
            with self._change:
                if prime and prefix in self._coming:  # it failed before it could share
                    self._coming.remove(prefix)
                self._free[slot] = text
                self._change.notify_all()

    def _wait_for_slot(self, prefix: str, text: str) -> tuple[int, str]:
        """Take the free slot that has most of `text`; return it with what is in its cache.

        Waits, with the lock released, while no slot is free. Waits too while another call is reading more of
        `prefix` than any slot or saved state has.
        """
        while True:
            available = (*self._free.values(), *self._saved.values())
            read = max((_count_common(cached, text) for cached in available), default=0)
            coming = max((_count_common(awaited, prefix) for awaited in self._coming), default=0)
            if self._free and coming < read + WORTH_SHARING:
                slot = max(self._free, key=lambda free: _count_common(self._free[free], text))
                return slot, self._free.pop(slot)
            self._change.wait()

    def _share(self, slot: int, prefix: str, text: str) -> None:
        """Save the prefix, which has been read, for the other slots, and let those that wait go on."""
        with self._change:
            self._names += 1
            name = f"prefix-{self._names}"
        saved = self.backend("save", slot, name)
        with self._change:
            if saved:
                self._saved[name] = text
            idle = [kept for kept in self._saved if kept not in self._loading]
            old = idle[: max(0, len(self._saved) - KEPT)]
            for outdated in old:
                del self._saved[outdated]
            if prefix in self._coming:
                self._coming.remove(prefix)
            self._change.notify_all()
        for outdated in old:
            self.backend("discard", slot, outdated)


def _count_common(first: str, second: str) -> int:
    """Count the characters with which both texts begin."""
    return len(os.path.commonprefix((first, second)))  # noqa: RUF071 (characters are what is wanted here)
