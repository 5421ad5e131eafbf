"""What a request does to a playbook costs the same, however many rows there are of others."""

from __future__ import annotations

import gc
import re
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from ace.llm import Usage
from ace.llm.embedding import connect_embedder
from ace.llm.journal import Call, Key
from ace.memory import select_holding
from ace.playbook import Add, Vote
from ace.retrieval.memory_source import MemorySource
from ace.runs.cost import sum_usage_by_role
from ace.runs.records import EpisodeEnd, EpisodeEvent
from ace.store import AnswerFeedback, EpisodeJournal, Store
from ace.store.connection import ReaderPool
from ace.task.types import Attempt, Episode, Feedback, FeedbackKind, Verdict
from tests.postgres_server import shared_server

GROWING = "runs|episodes|calls|memories|feedback|waiting_feedback|steps|episode_events|versions|operations"
WHOLE = re.compile(rf"\bSCAN ({GROWING})\b")
CALL = Call(
    Key(0, "s", "generator", "sha", 0), "online", "model", "said", usage=Usage(1, 90, 60, 20, 0.5, 0.25)
)


@pytest.fixture
def store(place: Path | str) -> Iterator[Store]:
    with Store.open(place) as store:
        yield store


def make_episode(name: str, detail: str = "") -> Episode:
    shown = Feedback(FeedbackKind.NONE, "")
    return Episode(name, "s", "?", Attempt("s", "1", "1"), shown, Verdict(False, 0.0, detail), 0)


def test_nothing_that_a_request_does_looks_at_every_row(tmp_path: Path) -> None:
    statements: list[str] = []
    with Store.open(tmp_path / "playbook.db") as store:
        run = store.start_run("online", "t", {})
        store.commit((Add("a", "notes", "text"),), author="a", reason="r", run=run)
        requests: dict[str, Callable[[], Any]] = {
            "the head": store.head,
            "the playbook": store.checkout,
            "what is remembered": lambda: store.memories("ann", session="s1"),
            "a memory": lambda: store.remember("tone", "short", user="ann", session="s1"),
            "a memory for everyone": lambda: store.remember("hours", "9 to 5"),
            "an answer": lambda: store.commit(
                (), author="a", reason="r", run=run, episodes=[make_episode("e")]
            ),
            "feedback": lambda: store.add_feedback(AnswerFeedback("e", True)),
            "new feedback": lambda: store.feedback("t", after=1),
            "new feedback on any task": lambda: store.feedback(after=1, limit=1),
            "the newest feedback": store.newest_feedback,
            "feedback that waits": lambda: store.feedback("t", unlearned=True, limit=500),
            "feedback on any task that waits": lambda: store.feedback(after=1, unlearned=True),
            "how much feedback waits": lambda: store.count_unlearned("t"),
            "an episode": lambda: store.episodes(ids=["e"]),
            "an agent's episode": lambda: store.open_episodes("e"),
            "a step": lambda: store.commit(
                (Vote("a", helpful=1),),
                author="a",
                reason="r",
                run=run,
                step=(0, "online", {"feedback": [1]}),
            ),
            "how an episode began": lambda: store.episode_beginning("e"),
        }
        for name, request in requests.items():
            statements.clear()
            store._db.set_trace_callback(statements.append)
            request()
            store._db.set_trace_callback(None)
            assert statements, name
            for statement in statements:
                if statement.lstrip().upper().startswith(("SELECT", "WITH", "UPDATE", "DELETE")):
                    plan = store._db.execute(f"EXPLAIN QUERY PLAN {statement}").fetchall()
                    steps = " / ".join(row[-1] for row in plan)
                    assert not WHOLE.search(steps), f"{name}: {statement}: {steps}"


