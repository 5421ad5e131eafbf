"""A long prefix is read once, by whoever comes first, and copied to the other slots."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import pytest

from ace.llm.local.slots import KEPT, WORTH_SHARING, Slots

PREFIX = "the schema and the playbook. " * 40


@dataclass
class Recorder:
    """A backend that keeps what it was told."""

    did: list[tuple[str, int, str]] = field(default_factory=list)
    kept: set[str] = field(default_factory=set)

    full: bool = False
    """Whether states cannot be saved, nor loaded any more."""

    def __call__(self, action: str, slot: int, name: str) -> bool:
        if self.full and action != "discard":
            return False
        if action == "save":
            self.kept.add(name)
        elif action == "discard":
            self.kept.remove(name)
        assert action == "discard" or name in self.kept
        self.did.append((action, slot, name))
        return True


def call(slots: Slots, prefix: str, question: str, seconds: float = 0.0) -> tuple[int, bool]:
    with slots.lease(prefix, f"{prefix}\n{question}") as lease:
        if lease.prime:
            time.sleep(seconds)
            lease.share()
        time.sleep(seconds)
        return lease.slot, lease.prime


def test_of_many_calls_at_once_one_reads_the_prefix() -> None:
    backend = Recorder()
    slots = Slots(4, backend)
    with ThreadPoolExecutor(8) as pool:
        done = list(pool.map(lambda n: call(slots, PREFIX, f"question {n}", 0.02), range(16)))
    assert sum(primed for _, primed in done) == 1
    assert [what for what, _, _ in backend.did].count("save") == 1
    restored = [slot for what, slot, _ in backend.did if what == "restore"]
    assert len(restored) == len(set(restored)) <= 3


def test_the_slot_that_holds_most_of_the_prompt_is_chosen() -> None:
    slots = Slots(3, Recorder())
    (first, _), (second, _) = call(slots, "a" * 500, "?"), call(slots, "b" * 500, "?")
    assert first != second
    assert call(slots, "b" * 500, "again") == (second, False)
    assert call(slots, "a" * 500, "again") == (first, False)


def test_short_prefixes_are_not_shared() -> None:
    backend = Recorder()
    slots = Slots(2, backend)
    assert [call(slots, "x" * (WORTH_SHARING - 1), "?")[1] for _ in range(3)] == [False] * 3
    assert backend.did == []


def test_a_reader_that_fails_lets_the_next_one_read() -> None:
    slots = Slots(2, Recorder())
    with pytest.raises(RuntimeError), slots.lease(PREFIX, PREFIX) as lease:
        assert lease.prime
        raise RuntimeError("the server refused")
    with slots.lease(PREFIX[::-1], PREFIX[::-1]) as lease:
        assert lease.prime


def test_old_states_are_discarded() -> None:
    backend = Recorder()
    slots = Slots(1, backend)
    for letter in "abcdefghij":
        call(slots, letter * 400, "?")
    assert len(backend.kept) == KEPT


def test_what_cannot_be_saved_is_read_by_each_slot_and_never_loaded() -> None:
    backend = Recorder(full=True)
    slots = Slots(2, backend)
    with ThreadPoolExecutor(4) as pool:
        done = list(pool.map(lambda n: call(slots, PREFIX, f"question {n}", 0.02), range(8)))
    assert len(done) == 8 and backend.did == [] and sum(primed for _, primed in done) == 2


def test_a_state_that_cannot_be_loaded_is_forgotten() -> None:
    backend = Recorder()
    slots = Slots(2, backend)
    with slots.lease(PREFIX, PREFIX) as lease:
        lease.share()
        backend.full = True
        with slots.lease(PREFIX, f"{PREFIX} more"):
            pass
    backend.full = False
    for question in ("other", PREFIX, "another", f"{PREFIX}!"):
        with slots.lease(question, question), slots.lease(f"{PREFIX}?", f"{PREFIX}?"):
            pass
    assert [what for what, _, _ in backend.did] == ["save"], "what is gone was to be loaded"


def test_a_call_waits_for_a_slot() -> None:
    slots, order = Slots(1, Recorder()), list[str]()

    def second() -> None:
        with slots.lease("p", "p"):
            order.append("second")

    with slots.lease("p", "p"):
        waiting = threading.Thread(target=second)
        waiting.start()
        time.sleep(0.05)
        order.append("first")
    waiting.join()
    assert order == ["first", "second"]
