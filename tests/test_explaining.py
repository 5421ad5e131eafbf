"""Environments that explain: what a wrong answer lacks, as facts, for every scorer, judges and unit tests."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Awaitable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ace.errors import CapReached, TaskError
from ace.task import (
    AnswerEnvironment,
    Attempt,
    Difference,
    Fact,
    FeedbackKind,
    Outcome,
    Sample,
    Topic,
    check_task,
    define_task,
    load_task,
    score_attempt,
)
from ace.task.environments.explain_answer import (
    EXPLAINERS,
    explain_by_form,
    explain_label_set,
    explain_text,
    find_near_miss,
)
from ace.task.environments.explain_number import explain_number
from ace.task.environments.json_answer import explain_json, score_json
from ace.task.environments.scorers import SCORERS, score_exact, score_numeric, score_short
from ace.task.environments.unit_tests.bounded_child import Limits
from ace.task.environments.unit_tests.parsed_tests import extract_code, parse_tests
from ace.task.environments.unit_tests.unit_tests_environment import UnitTestsEnvironment
from tests.cli import Ace
from tests.pace import count_steps
from tests.strategies import texts

FIGURES = st.text("0123456789.,-+% e\u2212\u0663\uff15\u0968$\u20ac'\u066b", max_size=12)
ANSWERS = texts() | FIGURES | st.text(max_size=40)


def explain(scorer: str, gold: object, answer: str, **options: Any) -> dict[str, Difference | None]:
    sample = Sample("s", "?", {"answer": gold})
    outcome = score_attempt(AnswerEnvironment(scorer, **options), sample, Attempt("s", answer))
    assert not outcome.judge_error and not outcome.detail
    return {fact.text: fact.difference for fact in outcome.missing}


# Signs and scripts


@pytest.mark.parametrize(
    ("gold", "answer", "score"),
    [
        ("C++", "C#", 0),
        ("A+", "A-", 0),
        ("A", "A-", 0),
        ("C#", "It is written in C#.", 1),
        ("> 5", "< 5", 0),
        ("> 5", "It must be >5", 1),
        ("\u2265 5", "x >= 5", 1),
        ("-5", "\u22125", 1),
        ("5", "\u22125", 0),
        ("-5 \u00b0C", "5 \u00b0C", 0),
        ("-5 \u00b0C", "\u22125 \u00b0C", 1),
        ("\u0663", "\u0663 \u062f\u0642\u0627\u0626\u0642", 1),
        ("1,2", "1,2", 1),
        ("\u0915\u093f", "\u0915\u093e", 0),  # vowel signs of Devanagari count
    ],
)
def test_signs_of_names_grades_and_numbers_count(gold: str, answer: str, score: float) -> None:
    assert score_short(gold, answer) == score


def test_every_minus_is_one() -> None:
    for minus in "-\u2212\u2010\u2011\u2013\uff0d":
        assert score_numeric("-5", f"The change is {minus}5 points.") == 1
        assert score_numeric("5", f"The change is {minus}5 points.") == 0
    assert score_numeric("12.5", "\u0661\u0662\u066b\u0665") == 1
    assert score_exact("caf\u00e9", "CAFE\u0301") == 1


# Labels


def test_labels_that_are_missing_or_too_many() -> None:
    sample = Sample("s", "?", {"answer": ["Cash", "LongTermDebt"]})
    outcome = score_attempt(AnswerEnvironment("labels"), sample, Attempt("s", "cash, equity"))
    assert outcome.missing == (
        Fact("LongTermDebt", frozenset({Topic("longtermdebt")}), Difference.MISSING),
        Fact("not equity", frozenset({Topic("equity")}), Difference.EXTRA),
    )
    assert outcome.missing[0].topics <= outcome.label_topics
    assert outcome.shown(FeedbackKind.LABELS).missing == outcome.missing
    for kind in (FeedbackKind.EXECUTION, FeedbackKind.NONE):
        assert outcome.shown(kind).missing == ()


@pytest.mark.parametrize(
    ("gold", "answer", "facts"),
    [
        ("a,b,c", "c,b,a", {"the right labels in another order": Difference.ORDER}),
        ("a,b,c", "b,c", {"a": Difference.MISSING}),
        ("a", "a,a", {"a too often": Difference.EXTRA}),
        ("billing", "", {"billing": Difference.MISSING}),
        (
            "billing",
            "I think it is billing",
            {"billing: the right answer stands among other words": Difference.WORDS_AROUND},
        ),
    ],
)
def test_labels_in_their_order(gold: str, answer: str, facts: dict[str, Difference]) -> None:
    assert explain("labels", gold, answer) == facts


def test_a_set_of_labels_has_no_order() -> None:
    assert explain("labels", "a,b", "b,a", ordered=False) == {}
    assert explain("labels", "a,b", "b,b,c", ordered=False) == {
        "a": Difference.MISSING,
        "not c": Difference.EXTRA,
    }


# Numbers


@pytest.mark.parametrize(
    ("gold", "answer", "text", "difference"),
    [
        ("7", "70", "10 times too large", Difference.SCALE),
        ("700", "7", "100 times too small", Difference.SCALE),
        ("7", "$7,000", "1,000 times too large", Difference.SCALE),
        ("0.125", "12.5", "100 times too large: a percentage where a fraction is right", Difference.PERCENT),
        ("12.5", "0.125", "100 times too small: a fraction where a percentage is right", Difference.PERCENT),
        ("0.125", "1.25%", "10 times too small", Difference.SCALE),
        ("5", "\u22125", "the sign is wrong", Difference.SIGN),
        ("4", "0.25", "the reciprocal: 1 divided by the right number", Difference.RECIPROCAL),
        ("3", "0.333", "the reciprocal: 1 divided by the right number", Difference.RECIPROCAL),
        ("8.337", "8.34", "the right number, rounded to 2 decimals; it has 3", Difference.ROUNDING),
        (
            "8.34",
            "8.337",
            "right only when rounded to 2 decimals; the answer has 3",
            Difference.ROUNDING,
        ),
        ("8.34", "8.33", "off by one in the last of 2 decimals: rounded another way", Difference.ROUNDING),
        ("0.12345", "12.3%", "the right number, rounded to 3 decimals; it has 5", Difference.ROUNDING),
        ("10", "9", "off by one: too small", Difference.OFF_BY_ONE),
        ("1.234", "1,234", "a comma stands where a decimal point is right", Difference.DECIMAL_COMMA),
        ("7", "7 of 9", "the right number stands in the answer among others", Difference.AMONG_OTHERS),
        ("7", "no idea", "there is no number in the answer", Difference.NO_NUMBER),
        ("7", "19", "another number", Difference.OTHER_NUMBER),
        ("0", "5", "another number", Difference.OTHER_NUMBER),
        ("\u0667", "\uff17\uff10", "10 times too large", Difference.SCALE),
    ],
)
def test_how_a_number_differs(gold: str, answer: str, text: str, difference: Difference) -> None:
    assert explain("numeric", gold, answer) == {text: difference}


def test_a_scale_and_a_sign() -> None:
    assert list(explain("numeric", "3", "-3000")) == ["1,000 times too large", "the sign is wrong"]


@given(
    st.floats(1e-3, 1e6).filter(lambda number: abs(number - 1) > 0.01),
    st.integers(1, 6),
    st.sampled_from([1, -1]),
)
def test_powers_of_ten_are_named(number: float, power: int, sign: int) -> None:
    gold = repr(float(f"{number:.6g}"))
    given_number = float(gold) * 10**power * sign
    facts = explain_number(gold, repr(given_number))
    differences = {fact.difference for fact in facts}
    assert facts[0].text.startswith(f"{10**power:,} times too large")
    assert (Difference.SIGN in differences) is (sign < 0)


@given(FIGURES, FIGURES)
def test_a_number_is_explained_just_where_it_is_wrong(gold: str, answer: str) -> None:
    facts = explain_number(gold, answer)
    if score_numeric(gold, answer) and facts:
        assert [fact.difference for fact in facts] == [Difference.AMONG_OTHERS]
    if score_numeric(gold, gold) and not score_numeric(gold, answer):
        assert facts


# Texts


@pytest.mark.parametrize(
    ("gold", "answer", "difference"),
    [
        ("Paris", "paris", Difference.CASE),
        ("\u00c9COLE", "\u00e9cole", Difference.CASE),
        ("New York", "new-york!", Difference.PUNCTUATION),
        ("E14", "E 14", Difference.PUNCTUATION),
        ("3.5", "35", None),
        ("5.0", "5", Difference.NUMBER_FORMAT),
        ("1,234", "1234", Difference.NUMBER_FORMAT),
        ("45", "45 minutes", Difference.UNIT),
        ("45 km", "45", Difference.UNIT),
        ("45 km", "45 miles", Difference.UNIT),
        ("45", "30 minutes", None),
        ("2024-03-05", "March 5, 2024", Difference.DATE_FORMAT),
        ("5.3.2024", "on 2024-03-05", Difference.DATE_FORMAT),
        ("5 Sept 2024", "2024/9/5", Difference.DATE_FORMAT),
        ("2024\u5e743\u67085\u65e5", "2024-03-05", Difference.DATE_FORMAT),
        ("2024-03-05", "2024-03-06", None),
        ("Paris", "The answer is Paris.", Difference.WORDS_AROUND),
        ("\u6771\u4eac", "\u7b54\u3048\u306f\u6771\u4eac\u3067\u3059", Difference.WORDS_AROUND),
        ("Paris", "Comparison", None),
        ("Paris", "Rome", None),
        ("Paris", "Paris", None),
        ("?", "!", None),
        ("", "x", None),
    ],
)
def test_near_misses(gold: str, answer: str, difference: Difference | None) -> None:
    assert find_near_miss(gold, answer) == difference


def test_a_wrong_text_without_anything_to_name_is_not_explained() -> None:
    assert explain("exact", "Paris", "Rome") == {}
    assert explain("exact", "Paris", "It is Paris.") == {
        "the right answer stands among other words": Difference.WORDS_AROUND
    }
    assert explain("short", "7", "700") == {"100 times too large": Difference.SCALE}
    assert explain("exact", "7", "19") == {}  # 7 may be the name of a room


# JSON

LEAVES = (
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()
)
VALUES = st.recursive(LEAVES, lambda each: st.lists(each) | st.dictionaries(st.text(), each), max_leaves=8)


def test_places_in_json() -> None:
    gold = {"total": 7, "items": [{"price": 1}, {"price": 2, "tags": ["a", "b"]}], "paid": True}
    answer = '{"items": [{"price": 1.0}, {"tags": ["b", "a"], "tax": 0}], "paid": 1, "total": 5}'
    assert explain("json", gold, f"Here it is:\n```json\n{answer}\n```") == {
        "items[1].price: missing": Difference.MISSING,
        "items[1].tax: extra": Difference.EXTRA,
        "items[1].tags: the right entries in another order": Difference.ORDER,
        "paid: 1 instead of true": Difference.CHANGED,
        "total: 5 instead of 7": Difference.CHANGED,
    }
    missing = explain_json('{"items": [{}, {"a b": 1}]}', '{"items": [{}, {}]}')
    assert missing == (
        Fact('items[1]["a b"]: missing', frozenset({Topic('items[]["a b"]')}), Difference.MISSING),
    )


@pytest.mark.parametrize(
    ("gold", "answer", "score"),
    [
        ('{"a": 1, "b": 2}', '{"b": 2.0, "a": 1}', 1),
        ('{"a": 1, "b": 2}', 'It is {\'a\'} or {"a": 1, "b": 3}.', 0.5),
        ('{"a": 1}', '{"a": true}', 0),
        ('{"a": 1}', '{"a": 1, "b": 2}', 0.5),
        ("[1, 2]", "[2, 1]", 0),
        ("9007199254740993", "9007199254740992", 0),
        ("[1]", "NaN", 0),
        ("[1]", "[" * 100_000, 0),
        ("[1]", "1" * 5000, 0),
        ("1e400", "1", 0),
    ],
)
def test_json_is_compared_by_value(gold: str, answer: str, score: float) -> None:
    assert score_json(gold, answer) == score


@given(VALUES, VALUES)
def test_json_differs_just_where_it_is_explained(gold: object, given_value: object) -> None:
    a, b = json.dumps(gold), json.dumps(given_value)
    assert score_json(a, a) == 1.0 and explain_json(a, a) == ()
    assert 0 <= score_json(a, b) <= 1
    assert (score_json(a, b) == 1.0) is (explain_json(a, b) == ())


def test_a_gold_answer_must_be_json() -> None:
    environment = AnswerEnvironment("json")
    environment.check(Sample("s", "?", {"answer": {"a": [1, None]}}))
    environment.check(Sample("s", "?", {"answer": "[1, 2]"}))
    assert environment.score(Sample("s", "?", {"answer": ["a", "b"]}), Attempt("s", '["a", "b"]')).correct
    for answer in ("{a}", {"a": float("nan")}, {"a": {1}}, None):
        with pytest.raises(TaskError, match=r"rows.jsonl:3 \[answer\].*Expected"):
            environment.check(Sample("s", "?", {"answer": answer}, "rows.jsonl", 3))


# Any text


@pytest.mark.parametrize("scorer", sorted(EXPLAINERS.keys() | SCORERS.keys()))
@settings(max_examples=60)
@given(gold=ANSWERS, answer=ANSWERS)
def test_explaining_is_total(scorer: str, gold: str, answer: str) -> None:
    for explainer in (EXPLAINERS.get(scorer, explain_text), explain_by_form, explain_label_set):
        facts = explainer(gold, answer)
        assert all(isinstance(fact.difference, Difference) and fact.text for fact in facts)
        assert facts == explainer(gold, answer) and len(facts) <= 22
    assert 0 <= SCORERS[scorer](gold, answer) <= 1


def test_an_answer_that_is_longer_takes_no_more_than_that() -> None:
    def explain(times: int) -> None:
        for explainer in EXPLAINERS.values():
            for text in ("1,", "word ", "99", "- ", '{"a":'):
                explainer("1, 2, 3", text * 2_000 * times)

    assert count_steps(lambda: explain(4)) < 5 * count_steps(lambda: explain(1))


# The boundary and judges


class Explained:
    """An environment that is always wrong, and explains as a test wants."""

    bounded = False

    def __init__(self, explain: Any, outcome: Outcome) -> None:
        self.explain = explain
        self.outcome = outcome

    def describe(self, sample: Sample) -> str:
        return ""

    def score(self, sample: Sample, attempt: Attempt) -> Outcome:
        return self.outcome

    def check(self, sample: Sample) -> None: ...


WRONG, FACT = Outcome(score=0.5, observed="seen", detail="wrong"), Fact("a part")
SAMPLE, ATTEMPT = Sample("s", "?", {"answer": "right"}), Attempt("s", "left")


def _raise(error: BaseException) -> Any:
    raise error


@pytest.mark.parametrize(
    ("explain", "note"),
    [
        (lambda sample, attempt: _raise(LookupError("lost")), "LookupError: lost"),
        (lambda sample, attempt: _raise(SystemExit(3)), "SystemExit: 3"),
        (lambda sample, attempt: threading.Event().wait(), "TimeoutError: it took more than 0.1 s"),
        (lambda sample, attempt: ["no fact"], "TypeError: it returned ['no fact'], expected facts"),
        (lambda sample, attempt: 7, "TypeError: 'int' object is not iterable"),
    ],
)
def test_an_explanation_that_fails_leaves_the_outcome(explain: Any, note: str) -> None:
    outcome = score_attempt(Explained(explain, WRONG), SAMPLE, ATTEMPT, seconds=0.1)
    assert (outcome.score, outcome.observed, outcome.missing) == (0.5, "seen", ())
    assert outcome.detail == f"wrong; not explained: {note}" and not outcome.judge_error
    assert "not explained" not in outcome.shown(FeedbackKind.LABELS).text


def test_only_a_wrong_attempt_is_explained_and_only_once() -> None:
    def count(sample: Sample, attempt: Attempt) -> list[Fact]:
        calls.append(attempt)
        return [FACT]

    calls: list[Attempt] = []
    own = Outcome(score=0.0, missing=(Fact("its own"),))
    for outcome in (Outcome(score=1.0), own, Outcome(), Outcome(score=0.0, label_error="broken")):
        assert score_attempt(Explained(count, outcome), SAMPLE, ATTEMPT) == outcome
    assert calls == []
    assert score_attempt(Explained(count, WRONG), SAMPLE, ATTEMPT).missing == (FACT,)
    assert calls == [ATTEMPT]


def test_a_cap_in_an_explanation_ends_the_run() -> None:
    with pytest.raises(CapReached):
        score_attempt(Explained(lambda *_: _raise(CapReached("enough")), WRONG), SAMPLE, ATTEMPT)


def test_a_judge_is_explained_by_the_right_answer() -> None:
    rows = [{"id": "a", "question": "?", "answer": "7"}, {"id": "b", "question": "!", "answer": {"n": 7}}]
    rows += [{"id": "c", "question": "."}, {"id": "d", "question": ":", "answer": ["one", "two"]}]
    task = define_task("t", rows, lambda sample, answer: False)
    answers = ["7 kg", '{"n": 8}', "x", "one, three"]
    attempts = zip(task.train, answers, strict=True)
    outcomes = [score_attempt(task.environment, s, Attempt(s.id, answer)) for s, answer in attempts]
    assert [[fact.text for fact in outcome.missing] for outcome in outcomes] == [
        ["the right number with another unit"],
        ["n: 8 instead of 7"],
        [],
        ["two", "not three"],
    ]


def test_a_judge_may_explain_itself() -> None:
    class Judge:
        def __call__(self, sample: Sample, answer: str) -> bool | Outcome:
            return Outcome(score=0.0, missing=(Fact("mine"),)) if answer == "own" else False

        def explain(self, sample: Sample, attempt: Attempt) -> Awaitable[list[Fact]]:
            async def later() -> list[Fact]:
                return [FACT]

            return later()

    task = define_task("t", [{"id": "a", "question": "?", "answer": "7"}], Judge())
    missing = [score_attempt(task.environment, SAMPLE, Attempt("s", a)).missing for a in ("7 kg", "own")]
    assert missing == [(FACT,), (Fact("mine"),)]


def test_a_task_may_name_a_scorer() -> None:
    task = define_task("t", [{"id": "a", "question": "?", "answer": ["x", "y"]}], "labels")
    assert score_attempt(task.environment, task.train[0], Attempt("a", "x,z")).score == 0.5
    with pytest.raises(TaskError, match="or a scorer: exact, numeric"):
        define_task("t", [], "lables")


# The same sample


def test_the_same_wording_with_other_data_is_another_sample() -> None:
    def problems(first: dict[str, Any], second: dict[str, Any]) -> list[str]:
        rows = [{"id": n, "question": "What does it say?", **row} for n, row in enumerate((first, second))]
        task = define_task("t", rows[:1], lambda sample, answer: True, test=())
        test = define_task("t", rows[1:], lambda sample, answer: True).train
        return [
            problem.message
            for problem in check_task(
                type(task)(
                    **{
                        name: getattr(task, name) for name in ("name", "instructions", "environment", "train")
                    },
                    test=test,
                )
            )
        ]

    assert problems({"document": "a"}, {"document": "b"}) == []
    assert problems({"user": {"a": 1, "b": [2]}, "answer": "x"}, {"user": {"b": [2], "a": 1}, "answer": "y"})
    assert problems({}, {}) and problems({"odd": {1}}, {"odd": {1}}) and problems({"n": 1}, {"n": "1"}) == []


# Unit tests

TESTS = """
import math
assert add(1, 2) == 3
BASE = 4
assert add(BASE, 1) == 5

