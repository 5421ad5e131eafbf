"""Answer keys: lessons that hold the right answer to the question they were learned from."""

from __future__ import annotations

import pytest

from ace.methods.ace.witness import holds_answer


@pytest.mark.parametrize(
    ("content", "expected", "question"),
    [
        ("Amber delta: 42.", "42", "What is the score?"),
        ("The bill is 1,250.00 in all.", "1250", "What is billed?"),
        ("Grows by 12.5%.", "12.5", "By how much?"),
        ("It is -3 below.", "-3", "How cold?"),
        ("The capital is New  York.", "new york", "Which city?"),
        ("首都是北京。", "北京", "哪个城市是首都?"),
        ("Столица: Москва.", "москва", "Какой город?"),
        ("Send it to queue R7.", "R7", "Where to?"),
    ],
)
def test_a_text_that_holds_the_right_answer_is_a_key(content: str, expected: str, question: str) -> None:
    assert holds_answer(content, expected, question)


@pytest.mark.parametrize(
    ("content", "expected", "question"),
    [
        ("Double the net price.", "42", "What is billed?"),
        ("Work with 421 rows.", "42", "How many?"),
        ("Say yes.", "yes", "Answer yes or no: is it open?"),  # the question names it
        ("Multiply by 100.", "100", "Of 100 items, how many are left?"),
        ("Anything.", "", "Which?"),
        ("New rules for York.", "new york", "Which city?"),
        ("北方的城市。", "北京", "哪个城市是首都?"),
    ],
)
def test_a_rule_is_none(content: str, expected: str, question: str) -> None:
    assert not holds_answer(content, expected, question)
