"""What stands in another process for objects that stay at home, beside the playbook file and its one writer.

A run's work may be done in other processes. What has one state for the whole run stays in the process that
began it: the meter with its journal, the stop event, clients with a server, a recording or a script, sources,
computed vectors. There is a stand-in for each, whose methods ask for what they do at home.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from enum import StrEnum
from threading import Event, Lock
from typing import TYPE_CHECKING, Any, Protocol

from ace.context.item import Item
from ace.llm.asking import Asks
from ace.llm.client import FinishReason, Reply, Request, Role
from ace.llm.journal import Call, Key
from ace.llm.local.local_server import LocalServer
from ace.llm.meter import Meter, Metered, mark_calls, read_mark
from ace.retrieval.documents import DocumentSource
from ace.retrieval.memory_source import MemorySource
from ace.retrieval.vector_cache import VectorCache
from ace.store import Store

if TYPE_CHECKING:
    from ace.llm.embedding import Vectors


class HomeMethod(StrEnum):
    """Name what may be asked for at home; nothing else is called there."""

    START = "start"
    END = "end"
    COMPLETE = "complete"
    ASK = "ask"
    FIND = "items"
    CALL = "__call__"
    COUNT = "count"
    IS_SET = "is_set"


class Line(Protocol):
    """Connect a stand-in with home."""

    def ask(self, number: int, method: HomeMethod, arguments: tuple[Any, ...]) -> Any:
        """Call a method of the object with a number at home, and return what it returns, or raise it."""
        ...


@dataclass(slots=True, eq=False)
class StandIn:
    """Stand for the object with a number at home."""

    number: int

    line: Line | None = None
    """Set where the stand-in has arrived."""

    def visit(self, method: HomeMethod, *arguments: Any) -> Any:
        """Return what the object's method returns, or raise what it raises."""
        if self.line is None:
            raise RuntimeError("A stand-in is used in the process that has the object itself.")
        return self.line.ask(self.number, method, arguments)


@dataclass(slots=True, eq=False)
class AwayMeter(StandIn):
    """Count requests at home: nothing is asked before it is allowed there, or used before it is kept."""

    phase: str = ""

    def about(self, sample: str) -> AbstractContextManager[None]:
        """Mark calls of this thread within the block as made for `sample`."""
        return mark_calls(sample)

    def start(self, role: Role, request: str) -> tuple[Key, Reply | None]:
        """Number a request; see `Meter.start`."""
        key, reply = self.visit(HomeMethod.START, read_mark(), role, request)
        return key, reply

    def end(self, call: Call | None, *, paid: bool) -> None:
        """Keep a call; see `Meter.end`."""
        self.visit(HomeMethod.END, call, paid)


@dataclass(slots=True, eq=False)
class AwayClient(StandIn):
    """Let a client answer at home."""

    model: str = ""

    def complete(self, request: Request) -> Reply:
        """Return the client's reply, or raise what it raises."""
        reply: Reply = self.visit(HomeMethod.COMPLETE, request)
        return reply


@dataclass(slots=True, eq=False)
class AwayEndpoint(AwayClient):
    """Let a client answer at home that makes one request at a time."""

    tries: int = 1

    def ask(self, request: Request) -> Reply:
        """Return the reply to one request, or raise what the client raises."""
        reply: Reply = self.visit(HomeMethod.ASK, request)
        return reply


@dataclass(slots=True, eq=False)
class AwaySource(StandIn):
    """Let a source, or a function that is one, find at home."""

    name: str = ""

    def items(self, question: str, data: Mapping[str, Any]) -> Sequence[Item]:
        """Return what the source finds."""
        items: Sequence[Item] = self.visit(HomeMethod.FIND, question, dict(data))
        return items

    def __call__(self, question: str) -> Any:
        """Return what the function finds."""
        return self.visit(HomeMethod.CALL, question)


