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
    """Every object in it by its place."""

    home: Home
    """What stayed."""

    @classmethod
    def of(cls, thing: Any, home: Home) -> Parcel:
        """Pack an object. Raises what its parts raise where one cannot be pickled."""
        register_task_modules()

        def find(part: Any) -> StandIn | None:
            return None if type(part) in _PLAIN else home.find_stand_in(part)

        file = io.BytesIO()
        packer = _packer_class()(file, find)
        packer.dump(thing)
        return cls(file.getvalue(), dict(packer.memo.copy().values()), home)

    def open_answer(self, content: bytes) -> Any:
        """Return what another process packed with `Arrival.pack`."""

        def find(place: int) -> Any:
            part = self.sent[place]
            return self.home.objects[part.number] if isinstance(part, StandIn) else part

        return _Unpacker(content, find).load()


class Arrival:
    """Hold an object that has arrived, in the process that it was sent to."""

    def __init__(self, content: bytes, line: Line) -> None:
        """Unpack it; its stand-ins use `line`. Raises what its parts raise, as where a module is missing."""

        def connect(stand_in: StandIn) -> StandIn:
            stand_in.line = line
            return stand_in

        unpacker = _Unpacker(content, connect)
        self.thing = unpacker.load()
        self._sent = unpacker.memo.copy()
        self._places = {id(part): place for place, part in self._sent.items()}

    def pack(self, answer: Any) -> bytes:
        """Return an answer as bytes, in which parts that were sent are only named.

        A part that was sent is not sent back, whatever has changed in it. Raises as `Parcel.of` does.
        """
        register_task_modules()
        file = io.BytesIO()
        _packer_class()(file, lambda part: self._places.get(id(part))).dump(answer)
        return file.getvalue()


class _Unpacker(pickle.Unpickler):
    """Read bytes that the same run has written, and ask `find` for what they only name."""

    def __init__(self, content: bytes, find: Callable[[Any], Any]) -> None:
        super().__init__(io.BytesIO(content))
        self._find = find

    def persistent_load(self, name: Any) -> Any:
        """Return what a name stands for."""
        return self._find(name)


@cache
def _packer_class() -> type[Any]:
    """Return a pickler of functions and classes, too, that names what its `find` has a name for."""
    from ray import cloudpickle

    class Packer(cloudpickle.Pickler):  # type: ignore[misc]  # it is untyped
        """Write bytes."""

        def __init__(self, file: io.BytesIO, find: Callable[[Any], Any]) -> None:
            super().__init__(file)
            self._find = find

        def persistent_id(self, part: Any) -> Any:
            """Return the name of a part; None for one that is written out."""
            return self._find(part)

    return Packer


def register_task_modules() -> None:
    """Let classes of task folders travel as they are: nobody else can import them by their modules' names."""
    from ray import cloudpickle

    for name, module in list(sys.modules.items()):
        if name.startswith(_TASK_MODULES):
            cloudpickle.register_pickle_by_value(module)
