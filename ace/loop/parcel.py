"""Parcels: an object and all that it holds as bytes for another process, and what comes back from there.

What comes back refers to what was sent by its place in the parcel. So a result that holds a sample, a bench
or a playbook of the parcel holds the very same object again at home, and only what is new travels.
"""

from __future__ import annotations

import io
import pickle
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from ace.loop.stand_ins import Home, StandIn

_PLAIN = frozenset({str, int, float, bool, bytes, tuple, list, dict, set, frozenset, type(None), type})
_TASK_MODULES = "ace_task:"  # begins the names that `ace.task.own_module` gives to modules of task folders


@dataclass(frozen=True, slots=True)
class Parcel:
    """Hold an object as bytes, with what it takes to understand an answer to it."""

    content: bytes

    sent: Mapping[int, Any]
    """Every object in it by its place, which is that in pickle's memo; for a stand-in what it stands for."""

    @classmethod
    def of(cls, thing: Any, home: Home) -> Parcel:
        """Pack an object; what stays is held by `home`. Raises what its parts raise where one cannot be."""
        content, places = _pack(
            thing, lambda part: None if type(part) in _PLAIN else home.find_stand_in(part)
        )
        sent = dict(places.values())
        for place, part in sent.items():
            if isinstance(part, StandIn):
                sent[place] = home.objects[part.number]
        return cls(content, sent)

    def open_answer(self, content: bytes) -> Any:
        """Return what another process packed with `Arrival.pack`."""
        reader = _Reader(io.BytesIO(content))
        reader.find = self.sent.__getitem__
        return reader.load()


class Arrival:
    """Hold an object that has arrived, in the process that it was sent to."""

    def __init__(self, content: bytes) -> None:
        """Unpack it. Raises what its parts raise, as where a module is missing."""
        reader = _Reader(io.BytesIO(content))
        reader.find = lambda stand_in: stand_in
        self.thing = reader.load()
        self._sent = reader.memo.copy()  # keeps them all, so that no other object gets the id of one
        self._places = {id(part): place for place, part in self._sent.items()}

    def pack(self, answer: Any) -> bytes:
        """Return an answer as bytes, in which parts that were sent are only named.

        A part that was sent is not sent back, whatever has changed in it. Raises as `Parcel.of` does.
        """
        content, _ = _pack(answer, lambda part: self._places.get(id(part)))
        return content


class _Reader(pickle.Unpickler):
    """Read bytes that the same run has written, and ask `find` for what they only name."""

    find: Callable[[Any], Any]
    memo: Any

    def persistent_load(self, name: Any) -> Any:
        """Return what a name stands for."""
        return self.find(name)


def _pack(thing: Any, find: Callable[[Any], Any]) -> tuple[bytes, dict[int, tuple[int, Any]]]:
    """Return an object as bytes, and by its id the place of every object in them, with the object.

    Parts that `find` has a name for are only named. Classes of task folders travel as they are, since nobody
    else can import them by their modules' names.
    """
    from ray import cloudpickle

    for name, module in list(sys.modules.items()):
        if name.startswith(_TASK_MODULES):
            cloudpickle.register_pickle_by_value(module)
    file = io.BytesIO()
    writer = _load_writer()(file)
    writer.find = find
    writer.dump(thing)
    return file.getvalue(), writer.memo.copy()


@cache
def _load_writer() -> type[Any]:
    """Return a pickler of functions and classes, too, that asks its `find` for names."""
    from ray import cloudpickle

    return type("Writer", (cloudpickle.Pickler,), {"persistent_id": lambda self, part: self.find(part)})
