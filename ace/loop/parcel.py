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

from ace.loop.stand_ins import Home, Line, StandIn

_PLAIN = frozenset({str, int, float, bool, bytes, tuple, list, dict, set, frozenset, type(None), type})
_TASK_MODULES = "ace_task:"  # begins the names that `ace.task.own_module` gives to modules of task folders


@dataclass(frozen=True, slots=True)
class Parcel:
    """Hold an object as bytes, with what it takes to understand an answer to it."""

    content: bytes

    sent: Mapping[int, Any]
    """Every object in it by its place, which is that in pickle's memo."""

    home: Home
    """What stayed."""

    @classmethod
    def of(cls, thing: Any, home: Home) -> Parcel:
        """Pack an object. Raises what its parts raise where one cannot be pickled."""
        content, places = _pack(
            thing, lambda part: None if type(part) in _PLAIN else home.find_stand_in(part)
        )
        return cls(content, dict(places.values()), home)

    def open_answer(self, content: bytes) -> Any:
        """Return what another process packed with `Arrival.pack`."""

        def find(place: int) -> Any:
            """Return what was sent, or the object that a stand-in was sent for."""
            part = self.sent[place]
            return self.home.objects[part.number] if isinstance(part, StandIn) else part

        reader = _Reader(io.BytesIO(content))
        reader.find = find
        return reader.load()


class Arrival:
    """Hold an object that has arrived, in the process that it was sent to."""

    def __init__(self, content: bytes, line: Line) -> None:
        """Unpack it; its stand-ins use `line`. Raises what its parts raise, as where a module is missing."""

        def connect(stand_in: StandIn) -> StandIn:
            """Let a stand-in reach home."""
            stand_in.line = line
            return stand_in

        reader = _Reader(io.BytesIO(content))
        reader.find = connect
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

    class Writer(cloudpickle.Pickler):  # type: ignore[misc]  # it is untyped
        """Write bytes."""

        find: Callable[[Any], Any]

        def persistent_id(self, part: Any) -> Any:
            """Return the name of a part; None for one that is written out."""
            return self.find(part)

    return Writer
