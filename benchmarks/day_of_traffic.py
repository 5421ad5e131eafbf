"""A day of traffic: several servers answer users who come back, one learns, all on one playbook.

    python benchmarks/day_of_traffic.py                       # a server of PostgreSQL of its own
    python benchmarks/day_of_traffic.py --sqlite              # one file instead
    python benchmarks/day_of_traffic.py --requests 0 --shares 1 --live 1000000  # all of it, one by one

A request is `OnlineServer.answer`: the newest playbook and what is remembered of the user become a prompt, a
model answers at once (its time is not ours), the call and the episode are written. Some answers get
feedback, from which one server learns meanwhile, and of some users something is remembered.

The day is not run through: earlier hours are loaded into the tables in bulk, so that the same requests are
measured with a thousandth, a hundredth, a tenth and all of the day's rows and users there (`--shares`). What
grows shows in the slopes. Ctrl-C ends it: what has been measured by then is written.
"""

from __future__ import annotations

import argparse
import math
import multiprocessing
import os
import signal
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import asdict, dataclass, field
from functools import partial
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any

from ace.errors import AceError, InputError
from ace.store import Store
from benchmarks.measured_pages import write_result
from benchmarks.measuring import RESULTS, describe_measurement, run_script
from benchmarks.traffic_gauges import Gauges, read_server_version
from benchmarks.traffic_page import render_sections
from benchmarks.traffic_rows import add_run, load_memories, load_requests, read_sizes, refresh_statistics
from benchmarks.traffic_servers import Learned, Orders, Served, Stretch, run_learner, run_server
from benchmarks.traffic_world import Users, make_lessons, make_task

_LOOKS = 0.1  # seconds between looks at the database
_NEWS = 10.0  # seconds between lines of progress
_APART = 10**9  # between the numbers of what is loaded for one share and the next
_FEW = 10  # users that there are always
_EARLIER = "parcels-before"  # the task of loaded runs: nobody learns from their feedback again


@dataclass(slots=True)
class Fleet:
    """Hold the processes of servers and of the learner, with the pipes to them."""

    servers: list[Connection]
    learner: Connection
    done: Any
    stop: Any
    runs: list[int]
    """Of the servers and of the learner."""

    def serve(self, stretches: Sequence[Stretch], gauges: Gauges) -> tuple[list[Served], bool]:
        """Have the first servers answer a stretch each; return what they measured, and whether all was done.

        Ctrl-C lets each end the request that it is at.
        """
        self.done.value, total = 0, sum(stretch.count for stretch in stretches)
        waiting = self.servers[: len(stretches)]
        for pipe, stretch in zip(waiting, stretches, strict=True):
            pipe.send(stretch)
        served: list[Served] = []
        news = time.monotonic() + _NEWS
        while waiting:
            try:
                for pipe in wait(waiting, timeout=_LOOKS):
                    assert isinstance(pipe, Connection)
                    served.append(receive(pipe))
                    waiting.remove(pipe)
                gauges.look()
                if time.monotonic() > news:
                    print(f"    {self.done.value:,} of {total:,} requests", flush=True)
                    news += _NEWS
            except KeyboardInterrupt:
                self.stop.value = 1
        return served, not self.stop.value

    def ask_learner(self) -> Learned:
        """Return what the learner has taken so far."""
        self.learner.send("how much")
        learned: Learned = receive(self.learner)
        return learned


def receive(pipe: Connection) -> Any:
    """Return what a process sends. Raises AceError where it has ended."""
    try:
        return pipe.recv()
    except (EOFError, OSError) as error:
        raise AceError("A process of the measurement ended early; it has written why above.") from error


@contextmanager
def start_fleet(orders: Orders, servers: int) -> Iterator[Fleet]:
    """Start the processes one by one, and end them. Each is ready when it has named its run.

    The learner is the first, so that it has the lead, and the last to be told of the end.
    """
    context = multiprocessing.get_context("spawn")
    done, stop = context.Value("q", 0), context.Value("b", 0)
    works: list[Callable[..., None]] = [partial(run_learner, orders)]
    works += [partial(run_server, orders, done=done, stop=stop)] * servers
    pipes, processes, runs = [], [], []
    try:
        for work in works:
            ours, theirs = context.Pipe()
            process = context.Process(target=work, kwargs={"pipe": theirs}, daemon=True)
            process.start()
            theirs.close()
            pipes.append(ours)
            processes.append(process)
            runs.append(receive(ours))
        yield Fleet(pipes[1:], pipes[0], done, stop, runs)
    finally:
        for pipe, process in reversed(list(zip(pipes, processes, strict=True))):
            if process.is_alive():
                with suppress(OSError):
                    pipe.send(None)
        for process in processes:
            process.join(timeout=60)
            process.terminate()


