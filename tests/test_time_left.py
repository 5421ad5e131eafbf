"""How long the rest of a run takes: from its plan and its pace. The clock is the test's own."""

from __future__ import annotations

import pytest

from ace.runs.time_left import Stretch, TimeEstimate, TimeLeft, describe_left, plan_run

CONFIG = {"sizes": {"train": 60, "val": 8, "test": 20}, "epochs": 2, "measure": True}
PLAN = plan_run("learn", CONFIG)


def test_a_plan_follows_from_kind_and_configuration() -> None:
    assert [(stretch.phase, stretch.total, stretch.learns) for stretch in PLAN] == [
        ("before", 20, False), ("epoch 1", 60, True), ("epoch 2", 60, True), ("after", 20, False)
    ]  # fmt: skip
    assert [stretch.phase for stretch in plan_run("learn", CONFIG | {"measure": False})] == [
        "epoch 1",
        "epoch 2",
    ]
    assert plan_run("eval", CONFIG | {"split": "val"}) == (Stretch("val", 8, False),)
    assert plan_run("online", CONFIG) == (Stretch("online", 60, True),)
    assert plan_run("learn", {"epochs": 1}) == ()  # of a release that kept no sizes
    assert [stretch.total for stretch in plan_run("learn", CONFIG | {"traces": "ab"})] == [20, 0, 20]


def test_nothing_is_said_before_anything_was_done() -> None:
    left = TimeLeft()
    assert left.estimate(0.0) is None
    left.expect(PLAN)
    left.observe("before", 0, 20, 100.0)
    assert left.estimate(105.0) is None and describe_left(None) == ""


def test_of_a_part_whose_successors_are_unknown_only_the_part_is_estimated() -> None:
    left = TimeLeft()
    left.expect(PLAN)
    left.observe("before", 0, 20, 0.0)
    left.observe("before", 10, 20, 20.0)
    assert left.estimate(25.0) == TimeEstimate(pytest.approx(15.0), is_whole=False)


def learn_until(epochs: int, *, replay: float = 0.0) -> tuple[TimeLeft, float]:
    """A run with 1 s a test question and 10 s a training question, at the end of an epoch."""
    left, now = TimeLeft(), 20.0
    left.expect(PLAN)
    left.observe("before", 0, 20, 0.0)
    left.observe("before", 20, 20, now)
    for epoch in range(1, epochs + 1):
        left.observe(f"epoch {epoch}", 0, 60, now)
        for done in range(8, 61, 4):
            now += 40.0 if done > 8 else 80.0
            left.observe(f"epoch {epoch}", done, 60, now)
        left.observe("replay 1.1", 0, 5, now)
        now += replay
        left.observe("replay 1.1", 5, 5, now)
    return left, now


def test_the_whole_rest_is_that_of_all_that_was_planned() -> None:
    left, now = TimeLeft(), 20.0
    left.expect(PLAN)
    left.observe("before", 0, 20, 0.0)
    left.observe("before", 20, 20, now)
    left.observe("epoch 1", 0, 60, now)
    left.observe("epoch 1", 20, 60, now + 200)
    assert left.estimate(now + 200) == TimeEstimate(pytest.approx(400 + 600 + 20), is_whole=True)


def test_what_was_asked_again_is_expected_again() -> None:
    plain, now = learn_until(1)
    assert plain.estimate(now) == TimeEstimate(pytest.approx(620.0), is_whole=True)
    longer, now = learn_until(1, replay=300.0)
    assert longer.estimate(now) == TimeEstimate(pytest.approx(1.5 * 600.0 + 20.0), is_whole=True)


def test_a_phase_that_hangs_does_not_seem_to_be_nearly_over() -> None:
    left = TimeLeft()
    left.observe("epoch 1", 0, 10, 0.0)
    left.observe("epoch 1", 2, 10, 10.0)
    assert left.estimate(20.0).seconds == pytest.approx(30.0)  # type: ignore[union-attr]
    assert left.estimate(110.0).seconds > 300  # type: ignore[union-attr]


def test_a_break_between_two_sessions_does_not_count() -> None:
    left = TimeLeft()
    left.observe("epoch 1", 0, 10, 0.0)
    left.observe("epoch 1", 2, 10, 10.0)
    left.observe("epoch 1", 2, 10, 5000.0)  # it is resumed
    left.observe("epoch 1", 4, 10, 5010.0)
    assert left.estimate(5010.0).seconds == pytest.approx(30.0)  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (2, "a few seconds left"),
        (43, "about 45 s left"),
        (170, "about 3 min left"),
        (7500, "about 2 h 5 min left"),
    ],
)
def test_it_is_said_in_round_words(seconds: float, text: str) -> None:
    assert describe_left(TimeEstimate(seconds, is_whole=True)) == text
    assert describe_left(TimeEstimate(seconds, is_whole=False)) == f"{text} of this part"
