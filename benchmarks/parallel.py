"""What workers buy: the same run with 1 and with 16 of them, on a server that answers after 200 ms.

    python benchmarks/parallel.py --out benchmarks/results

The server speaks the OpenAI dialect on the loopback interface, in a process of its own, and serves 16 calls
at once; a further one waits, it is not refused. Reported: wall time of both runs, their ratio, the wall time
over the longest chain of calls that depend on each other, and whether both made the same versions.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import re
import sys
import tempfile
import time
from collections import Counter, defaultdict
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from multiprocessing.connection import Connection
from pathlib import Path
from threading import BoundedSemaphore
from typing import Any

sys.path.insert(0, str(Path(__file__).parent.parent))

from ace.llm import Request, RoleModels, connect
from ace.loop import learn
from ace.methods.ace.reflector import Lesson
from ace.settings import Settings
from ace.store import Store
from ace.task import Sample, Task, define_task
from tests.model_server import ask, received

SAMPLES, BATCH, AT_ONCE, SECONDS = 64, 16, 16, 0.2


def task() -> Task:
    """Things have secret numbers; a lesson says which."""
    rows = [
        {"id": f"t{n:02}", "question": f"Which number has thing{n:02}x?", "answer": str(7000 + 13 * n)}
        for n in range(SAMPLES)
    ]
    return define_task("things", rows, judge, instructions="Answer by number.")


def judge(sample: Sample, answer: str) -> bool:
    return answer == sample.data["answer"]


def says(request: Request) -> str:
    """A function of the request only: the generator looks its number up, the reflector reads it off."""
    system, user = request.messages[0].content, request.messages[-1].content
    thing = re.search(r"thing\d\dx", user)
    name = thing[0] if thing else ""
    if request.schema is Lesson:
        number = re.findall(r"Right answer: (\d+)", user)
        return json.dumps({"lesson": f"{name} means {number[0] if number else 0}"})
    known = re.findall(rf"{name} means (\d+)", system)
    return known[-1] if known else "no idea"


class Handler(BaseHTTPRequestHandler):
    """One reply after SECONDS, AT_ONCE of them at the same time."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # the body would wait 40 ms for the headers to be acknowledged
    slots = BoundedSemaphore(AT_ONCE)

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        with self.slots:
            time.sleep(SECONDS)
        message = {"role": "assistant", "content": says(received(asked))}
        usage = {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}
        choice = {"index": 0, "message": message, "finish_reason": "stop"}
        told = {"id": "x", "object": "chat.completion", "created": 0, "model": "things"}
        body = json.dumps({**told, "choices": [choice], "usage": usage}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Quiet."""


class Server(ThreadingHTTPServer):
    request_queue_size = 64
    daemon_threads = True


def serve(ready: Connection) -> None:
    server = Server(("127.0.0.1", 0), Handler)
    ready.send(server.server_address[1])
    server.serve_forever()


def run(base: str, workers: int, file: Path) -> dict[str, Any]:
    """One run: its seconds, hashes of its versions, and the calls of each sample in each step."""
    options = Settings(batch_size=BATCH, workers=workers, measure=False, replays=0)
    with connect("openai/things", api_base=base, api_key="none") as model, Store.open(file) as store:
        model.complete(ask("hello"))  # litellm is imported and connected to before the clock starts
        started = time.perf_counter()
        report = learn(task(), store, RoleModels.of(model), options)
        seconds = time.perf_counter() - started
        chains: dict[int, Counter[str]] = defaultdict(Counter)
        for call in store.calls(report.run):
            chains[call.key.step][call.key.sample] += call.usage.calls
        longest = sum(max(calls.values()) for calls in chains.values())
        total = sum(sum(calls.values()) for calls in chains.values())
        hashes = [version.hash for version in store.log()]
    told = {"workers": workers, "seconds": round(seconds, 2), "calls": total, "longest_chain": longest}
    return told | {"over_chain": round(seconds / (longest * SECONDS), 3), "hashes": hashes}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results"))
    given = parser.parse_args()
    here, there = multiprocessing.Pipe()
    server = multiprocessing.Process(target=serve, args=(there,), daemon=True)
    server.start()
    base = f"http://127.0.0.1:{here.recv()}/v1"
    with tempfile.TemporaryDirectory() as folder:
        many, one = (run(base, workers, Path(folder) / f"{workers}.db") for workers in (16, 1))
    server.terminate()
    same = many.pop("hashes") == one.pop("hashes")
    date = datetime.now(UTC).date().isoformat()
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    result = {
        "date": date,
        "cores": cores,
        "faster": round(one["seconds"] / many["seconds"], 2),
        "same_versions": same,
        "runs": [many, one],
    }
    text = "\n".join(
        [
            f"# Workers, {date}\n\n    python benchmarks/parallel.py\n",
            f"{SAMPLES} samples in batches of {BATCH}; a server that takes {SECONDS} s, {AT_ONCE} at once."
            f" Client and server on {cores} of {os.cpu_count()} cores.\n",
            "| workers | seconds | calls | longest chain of calls | wall time over that chain |",
            "| --- | --- | --- | --- | --- |",
            *("| " + " | ".join(map(str, r.values())) + " |" for r in (many, one)),
            f"\n16 workers are {result['faster']} times as fast; the versions are"
            f" {'the same' if same else 'NOT the same'}.\n",
        ]
    )
    (given.out / "parallel.json").write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    (given.out / "parallel.md").write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
