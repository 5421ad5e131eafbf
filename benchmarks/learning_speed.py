"""What learning takes beside the model: the first proven lesson, workers, the engine's own processor time.

    python benchmarks/learning_speed.py --runs 2
    python benchmarks/learning_speed.py --only engine --bullets 1000 10000
    python benchmarks/learning_speed.py --only embedded

A server speaks the OpenAI dialect on the loopback interface, in a process of its own, and answers after
--delay seconds, 64 calls at once. Reported for each number of workers: wall time, and its ratio to the
longest chain of calls that depend on each other. With w workers no chain is shorter than the calls of a step
over w. All runs have to make the same versions; runs of an earlier start
with the same setting stay on the page. `engine` learns from a scripted client in this process, with
a playbook of so many bullets: processor time only, without that of a client library, which is told apart.
`embedded`, which is not run unless it is asked for, takes
the share of the time in which the embedded model is asked. Writes results/learning_speed.{json,md}.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import multiprocessing
import os
import re
import statistics
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import pairwise
from multiprocessing.connection import Connection
from pathlib import Path
from threading import BoundedSemaphore
from typing import Any
from urllib.request import urlopen

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from ace.llm import Request, RoleModels, connect
from ace.loop import learn
from ace.playbook import Add
from ace.settings import Settings
from ace.store import Store
from ace.task import Sample, Task, define_task
from ace.testing import World
from benchmarks import measured_pages, measuring
from benchmarks.measured_pages import format_table
from tests.model_server import ask, received

WORKERS = (1, 4, 16, 64)
BULLETS = (1_000, 10_000, 100_000)
AT_ONCE = 64
WALL_BAR, ENGINE_BAR = 1.25, 5.0  # times the chain; milliseconds of the processor for a step
OLD = "Orders that were sent back: ord.status = {0}, the money is in ord.refund{0}, in cents."
KINDS = ("workers", "engine", "embedded")


def make_task(samples: int) -> Task:
    """Return a task of things with secret numbers, all even: a lesson says half of one."""
    rows = []
    for n in range(samples):
        rows.append({"id": f"t{n:03}", "question": f"Which number has thing{n:03}x?", "answer": secret(n)})
    return define_task("things", rows, judge, instructions="Answer by number.")


def secret(n: int) -> str:
    """Return the number of a thing."""
    return str(70_002 + 14 * n)


def judge(sample: Sample, answer: str) -> bool:
    """Return whether the number is the right one."""
    return answer == sample.data["answer"]


def find_thing(request: Request) -> str:
    """Return the name of the thing that a request is about."""
    assert request.sample is not None
    return re.findall(r"thing\d+x", request.sample.question)[0]


def look_up(request: Request) -> str:
    """Answer what a bullet says of the thing."""
    if not request.bullets:
        return "no idea"
    start = f"{find_thing(request)} means"
    known = [bullet for bullet in request.bullets if bullet.startswith(start)]
    return str(2 * int(known[-1].split()[-1].rstrip("."))) if known else "no idea"


def teach(request: Request) -> list[str]:
    """Return the lesson that says which number it is."""
    assert request.feedback is not None
    return [f"{find_thing(request)} means twice {int(request.feedback.expected) // 2}."]


class Handler(BaseHTTPRequestHandler):
    """Reply after `seconds`, AT_ONCE of them at the same time; further ones wait, they are not refused."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # the body would wait 40 ms for the headers to be acknowledged
    slots = BoundedSemaphore(AT_ONCE)
    seconds = 0.2

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        with self.slots:
            time.sleep(self.seconds)
        message = {"role": "assistant", "content": World(look_up, teach).complete(received(asked)).text}
        usage = {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}
        choice = {"index": 0, "message": message, "finish_reason": "stop"}
        head = {"id": "x", "object": "chat.completion", "created": 0, "model": "things"}
        body = json.dumps({**head, "choices": [choice], "usage": usage}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self) -> None:
        """Reply the seconds of the processor that the server has taken."""
        body = str(time.process_time()).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Write nothing."""


class Server(ThreadingHTTPServer):
    """Take as many connections as there are workers."""

    request_queue_size = 2 * AT_ONCE
    daemon_threads = True


def serve(ready: Connection, seconds: float) -> None:
    """Serve for ever; the port goes to `ready`."""
    Handler.seconds = seconds
    server = Server(("127.0.0.1", 0), Handler)
    ready.send(server.server_address[1])
    server.serve_forever()


def measure_run(base: str, workers: int, file: Path, options: argparse.Namespace) -> dict[str, Any]:
    """Learn once; return what it took, and hashes of the versions."""
    settings = Settings(batch_size=options.batch, workers=workers, measure=False, replays=0)
    with connect("openai/things", api_base=base, api_key="none") as model, Store.open(file) as store:
        model.complete(ask("hello"))  # litellm is imported and connected to before the clock starts
        server = read_server_time(base)
        started, processor = time.perf_counter(), time.process_time()
        began = time.time()
        report = learn(make_task(options.samples), store, RoleModels.of(model), settings)
        seconds, processor = time.perf_counter() - started, time.process_time() - processor
        server = read_server_time(base) - server
        chains: dict[int, Counter[str]] = defaultdict(Counter)
        for call in store.calls(report.run):
            chains[call.key.step][call.key.sample] += call.usage.calls
        versions = list(store.log())
    calls = sum(sum(each.values()) for each in chains.values())
    # No chain is shorter than its longest sample, nor than the calls of a step over the workers.
    chain = sum(max(max(each.values()), -(-sum(each.values()) // workers)) for each in chains.values())
    lessons = len(report.learned)
    times = [datetime.fromisoformat(str(v.created)).timestamp() for v in versions if v.run == report.run]
    return {
        "workers": workers,
        "seconds": round(seconds, 2),
        "calls": calls,
        "chain": chain,
        "over_chain": round(seconds / (chain * options.delay), 3),
        "lessons": lessons,
        "calls_a_lesson": round(calls / lessons, 1) if lessons else None,
        "seconds_a_lesson": round(seconds / lessons, 3) if lessons else None,
        "first_lesson": round(max(min(times) - began, 0), 2) if times else None,
        "processor_a_call_ms": round(1000 * processor / calls, 2),
        "server_a_call_ms": round(1000 * server / calls, 2),
        "versions": hashlib.sha256(" ".join(version.hash for version in versions).encode()).hexdigest()[:12],
        "setting": [options.samples, options.batch, options.delay],
    }


def read_server_time(base: str) -> float:
    """Return the seconds of the processor that the server has taken."""
    with urlopen(base, timeout=60) as answer:
        return float(answer.read())


def measure_workers(options: argparse.Namespace) -> list[dict[str, Any]]:
    """Learn with each number of workers, from the most to the fewest."""
    here, there = multiprocessing.Pipe()
    server = multiprocessing.Process(target=serve, args=(there, options.delay), daemon=True)
    server.start()
    base = f"http://127.0.0.1:{here.recv()}/v1"
    runs: list[dict[str, Any]] = []
    try:
        for _ in range(options.runs):
            for workers in sorted(options.workers, reverse=True):
                with tempfile.TemporaryDirectory() as folder:
                    runs.append(measure_run(base, workers, Path(folder) / "p.db", options))
                print(runs[-1], flush=True)
    finally:
        server.terminate()
    return runs


def measure_engine(bullets: int, options: argparse.Namespace) -> dict[str, Any]:
    """Learn from a scripted client, with so many bullets; return the processor's milliseconds for a step.

    Of four questions one needs no lesson: its step makes one call. The others search and prove one. The first
    step, which reads and compares all bullets, is told apart.
    """

    def solve(request: Request) -> str:
        """Answer every fourth question without a lesson."""
        assert request.sample is not None
        n = int(request.sample.id[1:])
        return secret(n) if n % 4 == 3 else look_up(request)

    marks: list[tuple[float, int, str]] = []
    world = World(solve, teach)

    def note_step(phase: str, finished: int, total: int, note: str = "", /) -> None:
        marks.append((time.process_time(), sum(world.calls.values()), phase))

    with tempfile.TemporaryDirectory() as folder, Store.open(Path(folder) / "p.db") as store:
        for start in range(0, bullets, 10_000):
            numbers = range(start, min(bullets, start + 10_000))
            delta = tuple(Add(f"old-{n:06}", "facts", OLD.format(n)) for n in numbers)
            store.commit(delta, author="human", reason="import")
        settings = Settings(batch_size=1, workers=1, measure=False, replays=0)
        learn(make_task(options.steps), store, RoleModels.of(world), settings, progress=note_step)
    steps = [
        (1000 * (after[0] - before[0]), after[1] - before[1])
        for before, after in pairwise(marks)
        if before[2] == after[2] == marks[0][2]  # steps of learning, and no chore after them
    ]
    plain = [took for took, calls in steps[1:] if calls <= 1]
    proving = [(took, calls) for took, calls in steps[1:] if calls > 1]
    return {
        "bullets": bullets,
        "first_ms": round(steps[0][0], 1),
        "plain_ms": round(statistics.median(plain), 2) if plain else None,
        "proving_ms": round(statistics.median(took for took, _ in proving), 2) if proving else None,
        "proving_calls": statistics.median(calls for _, calls in proving) if proving else None,
        "steps": len(steps),
    }


def measure_client(options: argparse.Namespace) -> dict[str, Any]:
    """Return the processor's milliseconds for a call through the client library; the server never waits.

    A prompt is as long as that of a step: some 13,000 characters.
    """
    here, there = multiprocessing.Pipe()
    server = multiprocessing.Process(target=serve, args=(there, 0.0), daemon=True)
    server.start()
    prompt = "\n".join(OLD.format(n) for n in range(150))
    took = []
    try:
        base = f"http://127.0.0.1:{here.recv()}/v1"
        with connect("openai/things", api_base=base, api_key="none") as model:
            model.complete(ask("hello"))
            for n in range(max(20, options.steps)):
                started = time.process_time()
                model.complete(ask(f"{prompt}\nWhich number has thing{n:03}x?"))
                took.append(1000 * (time.process_time() - started))
    finally:
        server.terminate()
    return {"call_ms": round(statistics.median(took), 2), "calls": len(took)}


def measure_embedded(options: argparse.Namespace) -> dict[str, Any]:
    """Learn a few questions with the embedded model; return the share of the time in which it is asked."""
    asked = 0.0
    with connect(options.model) as model, tempfile.TemporaryDirectory() as folder:

        class Timed:
            """Pass requests on, and add up the time that they take."""

            def __getattr__(self, name: str) -> Any:
                return getattr(model, name)

            def complete(self, request: Request) -> Any:
                nonlocal asked
                started = time.perf_counter()
                try:
                    return model.complete(request)
                finally:
                    asked += time.perf_counter() - started

        with Store.open(Path(folder) / "p.db") as store:
            model.complete(ask("hello"))
            settings = Settings(batch_size=1, workers=1, measure=False)
            started = time.perf_counter()
            learn(make_task(options.steps), store, RoleModels.of(Timed()), settings)  # type: ignore[arg-type]
            seconds = time.perf_counter() - started
    return {"model": options.model, "seconds": round(seconds, 1), "share": round(asked / seconds, 3)}


def render(found: Mapping[str, Any], options: argparse.Namespace) -> list[str]:
    """Return the sections of the page."""
    sections: list[str] = []
    if runs := found.get("workers"):
        names = ("workers", "seconds", "calls", "chain", "over_chain", "first_lesson", "lessons")
        names = (*names, "calls_a_lesson", "seconds_a_lesson", "processor_a_call_ms", "server_a_call_ms")
        missed = [run for run in runs if run["over_chain"] > WALL_BAR]
        samples, batch, delay = runs[0]["setting"]
        needs = [run["processor_a_call_ms"] * run["calls"] / 1000 for run in runs]
        same = len({run["versions"] for run in runs}) == 1
        sections += [
            f"{samples} samples in batches of {batch}, a server that takes {delay} s. The bar is "
            f"{WALL_BAR} times the longest dependent chain: {len(missed)} of {len(runs)} runs missed it. "
            f"The versions are {'the same' if same else 'NOT the same'} in all of them. `first_lesson` is in "
            "seconds from the start; a version holds the lessons of a whole batch. This process needed "
            f"{min(needs):.1f} to {max(needs):.1f} s of the processor for a run, nearly all of it one thread "
            "at a time (Python's lock): no run is shorter than they are, and on a machine that is busy with "
            "other work it waits for them. The server's own processor time is that of another process.",
            format_table(names, [[run.get(name) for name in names] for run in runs]),
        ]
    if engine := found.get("engine"):
        names = ("bullets", "plain_ms", "proving_ms", "proving_calls", "first_ms", "steps")
        largest = engine[-1]
        verdict = "held" if (largest["plain_ms"] or 0) < ENGINE_BAR else "missed"
        sections += [
            "The engine's own processor time for a step, in milliseconds, all bullets in use: one that makes "
            "one call, one that searches and proves a lesson, and the first, which reads and compares all. "
            f"The bar is {ENGINE_BAR} ms at 100,000 bullets; at {largest['bullets']:,} it is {verdict}.",
            format_table(names, [[row[name] for name in names] for row in engine]),
        ]
    if client := found.get("client"):
        sections.append(
            "In these steps a scripted client answers, so they are the engine's alone. The client library "
            f"(litellm, the OpenAI library, HTTP) takes {client['call_ms']} ms of the processor more for a "
            f"call of a model behind an address: the median of {client['calls']} calls to a server that "
            "answers at once."
        )
    if embedded := found.get("embedded"):
        sections.append(
            f"With {embedded['model']}, {embedded['share']:.1%} of {embedded['seconds']} s went to the model."
        )
    return sections


def measure(options: argparse.Namespace, words: Sequence[str]) -> str:
    """Measure what was asked for and write the page; what was measured before stays on it."""
    file = options.out / "learning_speed.json"
    found = json.loads(file.read_text("utf-8")).get("found", {}) if file.exists() else {}
    if "workers" in options.only:
        setting = [options.samples, options.batch, options.delay]
        earlier = [run for run in found.get("workers", ()) if run["setting"] == setting]
        runs = [*earlier, *measure_workers(options)]
        found["workers"] = sorted(runs, key=lambda run: run["workers"])
    if "engine" in options.only:
        rows = {row["bullets"]: row for row in found.get("engine", ())}
        for bullets in options.bullets:
            rows[bullets] = measure_engine(bullets, options)
            print(rows[bullets], flush=True)
        found["engine"] = [rows[bullets] for bullets in sorted(rows)]
        found["client"] = measure_client(options)
    if "embedded" in options.only:
        found["embedded"] = measure_embedded(options)
    record = measuring.describe_measurement("learning_speed.py", words, "scripted")
    record |= {"load": os.getloadavg()[0], "found": found}
    if options.note:
        found["note"] = options.note
    sections = [f"Load of the machine at the end: {record['load']:.1f}.", *render(found, options)]
    if note := found.get("note"):
        sections.append(note)
    return measured_pages.write_result(options.out, "learning_speed", record, sections)


def read_options(words: Sequence[str]) -> argparse.Namespace:
    """Return the options of the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", nargs="+", choices=KINDS, default=KINDS[:2])
    parser.add_argument("--workers", nargs="+", type=int, default=WORKERS)
    parser.add_argument("--samples", type=int, default=64)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--delay", type=float, default=0.5, help="seconds of the server (default 0.5)")
    parser.add_argument("--runs", type=int, default=1, help="repeats of every number of workers")
    parser.add_argument("--bullets", nargs="+", type=int, default=BULLETS)
    parser.add_argument("--steps", type=int, default=12, help="steps of `engine` (default 12)")
    parser.add_argument("--model", default="local/qwen2.5-coder-1.5b", help="of `embedded`")
    parser.add_argument("--note", default="", help="what to say of the circumstances on the page")
    parser.add_argument("--out", type=Path, default=measuring.RESULTS)
    return parser.parse_args(words)


if __name__ == "__main__":
    measuring.run_script(read_options, measure)
