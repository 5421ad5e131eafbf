"""What stands in another process for objects that stay at home, beside the playbook file and its one writer.

A run's work may be done in other processes. What has one state for the whole run stays in the process that
began it: the meter with its journal, the stop event, clients with a server, a recording or a script, sources,
computed vectors. There is a stand-in for each, whose methods ask for what they do at home.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from functools import partial
from threading import Event, Lock
from typing import Any, ClassVar

from ace.llm.asking import Asks
from ace.llm.client import FinishReason, Reply, Role
from ace.llm.journal import Call, Key
from ace.llm.local.local_server import LocalServer
from ace.llm.meter import Meter, Metered, calls_for
from ace.retrieval.documents import DocumentSource
from ace.retrieval.memory_source import MemorySource
from ace.retrieval.vector_cache import VectorCache
from ace.store import Store

Line = Callable[[int, "HomeMethod", tuple[Any, ...], dict[str, Any]], Any]
"""Calls a method of the object with a number at home: returns what that returns, or raises what it raises."""


class HomeMethod(StrEnum):
    """Name what may be asked for at home; nothing else is called there."""

    START = "start"
    END = "end"
    COMPLETE = "complete"
    ASK = "ask"
    FIND = "items"
    CALL = "__call__"
    COUNT_TOKENS = "count"
    IS_SET = "is_set"


class StandIn:
    """Stand for the object with a number at home: some of its methods, and values that do not change."""

    line: ClassVar[Line | None] = None
    """Leads home; set in the processes that stand-ins are sent to."""

    def __init__(self, number: int, methods: Sequence[HomeMethod], values: Mapping[str, Any]) -> None:
        """Have these methods and values as attributes."""
        self.number, self._methods, self._values = number, methods, dict(values)
        self.__dict__.update(values)
        for method in methods:
            self.__dict__[method.value] = partial(self._visit, method)

    def __call__(self, *arguments: Any) -> Any:
        """Call the object, which is a function or like one."""
        return self._visit(HomeMethod.CALL, *arguments)

    def __reduce__(self) -> tuple[Any, ...]:
        """Return how to make the stand-in again."""
        return StandIn, (self.number, self._methods, self._values)

    def _visit(self, method: HomeMethod, *arguments: Any, **keywords: Any) -> Any:
        """Return what the object's method returns, or raise what it raises."""
        line = StandIn.line
        if line is None:
            raise RuntimeError("A stand-in is used in the process that has the object itself.")
        return line(self.number, method, arguments, keywords)


class Home:
    """Decide what stays, and hold it by its number; number 0 is the meter, for which `ItemCalls` answer."""

    def __init__(self, sources: Iterable[Any] = ()) -> None:
        """Begin with nothing that stays but `sources`: a task's own, objects and functions."""
        self.objects: list[Any] = [None]
        self._stand_ins: dict[int, StandIn] = {}
        for source in sources:
            name = getattr(source, "name", "") or getattr(source, "__name__", "source")
            self._keep(source, (HomeMethod.FIND,), name=str(name))

    def find_stand_in(self, thing: Any) -> StandIn | None:
        """Return what stands for an object elsewhere; None for one that travels.

        Raises TypeError for a playbook file: it has one writer.
        """
        known = self._stand_ins.get(id(thing))
        if known is not None:
            return known
        match thing:
            case Meter():
                methods = (HomeMethod.START, HomeMethod.END)
                return self._keep(thing, methods, phase=thing.phase)
            case Event():
                return self._keep(thing, (HomeMethod.IS_SET,))
            case VectorCache():
                return self._keep(thing, (), name=thing.name)
            case LocalServer():
                return self._keep(thing, (HomeMethod.COUNT_TOKENS,))
            case DocumentSource() | MemorySource():
                return self._keep(thing, (HomeMethod.FIND,), name=thing.name)
            case Store():
                raise TypeError("a playbook file has one writer, and stays in its process")
        is_client = hasattr(type(thing), "complete") and not isinstance(thing, Metered | type)
        has_server = getattr(thing, "server", None) is not None  # an embedded one, which stays
        if not is_client or (getattr(thing, "travels", False) and not has_server):
            return None
        if isinstance(thing, Asks):
            methods = (HomeMethod.COMPLETE, HomeMethod.ASK)
            return self._keep(thing, methods, model=thing.model, tries=thing.tries)
        return self._keep(thing, (HomeMethod.COMPLETE,), model=thing.model)

    def _keep(self, thing: Any, methods: Sequence[HomeMethod], **values: Any) -> StandIn:
        """Hold an object, and return its stand-in with these methods and values."""
        number = 0
        if isinstance(thing, Meter):
            self.objects[0] = thing
        else:
            number = len(self.objects)
            self.objects.append(thing)
        stand_in = StandIn(number, methods, values)
        self._stand_ins[id(thing)] = stand_in
        return stand_in


@dataclass(slots=True)
class ItemCalls:
    """Hold the calls that are made for one item of a map, over all tries at it.

    A try whose process died is made again, and asks for the same: calls that came to an end are answered from
    here, under their keys, and neither counted nor journaled again.
    """

    meter: Meter
    """Counts them, and keeps them in the journal."""

    keys: dict[tuple[str, str, str], dict[int, Key]] = field(default_factory=lambda: defaultdict(dict))
    """Those given out, by sample, role and request, and by their place in the order of asking."""

    replies: dict[Key, Reply] = field(default_factory=dict)
    """What came of those that ended well."""

    under_way: set[Key] = field(default_factory=set)
    """Those that were allowed and have not ended."""

    asked: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    """How often each was asked for in this try; a new one begins with none, and asks in the same order."""

    _lock: Lock = field(default_factory=Lock)

    def start(self, role: Role, request: str) -> tuple[Key, Reply | None]:
        """Return the key of a request with the reply to it, if there is one; see `Meter.start`."""
        identity = (calls_for.get(), role.value, request)
        with self._lock:
            place = self.asked[identity]
            self.asked[identity] += 1
            if place in self.keys[identity]:
                key = self.keys[identity][place]
                if key in self.replies or key in self.under_way:
                    return key, self.replies.get(key)
        key, reply = self.meter.start(role, request)
        with self._lock:
            self.keys[identity][place] = key
            if reply is None:
                self.under_way.add(key)
        return key, reply

    def end(self, call: Call | None, *, paid: bool) -> None:
        """Keep a call, once; of one that did not end nothing is known, and its key stays under way."""
        if call is None:
            return
        with self._lock:
            if call.key in self.replies:
                return
            if call.text is not None:
                reason = FinishReason.of(call.finish_reason)
                reply = Reply(call.text, usage=call.usage, finish_reason=reason, faults=call.faults)
                self.replies[call.key] = reply
            self.under_way.discard(call.key)
        self.meter.end(call, paid=paid)

    def give_up(self) -> None:
        """Tell the meter that what is under way will not come to an end."""
        with self._lock:
            unfinished = len(self.under_way)
            self.under_way.clear()
        for _ in range(unfinished):
            self.meter.end(None, paid=True)