@dataclass(slots=True, eq=False)
class AwayVectors(StandIn):
    """Let vectors be looked up, or computed and kept, at home."""

    name: str = ""

    def __call__(self, texts: Sequence[str]) -> Vectors:
        """Return vectors of shape (texts, dimensions)."""
        vectors: Vectors = self.visit(HomeMethod.CALL, list(texts))
        return vectors


@dataclass(slots=True, eq=False)
class AwayServer(StandIn):
    """Let an embedded server count tokens at home."""

    def count(self, text: str) -> int:
        """Return the tokens of a text."""
        return int(self.visit(HomeMethod.COUNT, text))


@dataclass(slots=True, eq=False)
class AwayEvent(StandIn):
    """Ask at home whether the run has ended."""

    def is_set(self) -> bool:
        """Return whether it has."""
        return bool(self.visit(HomeMethod.IS_SET))


class Home:
    """Decide what stays, and hold it by its number; number 0 are the calls of whichever item asks."""

    def __init__(self, sources: Iterable[Any] = ()) -> None:
        """Begin with nothing that stays but `sources`: a task's own, objects and functions."""
        self.objects: list[Any] = [None]
        self._stand_ins: dict[int, StandIn] = {}
        for source in sources:
            name = getattr(source, "name", "") or getattr(source, "__name__", "source")
            self._keep(source, AwaySource(len(self.objects), name=str(name)))

    def find_stand_in(self, thing: Any) -> StandIn | None:
        """Return what stands for an object elsewhere; None for one that travels.

        Raises TypeError for a playbook file: it has one writer.
        """
        known = self._stand_ins.get(id(thing))
        if known is not None:
            return known
        number = len(self.objects)
        match thing:
            case Meter():
                return self._keep(thing, AwayMeter(0, phase=thing.phase))
            case Event():
                return self._keep(thing, AwayEvent(number))
            case VectorCache():
                return self._keep(thing, AwayVectors(number, name=thing.name))
            case LocalServer():
                return self._keep(thing, AwayServer(number))
            case DocumentSource() | MemorySource():
                return self._keep(thing, AwaySource(number, name=thing.name))
            case Store():
                raise TypeError("a playbook file has one writer, and stays in its process")
        is_client = hasattr(type(thing), "complete") and not isinstance(thing, Metered | StandIn | type)
        if not is_client or getattr(thing, "travels", False):
            return None
        if isinstance(thing, Asks):
            return self._keep(thing, AwayEndpoint(number, model=thing.model, tries=thing.tries))
        return self._keep(thing, AwayClient(number, model=thing.model))

    def _keep(self, thing: Any, stand_in: StandIn) -> StandIn:
        """Hold an object, and return its stand-in."""
        if stand_in.number:
            self.objects.append(thing)
        else:
            self.objects[0] = thing
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

    keys: dict[tuple[str, str, str], list[Key]] = field(default_factory=lambda: defaultdict(list))
    """Those given out, in their order, by sample, role and request."""

    replies: dict[Key, Reply] = field(default_factory=dict)
    """What came of those that ended well."""

    under_way: set[Key] = field(default_factory=set)
    """Those that were allowed and have not ended."""

    _asked: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    """How often each was asked for in this try."""

    _lock: Lock = field(default_factory=Lock)

    def begin_again(self) -> None:
        """Take the requests of a new try for those of the last one, in their order."""
        with self._lock:
            self._asked.clear()

    def start(self, sample: str, role: Role, request: str) -> tuple[Key, Reply | None]:
        """Return the key of a request with the reply to it, if there is one; see `Meter.start`."""
        identity = (sample, role.value, request)
        with self._lock:
            place = self._asked[identity]
            self._asked[identity] += 1
            if place < len(self.keys[identity]):
                key = self.keys[identity][place]
                if key in self.replies or key in self.under_way:
                    return key, self.replies.get(key)
        with mark_calls(sample):
            key, reply = self.meter.start(role, request)
        with self._lock:
            self.keys[identity][place:] = [key, *self.keys[identity][place + 1 :]]
            if reply is None:
                self.under_way.add(key)
        return key, reply

    def end(self, call: Call | None, paid: bool) -> None:
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
