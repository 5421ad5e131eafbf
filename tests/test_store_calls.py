"""Journal of model calls, row by row: nothing of a call is lost, and a run sees its own calls only."""

from __future__ import annotations

import contextlib
import re
import sqlite3
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from ace.errors import StoreBusy, StoreError
from ace.llm import Usage
from ace.llm.faults import Fault
from ace.llm.journal import Call, Key
from ace.runs.cost import sum_usage_by_role
from ace.runs.records import UsageSince
from ace.store import Store, call_journal
from tests.postgres_server import FILE_ONLY

FAULTS = (
    Fault("rate limit", 1, "tried again after 1.0 s", "no"),
    Fault("malformed", 2, "asked again", "\ud800"),
)
CALL = Call(
    Key(3, "sample", "generator", "sha", 1),
    *("epoch 2", "model", "what was said", "length", ""),
    Usage(2, 100, 60, 20, 0.5, 0.25),
    FAULTS,
    1234.5,
)
FAILED = replace(
    CALL, key=CALL.key._replace(occurrence=2), text=None, finish_reason="", error="ModelError: gone"
)


@pytest.fixture
def store(place: Path | str) -> Iterator[Store]:
    with Store.open(place) as store:
        store.start_run("learn", "t", {})
        store.start_run("learn", "t", {})
        yield store


def keep(store: Store, run: int, *calls: Call) -> None:
    with contextlib.closing(store.call_journal(run)) as kept:
        for call in calls:
            kept.write(call)


def test_a_call_comes_back_as_it_was_but_for_what_was_said(store: Store) -> None:
    keep(store, 1, FAILED, CALL)
    keep(store, 2, replace(CALL, model="other"))
    assert store.calls(1) == [FAILED, replace(CALL, text="")]
    assert [call.model for call in store.calls(2)] == ["other"]
    assert store.verify() == []


def test_what_calls_took_together_is_whole_numbers(store: Store) -> None:
    keep(store, 1, FAILED, CALL)
    totals = store.call_totals(1)
    assert (totals.calls, totals.tokens, totals.last) == (4, 240, 1235.0)
    assert [type(number) for number in (totals.calls, totals.tokens)] == [int, int]
    assert store.call_totals(2).tokens == 0


def test_what_calls_took_is_read_on_from_where_it_was(store: Store) -> None:
    keep(store, 1, FAILED, CALL)
    first = store.usage_since(1)
    assert first.usage == sum_usage_by_role(store.calls(1)) and first.ended == store.call_totals(1).last
    assert store.usage_since(1, first.last) == UsageSince(first.last, 0.0, {})
    keep(store, 2, CALL)
    keep(store, 1, replace(CALL, usage=replace(CALL.usage, cost=None)), replace(CALL, started=5_000.0))
    second = store.usage_since(1, first.last)
    ((role, usage),) = second.usage.items()
    assert (role, usage.calls, usage.cost) == (CALL.key.role, 2 * CALL.usage.calls, None)
    assert second.ended == 5_000.0 + CALL.usage.seconds


def test_a_reply_that_was_paid_for_is_found_as_it_was(store: Store) -> None:
    keep(store, 1, FAILED, CALL)
    paid = store.call_journal(1)
    reply = paid.find(CALL.key)
    assert reply is not None
    assert (reply.text, reply.parsed, reply.finish_reason) == ("what was said", None, "length")
    assert (reply.usage, reply.faults) == (CALL.usage, FAULTS)
    assert paid.find(FAILED.key) is None
    assert paid.find(CALL.key._replace(step=4)) is None


@pytest.mark.parametrize("cost", [None, 0, 1, 0.125])
def test_an_unknown_price_stays_unknown_and_whole_numbers_are_numbers(
    store: Store, cost: float | None
) -> None:
    keep(store, 1, replace(CALL, usage=replace(CALL.usage, cost=cost, seconds=2), started=3))
    (found,) = store.calls(1)
    assert (found.usage.cost, found.usage.seconds, found.started) == (cost, 2.0, 3.0)
    assert store.verify() == []


def test_half_a_character_anywhere_is_kept_as_its_escape(store: Store) -> None:
    half = replace(
        CALL, key=CALL.key._replace(sample="s\ud800"), phase="\ud800", model="\ud800", error="\ud800"
    )
    keep(store, 1, half)
    (found,) = store.calls(1)
    assert (found.key.sample, found.phase, found.model, found.error) == ("s\\ud800", *(("\\ud800",) * 3))
    assert store.verify() == []


def test_steps_that_were_cut_off_are_those_without_a_row(store: Store) -> None:
    keep(store, 1, CALL, replace(CALL, key=CALL.key._replace(step=4)))
    store.commit((), author="a", reason="r", run=1, step=(3, "epoch 2", {}))
    store.commit((), author="a", reason="r", run=2, step=(4, "epoch 2", {}))  # of another run
    paid = store.call_journal(1)
    assert paid.find(CALL.key) is None
    assert paid.find(CALL.key._replace(step=4)) is not None


@FILE_ONLY
def test_a_journal_that_is_closed_leaves_the_file_alone(store: Store) -> None:
    kept = store.call_journal(1)
    kept.close()  # before anything was written
    kept.write(CALL)
    kept.write(FAILED)  # after it was closed: kept, and let go of again
    assert len(store.calls(1)) == 2
    with contextlib.closing(sqlite3.connect(store.path, timeout=0.05, isolation_level=None)) as other:
        store.close()
        assert other.execute("PRAGMA journal_mode = DELETE").fetchone() == ("delete",), "nobody has it open"


def test_a_call_that_could_not_be_written_is_written_by_the_next_one(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(call_journal, "_WAIT", 0.05)
    kept = store.call_journal(1)
    with Store.open(store.path) as other, other._writing():
        for call in (CALL, FAILED):
            with pytest.raises(StoreBusy, match=re.escape(str(store.path))):
                kept.write(call)
    last = replace(CALL, key=CALL.key._replace(occurrence=9))
    kept.write(last)
    kept.close()
    assert [call.key.occurrence for call in store.calls(1)] == [1, 2, 9]


def test_a_run_that_is_not_there_has_no_calls(store: Store) -> None:
    with pytest.raises(StoreError):
        keep(store, 7, CALL)
    assert store.calls(7) == []
