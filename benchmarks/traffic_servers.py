"""The processes of a day of traffic: servers that answer, and one that learns; each measures itself.

All are an `ace.loop.OnlineServer`. The learner is started first, so it has the lead, and the others stand by.
"""

from __future__ import annotations

import random
import resource
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from multiprocessing.connection import Connection
from typing import TYPE_CHECKING

from ace.llm.client import Usage
from ace.llm.role_models import RoleModels
from ace.loop import OnlineServer, serve
from ace.settings import Settings
from ace.store import Store
from benchmarks.traffic_world import InstantModel, Users, draw_sample, make_task, name_user, write_memory

if TYPE_CHECKING:
    from multiprocessing.sharedctypes import Synchronized

    Counter = Synchronized[int]

TIMEOUT = 600.0  # seconds: a writer that has to wait is measured, and not refused
OPTIONS = Settings(workers=1, batch_size=1, drift=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Orders:
    """Say what servers do: where, about how many topics, and what follows after which share of answers."""

    place: str
    topics: int
    feedback: float
    memories: float
    seed: int


@dataclass(frozen=True, slots=True)
class Stretch:
    """Ask a server for some requests, of which `first` is the number of its first one.

    `pause`: seconds from the beginning of a request to that of the next; 0 is one after the other.
    """

    first: int
    count: int
    users: int
    pause: float = 0.0
    began: float = 0.0
    """When the server has got it, by its own clock."""

    def due(self, at: int) -> float:
        """Return when the request with number `at` is due; 0 where it follows the one before."""
        return self.began + (at - self.first) * self.pause if self.pause else 0.0


@dataclass(frozen=True, slots=True)
class Learned:
    """Hold what the learner has taken since its start: the processor's seconds, bytes, calls and tokens."""

    processor: float
    memory: int
    calls: int
    computed: int
    cached: int
    written: int


@dataclass(slots=True)
class Served:
    """Hold what a server measured in a stretch: seconds of each request by part, and what it took in all."""

    parts: dict[str, list[float]] = field(default_factory=dict)
    """By name: "answer" (of which are "context", until the model is asked, and "record", from its reply on),
    "feedback", "memory"."""

    processor: float = 0.0
    """Seconds that the process has computed."""

    memory: int = 0
    """Bytes that the process has taken from the system, at most, since its start."""

    tokens: dict[str, int] = field(default_factory=dict)
    """Of prompts, computed and cached, and written."""

    wrong: int = 0
    """Answers that were not right."""

    def note(self, part: str, seconds: float) -> None:
        """Add the seconds of one request's part."""
        self.parts.setdefault(part, []).append(seconds)

    def count_tokens(self, before: Usage, after: Usage) -> None:
        """Take in what calls took between two states of a meter."""
        cached = after.cached_tokens - before.cached_tokens
        self.tokens["computed"] = after.prompt_tokens - before.prompt_tokens - cached
        self.tokens["cached"] = cached
        self.tokens["written"] = after.completion_tokens - before.completion_tokens


def read_memory() -> int:
    """Return the bytes that this process has taken from the system, at most, since its start."""
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most if sys.platform == "darwin" else 1024 * most


def read_processor() -> float:
    """Return the seconds that this process has computed so far."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def serve_request(
    server: OnlineServer, model: InstantModel, orders: Orders, stretch: Stretch, at: int, served: Served
) -> None:
    """Answer a request, the one with number `at`; for some take feedback, or remember something of the user.

    With a pause between requests, an answer's seconds count from when the request was due.
    """
    chance = random.Random(f"{orders.seed} {server.run} {at}")
    sample, user = draw_sample(server.task, Users.of(stretch.users), f"asked-{server.run}-{at}", chance)
    began = stretch.due(at) or time.perf_counter()
    time.sleep(max(0.0, began - time.perf_counter()))
    answer = server.answer(sample)
    ended = time.perf_counter()
    served.note("answer", ended - began)
    served.note("context", model.asked - began)
    served.note("record", ended - model.replied)
    is_right = answer.text == sample.data["answer"]
    served.wrong += not is_right
    if chance.random() < orders.feedback:
        began = time.perf_counter()
        expected = str(sample.data["answer"])
        server.feedback(answer.episode, right=is_right, expected=expected, author="user")
        served.note("feedback", time.perf_counter() - began)
    if chance.random() < orders.memories:
        attribute, text = write_memory(user, server.run * 10**7 + at)
        began = time.perf_counter()
        server.store.remember(attribute, text, user=name_user(user))
        served.note("memory", time.perf_counter() - began)


class Enough(Exception):
    """Ends a server without learning from what waits."""


@contextmanager
def open_server(orders: Orders, models: RoleModels, pipe: Connection) -> Iterator[OnlineServer]:
    """Serve as the orders say, and tell the number of the run by the pipe. At the end what waits stays."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    task = make_task(orders.topics)
    with (
        suppress(Enough),
        Store.open(orders.place, timeout=TIMEOUT) as store,
        serve(task, store, models, OPTIONS) as server,
    ):
        pipe.send(server.run)
        yield server
        raise Enough


def run_server(orders: Orders, pipe: Connection, done: Counter, stop: Counter) -> None:
    """Be a server that stands by: answer the stretches that come by the pipe, until None comes.

    `done` counts requests.
    """
    model = InstantModel(time.perf_counter)
    models = RoleModels.of(model)
    with open_server(orders, models, pipe) as server:
        while (stretch := pipe.recv()) is not None:
            stretch = replace(stretch, began=time.perf_counter())
            served = Served()
            processor, before = read_processor(), models.meter.total
            for at in range(stretch.first, stretch.first + stretch.count):
                if stop.value:
                    break
                serve_request(server, model, orders, stretch, at, served)
                with done.get_lock():
                    done.value += 1
            served.processor = read_processor() - processor
            served.count_tokens(before, models.meter.total)
            served.memory = read_memory()
            pipe.send(served)


def run_learner(orders: Orders, pipe: Connection) -> None:
    """Be the learner: an `OnlineServer` that nobody asks, and that learns from the feedback of the others.

    Whatever comes by the pipe is answered with the processor's seconds so far; None ends it at once.
    """
    models = RoleModels.of(InstantModel(time.perf_counter))
    with open_server(orders, models, pipe) as server:
        while pipe.recv() is not None:
            if server.ended:
                server.close()  # raises what ended it
            usage = models.meter.total
            computed = usage.prompt_tokens - usage.cached_tokens
            tokens = {"computed": computed, "cached": usage.cached_tokens, "written": usage.completion_tokens}
            pipe.send(Learned(read_processor(), read_memory(), usage.calls, **tokens))
