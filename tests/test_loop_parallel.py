"""Workers and large batches, on a real server: answers depend on the request, how long they take does not."""

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
from hypothesis import given
from hypothesis import strategies as st

from ace.llm import Caps, Request, RoleModels, connect
from ace.loop import learn
from ace.loop.executor import ordered_map
from ace.methods.ace.groups import are_in_conflict, draw_groups
from ace.methods.ace.reflector import Lesson
from ace.playbook import Add
from ace.playbook.model import Delta, Revise
from ace.runs.records import Proposal
from ace.runs.report import Report
from ace.runs.seeds import seed_of
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


def proposals(store: Store, report: Report, outcome: str) -> dict[str, Proposal]:
    return {p.sample_id: p for p in store.proposals(report.run) if p.outcome == outcome}


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


def test_lessons_of_a_large_batch_are_proven_beside_others_at_a_bounded_price(tmp_path: Path) -> None:
    calls = {}
    for batch in (8, 12):
        options = Settings(batch_size=batch, measure=False, neighbours=0, replays=0)
        with learned(tmp_path / f"{batch}.db", options) as (store, report):
            made = proposals(store, report, "accepted")
            calls[batch] = sum(usage.calls for usage in report.usage.values())
            beside = [p for p in made.values() if "it held in 2 of 2 groups" in p.why]
            assert len(made) == len(THINGS) and len(beside) == (batch if batch > 8 else 0)
    assert calls == {8: 3 * len(THINGS), 12: 5 * len(THINGS)}


def test_a_lesson_that_fails_beside_all_others_goes_with_the_attempts_that_showed_it(tmp_path: Path) -> None:
    shy = THINGS[4]

    def say(request: Request) -> str:
        told = len(re.findall(r"thing\d\dx: \d+", request.messages[0].content))
        asked = request.schema is not Lesson and shy in request.messages[-1].content
        return "confused" if asked and told > 1 else says(request)

    options = Settings(batch_size=12, measure=False, replays=0)
    with learned(tmp_path / "shy.db", options, say) as (store, report):
        gone = proposals(store, report, "rejected")[shy]
        assert f"held in 0 of 2 groups: {shy} still fails" in gone.why
        assert gone.attempts[-2:] == ("confused", "confused")
        refuted = store.episodes(ids=gone.episodes[-2:])
        assert [episode.verdict.correct for episode in refuted] == [False, False]
        assert report.bullets == len(THINGS) - 1 and store.verify() == []


def test_a_lesson_that_holds_in_one_group_stays_and_says_so(tmp_path: Path) -> None:
    one, other = THINGS[0], THINGS[1]  # together, the first is not found

    def say(request: Request) -> str:
        system, user = request.messages[0].content, request.messages[-1].content
        asked = request.schema is not Lesson and one in user
        return "confused" if asked and f"{other}: " in system else says(request)

    seen = set()
    for seed in range(6):
        options = Settings(batch_size=12, measure=False, replays=0, seed=seed)
        with learned(tmp_path / f"{seed}.db", options, say) as (store, report):
            made = next(p for p in store.proposals(report.run) if p.sample_id == one)
            held = int(re.findall(r"held in (\d) of 2", made.why)[0])
            assert made.outcome == ("accepted" if held else "rejected")
            seen.add(held)
    assert 1 in seen


