"""Feedback on answers: stored with the episode's run, read by task, unlearned until a step takes it in."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from ace.errors import UnknownVersion
from ace.store import AnswerFeedback, Store, restore, schema
from ace.task.types import Attempt, Episode, Feedback, FeedbackKind, Verdict
from tests.postgres_server import as_anybody, shared_server


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


# What waits


def test_what_waits_is_what_feedback_and_journals_say(store: Store) -> None:
    """Whoever takes a row off the list or puts one on it is told of."""
    for name in ("e-shop", "e-zoo", "e2", "e-shop"):
        store.add_feedback(AnswerFeedback(name, True))
    store.commit((), author="a", reason="r", run=2, step=(0, "online", {"feedback": [1, 2]}))
    assert [store.count_unlearned(task) for task in ("shop", "zoo", "moon")] == [1, 0, 0]
    assert [said.number for said in store.feedback(unlearned=True)] == [3, 4]
    assert [said.number for said in store.feedback(after=3, unlearned=True)] == [4]
    assert [said.number for said in store.feedback(unlearned=True, limit=1)] == [3]
    assert store.verify() == []
    lost = " waits, but is not listed: nothing would learn from it."
    again = " is listed as waiting, and is not: it would be learned from again."
    for sql, problems in (
        ("DELETE FROM waiting_feedback WHERE feedback = 4", [f"Feedback 4{lost}"]),
        ("INSERT INTO waiting_feedback VALUES (1, 'shop')", [f"Feedback 4{lost}", f"Feedback 1{again}"]),
        (
            "UPDATE waiting_feedback SET task = 'zoo'",
            [f"Feedback 3 (and 1 more){lost}", f"Feedback 1 (and 1 more){again}"],
        ),
    ):
        with as_anybody(store.path) as db:
            db.execute(sql)
        assert [problem.text for problem in store.verify()] == problems


def test_what_waits_is_carried_to_another_playbook(store: Store, tmp_path: Path) -> None:
    """Feedback that is new there waits there, and what a step has learned from meanwhile waits no more."""
    places = [tmp_path / "copy.db"]
    if isinstance(store.path, Path):
        places.append(shared_server().address())
    for name in ("e-shop", "e-zoo", "e-shop"):
        store.add_feedback(AnswerFeedback(name, True))
    with ExitStack() as stack:
        copies = [stack.enter_context(Store.open(place)) for place in places]
        for number, learned in enumerate(([], [1], [2, 3])):
            store.commit((), author="a", reason="r", run=1, step=(number, "online", {"feedback": learned}))
            for copy in copies:
                copy.pull(store)
                assert copy.feedback(unlearned=True) == store.feedback(unlearned=True)
                assert copy.count_unlearned("shop") == store.count_unlearned("shop")
                assert copy.verify() == []
        assert copies[0].feedback(unlearned=True) == []
        copies[0].add_feedback(AnswerFeedback("e-shop", False))
        store.pull(copies[0])
        assert [said.number for said in store.feedback("shop", unlearned=True)] == [4]
        assert store.verify() == []


def test_a_backup_that_is_put_back_has_what_waited_then(store: Store, tmp_path: Path) -> None:
    for _ in range(2):
        store.add_feedback(AnswerFeedback("e-shop", True))
    store.commit((), author="a", reason="r", run=1, step=(0, "online", {"feedback": [1]}))
    backup = store.backup(tmp_path / "backup.db")
    store.commit((), author="a", reason="r", run=1, step=(1, "online", {"feedback": [2]}))
    assert store.count_unlearned("shop") == 0
    store.finish_run(1, "done", None)
    store.prune(keep=1)
    restore(backup, tmp_path / "again.db")
    with Store.open(tmp_path / "again.db") as again:
        assert [said.number for said in again.feedback("shop", unlearned=True)] == [2]
        assert again.verify() == store.verify() == []


def test_in_a_file_of_an_earlier_release_what_no_step_names_waits(tmp_path: Path) -> None:
    """Also where the journal holds a row that cannot be read any more."""
    path = tmp_path / "old.db"
    with Store.open(path) as store:
        run = store.start_run("online", "shop", {})
        store.commit((), author="a", reason="r", run=run, episodes=[episode("e1")])
        store.commit((), author="a", reason="r", episodes=[episode("e2")])
        for name in ("e1", "e2", "e1", "e1"):
            store.add_feedback(AnswerFeedback(name, True))
        for number, learned in enumerate(([1], [4], [])):
            store.commit((), author="a", reason="r", run=run, step=(number, "online", {"feedback": learned}))
    with as_anybody(path) as db:
        db.execute("DROP TABLE waiting_feedback")
        db.execute("DELETE FROM _sqlite_migrations WHERE name = 'm016_waiting_feedback'")
        db.execute(f"PRAGMA user_version = {schema.LATEST - 1}")
    for read_only in (True, False):
        with Store.open(path, read_only=read_only) as store:
            assert [said.number for said in store.feedback(unlearned=True)] == [2, 3]
            assert (store.count_unlearned("shop"), store.verify()) == (1, [])
    with as_anybody(path) as db:
        db.execute("DROP TABLE waiting_feedback")
        db.execute("DELETE FROM _sqlite_migrations WHERE name = 'm016_waiting_feedback'")
        db.execute(f"PRAGMA user_version = {schema.LATEST - 1}")
        db.execute("UPDATE steps SET payload = '{' WHERE number = 1")
    with Store.open(path) as store:
        assert [said.number for said in store.feedback(unlearned=True)] == [2, 3, 4]