def test_on_a_server_what_waits_is_found_by_indexes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where tables are small, it reads them whole all the same: unless it is told not to."""
    with Store.open(shared_server().address()) as store:
        run = store.start_run("online", "t", {})
        store.commit((), author="a", reason="r", run=run, episodes=[make_episode("e")])
        for _ in range(3):
            store.add_feedback(AnswerFeedback("e", True))
        db: Any = store._db
        asked: list[tuple[str, Any]] = []
        run_sql = db._run
        monkeypatch.setattr(db, "_run", lambda *call: asked.append(call) or run_sql(*call))
        assert store.count_unlearned("t") == 3
        assert len(store.feedback("t", unlearned=True, limit=500)) == 3
        assert len(store.feedback("t", after=1, limit=500)) == 2
        questions = [(sql, values) for sql, values in asked if sql.startswith("SELECT")]
        assert len(questions) == 4
        db.session.execute("SET enable_seqscan = off")
        for sql, values in questions:
            plan = "\n".join(line for (line,) in db.execute(f"EXPLAIN {sql}", values))
            assert "Index" in plan and "Seq Scan" not in plan, f"{sql}: {plan}"


def test_on_a_server_a_commit_reads_the_history_of_its_own_bullets(monkeypatch: pytest.MonkeyPatch) -> None:
    address = shared_server().address()
    with Store.open(address) as store, Store.open(address) as other:
        delta = tuple(Add(f"b-{number}", "notes", f"text {number}") for number in range(3000))
        store.commit(delta, author="a", reason="r")
        other.commit((Vote("b-8", helpful=1),), author="b", reason="r", whole=False)
        db: Any = store._db
        asked: list[tuple[str, Any]] = []
        run_sql = db._run
        monkeypatch.setattr(db, "_run", lambda *call: asked.append(call) or run_sql(*call))
        store.commit((Vote("b-7", helpful=1),), author="a", reason="r", whole=False)
        questions = [(sql, values) for sql, values in asked if "FROM bullet_history" in sql]
        assert len(questions) == 2  # what they are, and what others did to them
        for sql, values in questions:
            plan = "\n".join(line for (line,) in db.execute(f"EXPLAIN {sql}", values))
            assert "Seq Scan on bullet_history" not in plan, f"{sql}: {plan}"


def test_memories_at_a_time_are_those_that_hold_then(store: Store) -> None:
    for day, value in ((1, "one"), (5, "two"), (9, "three")):
        store.remember("tone", value, user="ann", since=f"2026-03-0{day}", expires=f"2026-03-{day + 9:02}")
        store.remember("tone", value, user="ann", session="s1", since=f"2026-03-0{day}")
        store.remember("tone", value, since=f"2026-03-0{day}")
        store.remember("tone", value, user="bob", since=f"2026-03-0{day}")
    for every in (store.memories("ann", every=True), store.memories("ann", session="s2", every=True)):
        assert {memory.user for memory in every} == {"ann", ""}
    for at in ("2026-02-01", "2026-03-01", "2026-03-04", "2026-03-05", "2026-03-18", "2026-04-01"):
        for user, session in ((None, None), ("ann", None), ("ann", "s1"), ("ann", "s2"), ("eve", "")):
            every = store.memories(user, session=session, every=True)
            instant = f"{at}T00:00:00.000+00:00"
            assert store.memories(user, session=session, at=at) == select_holding(every, instant)


def test_numbers_of_memories_are_used_once_whatever_was_forgotten(store: Store) -> None:
    first, second = (store.remember("tone", value, user="ann") for value in ("short", "long"))
    store.forget(second.id)
    assert store.verify() == []
    store.remember("size", "43", user="ann")
    store.forget(first.id)
    store.remember("size", "44", user="ann")
    assert store.verify() == [] and len(store.memories("ann", every=True)) == 2


def test_sums_of_calls_are_those_of_the_calls_one_by_one(store: Store) -> None:
    run, other = store.start_run("online", "t", {}), store.start_run("online", "t", {})
    reflector = replace(CALL, key=CALL.key._replace(role="reflector"), usage=Usage(2, 10, 0, 5, 0.25, None))
    with closing(store.call_journal(run)) as journal, closing(store.call_journal(other)) as others:
        for call in (CALL, reflector, CALL, replace(reflector, usage=CALL.usage)):
            journal.write(call)
        others.write(CALL)
    assert store.usage_since(run).usage == sum_usage_by_role(store.calls(run))
    assert list(store.usage_since(run).usage) == ["generator", "reflector"]
    assert store.usage_since(run).usage["reflector"].cost is None
    assert store.usage_since(other + 1).usage == {}


def test_episodes_are_counted_by_their_verdict(store: Store) -> None:
    run = store.start_run("online", "t", {})
    episodes = [make_episode("e1", "waits"), make_episode("e2", "waits"), make_episode("e3", "judged")]
    store.commit((), author="a", reason="r", run=run, episodes=episodes)
    store.commit((), author="a", reason="r", episodes=[make_episode("e4", "waits")])
    assert [store.count_episodes(run, detail) for detail in ("waits", "judged", "")] == [2, 1, 0]


def test_episodes_that_go_on_are_found_alone_and_together(store: Store) -> None:
    with closing(EpisodeJournal(store.path, "t", {})) as journal:
        for name in ("e1", "e2"):
            journal.write(EpisodeEvent(name, 0, {"question": "?"}))
        journal.write(EpisodeEnd(make_episode("e1")))
    assert list(store.open_episodes()) == list(store.open_episodes("e2")) == ["e2"]
    assert store.open_episodes("e1") == store.open_episodes("e3") == {}


def test_questions_share_a_connection_to_a_server_and_open_a_file_anew(place: Path | str) -> None:
    with Store.open(place) as store:
        store.remember("tone", "short", user="ann")
        source = MemorySource(store.path, connect_embedder())

        texts = [item.text for item in source.items("Which tone?", {"user": "ann"})]
        if isinstance(place, Path):
            assert not source._readers._idle
            return
        (kept,) = source._readers._idle
        assert [item.text for item in source.items("Which tone?", {"user": "ann"})] == texts
        assert source._readers._idle == [kept]
        end = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid = ?"
        store._db.execute(end, [kept._db._raw.info.backend_pid])  # type: ignore[attr-defined]
        assert [item.text for item in source.items("Which tone?", {"user": "ann"})] == texts


def test_a_kept_connection_is_closed_with_whoever_keeps_it() -> None:
    address = shared_server().address()
    with Store.open(address) as store:
        pool = ReaderPool(store.path, partial(Store.open, store.path, read_only=True))
        with pool.lend() as one, pool.lend() as other:
            assert one is not other
        with suppress(ZeroDivisionError), pool.lend() as unsound:
            raise ZeroDivisionError
        assert unsound._db._raw.closed and len(pool._idle) == 1  # type: ignore[attr-defined]
        (kept,) = pool._idle
        del pool
        gc.collect()
        assert kept._db._raw.closed  # type: ignore[attr-defined]
