"""Puzzles about numbers: an answer is checked against its puzzle, and calculated without being run."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ace.errors import TaskError
from ace.task import Attempt, FeedbackKind, Observing, Sample
from ace.task.environments.arithmetic import ArithmeticEnvironment, find_expression, read_puzzle

ROOT = Path(__file__).resolve().parent.parent
DATA = Path(os.environ.get("ACE_SHARED_DATA", ROOT.parent / "shared" / "data")) / "puzzles"
PUZZLES = ArithmeticEnvironment()

needs_data = pytest.mark.skipif(not DATA.is_dir(), reason="the puzzles are not here")


def balance(question: str, answer: str = "") -> Sample:
    numbers, value = read_puzzle(question)
    return Sample("p", question, {"numbers": numbers, "value": value, "ordered": True, "answer": answer})


def game(*numbers: int, value: int = 24) -> Sample:
    return Sample("g", "Make 24.", {"numbers": list(numbers), "value": value, "ordered": False})


def right(question: str, answer: str) -> bool:
    return PUZZLES.score(balance(question), Attempt("p", answer)).correct


@pytest.mark.parametrize(
    ("answer", "holds"),
    [
        ("14 - 16 / 20 * 15 + 23 = 25", True),
        ("So: 14 + 16 = 30.\n14 \u2212 16 \u00f7 20 \u00d7 15 + 23 = 25", True),
        ("14 - 16 / 20 * 15 + 23 = 25, not 14 + 16 + 20 + 15 + 23 = 25", False),
        ("14 + 16 - 20 + 15 + 23 = 48", False),  # true, and another puzzle
        ("23 + 16 - 14 = 25", False),
        ("__import__('os')", False),
        ("(14 - 16) / 20 * 15 + 23 = 25", False),  # no brackets
        ("- 14 - 16 / 20 * 15 + 23 = 25", True),  # an item of a list
        ("-14 - 16 / 20 * 15 + 23 = 25", False),
        ("14 - 16 / 20 * 15 + 23", True),
        ("14 - 16 / 20 * 15 + 23 = 25. All of it: 14, 16, 20, 15 and 23; and 7 - 3.", True),
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
    sample, attempt = balance("3 ? 4 = 12", "3 * 4 = 12"), Attempt("p", "3 + 4 = 12")
    outcome = PUZZLES.score(sample, attempt)
    shown = outcome.shown(FeedbackKind.EXECUTION)
    assert shown.text == "The left side is 7, and not 12: 3 + 4 = 12" and shown.ran is False
    assert shown.checked and PUZZLES.observe(sample, attempt).shown(FeedbackKind.EXECUTION) == shown
    assert shown.expected == "" and shown.passed is None
    told = outcome.shown(FeedbackKind.LABELS)
    assert told.right_answer == "Right answer: 3 * 4 = 12" and told.passed is False
    assert outcome.shown(FeedbackKind.NONE).text == ""


def test_bad_rows_are_named() -> None:
    with pytest.raises(TaskError, match="two whole numbers or more"):
        PUZZLES.check(Sample("p", "What is 3?", {"answer": "3"}))
    with pytest.raises(TaskError, match="right answer is not one"):
        PUZZLES.check(balance("3 ? 4 = 12", "3 + 4 = 12"))
    with pytest.raises(TaskError, match="Expected a whole number, found None"):
        PUZZLES.check(Sample("p", "3, 4", {"numbers": [3, 4]}))
    assert isinstance(PUZZLES, Observing)


@pytest.mark.parametrize(
    ("answer", "holds"),
    [
        ("(13 - 9) * (10 - 4) = 24", True),
        ("Answer: (10 - 4) \u00d7 (13 \u2212 9)", True),
        ("[13 - 9] * [10 - 4] = 24", True),
        ("-(9 - 13) * (10 - 4) = 24", True),
        ("(13 - 9) * (10 - 4) = 25", False),
        ("(13 - 9) * 6 = 24", False),
        ("13 + 9 + 10 + 4 = 24", False),
        ("13 * 10 * 9 * 4 ** 0", False),
        ("4 / (13 - 9 - 4) * 10", False),
        ("24", False),
        ("(" * 900 + "13 - 9" + ")" * 900, False),
        ("13 " * 700, False),
    ],
)
def test_a_game_uses_each_number_once(answer: str, holds: bool) -> None:
    outcome = PUZZLES.score(game(4, 9, 10, 13), Attempt("g", answer))
    assert outcome.correct is holds and bool(outcome.observed)


@given(st.lists(st.integers(1, 13), min_size=4, max_size=4))
def test_what_is_worked_out_holds(numbers: list[int]) -> None:
    expression = find_expression(numbers, 24)
    sample = game(*numbers)
    assert not expression or PUZZLES.score(sample, Attempt("g", f"{expression} = 24")).correct
    assert not PUZZLES.score(sample, Attempt("g", "")).score


def test_what_cannot_be_worked_out_says_so() -> None:
    assert find_expression([1, 1, 1, 1], 24) == ""
    assert find_expression([3, 3, 8, 8], 24) == "8 / (3 - (8 / 3))"


@needs_data
@pytest.mark.parametrize("model", ["gpt-4o", "claude-3-5-sonnet"])
def test_it_agrees_with_how_recorded_answers_were_judged(model: str) -> None:
    """But for the sign "\u00d7", which whoever judged them did not read."""
    file = DATA / f"recorded_{model}_equation_balancer_baseline.jsonl"
    rows = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
    for row in rows:
        answer = str(row["final_answer"])
        assert "\u00d7" in answer or right(row["input"], answer) is bool(row["correct_by_eval"])
