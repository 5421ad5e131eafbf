"""Intervals: at any time at most one memory of a line holds, and what held when is never lost.

The store and a model that knows no intervals (the last thing said before a time counts) must agree.
"""

from __future__ import annotations

import shutil
import tempfile
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from ace.errors import InputError, MemoryRefused
from ace.memory import Memory, check_memory, find_overlaps, normalize_name, parse_instant, place_memory
from ace.memory.memory_file import dump_memories, load_memories
from ace.store import Store

START = datetime(2026, 1, 1, tzinfo=UTC)
DAYS = st.integers(0, 12)


def day(number: int) -> str:
    return parse_instant((START + timedelta(days=number)).isoformat())


def memory(value: str, since: int, expires: int | None = None) -> Memory:
    end = None if expires is None else day(expires)
    return Memory(attribute="size", value=value, user="ana", since=day(since), expires=end, id=value)


def put(said: list[tuple[str, int]]) -> list[Memory]:
    line: dict[str, Memory] = {}
    for value, since in said:
        placed = place_memory(line.values(), memory(value, since))
        line[value] = placed.memory
        if placed.closed:
            line[placed.closed.id] = placed.closed
    return list(line.values())


SAID = st.lists(DAYS, min_size=1, max_size=8).map(lambda days: [(f"v{n}", at) for n, at in enumerate(days)])


@given(said=SAID)
def test_one_holds_at_any_time_and_it_is_the_last_that_was_said(said: list[tuple[str, int]]) -> None:
    line = put(said)
    assert find_overlaps(line) == []
    for number in range(14):
        holding = [m.value for m in line if m.holds(day(number))]
        before = [(since, place_memory) for place_memory, (_, since) in enumerate(said) if since <= number]
        assert holding == ([said[max(before)[1]][0]] if before else [])


@given(said=SAID)
def test_history_is_total_and_nobody_is_dropped(said: list[tuple[str, int]]) -> None:
    line = sorted(put(said), key=lambda m: (m.since, m.until or "~"))
    assert {m.value for m in line} == {value for value, _ in said}
    real = [m for m in line if m.since != m.until]
    assert all(a.until == b.since for a, b in pairwise(real)) and real[-1].until is None


def test_overlaps_are_told() -> None:
    one, other = memory("a", 1), memory("b", 3)
    assert find_overlaps([other, one]) == [(one, other)]
    assert find_overlaps([replace(one, until=day(3)), other]) == []
    assert find_overlaps([one, replace(other, user="bob")]) == []


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ("the delivery address", "Delivery  Addresses"),
        ("Dog's name", "dog\u2019s names"),
        ("allergies", "Allergy"),
    ],
)
def test_names_of_the_same_thing_are_one(a: str, b: str) -> None:
    assert normalize_name(a) == normalize_name(b)


@pytest.mark.parametrize(("a", "b"), [("bus", "bu"), ("shoe size", "coat size"), ("size 42", "size 43")])
def test_names_of_other_things_are_not(a: str, b: str) -> None:
    assert normalize_name(a) != normalize_name(b)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("2026-03-31", "2026-03-31T00:00:00.000+00:00"),
        ("2026-03-31T14:00+02:00", "2026-03-31T12:00:00.000+00:00"),
        ("20260331T140000Z", "2026-03-31T14:00:00.000+00:00"),
    ],
)
def test_times_become_instants(text: str, told: str) -> None:
    assert parse_instant(text) == told


@pytest.mark.parametrize("text", ["", "soon", "31.3.2026", "2026-02-30", "0001-01-01T00:00+05:00"])
def test_what_is_no_time_is_refused_with_its_field(text: str) -> None:
    with pytest.raises(InputError) as caught:
        parse_instant(text, field="since")
    assert caught.value.details["field"] == "since" and caught.value.message.startswith("since: ")


def test_nobody_can_be_remembered_outside_a_scope() -> None:
    with pytest.raises(InputError, match="session: it has no place in scope user"):
        check_memory(replace(memory("a", 1), session="s1"))


