"""The day of traffic: a tiny one on each database, and rows in bulk that are as sound as any."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from ace.errors import InputError
from ace.store import Store
from benchmarks import day_of_traffic, traffic_page, traffic_rows
from benchmarks.traffic_world import Users, name_user
from tests.postgres_server import shared_server, why_not

TINY = ["--requests", "60", "--users", "12", "--shares", "0.5", "1", "--live", "8", "--servers", "1"]


def measure(folder: Path, *more: str) -> tuple[dict[str, Any], str]:
    words = [*TINY, "--topics", "12", "--known", "6", "--feedback", "0.5", "--memories", "0.5", *more]
    page = day_of_traffic.measure(day_of_traffic.read_options([*words, "--out", str(folder)]), words)
    assert (folder / "day_of_traffic.md").read_text("utf-8") == page
    return json.loads((folder / "day_of_traffic.json").read_text("utf-8")), page


@pytest.mark.parametrize("kind", ["file", "server"])
def test_a_tiny_day_is_measured_with_its_rows_loaded_and_sound(tmp_path: Path, kind: str) -> None:
    where = ["--sqlite"]
    if kind == "server":
        if why_not():
            pytest.skip(why_not())
        where = ["--place", shared_server().address()]
    record, page = measure(tmp_path, *where)
    assert record["problems"] == [] and len(record["shares"]) == 2
    first, last = record["shares"]
    assert (first["users"], last["users"]) == (10, 12)
    assert last["rows"]["episodes"] >= first["rows"]["episodes"] + 30
    for share in record["shares"]:
        figures = share["together"]
        assert figures["requests"] == 8 and figures["parts"]["answer"]["count"] == 8
        assert figures["processor"] > 0 and figures["tokens"]["computed"] > 0
        assert 0 < figures["parts"]["context"]["p50"] <= figures["parts"]["answer"]["p99"]
    constants = traffic_page.derive_constants(record)
    assert 300 < constants["bytes of an answer"] < 20_000 and constants["bytes of a memory"] > 50
    if kind == "server":
        # An answer is its call and its episode, each a transaction; feedback and memories are more.
        assert all(share["together"]["database"]["commits"] >= 16 for share in record["shares"])
        assert constants["log bytes"] > 1_000
    for text in ("## A request", "## Waiting", "slope", "bytes a row", "dollars", record["command"]):
        assert text in page


def test_rows_in_bulk_are_as_sound_as_those_of_the_store(tmp_path: Path) -> None:
    place = str(tmp_path / "day.db")
    users = Users(50)
    with Store.open(place) as store:
        store.remember("tone", "short answers", user="ann")
        loaded = traffic_rows.load_memories(store, place, users, range(3))
        assert loaded == sum(users.count_memories(user) for user in range(3))
        memories = store.memories(name_user(0), every=True)
        assert len(memories) == users.count_memories(0)
        holding = store.memories(name_user(0))
        assert len({memory.line for memory in memories}) == len(holding) < len(memories)
        assert store.verify() == []
        store.remember("tone", "long answers", user=name_user(0))
        assert store.verify() == []


def test_slopes_are_those_of_the_logarithms() -> None:
    assert traffic_page.fit_slope([(10, 5), (100, 5), (1000, 5)]) == pytest.approx(0)
    assert traffic_page.fit_slope([(10, 2), (100, 20)]) == pytest.approx(1)
    assert traffic_page.fit_slope([(10, 2), (10, 20)]) is None


def test_an_order_that_cannot_be_measured_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="two places"):
        day_of_traffic.read_options(["--sqlite", "--place", "postgresql://a@b/c"])
    place = str(tmp_path / "used.db")
    with Store.open(place) as store:
        store.commit(day_of_traffic.make_lessons(day_of_traffic.make_task(3), 1), author="a", reason="r")
    with pytest.raises(InputError, match=re.escape("is in use")):
        day_of_traffic.measure(day_of_traffic.read_options(["--place", place]), [])
