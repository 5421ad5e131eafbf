"""The equation balancer: its checker, and the script that makes a task folder of the puzzles."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ace.errors import TaskError
from ace.task import Attempt, FeedbackKind, Observing, Sample, load_task
from benchmarks.balancer import Balancer

ROOT = Path(__file__).resolve().parent.parent
DATA = ROOT.parent / "shared" / "data" / "puzzles"
BALANCER = Balancer(Path(), {})

needs_data = pytest.mark.skipif(not DATA.is_dir(), reason="the puzzles are not here")


def right(question: str, answer: str) -> bool:
    return BALANCER.score(Sample("p", question, {"answer": ""}), Attempt("p", answer)).correct


@pytest.mark.parametrize(
    ("answer", "holds"),
    [
        ("14 - 16 / 20 * 15 + 23 = 25", True),
        ("So: 14 + 16 = 30.\n14 \u2212 16 \u00f7 20 \u00d7 15 + 23 = 25", True),
        ("14 - 16 / 20 * 15 + 23 = 25, not 14 + 16 + 20 + 15 + 23 = 25", False),
        ("14 + 16 - 20 + 15 + 23 = 48", False),  # true, and another puzzle
        ("23 + 16 - 14 = 25", False),
        ("__import__('os')", False),
        ("", False),
    ],
)
def test_an_answer_is_checked_against_its_puzzle(answer: str, holds: bool) -> None:
    assert right("14 ? 16 ? 20 ? 15 ? 23 = 25", answer) is holds


def test_division_by_zero_is_a_wrong_answer() -> None:
    assert not right("4 ? 0 = 4", "4 / 0 = 4") and right("4 ? 0 = 4", "4 - 0 = 4")


@given(
    st.lists(st.integers(1, 30), min_size=2, max_size=6),
    st.lists(st.sampled_from("+-*"), min_size=5, max_size=5),
)
def test_it_agrees_with_python_on_whole_numbers(numbers: list[int], signs: list[str]) -> None:
    pairs = zip(signs, numbers[1:], strict=False)
    left = str(numbers[0]) + "".join(f" {sign} {number}" for sign, number in pairs)
    value = eval(left)  # our own numbers and signs
    puzzle = f"{' ? '.join(map(str, numbers))} = {value}"
    assert right(puzzle, f"{left} = {value}")
    assert not right(puzzle, f"{left} = {value + 1}")


def test_what_is_shown_without_labels_is_the_arithmetic() -> None:
    sample, attempt = Sample("p", "3 ? 4 = 12", {"answer": "3 * 4 = 12"}), Attempt("p", "3 + 4 = 12")
    outcome = BALANCER.score(sample, attempt)
    shown = outcome.shown(FeedbackKind.EXECUTION)
    assert shown.text == "The left side is 7, and not 12: 3 + 4 = 12" and shown.ran is False
    assert shown.checked and BALANCER.observe(sample, attempt).shown(FeedbackKind.EXECUTION) == shown
    assert shown.expected == "" and shown.passed is None
    told = outcome.shown(FeedbackKind.LABELS)
    assert told.right_answer == "Right answer: 3 * 4 = 12" and told.passed is False
    assert outcome.shown(FeedbackKind.NONE).text == ""


def test_bad_rows_are_named() -> None:
    with pytest.raises(TaskError, match="no puzzle"):
        BALANCER.check(Sample("p", "What is 3?", {"answer": "3"}))
    with pytest.raises(TaskError, match="its answer is not one"):
        BALANCER.check(Sample("p", "3 ? 4 = 12", {"answer": "3 + 4 = 12"}))
    with pytest.raises(TaskError, match="no options"):
        Balancer(Path(), {"hard": True})


@needs_data
def test_the_script_writes_a_task_that_loads(tmp_path: Path) -> None:
    script = [sys.executable, str(ROOT / "benchmarks" / "puzzles_task.py"), str(DATA)]
    subprocess.run([*script, str(tmp_path / "balancer")], check=True, capture_output=True)
    task = load_task(tmp_path / "balancer", trust=True)  # checks every label
    assert (len(task.train), len(task.val), len(task.test)) == (100, 50, 100)
    assert isinstance(task.environment, Observing)
    inside = subprocess.run([*script, str(ROOT / "tasks" / "balancer")], capture_output=True, text=True)
    assert inside.returncode and "inside the repository" in inside.stderr


@needs_data
@pytest.mark.parametrize("model", ["gpt-4o", "claude-3-5-sonnet"])
def test_it_agrees_with_how_recorded_answers_were_judged(model: str) -> None:
    """But for the sign "\u00d7", which whoever judged them did not read."""
    file = DATA / f"recorded_{model}_equation_balancer_baseline.jsonl"
    rows = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
    for row in rows:
        answer = str(row["final_answer"])
        assert "\u00d7" in answer or right(row["input"], answer) is bool(row["correct_by_eval"])