@dataclass(slots=True)
class Day:
    """Hold what all shares of a day have in common."""

    options: argparse.Namespace
    place: str
    store: Store
    fleet: Fleet
    gauges: Gauges
    loaded: tuple[int, int] = (0, 0)
    """Requests and users that the tables have so far."""

    shares: list[dict[str, Any]] = field(default_factory=list)

    def warm_up(self) -> bool:
        """Have every server answer some requests: their rows are the patterns of what is loaded."""
        count = max(20, self.options.live // (10 * self.options.servers))
        load_memories(self.store, self.place, Users.of(_FEW), range(_FEW))
        self.loaded = 0, _FEW
        _, whole = self.measure_stretches([Stretch(0, count, _FEW)] * self.options.servers)
        return whole

    def measure_share(self, number: int, share: float) -> bool:
        """Load what is missing of a share of the day, then measure; return False where it was cut off."""
        options = self.options
        requests, users = round(share * options.requests), max(_FEW, round(share * options.users))
        print(f"{share:.2%} of the day: {requests:,} requests, {users:,} users", flush=True)
        loading = self.load(number, requests, users)
        before = read_sizes(self.store, self.place)
        row: dict[str, Any] = {
            "share": share,
            "users": users,
            "loading": loading,
            "load": [os.getloadavg()[0]],
        }
        row["rows"] = {name: size.rows for name, size in before.items()}
        each = max(1, options.live // options.servers)
        parties = [("alone", 1, max(1, each // 2))] if options.servers > 1 else []
        parties.append(("together", options.servers, each))
        first, whole = (number + 1) * _APART, True
        for name, servers, count in parties:
            pause = options.servers / options.rate if options.rate else 0.0
            if whole:
                row[name], whole = self.measure_stretches([Stretch(first, count, users, pause)] * servers)
            first += count
        row["load"].append(os.getloadavg()[0])
        row["sizes"] = {name: asdict(size) for name, size in read_sizes(self.store, self.place).items()}
        row["start"] = time_call(lambda: self.store.feedback(make_task(1).name, unlearned=True))
        self.shares.append(row)
        return whole

    def load(self, number: int, requests: int, users: int) -> float:
        """Load requests and users that the tables lack; return the seconds that it took."""
        began = time.perf_counter()
        had_requests, had_users = self.loaded
        if users > had_users:
            load_memories(self.store, self.place, Users.of(self.options.users), range(had_users, users))
        if requests > had_requests:
            start = (number + 1) * _APART
            numbers = range(start, start + requests - had_requests)
            run = add_run(self.store, _EARLIER)
            load_requests(self.store, self.place, numbers, run, self.fleet.runs)
        refresh_statistics(self.place)
        self.loaded = max(requests, had_requests), max(users, had_users)
        return time.perf_counter() - began

    def measure_stretches(self, stretches: Sequence[Stretch]) -> tuple[dict[str, Any], bool]:
        """Have servers answer; return figures of the whole, and whether it was done to its end."""
        learned, steps = self.fleet.ask_learner(), self.count_rows("steps")
        self.gauges.begin()
        served, whole = self.fleet.serve(stretches, self.gauges)
        database = self.gauges.read()
        after = self.fleet.ask_learner()
        parts: dict[str, list[float]] = {}
        for one in served:
            for name, seconds in one.parts.items():
                parts.setdefault(name, []).extend(seconds)
        answers = len(parts.get("answer", ()))
        tokens = {name: sum(one.tokens[name] for one in served) for name in ("computed", "cached", "written")}
        figures = {
            "servers": len(stretches),
            "requests": answers,
            "parts": {name: describe(seconds) for name, seconds in parts.items()},
            "processor": sum(one.processor for one in served),
            "memory": [one.memory for one in served],
            "tokens": tokens,
            "wrong": sum(one.wrong for one in served),
            "steps": self.count_rows("steps") - steps,
            "waiting": self.count_rows("feedback") - self.count_rows("steps"),
            "learner": {name: amount - asdict(learned)[name] for name, amount in asdict(after).items()},
            "learner_memory": after.memory,
            "database": database,
        }
        return figures, whole

    def count_rows(self, table: str) -> int:
        """Return how many rows a table has, by its seal."""
        with self.store._reading() as db:
            (rows,) = db.execute('SELECT "rows" FROM seals WHERE name = ?', [table]).fetchone()
        return int(rows)


def describe(seconds: Sequence[float]) -> dict[str, float]:
    """Return count, median and 99th percentile, in milliseconds."""
    ordered = sorted(seconds)
    last = ordered[min(len(ordered) - 1, math.ceil(0.99 * len(ordered)) - 1)]
    return {"count": len(ordered), "p50": 1000 * statistics.median(ordered), "p99": 1000 * last}


def time_call(work: Callable[[], object]) -> float:
    """Return seconds."""
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


@contextmanager
def open_place(options: argparse.Namespace) -> Iterator[tuple[str, int | None]]:
    """Yield where the playbook is to be, and the first process of the server, if it is one of our own."""
    with ExitStack() as stack:
        if options.place:
            yield options.place, None
        elif options.sqlite:
            folder = stack.enter_context(tempfile.TemporaryDirectory())
            yield str(Path(folder) / "day.db"), None
        else:
            from tests.postgres_server import PostgresServer, why_not

            reason = why_not()
            if reason:
                raise InputError(f"There is no server: {reason}.", hint="Give --sqlite or --place.")
            server = PostgresServer()
            stack.callback(server.remove)
            process = int((server.data / "postmaster.pid").read_text().split()[0])
            yield server.address("day"), process


def measure(options: argparse.Namespace, words: Sequence[str]) -> str:
    """Measure every share, write the page, and return it. Raises InputError for what cannot be measured."""
    record = describe_measurement("day_of_traffic.py", words, "a scripted model that answers at once")
    record["options"] = {name: value for name, value in vars(options).items() if name not in ("out", "place")}
    with open_place(options) as (place, postmaster), Store.open(place, timeout=600) as store:
        if len(store.checkout()):
            raise InputError(f"The playbook at {store.path} is in use.", hint="Give an empty place.")
        task = make_task(options.topics)
        store.commit(make_lessons(task, options.known), author="person", reason="what is known by morning")
        record["database"] = read_server_version(place)
        gauges = Gauges(place, postmaster)
        orders = Orders(
            place=place,
            topics=options.topics,
            feedback=options.feedback,
            memories=options.memories,
            seed=options.seed,
        )
        with start_fleet(orders, options.servers) as fleet:
            day = Day(options, place, store, fleet, gauges)
            try:
                whole = day.warm_up()
                for number, share in enumerate(sorted(options.shares)):
                    whole = whole and day.measure_share(number, share)
            except KeyboardInterrupt:
                print("It was ended; what was measured is written.", flush=True)
        gauges.close()
        record["shares"] = day.shares
        record["versions"] = store.head().number
        problems: list[str] = []
        record["verify"] = time_call(lambda: problems.extend(map(str, store.verify())))
        record["problems"] = problems
    return write_result(options.out, options.name, record, render_sections(record))


def read_options(words: Sequence[str]) -> argparse.Namespace:
    """Read the options. Raises InputError for those that contradict each other."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--requests", type=int, default=1_000_000, help="of the day (default 1,000,000)")
    parser.add_argument("--users", type=int, default=100_000, help="who come back (default 100,000)")
    parser.add_argument(
        "--shares", type=float, nargs="+", default=[0.001, 0.01, 0.1, 1], help="of the day's rows"
    )
    parser.add_argument("--live", type=int, default=2_000, help="requests that are made at each share")
    parser.add_argument("--servers", type=int, default=4, help="processes that answer (default 4)")
    parser.add_argument("--rate", type=float, default=0.0, help="requests a second; 0: as fast as they can")
    parser.add_argument("--topics", type=int, default=400, help="that questions are about")
    parser.add_argument("--known", type=int, default=150, help="topics of which there is a lesson by morning")
    parser.add_argument("--feedback", type=float, default=0.1, help="share of answers that get feedback")
    parser.add_argument(
        "--memories", type=float, default=0.05, help="share after which something is remembered"
    )
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--sqlite", action="store_true", help="a file in place of a server")
    parser.add_argument(
        "--place", default="", help="an empty playbook on a server of yours: postgresql://..."
    )
    prices = {"computed": 0.40, "cached": 0.10, "written": 1.60}
    for kind, price in prices.items():
        note = f"US dollars for a million tokens (default {price:.2f})"
        parser.add_argument(f"--price-{kind}", type=float, default=price, help=note)
    parser.add_argument("--out", type=Path, default=RESULTS, help="where the page goes")
    parser.add_argument("--name", default="day_of_traffic", help="of the page")
    options = parser.parse_args(words)
    if options.sqlite and options.place:
        raise InputError("--sqlite and --place name two places.", hint="Give one of them.")
    if not 0 < options.known <= options.topics <= 10_000 or options.servers < 1 or options.live < 2:
        raise InputError("--known, --topics, --servers or --live is out of range.", hint="See --help.")
    return options


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # as Ctrl-C
    run_script(read_options, measure)
