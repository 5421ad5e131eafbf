"""What a run took, from the records of its calls: pure sums, then the command over a real run."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ace.llm import Caps, Usage
from ace.llm.faults import Fault
from ace.llm.journal import Call, Key
from ace.loop import learn
from ace.runs.cost import (
    compute_cost,
    count_faults,
    measure_working_time,
    sum_usage,
    sum_usage_by_role,
)
from ace.runs.records import Step
from ace.runs.steps import Phase, PhaseKind, StepRecord
from ace.settings import Settings
from ace.store import Store
from tests.cli import Ace
from tests.world import LESSON, team, world


def make_call(
    sample: str,
    role: str = "generator",
    *,
    step: int = 0,
    phase: str = "epoch 1",
    tokens: int = 100,
    started: float = 0.0,
    seconds: float = 1.0,
    cost: float | None = 0.5,
    faults: tuple[Fault, ...] = (),
) -> Call:
    usage = Usage(1, tokens, tokens // 2, 10, seconds, cost)
    return Call(Key(step, sample, role, f"asks {tokens}", 0), phase, "m", "", "", "", usage, faults, started)


def make_step(number: int, phase: str, results: list[str], proofs: dict[str, list[str]]) -> StepRecord:
    payload = {"results": [{"sample": name, "phase": phase} for name in results], "kept": proofs}
    return StepRecord.from_step(Step(1, number, phase, payload, number))


times = st.tuples(st.integers(1, 50), st.integers(0, 20))


@given(st.lists(times, max_size=8))
def test_wall_time_is_when_anything_was_under_way(spans: list[tuple[int, int]]) -> None:
    busy = {second for start, length in spans for second in range(start, start + length)}
    calls = [make_call("s", started=start, seconds=length) for start, length in spans]
    assert measure_working_time(calls) == len(busy)


@given(st.lists(times, max_size=5), st.lists(times, max_size=5))
def test_what_a_run_took_is_when_a_step_or_a_call_was_under_way(
    calls: list[tuple[int, int]], steps: list[tuple[int, int]]
) -> None:
    busy = {second for start, length in calls + steps for second in range(start, start + length)}
    phase = Phase(PhaseKind.EPOCH, 1)
    journal = [
        StepRecord(run=1, number=number, phase=phase, version=0, started=start, seconds=length)
        for number, (start, length) in enumerate(steps)
    ]
    # Of a release that did not note when a step began.
    older = StepRecord(run=1, number=99, phase=phase, version=0, seconds=7.0)
    records = (make_call("s", started=start, seconds=length) for start, length in calls)
    assert measure_working_time(records, [*journal, older]) == len(busy)


def test_seconds_of_the_sessions_of_a_run_add_up_and_not_the_time_between(tmp_path: Path) -> None:
    with Store.open(tmp_path / "colours.db") as store:
        stopped = learn(world(), store, team(caps=Caps(calls=15)), Settings(workers=1))
        run = store.run(1)
        assert stopped.stopped and run.report is not None
        store.finish_run(1, "capped", run.report | {"seconds": 1000.0})
        capped = learn(world(), store, team(caps=Caps(seconds=900)), Settings(workers=1), resume=True)
        assert "The cap of 900 seconds is reached" in capped.stopped
        finished = learn(world(), store, team(caps=Caps(seconds=2000)), Settings(workers=1), resume=True)
    assert not finished.stopped and 1000 <= finished.seconds < 2000


@given(st.lists(st.builds(make_call, st.sampled_from("abc"), st.sampled_from(["generator", "reflector"]))))
def test_every_table_sums_to_the_total(calls: list[Call]) -> None:
    cost = compute_cost(calls, [])
    for rows in (cost.roles, cost.phases, cost.samples):
        assert sum((row.usage.calls for row in rows), 0) == cost.total.calls == len(calls)
        assert sum(row.usage.prompt_tokens for row in rows) == cost.total.prompt_tokens
    assert sum(usage.calls for usage in sum_usage_by_role(calls).values()) == len(calls)


def test_a_bullet_costs_what_followed_the_attempt() -> None:
    calls = [
        make_call("a", tokens=1000),  # the attempt
        make_call("a", "reflector", tokens=300),
        make_call("a", tokens=200),  # its proof
        make_call("b", tokens=1000),
        make_call("b", "reflector", tokens=70),  # nothing was kept
    ]
    cost = compute_cost(calls, [make_step(0, "epoch 1", ["a", "b"], {"one": ["a"], "two": ["a"]})])
    assert [(row.bullet, row.usage.prompt_tokens, row.fixed) for row in cost.bullets] == [
        ("one", 250, ("a",)),
        ("two", 250, ("a",)),
    ]
    assert (cost.unlearned.prompt_tokens, cost.unlearned.calls) == (70, 1)


def test_a_curated_bullet_has_the_cost_of_both_and_fixes_nothing_by_it() -> None:
    calls = [
        make_call("a", tokens=1000),
        make_call("a", "reflector", tokens=300),
        make_call("ord.st", "curator", step=1, phase="curation 1", tokens=50),
        make_call("ord.st", step=1, phase="curation 1", tokens=40),
    ]
    steps = [
        make_step(0, "epoch 1", ["a"], {"one": ["a"]}),
        make_step(1, "curation 1", [], {"one": ["a", "b"]}),
    ]
    (row,) = compute_cost(calls, steps).bullets
    assert (row.usage.prompt_tokens, row.fixed) == (390, ("a",))


def test_one_unknown_price_makes_a_sum_unknown() -> None:
    assert sum_usage([make_call("a"), make_call("a", cost=None)]).cost is None


def test_faults_are_summed_by_kind_and_action() -> None:
    waited = [Fault("rate limit", n, f"tried again after {n}.0 s") for n in (1, 2)]
    faults = (*waited, Fault("rate limit", 3, "given up"), Fault("empty", 4, "asked again"))
    assert count_faults([make_call("a", faults=faults)]) == {
        "empty": {"asked again": 1},
        "rate limit": {"given up": 1, "tried again": 2},
    }


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "colours.db"
    with Store.open(path) as store:
        learn(world(), store, team(wrong=("red",)), Settings(workers=1))
    return path


def test_the_command_shows_the_tables(ace: Ace, file: Path) -> None:
    text = ace("runs", "show", "1", "--cost", "--playbook", str(file)).out
    for head in ("role", "phase", "sample (the 10 dearest of", "Bullet"):
        assert any(line.startswith(head) for line in text.splitlines())
    assert LESSON["black"] in text and "and fixed 1 sample" in text
    assert "tokens went to lessons that were not kept" in text


def test_the_command_as_json(ace: Ace, file: Path) -> None:
    output = json.loads(ace("runs", "show", "--cost", "--json", "--playbook", str(file)).out)
    assert set(output["cost"]) == {"total", "roles", "phases", "samples", "bullets", "unlearned"}
    report = output["report"]["usage"]
    assert {row["name"]: row["usage"]["calls"] for row in output["cost"]["roles"]} == {
        role: usage["calls"] for role, usage in report.items()
    }
    assert len(output["cost"]["bullets"]) == 9 and output["faults"] == {}


def test_a_run_without_calls(ace: Ace, tmp_path: Path) -> None:
    path = str(tmp_path / "empty.db")
    with Store.open(path) as store:
        learn(world(), store, team(caps=Caps(calls=0)), Settings(workers=1))
    assert ace("runs", "show", "--cost", "--playbook", path).out == "No call was made.\n"
