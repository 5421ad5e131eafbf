"""Workers, on a real server: answers depend on the request, how long they take does not."""

from __future__ import annotations

import random
import re
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from ace.llm import Caps, Request, Role, RoleModels, connect
from ace.loop import learn
from ace.loop.executor import ordered_map
from ace.runs.records import Reason
from ace.runs.report import Report
from ace.settings import Profile, Settings
from ace.store import Store
from ace.task import Sample, Task, define_task
from tests.model_server import ModelServer
from tests.pace import patience
from tests.world import reflect

Say = Callable[[Request], str]
THINGS = tuple(f"thing{n:02}x" for n in range(12))
NUMBER = {thing: str(7002 + 14 * place) for place, thing in enumerate(THINGS)}


def task(rows: Sequence[dict[str, str]] = ()) -> Task:
    own = [{"id": t, "question": f"Which number has {t}?", "answer": n} for t, n in NUMBER.items()]
    return define_task("things", list(rows or own), judge, instructions="Answer by number.")


def judge(sample: Sample, answer: str) -> bool:
    return answer in sample.data["answer"].split("|")


def says(request: Request) -> str:
    """The reflector halves the number in the feedback, the generator doubles what the playbook says."""
    system, user = request.messages[0].content, request.messages[1].content
    question = user.partition("\n")[0]
    thing = next(iter(re.findall(r"thing\d\dx", question)), "fruit")
    if request.role is Role.REFLECTOR:
        number = re.findall(r"Right answer: (\d+)", user)[0]
        return reflect(request, f"{thing}: twice {int(number) // 2}")
    known = re.findall(rf"{thing}: twice (\d+)", system)
    return str(2 * int(known[-1])) if known else "no idea"


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


@pytest.mark.parametrize(("batch", "profile"), [(5, Profile.FULL), (12, Profile.SMALL)])
def test_any_number_of_workers_gives_the_same_versions_and_calls(
    tmp_path: Path, batch: int, profile: Profile
) -> None:
    found = []
    for workers in (1, 3, 12):
        slow = Latency(says)
        options = Settings(batch_size=batch, workers=workers, measure=False, seed=3, profile=profile)
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
            assert all(others.acquire(timeout=patience(10)) for _ in range(7))
        return item * item

    assert list(ordered_map(work, range(8), 2, threading.Event())) == [n * n for n in range(8)]


def test_a_lesson_that_fails_beside_the_others_of_its_batch_is_refused(tmp_path: Path) -> None:
    shy = THINGS[4]

    def say(request: Request) -> str:
        known = len(re.findall(r"thing\d\dx: twice", request.messages[0].content))
        asked = request.role is Role.GENERATOR and shy in request.messages[-1].content
        return "confused" if asked and known > 1 else says(request)

    options = Settings(batch_size=12, measure=False, replays=0)
    with learned(tmp_path / "shy.db", options, say) as (store, report):
        refused = [p for p in store.proposals(report.run) if p.reason is Reason.BESIDE_OTHERS]
        assert [p.sample_id for p in refused] == [shy]
        assert report.bullets == len(THINGS) - 1 and store.verify() == []


@pytest.mark.parametrize("seed", [0, 3, 4, 10])  # either of them first
def test_of_two_meanings_of_the_same_words_the_one_that_serves_both_stays(tmp_path: Path, seed: int) -> None:
    rows = [{"id": t, "question": f"Which number has {t}?", "answer": n} for t, n in NUMBER.items()]
    wide = {"id": "wide", "question": "Which number has fruit?", "answer": "52"}
    narrow = {"id": "narrow", "question": "Which number has fruit?", "answer": "54|52"}  # taught as 54
    options = Settings(batch_size=14, measure=False, replays=0, seed=seed)
    with learned(tmp_path / "f.db", options, things=task([*rows, wide, narrow])) as (store, _):
        lines = [b.content for b in store.checkout() if "fruit" in b.content]
    assert lines[-1] == "fruit: twice 26"  # the last one counts


def test_cut_off_within_a_batch_a_run_resumes_to_the_same_versions(tmp_path: Path) -> None:
    options = Settings(batch_size=12, measure=False, seed=1)
    with learned(tmp_path / "whole.db", options) as (store, report):
        whole = [version.hash for version in store.log()]
        paid = sum(usage.calls for usage in report.usage.values())
    server = ModelServer(says)
    with connect("openai/things", api_base=server.api_base, api_key="none") as model:
        path = tmp_path / "cut.db"
        with Store.open(path) as store:
            cut = learn(task(), store, RoleModels.of(model, caps=Caps(calls=paid // 2)), options)
            assert "cap" in cut.stopped and cut.bullets == 0
        with Store.open(path) as store:
            report = learn(task(), store, RoleModels.of(model), options, resume=True)
            assert [version.hash for version in store.log()] == whole
            assert sum(usage.calls for usage in report.usage.values()) == paid == server.calls
    server.close()


def test_without_proof_a_large_batch_is_left_as_it_is(tmp_path: Path) -> None:
    options = Settings(batch_size=12, measure=False, without="proof", replays=0)
    with learned(tmp_path / "plain.db", options) as (_, report):
        assert sum(usage.calls for usage in report.usage.values()) == 2 * len(THINGS)
