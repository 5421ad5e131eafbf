"""Measured credit: simulated effects are found within their intervals, and a run can be asked for its own."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ace.llm import Caps, RoleModels
from ace.loop import learn
from ace.report import build_run_page, read_run_history, render_page
from ace.runs.bullet_effects import Ablation, compute_credit, estimate_effects, read_ablations
from ace.runs.steps import read_journal
from ace.settings import Settings
from ace.store import Store
from tests.cli import Ace
from tests.orders import client, orders

TRUE = {"a": 0.5, "b": 0.2, **{f"null{n}": 0.0 for n in range(6)}}


def simulate_batches(seed: int, count: int, size: int) -> list[Ablation]:
    """Simulate attempts that are right three times in four, less often without "a" or "b"."""
    random, batches = Random(seed), []
    for _ in range(count):
        without = frozenset(name for name in TRUE if random.random() < 0.25) or frozenset({"a"})
        rest = max(0.0, 0.75 - sum(TRUE[name] for name in without))
        pairs = tuple((random.random() < 0.75, random.random() < rest) for _ in range(size))
        batches.append(Ablation(without, pairs))
    return batches


@pytest.mark.parametrize(("count", "size"), [(40, 8), (60, 1), (12, 8)])
def test_known_effects_are_in_their_intervals_and_null_bullets_rarely_called(count: int, size: int) -> None:
    estimates = [
        effect for seed in range(60) for effect in estimate_effects(simulate_batches(seed, count, size))
    ]
    covered = [effect.low <= TRUE[effect.bullet] <= effect.high for effect in estimates]
    nulls = [effect.significant for effect in estimates if not TRUE[effect.bullet]]
    assert sum(covered) / len(covered) > 0.92
    assert sum(nulls) / len(nulls) < 0.08
    if (count, size) == (40, 8):
        assert sum(effect.significant for effect in estimates if effect.bullet == "a") > 57
        mean = sum(effect.effect for effect in estimates if effect.bullet == "a") / 60
        assert 0.45 < mean < 0.55


def test_what_was_always_left_out_together_is_not_told_apart() -> None:
    both = [Ablation(frozenset({"a", "b"}), ((True, False),) * 8)] * 30
    first, second = estimate_effects([*both, *[Ablation(frozenset({"c"}), ((True, True),) * 8)] * 30])[:2]
    assert first.effect == pytest.approx(second.effect) == pytest.approx(0.5, abs=0.05)
    assert not first.significant and first.high - first.low > 1


@settings(max_examples=50)
@given(
    st.lists(
        st.builds(
            Ablation,
            st.frozensets(st.sampled_from("abcdef"), min_size=1),
            st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=4).map(tuple),
        ),
        max_size=12,
    ),
)
def test_any_journal_gives_finite_intervals_around_the_estimates(measured: list[Ablation]) -> None:
    estimates = estimate_effects(measured)
    assert {effect.bullet for effect in estimates} == {name for batch in measured for name in batch.without}
    for effect in estimates:
        assert -4 < effect.low <= effect.effect <= effect.high < 4
        assert effect.batches == sum(effect.bullet in batch.without for batch in measured)
    expected = {effect.bullet: effect.effect for effect in estimates}
    for effect in estimate_effects(measured[::-1]):  # the order of batches does not matter
        assert effect.effect == pytest.approx(expected[effect.bullet], abs=1e-6)


OPTIONS = Settings(batch_size=2, replays=0, measure=False, measure_credit=1.0)


def test_a_run_measures_and_learns_the_same_as_without(tmp_path: Path, ace: Ace) -> None:
    task = orders(tmp_path)

    def run(name: str, **changed: float) -> list[str]:
        with Store.open(tmp_path / name) as store:
            for _ in range(3):
                learn(task, store, RoleModels.of(client()), replace(OPTIONS, **changed))  # type: ignore[arg-type]
            assert store.verify() == []
            return [version.hash for version in store.log()]

    assert run("a.db", workers=1) == run("b.db", workers=4) == run("c.db", measure_credit=0.0)
    with Store.open(tmp_path / "a.db", read_only=True) as store:
        journal = read_journal(store.steps(3))
        measured = read_ablations(journal)
        assert len(measured) == 2 and all(batch.without for batch in measured)
        losses = [whole and not rest for batch in measured for whole, rest in batch.pairs]
        assert any(losses)  # without its bullet a question is not answered
        credit = compute_credit(journal)
        assert {effect.bullet for effect in credit.effects} == {n for b in measured for n in b.without}
        assert {e.phase for e in store.episodes(run=3)} == {"epoch 1", "credit epoch 1"}
        page = render_page(build_run_page(read_run_history(store, 3)))
        assert 'id="credit"' in page and credit.effects[0].bullet in page
        assert "missing knowledge 4" in render_page(build_run_page(read_run_history(store, 1)))
    output = ace("runs", "show", "3", "--credit", "--playbook", "a.db", "--json")
    data = json.loads(output.out)["credit"]
    assert [effect["bullet"] for effect in data["effects"]] == [effect.bullet for effect in credit.effects]
    assert {votes["helpful"] for votes in data["votes"].values()} == {2}
    assert (
        "(*) zero is outside the interval: " in ace("runs", "show", "3", "--credit", "--playbook", "a.db").out
    )
    text = ace("runs", "show", "1", "--credit", "--playbook", "c.db").out
    assert "missing knowledge  4" in text and "--measure-credit" in text


@pytest.mark.parametrize("calls", [1, 3, 6, 7])
def test_a_run_that_was_cut_off_measures_the_same(tmp_path: Path, calls: int) -> None:
    def run(name: str, caps: Caps | None) -> tuple[list[str], list[object]]:
        task, options = orders(tmp_path), replace(OPTIONS, workers=1)
        with Store.open(tmp_path / name) as store:
            learn(task, store, RoleModels.of(client()), options)
            report = learn(task, store, RoleModels.of(client(), caps=caps), options)
            if caps:
                assert report.stopped
                report = learn(task, store, RoleModels.of(client()), options, resume=True)
            results = [step.payload["results"] for step in store.steps(report.run)]
            return [version.hash for version in store.log()], results

    assert run("whole.db", None) == run("cut.db", Caps(calls=calls))