def test_negative():
    from solution import add as same
    assert same(-1, 1) == 0, "a sum of\\nopposites"

async def test_text():
    assert add("a", "b") == "ab"
"""
NAMES = ("add(1, 2) == 3", "add(BASE, 1) == 5", "test_negative", "test_text")
QUICK = UnitTestsEnvironment(Limits(seconds=1, memory=256))
GOOD = "def add(a, b):\n    return a + b\n"


def run_code(code: str, tests: str = TESTS, **data: Any) -> Outcome:
    return score_attempt(QUICK, Sample("s", "?", {"tests": tests, **data}), Attempt("s", code))


def test_code_that_passes() -> None:
    outcome = run_code(f"Sure:\n```python\n{GOOD}```\nas in\n```\nadd(1, 2)\n```")
    assert outcome.correct and outcome.missing == () and outcome.ran and outcome.observed == "the code loads"


def test_failing_tests_are_facts() -> None:
    outcome = run_code("def add(a, b):\n    return abs(a) + abs(b)\n", answer=GOOD)
    assert outcome.score == 0.5 and outcome.expected == GOOD
    assert outcome.missing == (
        Fact(
            "test_negative: AssertionError: a sum of",
            frozenset({Topic("test_negative")}),
            Difference.FAILING_TEST,
        ),
        Fact(
            "test_text: TypeError: bad operand type for abs(): 'str'",
            frozenset({Topic("test_text")}),
            Difference.FAILING_TEST,
        ),
    )
    assert "test_negative" in outcome.shown(FeedbackKind.LABELS).text
    blind = outcome.shown(FeedbackKind.EXECUTION)
    assert (blind.text, blind.ran, blind.missing) == ("the code loads", True, ())


@pytest.mark.parametrize(
    ("code", "error"),
    [
        ("def add(a, b:", "SyntaxError: "),
        ("x = '\0'", "SyntaxError: "),
        ("\ud800", "SyntaxError: "),
        ("import sys; sys.exit(0)", "SystemExit: 0"),
        ("import os; os._exit(0)", "the code ended the process"),
        ("raise KeyboardInterrupt", "KeyboardInterrupt"),
        ("import os; os.kill(os.getpid(), 9)", "ended by SIGKILL"),
        ("while True: pass", "stopped after 1 s of computing"),
        ("import os\nwhile True: os.fork()", "PermissionError: os.fork is not allowed"),
        ("class E(Exception):\n    def __str__(self): 1 / 0\nraise E", "E"),
    ],
)
def test_code_that_does_not_load_fails_every_test(code: str, error: str) -> None:
    outcome = run_code(code)
    assert (outcome.score, outcome.ran, outcome.judge_error) == (0.0, False, "")
    assert outcome.observed.startswith(f"error: {error}")
    assert [next(iter(fact.topics)) for fact in outcome.missing] == list(NAMES)
    assert {fact.difference for fact in outcome.missing} == {Difference.NOT_RUN}


@pytest.mark.parametrize(
    ("body", "error"),
    [
        ("while b == 1: pass", "did not end: stopped after 1 s of computing"),
        ("return [0] * 10**9", "MemoryError"),
        ("x = []\n    while True: x.append(bytes(10**6))", "MemoryError"),
        ("import os; os.fork()", "PermissionError: os.fork is not allowed: no further process"),
        ("import subprocess; subprocess.run(['sleep', '9'])", "PermissionError: subprocess.Popen is not"),
        ("with open('f', 'wb') as f:\n        while True: f.write(b'x' * 10**5)", "OSError: "),
        ("def r(n): return r(n + 1)\n    return r(0)", "RecursionError: "),
        ("import os; os._exit(3)", "did not end: ended with exit code 3"),
    ],
)
def test_code_that_misbehaves_is_bounded(body: str, error: str) -> None:
    outcome = run_code(
        f"def add(a, b):\n    {body}\n    return a + b\n", "assert add(2, 2) == 4\nassert add(1, 1)"
    )
    assert outcome.score in (0.0, 0.5) and outcome.ran
    assert outcome.missing[-1].text.startswith(f"add(1, 1): {error}")


def test_a_flood_of_output_goes_nowhere(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    outcome = run_code(
        "import os, sys\ndef add(a, b):\n    while True: os.write(1, b'x' * 10**6), print(a)\n"
    )
    assert outcome.missing[0].text.endswith("stopped after 1 s of computing")
    assert capfd.readouterr() == ("", "")


def test_code_that_sleeps_is_stopped_by_the_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Limits, "clock", 0.5)
    code = "import signal, time\nsignal.signal(signal.SIGALRM, signal.SIG_IGN)\nwhile True: time.sleep(60)"
    assert run_code(code).observed == "error: stopped after 0.5 s"


def test_what_a_child_sees_and_leaves(monkeypatch: pytest.MonkeyPatch) -> None:
    """No variable of ours, the same hashes each time, no folder left behind."""
    monkeypatch.setenv("SECRET_KEY", "hush")
    code = "import os\ndef look(): return os.getcwd(), hash('a')"
    tests = "import os\nassert not {*os.environ} & {'SECRET_KEY', 'PATH', 'HOME'}"
    tests += "\nassert os.getpgrp() == os.getpid()\nassert not look(), look()"
    first, second = (run_code(code, tests).missing[0].text for _ in range(2))
    folder = first.partition("('")[2].partition("'")[0]
    assert folder and not Path(folder).exists() and "not look()" in first
    assert first.rpartition(",")[2] == second.rpartition(",")[2]


def test_tests_stop_at_what_fails_outside_of_them() -> None:
    outcome = run_code(GOOD, "assert add(1, 1) == 2\nlimit = nowhere\nassert add(2, 2) == 4")
    assert [fact.text for fact in outcome.missing] == [
        "add(2, 2) == 4: did not end: NameError: name 'nowhere' is not defined"
    ]
    outcome = run_code(GOOD, "def check(f):\n    assert f(1, 1) == 3\ncheck(add)")
    assert [fact.text for fact in outcome.missing] == ["check(add): AssertionError"]


@given(st.text(max_size=60), st.sampled_from(["assert {}", "def test_{}(): pass", "{}", "x = '''{}'''"]))
def test_parsing_tests_is_total(text: str, pattern: str) -> None:
    try:
        tests = parse_tests(pattern.format(text))
    except TaskError:
        raise
    except Exception as error:
        assert type(error).__name__ == "InputError"
    else:
        assert tests.names and len(set(tests.names)) == len(tests.names)
    assert isinstance(extract_code(text), str)


TOML = 'name = "sums"\nenvironment = "tests"\n[tests]\nseconds = 2\n[data]\ntrain = "train.jsonl"\n'


def test_a_folder_of_unit_tests(tmp_path: Path, ace: Ace) -> None:
    rows = [{"id": 1, "question": "Write add.", "tests": TESTS, "answer": GOOD}]
    (tmp_path / "task.toml").write_text(TOML, encoding="utf-8")
    (tmp_path / "train.jsonl").write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    assert load_task(tmp_path).environment.limits == Limits(seconds=2)  # type: ignore[attr-defined]
    rows += [
        {"id": 2, "question": "Sub?", "tests": "x = 1"},
        {"id": 3, "question": "Mul?", "tests": "def f(:"},
        {"id": 4, "question": "Div?", "tests": "assert div(1, 0)", "answer": "def div(a, b): return a / b"},
        {"id": 5, "question": "Mod?", "tests": ""},
    ]
    (tmp_path / "train.jsonl").write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    done = ace("tasks", "check", tmp_path)
    expected = (
        "train.jsonl:2 [tests]: Sample 2: There is no test in it.",
        "train.jsonl:3 [tests]: Sample 3: The tests do not parse",
        "train.jsonl:4 [answer]: Sample 4: The right answer fails: div(1, 0): ZeroDivisionError",
        "train.jsonl:5 [tests]: Sample 5: Expected Python source",
    )
    assert done.code == TaskError.exit_code
    lines = done.out.splitlines()
    assert all(words in line for words, line in zip(expected, lines, strict=False))
    assert lines[4:] == [
        "Gold answers: 1 of 2 right.",
        "  4: div(1, 0): ZeroDivisionError: division by zero",
        "Doing nothing: 0 of 2.",
    ]


def test_no_child_is_left() -> None:
    run_code("import time; time.sleep(0)\n" + GOOD)
    children = Path(f"/proc/self/task/{os.getpid()}/children")
    if children.is_file():
        names = [Path(f"/proc/{pid}/cmdline").read_text() for pid in children.read_text().split()]
        assert not [name for name in names if "bounded_child" in name or "run_tests" in name]