@dataclass
class Line:
    """Hold the values of one thing: (day, order) -> value and end; None where it was forgotten."""

    said: dict[tuple[int, int], tuple[str, int | None] | None] = field(default_factory=dict)

    def put(self, key: tuple[int, int], said: tuple[str, int | None]) -> None:
        """Late values hold until the next one that is not forgotten: a forgotten value leaves no trace."""
        after = [day for (day, _), left in self.said.items() if left and day > key[0]]
        end = min(after, default=1_000)
        self.said = {k: v for k, v in self.said.items() if v or not key[0] < k[0] < end}
        self.said[key] = said

    def at(self, number: int) -> str | None:
        before = [key for key in self.said if key[0] <= number]
        found = self.said[max(before)] if before else None
        return found[0] if found and (found[1] is None or number < found[1]) else None


class MemoryMachine(RuleBasedStateMachine):
    """Remember, forget, take out and in again, reopen: the store says what the lines say, on every day."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        self.file = self.folder / "m.db"
        self.lines: dict[tuple[str, str], Line] = {}
        self.ids: dict[str, tuple[tuple[str, str], tuple[int, int]]] = {}
        self.values: dict[str, str] = {}
        self.count = 0

    @initialize()
    def open(self) -> None:
        self.store = Store.open(self.file)

    @rule(
        user=st.sampled_from(["", "ana", "bob"]),
        name=st.sampled_from(["size", "town"]),
        at=DAYS,
        ends=st.none() | DAYS,
    )
    def remember(self, user: str, name: str, at: int, ends: int | None) -> None:
        self.count += 1
        value = f"Zq{self.count}xwv Road"
        given = {"user": user, "since": day(at), "expires": None if ends is None else day(ends)}
        if ends is not None and ends < at:
            with pytest.raises(InputError, match="expires"):
                self.store.remember(name, value, **given)
            return
        kept = self.store.remember(name, value, **given)
        key = (at, self.count)
        self.lines.setdefault((user, name), Line()).put(key, (value, ends))
        self.ids[kept.id], self.values[kept.id] = ((user, name), key), value

    @rule(user=st.sampled_from(["", "ana", "bob"]), name=st.sampled_from(["size", "town"]), at=DAYS)
    def remember_what_holds_already(self, user: str, name: str, at: int) -> None:
        value = self.lines.get((user, name), Line()).at(at)
        if value:
            with pytest.raises(MemoryRefused, match="duplicate"):
                self.store.remember(name, value.upper(), user=user, since=day(at))

    @rule(share=st.floats(0, 1))
    def forget(self, share: float) -> None:
        if not self.ids:
            return
        name = list(self.ids)[round(share * (len(self.ids) - 1))]
        line, key = self.ids.pop(name)
        self.lines[line].said[key] = None
        assert self.store.forget(name).scrubbed
        data = b"".join(file.read_bytes() for file in self.folder.iterdir())
        assert self.values[name].encode() not in data

    @rule()
    def export_and_import_elsewhere(self) -> None:
        old = self.store.memories(every=True)
        other = self.folder / "other.db"
        with Store.open(other) as new:
            new.import_memories(load_memories(dump_memories(old)))
            assert new.memories(every=True) == old
            assert new.verify() == []
        for file in self.folder.glob("other.db*"):
            file.unlink()

    @rule()
    def reopen(self) -> None:
        self.store.close()
        self.store = Store.open(self.file)

    @invariant()
    def the_store_says_what_the_lines_say(self) -> None:
        if not hasattr(self, "store"):
            return
        for number in range(0, 13, 3):
            for user in ("ana", "bob"):
                found = {(m.user, m.attribute): m.value for m in self.store.memories(user, at=day(number))}
                told = {key: line.at(number) for key, line in self.lines.items() if key[0] in ("", user)}
                assert found == {key: value for key, value in told.items() if value}
        assert {m.id for m in self.store.memories(every=True)} == set(self.ids)

    def teardown(self) -> None:
        assert self.store.verify() == []
        self.store.close()
        shutil.rmtree(self.folder)


MemoryMachine.TestCase.settings = settings(
    max_examples=15, stateful_step_count=20, deadline=None, suppress_health_check=list(HealthCheck)
)
TestMemories = MemoryMachine.TestCase