@pytest.mark.parametrize("seed", [0, 3, 4, 10])  # apart or together, either of them first
def test_of_two_meanings_of_the_same_words_the_one_that_serves_both_stays(tmp_path: Path, seed: int) -> None:
    rows = [{"id": t, "question": f"Which number has {t}?", "answer": n} for t, n in NUMBER.items()]
    wide = {"id": "wide", "question": "Which number has fruit?", "answer": "51"}
    narrow = {"id": "narrow", "question": "Which number has fruit?", "answer": "52|51"}  # taught as 52
    options = Settings(batch_size=14, measure=False, replays=0, seed=seed)
    case = {0: ("wide", False), 3: ("narrow", False), 4: ("wide", True), 10: ("narrow", True)}[seed]
    with learned(tmp_path / "f.db", options, things=task([*rows, wide, narrow])) as (store, report):
        order = [result["sample"] for result in store.steps(report.run)[0].payload["results"]]
        pair = {order.index("wide"), order.index("narrow")}
        met = draw_groups(len(order), seed_of(seed, "groups", "epoch 1", *order))
        together = sum(pair <= set(group) for group in met)
        assert (order[min(pair)], bool(together)) == case
        made = {p.sample_id: p for p in store.proposals(report.run)}
        lines = [b.content for b in store.checkout() if "fruit" in b.content]
    assert "held in 2 of 2" in made["wide"].why and f"held in {2 - together} of 2" in made["narrow"].why
    assert ("wide still fails" in made["narrow"].why) is bool(together)
    stays = "wide" if together or order.index("wide") < order.index("narrow") else "narrow"
    assert [name for name in ("wide", "narrow") if made[name].outcome == "accepted"] == [stays]
    assert lines == [f"fruit: {51 if stays == 'wide' else 52}"]


def test_cut_off_among_the_groups_a_run_resumes_to_the_same_versions(tmp_path: Path) -> None:
    options = Settings(batch_size=12, measure=False, seed=1)
    with learned(tmp_path / "whole.db", options) as (store, report):
        whole = [version.hash for version in store.log()]
        paid = sum(usage.calls for usage in report.usage.values())
    server = ModelServer(says)
    with connect("openai/things", api_base=server.api_base, api_key="none") as model:
        path = tmp_path / "cut.db"
        with Store.open(path) as store:
            cut = learn(task(), store, RoleModels.of(model, caps=Caps(calls=4 * len(THINGS))), options)
            assert "cap" in cut.stopped and cut.bullets == 0
        with Store.open(path) as store:
            report = learn(task(), store, RoleModels.of(model), options, resume=True)
            assert [version.hash for version in store.log()] == whole
            assert sum(usage.calls for usage in report.usage.values()) == paid == server.calls
    server.close()


def test_without_proof_a_large_batch_is_left_as_it_is(tmp_path: Path) -> None:
    options = Settings(batch_size=12, measure=False, verify=False, replays=0)
    with learned(tmp_path / "plain.db", options) as (_, report):
        assert sum(usage.calls for usage in report.usage.values()) == 2 * len(THINGS)


@given(count=st.integers(1, 400), seed=st.integers(0, 2**31))
def test_every_lesson_is_in_two_groups_of_about_the_square_root(count: int, seed: int) -> None:
    made = draw_groups(count, seed)
    assert Counter(place for group in made for place in group) == dict.fromkeys(range(count), 2)
    assert all(abs(len(group) - count**0.5) < 1.5 for group in made)
    assert all(group == tuple(sorted(set(group))) for group in made)
    assert made == draw_groups(count, seed)


def test_another_seed_makes_other_groups() -> None:
    assert len({draw_groups(30, seed) for seed in range(20)}) == 20


LINES = st.builds("{}: {}".format, st.sampled_from(("red", "red shoes", "blue")), st.integers(1, 3))
OPERATIONS = st.one_of(
    LINES.map(lambda line: Add(f"lessons-{line}", "lessons", line)),
    st.builds(Revise, st.sampled_from(("a", "b")), LINES),
)
DELTAS = st.lists(OPERATIONS, max_size=3).map(tuple)


@given(one=DELTAS, other=DELTAS)
def test_conflict_has_no_direction(one: Delta, other: Delta) -> None:
    assert are_in_conflict(one, other) == are_in_conflict(other, one)


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        ("red: st = 1", "red: st = 2", True),
        ("red: st = 1", "red: st = 1", False),
        ("red: st = 1", "crimson: st = 1", False),
        ("red: st = 1", "blue: st = 2", False),
        ("say it in one line", "say it in two lines", False),
    ],
)
def test_same_words_with_another_meaning_are_a_conflict(one: str, other: str, expected: bool) -> None:
    assert are_in_conflict((Add("1", "lessons", one),), (Add("2", "lessons", other),)) is expected
