"""What comes back and what was forgotten: the queue, the figures, and a run that shows both."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import takewhile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ace.llm import Request, RoleModels, ScriptedClient
from ace.loop import learn
from ace.loop.replay_queue import ReplayQueue
from ace.playbook import Add
from ace.runs.metrics import EpochChange, summarise_epochs
from ace.runs.report import Report
from ace.settings import Settings
from ace.store import Store
from tests.world import COLOURS, SECRET, says, team, world

OPTIONS = Settings(batch_size=3, workers=1)
names = st.sampled_from("abcd")
outcomes = st.lists(st.tuples(names, st.sampled_from([True, False, None]), st.booleans()), max_size=40)
answers = st.lists(st.tuples(st.integers(1, 4), names, st.booleans()), max_size=40).map(
    lambda found: sorted(found, key=lambda answer: answer[0])
)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store.open(tmp_path / "colours.db")


def after(seen: Sequence[tuple[str, bool | None, bool]]) -> ReplayQueue:
    queue = ReplayQueue()
    for name, right, taught in seen:
        queue.observe(name, right=right, taught=taught)
    return queue


@given(outcomes)
def test_the_queue_follows_from_what_was_seen(seen: list[tuple[str, bool | None, bool]]) -> None:
    due = after(seen).due("abcd")
    unseen = [name for name in "abcd" if name not in {name for name, _, _ in seen}]
    assert due[: len(unseen)] == unseen  # unseen first
    for name in set("abcd") - set(unseen):
        failed = [right is False and not taught for other, right, taught in seen if other == name]
        latest = list(takewhile(bool, reversed(failed)))
        if not latest:
            assert name not in due
        elif len(latest) == len(failed):  # a sample that nothing could judge in between is no pass
            assert (name in due) == (len(latest) < 3)


def test_failures_come_back_until_they_pass_or_are_hopeless() -> None:
    failed = ("a", False, False)
    assert after([failed, ("b", True, False)]).due("ab") == ["a"]
    assert after([failed, ("a", False, True)]).due("ab") == ["b"]  # it taught a lesson that was proven on it
    assert after([failed, ("a", True, False)]).due("a") == []
    assert after([failed, failed, ("b", False, False)]).due("ab") == ["b", "a"]  # what failed least first
    hopeless = after([failed] * 3)
    assert hopeless.due("a") == [] and hopeless.failing("a") == ["a"]
    assert after([failed] * 3 + [("a", True, False), failed]).due("a") == ["a"]


@given(answers)
def test_turns_count_every_repeated_sample_once(measured: list[tuple[int, str, bool]]) -> None:
    found = summarise_epochs(measured)
    assert [turn.epoch for turn in found] == sorted({epoch for epoch, _, _ in measured})
    for turn in found:
        repeated = {
            name
            for place, (epoch, name, _) in enumerate(measured)
            if epoch == turn.epoch and any(name == other for _, other, _ in measured[:place])
        }
        counted = turn.fixed + turn.broken + turn.still_failing + turn.still_right
        assert counted == len(repeated) and (turn.instability is None) == (not repeated)


def test_turns_of_a_few_answers() -> None:
    first = [(1, "a", False), (1, "b", True), (1, "a", True)]
    second = [(2, "a", True), (2, "b", False), (2, "b", True), (2, "c", True)]
    assert summarise_epochs(first + second) == [
        EpochChange(1, fixed=1, instability=1.0),
        EpochChange(2, 0, 0, 0, 2, 2 / 3),
    ]


def test_what_the_newest_version_forgot_is_reported(store: Store) -> None:
    """With more than nine lessons the model forgets what red is; nothing is learned from seeing that.

    Two of them are learned at once, so that neither is proven beside the other.
    """
    seeds = tuple(Add(f"seed-{c}", "lessons", f"{c} means {SECRET[c]}") for c in COLOURS[:8])
    store.commit(seeds, author="user", reason="what is known")

    def forgetful(request: Request) -> str:
        asked = request.messages[-1].content.startswith("Which number has red")
        return "no idea" if asked and request.messages[0].content.count(" means ") > 9 else says(request)

    options = replace(OPTIONS, batch_size=10, validate=True)
    report = learn(world(), store, RoleModels.of(ScriptedClient(forgetful)), options)
    assert report.epochs == (
        EpochChange(1, fixed=2, broken=1, still_failing=0, still_right=5, instability=0.375),
    )
    (asked,) = [step for step in store.steps(report.run) if step.phase.startswith("recheck")]
    assert not asked.payload["kept"] and not asked.payload["proposals"]
    told = "epoch 1, asked again: 2 fixed, 1 broken, 0 still failing, 5 still right; 38% of answers changed"
    assert told in str(report)
    assert Report.from_json(report.to_json()) == report


def test_one_epoch_without_validation_asks_nothing_more(store: Store) -> None:
    report = learn(world(), store, team(), OPTIONS)
    phases = {step.phase.split()[0] for step in store.steps(report.run)}
    assert phases == {"before", "epoch", "refinement", "after"} and report.epochs == ()


def test_a_sample_that_fails_too_often_is_left_alone(store: Store) -> None:
    report = learn(world(), store, team(wrong=("red",)), replace(OPTIONS, replays=6))
    phases = [step.phase for step in store.steps(report.run) if step.phase.startswith("replay")]
    assert phases == ["replay 1.1", "replay 1.2"]
    assert report.epochs == (EpochChange(1, still_failing=1, instability=0.0),)
