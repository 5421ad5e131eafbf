"""The scoring boundary: each attempt is scored once, and whatever scoring does ends in one outcome."""

from __future__ import annotations

import asyncio
import threading
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import ace
from ace.errors import CapReached, TaskError
from ace.store import Store
from ace.task import (
    Attempt,
    Episode,
    Fact,
    Feedback,
    FeedbackKind,
    JudgeEnvironment,
    Outcome,
    Sample,
    Topic,
    Verdict,
    define_task,
    observe_attempt,
    score_attempt,
)
from ace.task.environments.judge import Judge
from tests import world
from tests.pace import patience

SAMPLE = Sample("s", "?", {"answer": "right"})
ATTEMPT = Attempt("s", "some answer")


def score(judge: Any, *, seconds: float = 10.0) -> Outcome:
    return score_attempt(JudgeEnvironment(judge), SAMPLE, ATTEMPT, seconds=seconds)


@pytest.mark.parametrize("value", [True, False, 0, 1, 0.25, 1.0])
def test_a_judge_may_return_a_bool_or_a_share(value: float) -> None:
    outcome = score(lambda sample, answer: value)
    assert (outcome.score, outcome.correct, outcome.judge_error) == (float(value), value == 1, "")
    shown = outcome.shown(FeedbackKind.LABELS)
    assert (shown.score, shown.passed, shown.right_answer) == (value, value == 1, "Right answer: right")
    assert outcome.verdict.score == value


def test_a_judge_may_return_an_outcome() -> None:
    outcome = score(lambda sample, answer: Outcome(score=0.5, observed="two of four", self_check=False))
    assert (outcome.score, outcome.observed, outcome.expected) == (0.5, "two of four", "right")
    assert outcome.shown(FeedbackKind.EXECUTION).checked


def test_a_judge_may_be_async() -> None:
    async def judge(sample: Sample, answer: str) -> float:
        await asyncio.sleep(0.001)
        return 0.75

    assert score(judge).score == 0.75


def test_async_judges_share_one_event_loop() -> None:
    """A client that belongs to an event loop can be used for every attempt."""
    loops = set()

    async def judge(sample: Sample, answer: str) -> bool:
        loops.add(id(asyncio.get_running_loop()))
        return True

    assert all(score(judge).correct for _ in range(3)) and len(loops) == 1


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (7, "it returned 7"),
        (-0.1, "it returned -0.1"),
        (float("nan"), "it returned nan"),
        (float("inf"), "it returned inf"),
        ("yes", "it returned 'yes'"),
        ("1.0", "it returned '1.0'"),
        (None, "it returned None"),
        (Outcome(score=7), "it returned 7"),
        (Outcome(score=float("nan")), "it returned nan"),
    ],
)
def test_a_score_that_is_none_says_nothing_of_the_answer(value: object, message: str) -> None:
    outcome = score(lambda sample, answer: value)
    assert message in outcome.judge_error and outcome.score is None
    assert not outcome.verdict.correct and outcome.verdict.score == 0.0
    assert outcome.verdict.detail.startswith("the judge failed: ")
    assert outcome.shown(FeedbackKind.LABELS).passed is None


@pytest.mark.parametrize(
    "error", [ValueError("cannot read it"), TaskError("no"), SystemExit(3), TimeoutError()]
)
def test_a_judge_that_raises_is_an_outcome(error: BaseException) -> None:
    def judge(sample: Sample, answer: str) -> bool:
        raise error

    async def later(sample: Sample, answer: str) -> bool:
        raise error

    for each in (judge, later) if isinstance(error, Exception) else (judge,):
        outcome = score(each)
        assert type(error).__name__ in outcome.judge_error and outcome.score is None
        assert outcome.observed == "answer: some answer"


def test_a_cap_ends_the_run() -> None:
    def judge(sample: Sample, answer: str) -> bool:
        raise CapReached("enough")

    with pytest.raises(CapReached):
        score(judge)


def _hang(sample: Sample, answer: str) -> bool:
    threading.Event().wait()
    return True


async def _hang_politely(sample: Sample, answer: str) -> bool:
    await asyncio.Event().wait()
    return True


async def _block(sample: Sample, answer: str) -> bool:
    threading.Event().wait()
    return True


@pytest.mark.parametrize("judge", [_hang, _hang_politely, _block])
def test_a_judge_that_hangs_is_left_behind(judge: Judge) -> None:
    assert score(judge, seconds=0.1).judge_error == "TimeoutError: it took more than 0.1 s"

    async def good(sample: Sample, answer: str) -> bool:
        return True

    assert score(good, seconds=patience(3)).correct  # the next one is not behind it


class Odd:
    """An environment that returns no outcome."""

    def describe(self, sample: Sample) -> str:
        return ""

    def score(self, sample: Sample, attempt: Attempt) -> Any:
        return True

    def check(self, sample: Sample) -> None: ...


class Seeing(Odd):
    def observe(self, sample: Sample, attempt: Attempt) -> Outcome:
        if attempt.answer == "boom":
            raise LookupError("no such thing")
        return Outcome(observed="seen", ran=True)


def test_an_environment_must_return_an_outcome() -> None:
    assert "expected an Outcome" in score_attempt(Odd(), SAMPLE, ATTEMPT).judge_error


