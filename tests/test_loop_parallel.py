"""Workers, on a real server: answers depend on the request, how long they take does not."""

from __future__ import annotations

import json
import random
import re
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from ace.llm import Request, RoleModels, connect
from ace.loop import learn
from ace.loop.executor import ordered_map
from ace.methods.ace.reflector import Lesson
from ace.runs.report import Report
from ace.settings import Settings
from ace.store import Store
from ace.task import Sample, Task, define_task
from tests.model_server import ModelServer

Say = Callable[[Request], str]
THINGS = tuple(f"thing{n:02}x" for n in range(12))
NUMBER = {thing: str(7001 + 13 * place) for place, thing in enumerate(THINGS)}


def task(rows: Sequence[dict[str, str]] = ()) -> Task:
    own = [{"id": t, "question": f"Which number has {t}?", "answer": n} for t, n in NUMBER.items()]
    return define_task("things", list(rows or own), judge, instructions="Answer by number.")


def judge(sample: Sample, answer: str) -> bool:
    return answer in sample.data["answer"].split("|")


def says(request: Request) -> str:
    """The reflector reads the number off the feedback, the generator looks it up."""
    system, user = request.messages[0].content, request.messages[-1].content
    thing = next(iter(re.findall(r"thing\d\dx", user)), "fruit")
    if request.schema is Lesson:
        number = re.findall(r"Right answer: (\d+)", user)[0]
        return json.dumps({"lesson": f"{thing}: {number}"})
    known = re.findall(rf"{thing}: (\d+)", system)
    return known[-1] if known else "no idea"


class Latency:
    """`say` after a random wait; `most` is how many callers waited at once."""

    def __init__(self, say: Say, seconds: float = 0.03) -> None:
        self.say, self.seconds, self.most, self._now = say, seconds, 0, 0
        self._lock = threading.Lock()

    def __call__(self, request: Request) -> str:
        with self._lock:
            self._now += 1
            self.most = max(self.most, self._now)
        try:
            time.sleep(random.uniform(0, self.seconds))
            return self.say(request)
        finally:
            with self._lock:
                self._now -= 1


@contextmanager
def learned(
    path: Path, options: Settings, say: Say = says, things: Task | None = None
) -> Iterator[tuple[Store, Report]]:
    server = ModelServer(say)
    try:
        model = connect("openai/things", api_base=server.api_base, api_key="none")
        with model, Store.open(path) as store:
            yield store, learn(things or task(), store, RoleModels.of(model), options)
    finally:
        server.close()


@pytest.mark.parametrize("batch", [5, 12])
def test_any_number_of_workers_gives_the_same_versions_and_calls(tmp_path: Path, batch: int) -> None:
    found = []
    for workers in (1, 3, 12):
        slow = Latency(says)
        options = Settings(batch_size=batch, workers=workers, measure=False, seed=3)
        with learned(tmp_path / f"{workers}.db", options, slow) as (store, report):
            calls = Counter((call.key, call.text) for call in store.calls(report.run))
            found.append(([v.hash for v in store.log()], calls, store.proposals(report.run)))
            assert report.bullets == len(THINGS) and store.verify() == []
        assert slow.most == 1 if workers == 1 else 1 < slow.most <= workers
    assert found[0] == found[1] == found[2]


def test_a_worker_that_is_done_takes_the_next_item() -> None:
    others = threading.Semaphore(0)

    def work(item: int) -> int:
        if item:
            others.release()
        else:  # the first is not done before all others are: with two workers, one does them all
            assert all(others.acquire(timeout=10) for _ in range(7))
        return item * item

    assert list(ordered_map(work, range(8), 2, threading.Event())) == [n * n for n in range(8)]


def test_without_proof_a_large_batch_is_left_as_it_is(tmp_path: Path) -> None:
    options = Settings(batch_size=12, measure=False, verify=False, replays=0)
    with learned(tmp_path / "plain.db", options) as (_, report):
        assert sum(usage.calls for usage in report.usage.values()) == 2 * len(THINGS)
