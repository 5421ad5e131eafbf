"""Pruning: calls and attempts of old runs go, what the playbook rests on stays, and the file stays whole."""

from __future__ import annotations

import itertools
import json
import threading
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest

import ace
from ace.errors import InputError
from ace.playbook import Add
from ace.runs.records import AnswerFeedback, Proposal, Reason
from ace.store import Store, feedback_rows
from ace.store.integrity import prune
from ace.store.store_database import Database
from ace.testing import World
from tests.cli import Ace

ROWS = [
    {"id": f"q{n}", "question": f"Which code has colour {n % 4} in order {n}?", "answer": str(70 + n % 4)}
    for n in range(16)
]


def answer(request: Any) -> str:
    """Know what a bullet says of the colour, and half of the odd orders anyway."""
    colour = request.sample.question.split()[4]
    known = [bullet.split()[-1] for bullet in request.bullets if f"colour {colour} " in bullet]
    return known[0].rstrip(".") if known else "?"


def teach(request: Any) -> list[str]:
    """Say which code a colour has."""
    return [
        f"An order with colour {request.sample.question.split()[4]} has the code {request.feedback.expected}."
    ]


@pytest.fixture(scope="module")
def learned(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """Return a file with two evaluations, a run that learned, and a last evaluation."""
    path = tmp_path_factory.mktemp("prune") / "p.db"
    task = ace.define_task("colours", ROWS, lambda sample, given: given == sample.data["answer"])
    with Store.open(path) as store:
        for _ in range(2):
            ace.evaluate(task, store, World(answer, teach), split="train")
        ace.learn(task, store, World(answer, teach))
        ace.evaluate(task, store, World(answer, teach), split="train")
        assert store.checkout().active
    return path.read_bytes()


@pytest.fixture
def store(learned: bytes, place: Path | str, tmp_path: Path) -> Iterator[Store]:
    file = tmp_path / "playbook.db"
    file.write_bytes(learned)
    with Store.open(place) as store:
        if isinstance(place, str):
            with Store.open(file) as source:
                store.pull(source)
        yield store


def count(store: Store, run: int) -> tuple[int, int]:
    return len(store.calls(run)), len(store.episodes(run=run))


def test_what_nothing_rests_on_goes_and_the_file_is_whole(store: Store) -> None:
    before = [count(store, run) for run in (1, 2, 3, 4)]
    history, reports = store.log(), [run.report for run in store.runs()]
    cited = {
        name for version in history for bullet in store.checkout(version.number) for name in bullet.provenance
    }
    proofs = [
        name for proposal in store.proposals() if proposal.outcome == "accepted" for name in proposal.episodes
    ]
    planned = store.prune(keep=1, dry_run=True)
    assert [count(store, run) for run in (1, 2, 3, 4)] == before
    pruned = store.prune(keep=1)
    assert pruned == planned and pruned.bytes > 0 and pruned.runs == 3
    after = [count(store, run) for run in (1, 2, 3, 4)]
    assert after[:2] == [(0, 0)] * 2 and after[3] == before[3] and (0, 0) < after[2] < before[2]
    assert (pruned.kept_calls, pruned.kept_episodes) == after[2]
    assert sum(calls for calls, _ in before) - sum(calls for calls, _ in after) == pruned.calls
    assert cited and {*cited, *proofs} <= {episode.id for episode in store.episodes()}
    assert store.verify() == [] and store.log() == history
    assert [run.report for run in store.runs()] == reports
    again = store.prune(keep=1)
    assert (again.calls, again.episodes, again.bytes) == (0, 0, 0)


def test_what_feedback_is_about_and_what_is_young_stays(store: Store) -> None:
    episode = store.episodes(run=1)[0]
    store.add_feedback(AnswerFeedback(episode=episode.id, right=False, expected="71", text="", author="user"))
    assert store.prune(older_than=timedelta(days=1)).runs == 0
    assert store.prune(older_than=timedelta(0)).runs == 4
    assert [kept.id for kept in store.episodes(run=1)] == [episode.id]
    assert {call.key.sample for call in store.calls(1)} == {episode.sample_id}
    assert store.verify() == []
    with pytest.raises(InputError, match="which runs are old"):
        store.prune()


def test_what_waits_for_a_person_keeps_its_attempts(store: Store) -> None:
    waiting = {Reason.QUARANTINED: 0, Reason.WAITS_FOR_WITNESS: 1, Reason.SUSPECT_LABEL: 2}
    episodes = [episode.id for episode in store.episodes(run=1)]
    proposals = [
        Proposal("q0", "reflector", (), "rejected", "", (episodes[place],), reason=reason)
        for reason, place in {**waiting, Reason.STILL_FAILS: 3}.items()
    ]
    store.commit((Add("b-other", "facts", "Words."),), author="ace", reason="test", proposals=proposals)
    store.prune(keep=0)
    assert [episode.id for episode in store.episodes(run=1)] == episodes[:3]


@pytest.mark.parametrize("days", ["1e12", "inf", "900000"])
def test_an_age_beyond_all_time_is_one_clear_error(ace: Ace, tmp_path: Path, days: str) -> None:
    Store.open(tmp_path / "p.db").close()
    refused = ace("runs", "prune", "--older-than", days, "--playbook", str(tmp_path / "p.db"))
    assert refused.code == 2 and "Give fewer days." in refused.err


def test_a_run_that_is_under_way_or_may_be_resumed_is_left_alone(store: Store) -> None:
    running = store.start_run("learn", "colours", {"base": 0})
    capped = store.start_run("eval", "colours", {"base": 0})
    store.finish_run(capped, "capped", None)
    ended = store.start_run("eval", "another", {"base": 0})
    store.finish_run(ended, "done", None)
    store.finish_run(store.start_run("eval", "another", {"base": 0}), "failed", None)
    with store._reading() as db:
        old = prune.find_ended(db, 0, None)
    assert ended in old and not {running, capped, ended + 1}.intersection(old)


def test_it_goes_on_beside_a_writer_and_after_a_kill(store: Store) -> None:
    stop, errors = threading.Event(), list[BaseException]()

    def write() -> None:  # one version at least, however soon it is told to stop
        try:
            with Store.open(store.path) as other:
                for number in itertools.count():
                    other.commit((Add(f"new-{number}", "s", f"Lesson {number}."),), author="a", reason="r")
                    if stop.is_set():
                        break
        except BaseException as error:  # shown by the test
            errors.append(error)

    class Killed(Exception):
        pass

    def die(done: int, total: int) -> None:
        if done:
            raise Killed

    with patch("ace.store.integrity.prune.AT_ONCE", 3):
        with pytest.raises(Killed):
            store.prune(keep=0, show=die)
        assert store.verify() == [] and store.calls(2)
        writer = threading.Thread(target=write)
        writer.start()
        pruned = store.prune(keep=0)
        stop.set()
        writer.join()
    assert not errors and pruned.calls and store.verify() == []
    assert "new-0" in store.checkout().bullets and not store.calls(2)


def test_each_run_is_looked_through_once_and_what_is_cited_meanwhile_stays(store: Store) -> None:
    late = store.episodes(run=1)[-1]
    looks = list[int]()
    find, delete = prune.find_doomed, prune.delete_some

    def count_looks(db: Database, run: int, citations: prune.Citations) -> prune.Doomed:
        looks.append(run)
        return find(db, run, citations)

    def cite_first(db: Database, batch: prune.Doomed, citations: prune.Citations) -> None:
        if not store_of_others.feedback():
            row = AnswerFeedback(episode=late.id, right=False, expected="71", text="", author="user")
            feedback_rows.add_feedback(db, row)
        delete(db, batch, citations)

    with (
        Store.open(store.path) as store_of_others,
        patch("ace.store.integrity.prune.AT_ONCE", 3),
        patch("ace.store.integrity.prune.find_doomed", count_looks),
        patch("ace.store.integrity.prune.delete_some", cite_first),
    ):
        pruned = store.prune(keep=2)
    assert looks == [1, 2]
    for run in (1, 2):  # the same attempt in both, under the same id
        assert [kept.id for kept in store.episodes(run=run)] == [late.id]
        assert {call.key.sample for call in store.calls(run)} == {late.sample_id}
    assert (pruned.kept_episodes, pruned.episodes, pruned.runs) == (2, 30, 2)
    assert pruned.kept_calls == len(store.calls(1)) + len(store.calls(2))
    assert store.verify() == []


def test_the_command_shows_and_deletes_and_gives_room_back(ace: Ace, store: Store) -> None:
    file = ("--playbook", store.path)
    planned = json.loads(ace("runs", "prune", "--keep", "1", "--dry-run", "--json", *file).out)
    assert "would go" in ace("runs", "prune", "--keep", "1", "--dry-run", *file).out
    assert planned["calls"] and len(store.calls(1)) == 16
    told = json.loads(ace("runs", "prune", "--keep", "1", "--vacuum", "--json", *file).out)
    assert (told["returned"] > 0) == isinstance(store.path, Path) and {**told, "returned": 0} == planned
    assert "16 of its calls are not in the file any more" in ace("runs", "show", "1", *file).out
    assert "not in the file" not in ace("runs", "show", "4", *file).out
    assert store.verify() == []
    refused = ace("runs", "prune", *file)
    assert refused.code == 2 and "Say which runs are old." in refused.err
