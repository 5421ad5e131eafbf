"""Versions that meet on validation: the rules, the test behind them, and what a run does with both."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ace.errors import InputError
from ace.llm import Caps, Request, Role, RoleModels, ScriptedClient
from ace.loop import learn
from ace.loop.version_rules import ALPHA, RULES, take_always, take_if_as_good, take_if_clearly_better
from ace.playbook import Add
from ace.runs.e_process import compute_wealth
from ace.runs.report import Report
from ace.settings import Settings
from ace.store import Store
from ace.task import FeedbackKind
from tests.world import COLOURS, SECRET, client, says, team, world

OPTIONS = Settings(batch_size=3, workers=1, epochs=2)
counts = st.integers(0, 40)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store.open(tmp_path / "colours.db")


@given(counts, counts)
def test_no_bet_gains_where_wins_are_not_more_likely(wins: int, losses: int) -> None:
    """What makes the test anytime-valid: at even odds wealth is expected to stay what it is."""
    expected = (compute_wealth(wins + 1, losses) + compute_wealth(wins, losses + 1)) / 2
    assert expected == pytest.approx(compute_wealth(wins, losses), rel=1e-9)
    assert compute_wealth(wins + 1, losses) > compute_wealth(
        wins, losses + 1
    )  # so less likely wins only lose more


def reached(share: float, alpha: float, pairs: int) -> float:
    """The exact probability that somebody who looks after every pair ever sees wealth of 1/alpha."""
    rich, going = 0.0, {0: 1.0}  # wins -> probability of being there without having stopped
    for seen in range(1, pairs + 1):
        after: Counter[int] = Counter()
        for wins, chance in going.items():
            after[wins + 1] += chance * share
            after[wins] += chance * (1 - share)
        stopped = [wins for wins in after if compute_wealth(wins, seen - wins) >= 1 / alpha]
        rich += sum(after.pop(wins) for wins in stopped)
        going = dict(after)
    return rich


@settings(max_examples=15, deadline=None)
@given(st.floats(0, 0.5), st.floats(0.01, 0.3))
def test_looking_after_every_pair_fools_nobody_more_often_than_alpha(share: float, alpha: float) -> None:
    assert reached(share, alpha, 60) <= alpha


def test_a_better_version_is_found() -> None:
    assert 0.01 < reached(0.5, ALPHA, 100) <= ALPHA  # not so careful that it never speaks
    assert reached(0.9, ALPHA, 40) > 0.95
    assert 0 < compute_wealth(0, 500) < 0.01
    with pytest.raises(ValueError, match="cannot be counted"):
        compute_wealth(-1, 0)


@given(st.lists(st.sampled_from(["win", "loss", "alike"]), max_size=40), st.integers(1, 7))
def test_rules_end_and_agree_with_the_counts(pairs: list[str], few: int) -> None:
    for rule in RULES.values():
        for asked in [*range(0, len(pairs), few), len(pairs)]:
            wins, losses = (pairs[:asked].count(kind) for kind in ("win", "loss"))
            taken = rule(wins, losses, len(pairs) - asked)
            if taken is not None:
                break
        assert taken is not None
        if rule is take_always:
            assert taken and asked == 0
        if rule is take_if_clearly_better:
            assert taken == (compute_wealth(wins, losses) >= 1 / ALPHA)
        clear = max(compute_wealth(wins, losses), compute_wealth(losses, wins)) >= 1 / ALPHA
        if rule is take_if_as_good and not clear:
            assert taken == (pairs.count("win") >= pairs.count("loss"))


def confused(request: Request) -> str:
    """More than five lessons confuse this model on validation questions."""
    held_out = request.messages[-1].content.startswith("Tell me")
    return "no idea" if held_out and request.messages[0].content.count(" means ") > 5 else says(request)


def run(store: Store, options: Settings = OPTIONS, *, known: int = 0, **more: bool) -> Report:
    """A run whose first version knows so many colours already."""
    if known:
        seeds = tuple(Add(f"seed-{c}", "lessons", f"{c} means {SECRET[c]}") for c in COLOURS[:known])
        store.commit(seeds, author="user", reason="what is known")
    return learn(world(), store, RoleModels.of(ScriptedClient(confused)), options, **more)


def test_a_worse_version_is_rejected_as_soon_as_that_is_certain(store: Store) -> None:
    report = run(store, known=5)
    (met,) = report.comparisons  # the second epoch changed nothing: the same two do not meet again
    assert (met.wins, met.accepted, met.old) == (0, False, 1) and met.losses <= 5
    assert report.validated and store.diff(1, report.selected) == ()
    assert f"version {met.new} against 1: 0 wins" in str(report) and "rejected, 1 stays" in str(report)
    assert Report.from_json(report.to_json()) == report


def test_the_version_before_it_went_wrong_is_kept_and_none_answers_a_sample_twice(store: Store) -> None:
    """Half of the lessons hold in the first epoch, the others in the second: then they are too many."""
    phases = ["before"]

    def learns_late(request: Request) -> str:
        if request.role is Role.REFLECTOR and phases[-1] == "epoch 1":
            return says(request, wrong=COLOURS[5:])
        return confused(request)

    models = RoleModels.of(ScriptedClient(learns_late))
    options = replace(OPTIONS, replays=0)
    report = learn(world(), store, models, options, progress=lambda phase, *_: phases.append(phase))
    first, second = report.comparisons
    assert (first.accepted, second.accepted) == (True, False)
    assert (second.old, second.new) == (first.new, max(version.number for version in store.log()) - 1)
    assert store.diff(first.new, report.selected) == ()
    asked = Counter(
        (episode.context_version, episode.sample_id)
        for episode in store.episodes(run=report.run)
        if episode.phase.startswith("validation")
    )
    assert asked and set(asked.values()) == {1}


def test_always_takes_the_newest_and_asks_nothing(store: Store) -> None:
    report = run(store, replace(OPTIONS, accept="always"), known=5)
    assert not report.validated and report.bullets == 10
    assert not any(step.phase.startswith("validation") and step.payload["results"] for step in store.steps(1))


def test_strict_wants_more_than_luck(tmp_path: Path) -> None:
    """Ten wins of ten are clear, five are not."""
    for known, taken in ((0, True), (5, False)):
        with Store.open(tmp_path / f"{known}.db") as store:
            seeds = tuple(Add(f"seed-{c}", "lessons", f"{c} means {SECRET[c]}") for c in COLOURS[:known])
            if seeds:
                store.commit(seeds, author="user", reason="what is known")
            report = learn(world(), store, team(), replace(OPTIONS, accept="strict"))
            assert report.comparisons[0].accepted is taken
            assert report.bullets == (10 if taken else known)


def test_without_feedback_nothing_is_validated(store: Store) -> None:
    report = learn(world(), store, team(), replace(OPTIONS, feedback=FeedbackKind.NONE))
    assert not report.validated and all(met.compared == 0 for met in report.comparisons)
    assert "no validation ran" in str(report)


@pytest.mark.parametrize("calls", [23, 31, 36, 48])
def test_resume_and_workers_decide_the_same(tmp_path: Path, calls: int) -> None:
    with Store.open(tmp_path / "a.db") as one, Store.open(tmp_path / "b.db") as two:
        whole = learn(world(), one, team(("red", "teal")), replace(OPTIONS, workers=3))
        cut = learn(world(), two, RoleModels.of(client(("red", "teal")), caps=Caps(calls=calls)), OPTIONS)
        assert cut.stopped
        rest = learn(world(), two, team(("red", "teal")), OPTIONS, resume=True)
        assert rest.comparisons == whole.comparisons
        assert [v.hash for v in one.log()] == [v.hash for v in two.log()]


def test_an_unknown_rule_is_refused() -> None:
    with pytest.raises(InputError, match=r"accept is 'luck'\. Use strict, best or always\."):
        Settings(accept="luck")  # type: ignore[arg-type]
