"""The journal of model calls: written as they end, found again, from many threads, and over resumes."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, Field

from ace.errors import CapReached, ModelUnavailable, StoreError
from ace.llm import (
    Caps,
    Meter,
    RecordingClient,
    Reply,
    Request,
    Role,
    RoleModels,
    ScriptedClient,
    Subject,
    Usage,
)
from ace.llm.faults import Fault
from ace.llm.journal import Call, Key
from ace.llm.meter import mark_calls
from ace.loop import executor, learn
from ace.loop.executor import ordered_map
from ace.loop.stand_ins import ItemCalls
from ace.settings import Settings
from ace.store import Store
from tests.model_server import ask
from tests.pace import patience
from tests.world import says, world


class Count(BaseModel):
    number: int


class Named(BaseModel):
    """As the reflector's answers: the names in the reply are no names in Python."""

    part_1: str = Field(alias="1")


class Own:
    """A client of somebody's own: it makes whole calls, and none request by request."""

    model = "own"

    def __init__(self, *replies: str) -> None:
        self._inner = ScriptedClient(list(replies))

    def complete(self, request: Request) -> Reply:
        return self._inner.complete(request)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store.open(tmp_path / "p.db")


def a_call(sample: str, text: str | None = "said", step: int = 0) -> Call:
    fault = Fault("rate limit", 1, "tried again after 1.0 s", "no")
    used = Usage(1, 100, 60, 20, 0.5, None)
    return Call(
        Key(step, sample, "generator", "sha", 0), "before", "m", text, "stop", "", used, (fault,), 7.5
    )


@pytest.fixture(scope="module")
def one_store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    with Store.open(tmp_path_factory.mktemp("one") / "p.db") as store:
        yield store


@settings(max_examples=40)
@given(text=st.text(st.characters(exclude_categories=()), max_size=40))
def test_what_was_said_comes_back_as_it_was(text: str, one_store: Store) -> None:
    run = one_store.start_run("learn", "t", {})
    journal = one_store.call_journal(run)
    journal.write(a_call("s", text))
    journal.close()
    found = one_store.call_journal(run).find(a_call("s").key)
    assert found and (found.text, found.usage, found.faults) == (text, a_call("s").usage, a_call("s").faults)
    assert one_store.calls(run) == [a_call("s", "")]
    assert one_store.verify() == []


def test_only_replies_of_steps_that_were_cut_off_are_found(store: Store) -> None:
    run, other = (store.start_run("learn", "t", {}) for _ in range(2))
    journal = store.call_journal(run)
    for call in (a_call("s"), a_call("s", step=1), a_call("failed", None, step=1)):
        journal.write(call)
    store.commit((), author="a", reason="r", run=run, step=(0, "before", {}))
    journal = store.call_journal(run)
    assert journal.find(a_call("s", step=1).key) is not None
    assert journal.find(a_call("s").key) is None, "its step is committed"
    assert journal.find(a_call("failed", step=1).key) is None, "nothing was said"
    assert store.call_journal(other).find(a_call("s", step=1).key) is None


def test_many_threads_write_and_a_late_one_is_kept(store: Store) -> None:
    run = store.start_run("learn", "t", {})
    journal = store.call_journal(run)
    with ThreadPoolExecutor(16) as pool:
        list(pool.map(lambda n: journal.write(a_call(f"s{n}")), range(200)))
        store.commit((), author="a", reason="r", run=run, step=(0, "before", {}))
    journal.close()
    journal.write(a_call("late"))
    assert len({call.key.sample for call in store.calls(run)}) == 201


def test_a_write_that_fails_is_told_and_done_by_the_next(store: Store) -> None:
    run = store.start_run("learn", "t", {})
    journal = store.call_journal(run)
    unknown = replace(a_call("s"), usage=replace(Usage(), calls=None))  # type: ignore[arg-type]
    with pytest.raises(StoreError):
        journal.write(unknown)
    with pytest.raises(StoreError):  # it stands before this one, and neither may be lost silently
        journal.write(a_call("t"))
    assert store.calls(run) == []


def test_requests_of_a_repaired_call_are_kept_one_by_one(store: Store) -> None:
    """A run that dies between a bad reply and the next one has paid for the bad one only once."""
    replies = ["no", "still no", '{"number": 3}']
    run = store.start_run("learn", "t", {})
    meter = Meter()
    meter.begin_run(store.call_journal(run))
    broken = ScriptedClient([*replies[:2], ModelUnavailable("gone")])
    with pytest.raises(ModelUnavailable):
        meter.client(broken).complete(ask(role=Role.REFLECTOR, schema=Count))
    meter.begin_run(store.call_journal(run))
    again = ScriptedClient(replies[2:])
    reply = meter.client(again).complete(ask(role=Role.REFLECTOR, schema=Count))
    assert reply.parsed == Count(number=3) and reply.usage.calls == 3 and len(again.calls) == 1
    assert [fault.action for fault in reply.faults] == ["asked again", "asked again"]
    assert [(call.error.partition(":")[0], len(call.faults)) for call in store.calls(run)] == [
        ("", 1),
        ("", 1),
        ("ModelUnavailable", 1),
        ("", 0),
    ]