def test_observing_needs_no_judge() -> None:
    assert observe_attempt(Odd(), SAMPLE, ATTEMPT) == Outcome(observed="answer: some answer")
    assert observe_attempt(Seeing(), SAMPLE, ATTEMPT).ran
    assert "LookupError" in observe_attempt(Seeing(), SAMPLE, Attempt("s", "boom")).judge_error


# What is shown


names = st.frozensets(st.sampled_from(["a", "b"]).map(Topic))
facts = st.lists(st.builds(Fact, st.text(), names), max_size=2).map(tuple)
flags = st.none() | st.booleans()
free = {"observed": st.text(), "ran": flags, "self_check": flags, "topics": names, "parts": facts}
labelled: dict[str, st.SearchStrategy[Any]] = {
    "score": st.none() | st.floats(0, 1),
    **{name: st.text() for name in ("detail", "expected", "annotated", "label_error", "judge_error")},
    "label_topics": names,
    "facts": facts,
    "missing": facts,
}


@given(st.fixed_dictionaries(free), st.fixed_dictionaries(labelled), st.sampled_from(["execution", "none"]))
def test_nothing_of_a_label_is_shown_without_labels(
    seen: dict[str, Any], label: dict[str, Any], kind: str
) -> None:
    shown = Outcome(**seen, **label).shown(FeedbackKind(kind))
    assert shown == Outcome(**seen).shown(FeedbackKind(kind))
    assert shown.passed is None and shown.score is None and shown.right_answer == ""


def test_what_labels_show() -> None:
    outcome = Outcome(
        score=0.5,
        observed="rows",
        expected="SELECT 1",
        expected_kind="SQL",
        topics=frozenset({Topic("attempt")}),
        label_topics=frozenset({Topic("label")}),
    )
    shown = outcome.shown(FeedbackKind.LABELS)
    assert (shown.passed, shown.score, shown.right_answer) == (False, 0.5, "Right SQL: SELECT 1")
    assert shown.topics == {"label"}
    assert outcome.shown(FeedbackKind.EXECUTION).topics == {"attempt"}
    assert outcome.shown(FeedbackKind.NONE) == Feedback(FeedbackKind.NONE, "")


def test_a_broken_label_says_nothing_of_the_answer() -> None:
    outcome = Outcome(observed="rows", expected_kind="SQL", label_error="no such table", ran=True)
    shown = outcome.shown(FeedbackKind.LABELS)
    assert (shown.passed, shown.right_answer) == (None, "The right SQL fails: no such table")


# Whole runs


@pytest.mark.parametrize("kind", ["labels", "execution", "none"])
@pytest.mark.parametrize("loop", ["learn", "online"])
def test_each_attempt_is_judged_once(loop: str, kind: str, tmp_path: Path) -> None:
    calls: Counter[str] = Counter()
    lock = threading.Lock()

    def judge(sample: Sample, answer: str) -> bool:
        with lock:
            calls[sample.id] += 1
        return world.judge(sample, answer)

    task = world.world()
    rows = [{"id": s.id, "question": s.question, **s.data} for s in task.train]
    test = [{"id": s.id, "question": s.question, **s.data} for s in task.test]
    counted = define_task("colours", rows, judge, test=test if loop == "learn" else ())
    with Store.open(tmp_path / "p.db") as store:
        getattr(ace, loop)(counted, store, world.client(wrong=("red",)), feedback=kind, batch_size=3)
        episodes = Counter(episode.sample_id for episode in store.episodes())
    assert calls == episodes and sum(calls.values()) >= 10


def test_an_async_judge_gives_the_same_run(tmp_path: Path) -> None:
    async def judge(sample: Sample, answer: str) -> bool:
        await asyncio.sleep(0)
        return world.judge(sample, answer)

    def versions(judge: Callable[..., Any], name: str) -> list[str]:
        rows = [{"id": s.id, "question": s.question, **s.data} for s in world.world().train]
        task = define_task("colours", rows, judge)
        with Store.open(tmp_path / name) as store:
            ace.learn(task, store, world.client())
            return [version.hash for version in store.log()]

    assert versions(judge, "async.db") == versions(world.judge, "sync.db")


def test_a_failed_judge_teaches_nothing(tmp_path: Path) -> None:
    def judge(sample: Sample, answer: str) -> Any:
        return 7 if "red" in sample.id else world.judge(sample, answer)

    rows = [{"id": s.id, "question": s.question, **s.data} for s in world.world().train[:3]]
    with Store.open(tmp_path / "p.db") as store:
        ace.learn(define_task("colours", rows, judge), store, world.client())
        contents = [bullet.content for bullet in store.checkout()]
    assert contents and not any("red" in content for content in contents)


@pytest.mark.parametrize(
    "feedback",
    [
        Feedback(FeedbackKind.LABELS, "rows", False, expected="SELECT 1\n: 2", expected_kind="SQL"),
        Feedback(FeedbackKind.LABELS, "rows", expected_kind="SQL", label_error="no such table: t"),
        Feedback(FeedbackKind.LABELS, "", True, expected="The sum is 4.", expected_kind=""),
        Feedback(FeedbackKind.LABELS, "", True),
    ],
)
def test_a_right_answer_comes_back_from_its_row(feedback: Feedback, tmp_path: Path) -> None:
    episode = Episode("e", "s", "?", ATTEMPT, feedback, Verdict(False, 0.0), 0)
    with Store.open(tmp_path / "p.db") as store:
        store.commit((), author="x", reason="y", episodes=[episode])
        assert store.episodes() == [episode]
