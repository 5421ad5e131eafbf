"""How a right number may follow from figures of a question: every step is true, and few are far-fetched."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ace.task import Attempt, FeedbackKind, Sample
from ace.task.environments.answer import AnswerEnvironment
from ace.task.environments.derive_number import derive_number


@given(st.integers(1, 10**6), st.integers(1, 10**6))
def test_every_step_is_true(figure: int, gold: int) -> None:
    for fact in derive_number(f"There are {figure} of them.", str(gold)):
        left, sign, right, _, result = fact.text.split()
        a, b = float(left), float(right)
        assert result == str(gold)
        assert {"*": a * b, "/": a / b, "+": a + b, "-": a - b}[sign] == pytest.approx(
            gold, rel=1e-9, abs=1e-6
        )


@pytest.mark.parametrize(
    ("question", "gold", "topic"),
    [
        ("Storage for 11 days?", "44", "* 4"),
        ("An order comes to 95.", "102", "+ 7"),
        ("60 minutes in hours?", "1", "/ 60"),
        ("3 boxes at 7 each?", "21", "* of both figures"),
        ("10 out of 4?", "6", "- of both figures"),
    ],
)
def test_the_step_without_its_figures_is_the_topic(question: str, gold: str, topic: str) -> None:
    assert topic in {name for fact in derive_number(question, gold) for name in fact.topics}


@pytest.mark.parametrize(
    ("question", "gold"),
    [
        ("No figure here?", "44"),
        ("From 1 and 2 and 3?", "6"),
        ("5 of them?", "five"),
        ("5?", "-2"),
        ("5?", "5"),
    ],
)
def test_where_nothing_can_be_told_there_is_no_step(question: str, gold: str) -> None:
    assert derive_number(question, gold) == ()


def test_steps_come_from_the_label_and_are_hidden_with_it() -> None:
    environment = AnswerEnvironment("numeric")
    sample = Sample("s", "Storage for 11 days?", {"answer": "44"})
    outcome = environment.score(sample, Attempt("s", "12"))
    assert any(fact.text == "11 * 4 = 44" for fact in outcome.shown(FeedbackKind.LABELS).facts)
    assert outcome.shown(FeedbackKind.EXECUTION).facts == ()
    text = AnswerEnvironment("exact").score(Sample("s", "11 days?", {"answer": "44"}), Attempt("s", "12"))
    assert text.facts == ()