def test_a_client_that_cannot_be_asked_request_by_request_is_kept_call_by_call(
    store: Store, tmp_path: Path
) -> None:
    run, meter = store.start_run("learn", "t", {}), Meter()
    model = ScriptedClient(['Sure: {"number": 3}', "text"])
    for _ in range(2):
        meter.begin_run(store.call_journal(run))
        client = meter.client(RecordingClient(model, tmp_path / "calls.jsonl"))
        assert client.complete(ask(schema=Count)).parsed == Count(number=3)
        assert client.complete(ask()).text == "text"
    assert len(model.calls) == 2 and len(store.calls(run)) == 2


def test_the_same_request_twice_is_two_calls(store: Store) -> None:
    run, meter = store.start_run("learn", "t", {}), Meter()
    model = ScriptedClient(["a", "b", "c"])
    said = []
    for _ in range(2):
        meter.begin_run(store.call_journal(run))
        client = meter.client(model)
        with mark_calls("s1"):
            said.append([client.complete(ask()).text for _ in range(2)])
    with mark_calls("s2"):
        said.append([client.complete(ask()).text])
    assert said == [["a", "b"], ["a", "b"], ["c"]]


def test_replies_from_the_journal_cost_nothing_and_pass_every_cap(store: Store) -> None:
    run, meter = store.start_run("learn", "t", {}), Meter(Caps(calls=2))
    model = ScriptedClient(lambda _: "x")
    for paid in ({}, {"generator": Usage(calls=2)}):
        meter.begin_run(store.call_journal(run), spent=paid)
        meter.begin_step(0, "before")
        client = meter.client(model)
        for seed in range(2):
            client.complete(ask(seed=seed))
        with pytest.raises(CapReached):
            client.complete(ask(seed=2))
        assert meter.usage["generator"].calls == 2 and len(meter.calls) == 2
    assert len(model.calls) == 2


def test_a_cap_waits_for_calls_that_are_under_way() -> None:
    stop, all_started, ended = threading.Event(), threading.Barrier(3), []

    def work(item: int) -> int:
        all_started.wait(patience(30))
        if item == 0:
            raise CapReached("enough")
        time.sleep(0.2)
        ended.append(item)
        return item

    with pytest.raises(CapReached):
        list(ordered_map(work, range(3), 3, stop))
    assert sorted(ended) == [1, 2] and stop.is_set()


def test_a_cap_does_not_wait_for_what_never_began(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(executor, "GRACE", None)  # for ever
    begun = []

    def work(item: int) -> int:
        begun.append(item)
        raise CapReached("enough")

    with pytest.raises(CapReached):
        list(ordered_map(work, range(1_000), 2, threading.Event()))
    assert len(begun) < 1_000


OPTIONS = Settings(batch_size=3, workers=1)


@pytest.mark.parametrize("calls", [1, 9, 14, 17, 25, 33, 44, 49])
def test_a_run_that_died_asks_only_for_what_it_has_not(tmp_path: Path, calls: int) -> None:
    whole = ScriptedClient(says)
    with Store.open(tmp_path / "whole.db") as store:
        learn(world(), store, RoleModels.of(whole), OPTIONS)
    left = iter(range(calls))

    def dies(request: Request) -> str:
        if next(left, None) is None:
            raise KeyboardInterrupt
        return says(request)

    rest = ScriptedClient(says)
    with Store.open(tmp_path / "cut.db") as store:
        with pytest.raises(KeyboardInterrupt):
            learn(world(), store, RoleModels.of(ScriptedClient(dies)), OPTIONS)
        learn(world(), store, RoleModels.of(rest), replace(OPTIONS, workers=3), resume=True)
    assert len(rest.calls) == len(whole.calls) - calls


def test_what_a_team_is_asked_after_a_run_is_no_part_of_it(store: Store) -> None:
    mine = RoleModels.of(ScriptedClient(says))
    report = learn(world(), store, mine, OPTIONS)
    before = len(store.calls(report.run))
    reply = mine.generator.complete(ask("What about red?", subject=Subject(sample=world().test[0])))
    assert reply.text and len(store.calls(report.run)) == before


def test_a_reply_of_ones_own_client_is_found_again_in_any_form(store: Store) -> None:
    run, made = store.start_run("learn", "t", {}), list[Reply]()
    for client in (Own('{"1": "Late parcels"}'), Own()):  # the second one has nothing to say
        meter = Meter()
        journal = store.call_journal(run)
        meter.begin_run(journal)
        meter.begin_step(0, "epoch 1")
        with mark_calls("s"):
            made.append(meter.client(client).complete(ask(role=Role.REFLECTOR, schema=Named)))
        journal.close()
    assert made[0].parsed == made[1].parsed == Named.model_validate({"1": "Late parcels"})


def test_calls_of_an_item_that_are_asked_at_once_keep_their_places() -> None:
    """The second of two equal requests is let in before the first: a later try gets both replies."""
    second_is_in = threading.Event()

    class SlowMeter(Meter):
        def start(self, role: Role, request: str) -> tuple[Key, Reply | None]:
            if threading.current_thread() is not threading.main_thread():
                assert second_is_in.wait(20)
            return super().start(role, request)

    calls = ItemCalls(SlowMeter())
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(calls.start, Role.GENERATOR, "the same")
        while not calls.asked:
            time.sleep(0.001)
        keys = [calls.start(Role.GENERATOR, "the same")[0]]
        second_is_in.set()
        keys.append(first.result()[0])
    calls.asked.clear()
    assert {calls.start(Role.GENERATOR, "the same")[0] for _ in range(2)} == set(keys)
