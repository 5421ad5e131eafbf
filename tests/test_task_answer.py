"""Answers compared by scorers, and tasks defined in Python."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ace.errors import TaskError
from ace.task import (
    AnswerEnvironment,
    Attempt,
    Difference,
    Feedback,
    FeedbackKind,
    Sample,
    Verdict,
    check_task,
    define_task,
    score_attempt,
)
from ace.task.environments.scorers import (
    SCORERS,
    score_exact,
    score_label_set,
    score_numeric,
    score_ordered_labels,
    score_short,
)

FINANCE = Path(__file__).parent.parent.parent / "shared" / "data" / "ace-finance"


@pytest.mark.parametrize(
    ("gold", "answer", "score"),
    [
        ("5.0", "5", 1),
        ("5.0", "The turnover is 75,000 / 15,000 = 5.00.", 1),
        ("1234567.5", "$1,234,567.50", 1),
        ("1234567", "1\u00a0234\u202f567 EUR", 1),
        ("-3", "-$3", 1),
        ("250000", "US$250,000", 1),
        ("0.125", "12.5 %", 1),
        ("12.5", "12.5%", 1),
        ("12.5%", "0.125", 1),
        ("12.5%", "1.25%", 0),
        ("8.33", "8.34", 0),
        ("1e3", "1000", 1),
        ("500", "in 2020 500", 1),
        ("4", "Q4", 0),
        ("5", "", 0),
    ],
)
def test_numeric(gold: str, answer: str, score: float) -> None:
    assert score_numeric(gold, answer) == score


@pytest.mark.parametrize(
    ("gold", "answer", "ordered", "as_set"),
    [
        ("A,B,C,D", "a, b, c, d", 1, 1),
        ("A,B,C,D", "1. A\n2. B\n3. C\n4. D", 1, 1),
        ("A,B,C,D", "['A', 'B', 'X', 'D']", 0.75, 3 / 5),
        ("A,B", "B,A", 0, 1),
        ("A,A", "A", 0.5, 1),
        ("A", "A,B", 0.5, 0.5),
        ("A", "", 0, 0),
    ],
)
def test_labels(gold: str, answer: str, ordered: float, as_set: float) -> None:
    assert score_ordered_labels(gold, answer) == ordered
    assert score_label_set(gold, answer) == as_set


def test_exact_ignores_case_and_spaces() -> None:
    assert score_exact("New  York", " new york\n") == 1
    assert score_exact("New York", "Newark") == 0


@given(st.text(), st.text(), st.sampled_from([*SCORERS.values(), score_label_set]))
def test_a_score_is_a_share(gold: str, answer: str, scorer: object) -> None:
    assert callable(scorer)
    assert 0 <= scorer(gold, answer) <= 1


@pytest.mark.parametrize(
    ("gold", "answer", "score"),
    [
        ("45", "45", 1),
        ("45", "45 minutes.", 1),
        ("45", "It takes 45.0 minutes", 1),
        ("3.50", "\u20ac3.5", 1),
        ("2880", "2,880", 1),
        ("45", "three quarters of an hour", 0),
        ("45", "45 at Northgate, 30 at Lakeside", 0),  # a list of everything says nothing
        ("30", "1 h 30", 0),
        ("45", "145", 0),
        ("45", "", 0),
        ("B4 rope store", "B4 rope store", 1),
        ("B4 rope store", "B4, Rope Store.", 1),
        ("B4 rope store", "They go to the B4 rope store at night", 1),
        ("B4 rope store", "rope store (B4)", 0),  # another order
        ("B4 rope store", "B4 rope", 0),
        ("E14", "`e14`", 1),
        ("E14", "E140", 0),
        ("08:30", "at 08:30", 1),
        ("08:30", "8:30", 0),
        ("green", "green or blue or orange or yellow or red or white or black", 0),
        ("green", "The tag is green", 1),
        ("green", "evergreen", 0),
        ("?", "?", 1),  # signs alone are compared as they are
        ("?", "!", 0),
    ],
)
def test_short(gold: str, answer: str, score: float) -> None:
    assert score_short(gold, answer) == score


@given(st.text(min_size=1, max_size=30))
def test_a_short_answer_that_repeats_its_gold_is_right(gold: str) -> None:
    """Where there is a word in it, and a number is written as one."""
    said = score_short(gold, f" {gold} ")
    assert said == 1.0 or not re.search(r"\w", gold) or re.search(r"\d", gold)


@pytest.mark.parametrize("scorer", sorted(SCORERS.keys() - {"json"}))
@pytest.mark.parametrize("answer", [None, "", " ", True, [], [{"a": 1}], {"a": 1}])
def test_an_unusable_gold_answer_is_named(scorer: str, answer: object) -> None:
    with pytest.raises(TaskError, match=r"rows.jsonl:3 \[answer\].*Expected"):
        AnswerEnvironment(scorer).check(Sample("s", "?", {"answer": answer}, "rows.jsonl", 3))


def test_a_gold_answer_must_fit_its_scorer() -> None:
    with pytest.raises(TaskError, match="Expected a number, found 'many'"):
        AnswerEnvironment("numeric").check(Sample("s", "?", {"answer": "many"}))
    AnswerEnvironment("numeric").check(Sample("s", "?", {"answer": 3}))
    AnswerEnvironment("labels").check(Sample("s", "?", {"answer": ["a", "b"]}))


def test_a_row_may_name_its_own_scorer() -> None:
    environment = AnswerEnvironment("exact")
    number = Sample("n", "?", {"answer": "12", "scorer": "numeric"})
    text = Sample("t", "?", {"answer": "12"})
    assert environment.score(number, Attempt("n", "3 x 4 = 12 crowns")).correct
    assert not environment.score(text, Attempt("t", "3 x 4 = 12 crowns")).correct
    for unknown in ("fuzzy", ["exact"], 3):
        with pytest.raises(TaskError, match=r"rows.jsonl:3 \[scorer\].*Expected one of exact"):
            environment.check(Sample("s", "?", {"answer": "12", "scorer": unknown}, "rows.jsonl", 3))
    with pytest.raises(TaskError, match="Expected a number"):
        environment.check(Sample("s", "?", {"answer": "many", "scorer": "numeric"}))


def test_feedback_on_answers() -> None:
    environment = AnswerEnvironment("labels")
    sample, attempt = Sample("s", "?", {"answer": "Cash,Debt"}), Attempt("s", "Cash,Equity")
    outcome = environment.score(sample, attempt)
    shown = outcome.shown(FeedbackKind.LABELS)
    assert (shown.text, shown.passed, shown.right_answer) == (
        "answer: Cash,Equity",
        False,
        "Right answer: Cash,Debt",
    )
    assert shown.topics == {"cash", "debt"} and shown.score == 0.5
    assert outcome.verdict == Verdict(False, 0.5)


@given(st.text(), st.text(min_size=1), st.sampled_from([FeedbackKind.EXECUTION, FeedbackKind.NONE]))
def test_without_labels_the_gold_does_not_matter(answer: str, gold: str, kind: FeedbackKind) -> None:
    environment = AnswerEnvironment()
    attempt = Attempt("s", answer)
    shown, other = (
        score_attempt(environment, Sample("s", "?", {"answer": label}), attempt).shown(kind)
        for label in (gold, "other")
    )
    assert shown == other and shown.passed is None


@pytest.mark.skipif(not FINANCE.is_dir(), reason="needs ../shared/data/ace-finance")
@pytest.mark.parametrize(
    ("file", "scorer"),
    [("finer_val_batched_500_samples.jsonl", "labels"), ("formula_val_subset_300.jsonl", "numeric")],
)
def test_published_answers_score_full_marks(file: str, scorer: str) -> None:
    environment = AnswerEnvironment(scorer)
    for line in (FINANCE / file).read_text(encoding="utf-8").splitlines():
        target = json.loads(line)["target"]
        sample = Sample("s", "?", {"answer": target})
        environment.check(sample)
        assert environment.score(sample, Attempt("s", target)).correct


TRAIN = [{"id": 1, "question": "2 + 2?", "answer": "4", "hard": False}]


def test_a_task_from_dicts_and_a_judge() -> None:
    task = define_task(
        "sums",
        TRAIN,
        lambda sample, answer: answer.strip() == sample.data["answer"],
        test=[{"id": 2, "question": "2 + 3?", "answer": "5"}],
        instructions="Add.",
    )
    (sample,) = task.train
    assert (sample.id, sample.data["hard"], task.test[0].id) == ("1", False, "2")
    assert task.environment.describe(sample) == ""
    assert score_attempt(task.environment, sample, Attempt("1", " 4 ")).correct
    outcome = score_attempt(task.environment, sample, Attempt("1", "3"))
    shown = outcome.shown(FeedbackKind.LABELS)
    assert (shown.passed, shown.right_answer) == (False, "Right answer: 4")
    assert outcome.shown(FeedbackKind.NONE) == Feedback(FeedbackKind.NONE, "")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"name": "a/b"}, "Expected letters"),
        ({"train": []}, "no training samples"),
        ({"train": ["text"]}, "train:1: Expected an object"),
        ({"train": [*TRAIN, {"question": "?"}]}, r"train:2 \[id\]"),
        ({"test": TRAIN}, "used twice"),
        ({"val": [{"id": 3, "question": "2 + 2", "hard": False}]}, "same question is in train"),
    ],
)
def test_a_bad_definition_is_named(change: dict[str, object], message: str) -> None:
    options: dict[str, object] = {"name": "sums", "train": TRAIN, "judge": lambda sample, answer: True}
    with pytest.raises(TaskError, match=message):
        define_task(**(options | change))  # type: ignore[arg-type]


def test_check_task_is_empty_for_a_good_task() -> None:
    assert check_task(define_task("sums", TRAIN, lambda sample, answer: True)) == []


# Numbers as they are written


@pytest.mark.parametrize(
    ("gold", "answer", "score"),
    [
        ("1500000", "$1.5 million", 1),
        ("1.5 million", "1,500,000", 1),
        ("1500000", "1.5M", 1),
        ("1500000", "about $1.5m in total", 1),
        ("2000", "2k", 1),
        ("3000000000", "3bn", 1),
        ("1500000000", "1.5 Mrd. EUR", 1),
        ("15000", "1.5\u4e07\u5186", 1),
        ("300000", "3 lakh", 1),
        ("5000", "5 mil", 1),
        ("5", "5 m", 1),  # metres
        ("5", "5 million", 0),
        ("1.5", "1.5 million", 0),
        ("45", "45 mm", 1),
        ("1500000", "1.5 \u00d7 10^6", 1),
        ("0.0015", "1.5x10\u207b\u00b3", 1),
        ("1000000", "10^6", 1),
        ("0.5", "1/2", 1),
        ("0.5", "\u00bd", 1),
        ("-0.5", "\u2212\u00bd", 1),
        ("3.5", "3\u00bd", 1),
        ("3.5", "3 1/2", 1),
        ("3.5", "$3\\frac{1}{2}$", 1),
        ("3/4", "0.75", 1),
        ("75", "75,000/1,000", 1),
        ("2024", "3/4/2024", 1),
        ("24", "24/0", 0),
        ("1234567", "1 234 567", 1),
        ("12000", "12 000 \u20ac", 1),
        ("1234567", "1.234.567", 1),
        ("1234.56", "1.234,56 \u20ac", 1),
        ("1234567", "12,34,567", 1),
        ("1234567", "\u20b912,34,567", 1),
        ("500", "in 2020 500", 1),
        ("0.125", "12.5 percent", 1),
        ("12345678", "12345679", 0),
        ("1000001", "1000000", 0),
        ("1000001", "1000000.0", 0),
        ("123456789012345678901", "123456789012345678902", 0),
        ("9007199254740993", "9007199254740992", 0),
        ("5", "4.9999999", 1),
        ("0.3", "0.30000000000000004", 1),
        ("5", "5-10", 0),
    ],
)
def test_numbers_may_be_written_in_many_ways(gold: str, answer: str, score: float) -> None:
    assert score_numeric(gold, answer) == score


@given(st.integers(-(10**40), 10**40), st.integers(1, 9))
def test_whole_numbers_are_compared_exactly(number: int, off: int) -> None:
    for form in (f"{number}", f"{number:,}", f"{number}.0", f"{number:_} EUR"):
        assert score_numeric(str(number), form) == 1
        assert score_numeric(str(number + off), form) == 0


@pytest.mark.parametrize(
    ("gold", "answer", "score"),
    [
        ("\u00bd", "0.5", 1),
        ("1.5 million", "1500000 dollars", 1),
        ("12345678", "12345679", 0),
        ("5%", "5%", 1),
    ],
)
def test_short_numbers_may_be_written_in_many_ways(gold: str, answer: str, score: float) -> None:
    assert score_short(gold, answer) == score


@pytest.mark.parametrize(
    ("scorer", "options", "answer", "right", "wrong"),
    [
        ("numeric", {"tolerance": 0.5}, "100", "100.5", "100.6"),
        ("numeric", {"tolerance": "1%"}, "200", "202", "203"),
        ("numeric", {}, ["4", 5], "five is 5", "6"),
        ("short", {"tolerance": 1}, "45", "46 minutes", "47"),
        ("short", {"case": True}, "pH", "the pH", "the PH"),
        ("exact", {"case": True}, "Ada", "Ada", "ada"),
        ("exact", {}, ["New York", "NYC"], "nyc", "NY"),
        ("short", {}, ["grey", "gray"], "it is gray", "it is green"),
        ("labels", {"case": True}, ["A", "b"], "A, b", "a, b"),
        ("labels", {}, [["a", "b"], ["c"]], "c", "b"),
        ("json", {}, ["a", "b"], '["a", "b"]', '"a"'),
    ],
)
def test_options_of_scorers(
    scorer: str, options: dict[str, Any], answer: Any, right: str, wrong: str
) -> None:
    environment = AnswerEnvironment(scorer, **options)
    sample = Sample("s", "?", {"answer": answer})
    environment.check(sample)
    assert environment.score(sample, Attempt("s", right)).correct
    outcome = environment.score(sample, Attempt("s", wrong))
    assert not outcome.correct
    assert environment.explain(sample, Attempt("s", wrong)) is not None


def test_every_right_answer_is_told_and_explains() -> None:
    environment, sample = AnswerEnvironment("exact"), Sample("s", "?", {"answer": ["Rome", "Paris"]})
    assert environment.score(sample, Attempt("s", "x")).expected == "Rome or Paris"
    (fact,) = environment.explain(sample, Attempt("s", "It is Paris."))
    assert fact.difference is Difference.WORDS_AROUND
    with pytest.raises(TaskError, match="Expected a number, found 'many'"):
        AnswerEnvironment("numeric").check(Sample("s", "?", {"answer": [3, "many"]}))


@pytest.mark.parametrize("tolerance", ["much", -1, "-1%", float("nan"), float("inf"), "%"])
def test_a_tolerance_must_be_one(tolerance: Any) -> None:
    with pytest.raises(ValueError, match=r"could not"):
        AnswerEnvironment("numeric", tolerance=tolerance)


def test_a_judge_has_the_scale_that_is_given() -> None:
    rows = [{"id": 1, "question": "?"}]
    task = define_task("stars", rows, lambda sample, answer: float(answer), scale=(1, 5))
    scores = [
        score_attempt(task.environment, task.train[0], Attempt("1", text)) for text in ("1", "4", "5", "7")
    ]
    assert [outcome.score for outcome in scores] == [0.0, 0.75, 1.0, None]
    assert "from 1 to 5" in scores[3].judge_error
    task = define_task("flags", rows, lambda sample, answer: answer == "x", scale=(1, 5))
    assert score_attempt(task.environment, task.train[0], Attempt("1", "y")).score == 0.0
    for judge, scale in ((lambda sample, answer: True, (5, 1)), ("exact", (1, 5))):
        with pytest.raises(TaskError, match=r"\[scale\]: Not a usable scale"):
            define_task("x", [{"id": 1, "question": "?", "answer": "y"}], judge, scale=scale)  # type: ignore[arg-type]


def test_a_task_may_be_given_an_environment() -> None:
    rows = [{"id": 1, "question": "?", "answer": 10}]
    task = define_task("near", rows, AnswerEnvironment("numeric", tolerance=1))
    assert score_attempt(task.environment, task.train[0], Attempt("1", "11")).correct
