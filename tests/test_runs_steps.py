"""The journal as values: what is written is read, also what earlier releases wrote; what nobody knows is
refused.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import ace
from ace.errors import InputError, StoreError
from ace.runs.records import Step
from ace.runs.steps import Phase, PhaseKind, SampleResult, StepRecord, read_journal
from ace.store import Store
from tests.world import client, world

CAPPED = Path(__file__).parent / "fixtures" / "capped-run.sql"
names = st.text(st.characters(codec="utf-8"), min_size=1, max_size=8)
json_values = st.none() | st.booleans() | st.integers() | names | st.lists(names, max_size=2)
notes = st.dictionaries(names.map(lambda name: f"note {name}"), json_values, max_size=3)
details = st.from_regex(r"[a-z][a-z0-9 ]{0,11}[a-z0-9]", fullmatch=True)
phases = st.builds(
    Phase, st.sampled_from(PhaseKind), st.integers(1, 30), st.integers(0, 9), st.just("") | details
)
results = st.builds(
    SampleResult,
    phase=phases,
    sample=names,
    correct=st.booleans(),
    right=st.none() | st.booleans(),
    topics=st.lists(names, max_size=2).map(tuple),
    facts=st.lists(names, max_size=2).map(tuple),
    error=st.just("") | names,
    judge_error=st.just("") | names,
    context_tokens=st.integers(0, 9),
    left_out=st.lists(names, max_size=2).map(tuple),
    retrieved=st.dictionaries(names, st.integers(1, 9), max_size=2),
    calls=st.just("") | names,
    notes=notes,
)


@given(phases)
def test_a_phase_is_read_back_from_its_text(phase: Phase) -> None:
    assert Phase.parse(str(phase)) == phase


@pytest.mark.parametrize(
    ("text", "phase"),
    [
        ("before", Phase(PhaseKind.BEFORE)),
        ("epoch 2", Phase(PhaseKind.EPOCH, 2)),
        ("replay 1.2", Phase(PhaseKind.REPLAY, 1, 2)),
        ("replay feedback", Phase(PhaseKind.REPLAY, detail="feedback")),
        ("validation 1.3, version 5", Phase(PhaseKind.VALIDATION, 1, 3, "version 5")),
        ("contest 1, without a lesson of a", Phase(PhaseKind.CONTEST, 1, detail="without a lesson of a")),
        ("credit epoch 1", Phase(PhaseKind.CREDIT, detail="epoch 1")),
    ],
)
def test_phases_that_journals_hold(text: str, phase: Phase) -> None:
    assert Phase.parse(text) == phase and str(phase) == text


@given(results, st.dictionaries(names, st.lists(names, max_size=2), max_size=2), notes)
def test_a_step_is_read_back_from_its_payload(
    result: SampleResult, proofs: dict[str, list[str]], noted: dict[str, Any]
) -> None:
    phase = Phase(PhaseKind.EPOCH, 1)
    record = StepRecord(
        run=1, number=2, phase=phase, version=3, results=(result,), proofs=proofs, seconds=1.5, notes=noted
    )
    row = Step(1, 2, str(phase), record.payload(), 3)
    assert StepRecord.from_step(row) == record


def test_a_row_of_an_earlier_release_may_lack_what_came_later() -> None:
    row = Step(1, 0, "epoch 1", {"results": [{"sample": "a"}], "kept": {"b": ["a"]}}, 1)
    record = StepRecord.from_step(row)
    assert record.taught == {"a"} and record.results[0].sample == "a" and record.faults == ()


@pytest.mark.parametrize(
    ("phase", "payload"), [("ritual 1", {}), ("epoch 1", {"results": [{}]}), ("epoch 1", {"results": [3]})]
)
def test_what_nobody_can_read_is_refused_in_one_sentence(phase: str, payload: dict[str, Any]) -> None:
    with pytest.raises(StoreError, match="this release") as caught:
        StepRecord.from_step(Step(1, 0, phase, payload, 0))
    assert "start a new run" in caught.value.hint


def test_a_run_that_an_earlier_release_began_with_other_prompts_is_not_resumed(tmp_path: Path) -> None:
    """The file was written before the journal had types, and capped at 27 calls in its first epoch."""
    path = tmp_path / "p.db"
    with closing(sqlite3.connect(path)) as db:
        db.executescript(CAPPED.read_text(encoding="utf-8"))
    with Store.open(path) as store:
        with pytest.raises(InputError, match="prompts"):
            ace.learn(world(), store, client(), batch_size=3, workers=1, epochs=2, resume=True)
        old = read_journal(store.steps(1))
        assert old and any(step.taught for step in old)
        report = ace.learn(world(), store, client(), batch_size=3, workers=1, epochs=2)
        assert report.after and report.after.correct == 10 and store.verify() == []
