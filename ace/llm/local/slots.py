"""Which slot of the embedded server serves a call, so that a long common prefix is computed once.

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
from typing import Protocol

WORTH_SHARING = 160  # characters, some 40 tokens: what is shorter is read faster than it is copied
KEPT = 6  # saved states; each takes about 28 KB a token


class Backend(Protocol):
    """What a slot can be told to do. `name` identifies a saved state."""

    def save(self, slot: int, name: str) -> None: ...

    def restore(self, slot: int, name: str) -> None: ...

    def discard(self, name: str) -> None: ...


@dataclass(slots=True)
class Lease:
    """A slot for one call. `prime` is true for the call that should read the prefix first, then `share`."""

    slot: int
    prime: bool
    share: Callable[[], None]


@dataclass(slots=True)
class Slots:
    """Leases slots to calls; safe to use from many threads."""

    count: int
    backend: Backend
    _held: dict[int, str] = field(init=False)  # what each free slot has in its cache, least recent first
    _saved: OrderedDict[str, str] = field(default_factory=OrderedDict, init=False)
    _loading: list[str] = field(default_factory=list, init=False)  # saved states that must not go now
    _coming: list[str] = field(default_factory=list, init=False)  # prefixes that are being read now
    _change: Condition = field(default_factory=Condition, init=False)
    _names: int = field(default=0, init=False)

    def __post_init__(self) -> None:
        self._held = dict.fromkeys(range(self.count), "")

    @contextmanager
    def lease(self, prefix: str, text: str) -> Iterator[Lease]:
        """A slot for a prompt `text` that begins with `prefix`, the part that other calls will share."""
        with self._change:
            slot, held = self._wait_for_slot(prefix, text)
            name, found = self._best_saved(text)
            load = found >= _common(held, text) + WORTH_SHARING
            if load:
                self._loading.append(name)
                self._saved.move_to_end(name)
            prime = len(prefix) - max(found, _common(held, text)) >= WORTH_SHARING
            if prime:
                self._coming.append(prefix)
        try:
            if load:
                self._load(slot, name)
            yield Lease(slot, prime, lambda: self._share(slot, prefix, text))
        finally:
            self._release(slot, prefix if prime else None, text)

    def _wait_for_slot(self, prefix: str, text: str) -> tuple[int, str]:
        """The free slot that has most of `text`; waits while none is free or the prefix is being read."""
        while True:
            known = max(
                (_common(held, text) for held in (*self._held.values(), *self._saved.values())), default=0
            )
            coming = max((_common(other, prefix) for other in self._coming), default=0)
            if self._held and coming < known + WORTH_SHARING:
                slot = max(self._held, key=lambda free: _common(self._held[free], text))
                return slot, self._held.pop(slot)
            self._change.wait()

    def _best_saved(self, text: str) -> tuple[str, int]:
        return max(
            ((name, _common(held, text)) for name, held in self._saved.items()),
            key=lambda f: f[1],
            default=("", 0),
        )

    def _load(self, slot: int, name: str) -> None:
        try:
            self.backend.restore(slot, name)
        finally:
            with self._change:
                self._loading.remove(name)

    def _share(self, slot: int, prefix: str, text: str) -> None:
        """The prefix has been read: save it for the other slots, and let those that wait go on."""
        with self._change:
            self._names += 1
            name = f"prefix-{self._names}"
        self.backend.save(slot, name)
        with self._change:
            self._saved[name] = text
            idle = [saved for saved in self._saved if saved not in self._loading]
            old = idle[: max(0, len(self._saved) - KEPT)]
            for gone in old:
                del self._saved[gone]
            if prefix in self._coming:
                self._coming.remove(prefix)
            self._change.notify_all()
        for gone in old:
            self.backend.discard(gone)

    def _release(self, slot: int, coming: str | None, text: str) -> None:
        with self._change:
            if coming in self._coming:  # it failed before it could share
                self._coming.remove(coming)
            self._held[slot] = text
            self._change.notify_all()


def _common(a: str, b: str) -> int:
    return len(os.path.commonprefix((a, b)))  # noqa: RUF071 (characters are what is wanted here)
