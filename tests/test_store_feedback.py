"""Feedback on answers: stored with the episode's run, read by task, unlearned until a step takes it in."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from ace.errors import UnknownVersion
from ace.store import AnswerFeedback, Store
from ace.task.types import Attempt, Episode, Feedback, FeedbackKind, Verdict


@pytest.fixture
def store(place: Path | str) -> Iterator[Store]:
    """Run 1 of the task shop and run 2 of the task zoo, each with an episode `e1`; `e2` is of no run."""
    with Store.open(place) as store:
        for task in ("shop", "zoo"):
            run = store.start_run("online", task, {})
            store.commit((), author="a", reason="r", run=run, episodes=[episode("e1"), episode(f"e-{task}")])
        store.commit((), author="a", reason="r", episodes=[episode("e2")])
        yield store


def episode(name: str) -> Episode:
    told = Feedback(FeedbackKind.NONE, "")
    return Episode(name, "s1", "?", Attempt("s1", "1", "1"), told, Verdict(False, 0.0), 0)


def test_what_was_said_comes_back_with_what_the_store_adds(store: Store) -> None:
    said = AnswerFeedback("e-shop", False, "4", "it was\nfour \ud800", "Ada")
    before = datetime.now(UTC) - timedelta(seconds=1)
    kept = store.add_feedback(said)
    assert (kept.number, kept.run) == (1, 1)
    assert before <= datetime.fromisoformat(kept.created) <= datetime.now(UTC)
    (found,) = store.feedback()
    assert (found.episode, found.right, found.expected, found.text, found.author) == (
        *("e-shop", False, "4", "it was\nfour \\ud800", "Ada"),
    )
    assert (found.created, found.number, found.run) == (kept.created, 1, 1)
    assert store.add_feedback(AnswerFeedback("e-shop", True)).number == 2
    assert store.feedback()[1].right is True and store.feedback()[1].author == "person"
    assert store.verify() == []


def test_of_two_episodes_with_one_id_the_last_is_meant(store: Store) -> None:
    assert store.add_feedback(AnswerFeedback("e1", True)).run == 2
    assert store.add_feedback(AnswerFeedback("e2", True)).run is None


def test_feedback_is_told_by_task_and_from_a_number_on(store: Store) -> None:
    for name in ("e-shop", "e-zoo", "e2", "e-shop"):
        store.add_feedback(AnswerFeedback(name, True))
    assert [said.number for said in store.feedback()] == [1, 2, 3, 4]
    assert [said.number for said in store.feedback("shop")] == [1, 4]
    assert [said.number for said in store.feedback("zoo")] == [2]
    assert [said.number for said in store.feedback("shop", after=1)] == [4]
    assert [said.number for said in store.feedback(after=2)] == [3, 4]
    assert store.feedback("moon") == [] == store.feedback(after=4)


def test_what_a_step_has_learned_from_is_told_only_when_asked(store: Store) -> None:
    for _ in range(3):
        store.add_feedback(AnswerFeedback("e-shop", True))
    store.commit((), author="a", reason="r", run=1, step=(0, "online", {"feedback": [1, 3]}))
    store.commit((), author="a", reason="r", run=1, step=(1, "online", {}))
    assert [said.number for said in store.feedback(unlearned=True)] == [2]
    assert [said.number for said in store.feedback("shop", unlearned=True)] == [2]
    assert [said.number for said in store.feedback()] == [1, 2, 3]


def test_feedback_on_nothing_is_refused_in_these_words(store: Store) -> None:
    with pytest.raises(UnknownVersion) as caught:
        store.add_feedback(AnswerFeedback("e9", True))
    assert str(caught.value) == (
        "There is no episode 'e9' in this file. An episode's id comes with its answer."
    )
    assert store.feedback() == []
