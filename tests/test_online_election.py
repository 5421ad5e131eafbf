"""Several servers of one playbook: one learns, others stand by, and feedback is learned from once."""

from __future__ import annotations

import logging
import os
import shutil
import time
from contextlib import ExitStack
from pathlib import Path
from threading import Event
from typing import Any

import pytest

import ace
from ace.errors import CapReached, LeadLost, StoreBusy, StoreUnreachable
from ace.llm import Caps, RoleModels
from ace.loop import background_learner, serve
from ace.loop.election import Seat, lead_in_turn
from ace.loop.run_watch import RunWatch
from ace.playbook import Vote
from ace.store import AnswerFeedback, Store
from ace.store.postgres.server_session import lock_key
from ace.store.store_database import parse_place
from tests.fleet import OPTIONS, Member, list_learned, wait_until
from tests.pace import patience
from tests.postgres_server import PostgresServer, as_anybody, shared_server
from tests.world import COLOURS, LESSON, SECRET, client, gated, team, world

TASK = world().name


@pytest.fixture
def address() -> str:
    return shared_server().address()


def test_three_servers_share_a_playbook_and_the_learner_is_killed(place: Path | str, tmp_path: Path) -> None:
    """In the middle of a step, while the others answer and take feedback; then the next one ends in order."""
    members = [Member(place, tmp_path / name) for name in ("a", "b", "c")]
    first, *others = members
    assert [member.leads for member in members] == [True, False, False]
    with Store.open(place) as store:
        for member, colour in zip(members, ("red", "green", "blue"), strict=True):
            text, episode = member.ask(colour)
            assert text == "no idea"
            others[0].judge(episode, colour)  # through a server that does not learn
        wait_until(lambda: len(list_learned(store)) == 3)
        assert [member.ask("green")[0] for member in members] == [SECRET["green"]] * 3  # the newest version
        assert {step.run for step in store.steps(first.run)} == {first.run}
        assert len(store.steps(first.run)) == 3

        (first.folder / "hold").touch()
        (first.folder / "asked").unlink()
        others[1].judge(others[1].ask("black")[1], "black")
        wait_until((first.folder / "asked").exists)
        others[0].judge(others[0].ask("white")[1], "white")
        first.kill()
        killed = time.monotonic()
        assert others[0].ask("red")[0] == SECRET["red"]
        wait_until(lambda: any(member.leads for member in others))
        logging.getLogger("tests").info("another one leads after %.1f s", time.monotonic() - killed)
        wait_until(lambda: not store.feedback(TASK, unlearned=True))
        (leader,) = [member for member in others if member.leads]
        (last,) = [member for member in others if member is not leader]
        assert not last.leads

        assert leader.close() == "online"  # in order: it learns from what waits before it ends
        wait_until(lambda: last.leads)
        last.judge(last.ask("gold")[1], "gold")
        assert last.close() == "online"
        assert (
            list_learned(store)
            == [feedback.number for feedback in store.feedback(TASK)]
            == [1, 2, 3, 4, 5, 6]
        )
        known = {bullet.content for bullet in store.checkout().active}
        assert known == {LESSON[colour] for colour in ("red", "green", "blue", "black", "white", "gold")}
        kinds = [(run.kind, run.status) for run in store.runs()]
        assert kinds[:1] == [("online", "running")]  # it was killed
        assert sorted(kinds[1:]) == [("agent", "done")] * 2 + [("online", "done")] * 2
        assert store.verify() == []


# A lost lead


def end_learner(address: str) -> None:
    """End the connection that learns from the feedback, as a network that fails would."""
    place = parse_place(address)
    key = lock_key("feedback", place.schema, "main", TASK) % (1 << 64)
    find = """SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND granted
        AND classid::bigint = ? AND objid::bigint = ?"""
    with as_anybody(place) as db:
        (number,) = db.execute(find, [key >> 32, key & 0xFFFFFFFF]).fetchone()
        db.execute("SELECT pg_terminate_backend(?, 10000)", [number])


def test_a_learner_whose_connection_was_lost_commits_nothing_beside_the_next(
    address: str, caplog: pytest.LogCaptureFixture
) -> None:
    """It loses it while it thinks. The other one learns from the same feedback, and the first stands by."""
    gate, asked = Event(), Event()

    with (
        Store.open(address) as one,
        Store.open(address) as two,
        serve(world(), one, gated(gate, asked), OPTIONS) as first,
    ):
        first.feedback(first.answer("Which number has red?").episode, right=False, expected=SECRET["red"])
        assert asked.wait(patience(30))
        with serve(world(), two, team(), OPTIONS) as second:
            assert (first.leads, second.leads) == (True, False)
            run = first.run
            end_learner(address)
            wait_until(lambda: second.leads and second.behind == 0)
            gate.set()
            wait_until(lambda: first.run != run)
            assert not first.leads
            blue = first.answer("Which number has blue?")
            first.feedback(blue.episode, right=False, expected=SECRET["blue"])
            wait_until(lambda: second.behind == 0)
            assert first.answer("Which number has blue?").text == SECRET["blue"]
            assert list_learned(two) == [1, 2]
            assert (len(two.steps(run)), len(two.steps(second.run))) == (0, 2)
        wait_until(lambda: first.leads and first.behind == 0)
        assert two.run(run).status == "interrupted"
        report = first.close()
    assert report.kind == "online" and "learns no longer" in caplog.text
    with Store.open(address) as store:
        assert [(run.kind, run.status) for run in store.runs()] == [
            ("online", "interrupted"),
            ("agent", "done"),
            ("online", "done"),
            ("agent", "done"),
            ("online", "done"),
        ]
        assert len(store.checkout()) == 2 and store.verify() == []


def test_answers_belong_to_the_run_of_their_own_again_when_the_lead_is_lost(address: str) -> None:
    """So do their calls of models. The process stood by, led, and stands by again."""
    gate, asked = Event(), Event()

    with ExitStack() as stack:
        one, two, three = (stack.enter_context(Store.open(address)) for _ in range(3))
        with serve(world(), one, team(), OPTIONS):
            second = stack.enter_context(serve(world(), two, gated(gate, asked), OPTIONS))
            own = second.run
        wait_until(lambda: second.leads and second.run != own)
        red = second.answer("Which number has red?")
        second.feedback(red.episode, right=False, expected=SECRET["red"])
        assert asked.wait(patience(30))
        third = stack.enter_context(serve(world(), three, team(), OPTIONS))
        end_learner(address)
        wait_until(lambda: third.leads and third.behind == 0)
        gate.set()
        wait_until(lambda: second.run == own)
        second.answer("Which number has blue?")
        assert three.run(own).status == "running"
        assert [call.key.role for call in three.calls(own)] == ["generator"]


def test_a_run_that_had_not_begun_is_none_that_ended_with_the_lead(tmp_path: Path) -> None:
    with Store.open(tmp_path / "p.db") as store:
        seat = Seat(run=store.start_run("agent", TASK, {}))
        with pytest.raises(StoreUnreachable), lead_in_turn(store, TASK, seat):
            raise StoreUnreachable("it does not answer")
        with lead_in_turn(store, TASK, seat) as leads:
            assert leads
        assert store.run(seat.run).status == "running"


def test_a_learner_that_is_alone_goes_on_when_its_connection_was_lost(address: str) -> None:
    with Store.open(address) as store, serve(world(), store, team(), OPTIONS) as server:
        run = server.run
        end_learner(address)
        answer = server.answer("Which number has red?")
        server.feedback(answer.episode, right=False, expected=SECRET["red"])
        wait_until(lambda: server.behind == 0)
        assert (server.run, server.leads) == (run, True)
        assert len(store.steps(run)) == 1


def test_whoever_led_in_the_meantime_ends_an_earlier_lead(address: str) -> None:
    """Also where it has ended by then, and the lock is free."""
    who = {"author": "test", "reason": "test"}
    with Store.open(address) as first, Store.open(address) as second:
        with first.lead(TASK):
            end_learner(address)
            assert first.commit((), **who).version.number == 0  # nobody has led since
            end_learner(address)
            with second.lead(TASK):
                pass
            for _ in range(2):
                with pytest.raises(LeadLost, match="has learned on branch main"):
                    first.commit((Vote("a", 1),), **who)
        with first.lead(TASK):
            assert first.find_leader(TASK) == second.find_leader(TASK) != ""


def test_each_task_has_a_leader_and_a_run_has_the_branch_for_itself(address: str) -> None:
    with Store.open(address) as first, Store.open(address) as second, Store.open(address) as third:
        first.branch("trial")
        with first.lead("one"), second.lead("two"):
            assert third.find_leader("three") == ""
            for task in ("one", "two", ""):
                with pytest.raises(StoreBusy, match="learns on branch main"), third.lead(task):
                    pass
            third.switch("trial")
            with third.lead("one"):
                pass
            third.switch("main")
        with third.lead(), pytest.raises(StoreBusy, match="learns on branch main"), first.lead("one"):
            pass
        with first.lead("one"):
            pass


def test_a_file_has_a_leader_for_each_task_and_runs_that_share_it(tmp_path: Path) -> None:
    file = tmp_path / "playbook.db"
    with Store.open(file) as first, Store.open(file) as second:
        with first.lead("one"), second.lead("two"), second.lead():
            assert second.find_leader("one") == f"Process {os.getpid()}"
            with (
                pytest.raises(StoreBusy, match=f"Process {os.getpid()} learns from feedback on one"),
                second.lead("one"),
            ):
                pass
        assert second.find_leader("one") == ""
        with second.lead("one"):
            pass


def test_nobody_leads_in_a_copy_of_a_folder_whose_playbook_has_a_leader(tmp_path: Path) -> None:
    (tmp_path / "here").mkdir()
    with Store.open(tmp_path / "here" / "playbook.db") as store, store.lead("one"):
        shutil.copytree(tmp_path / "here", tmp_path / "there")
        with Store.open(tmp_path / "there" / "playbook.db") as copy:
            assert copy.find_leader("one") == ""


def test_a_lead_is_on_the_disk_before_it_is_used() -> None:
    """The server crashes before it would have written by itself that there is a leader."""
    server = PostgresServer(wal_writer_delay="10s")
    try:
        with Store.open(server.address(), timeout=patience(30)) as store, store.lead(TASK):
            server.stop("immediate")
            server.start()
            assert store.commit((Vote("a", 1),), author="user", reason="r").version.number == 0
    finally:
        server.remove()


def test_both_ends_of_a_connection_ask_whether_the_other_is_there(address: str) -> None:
    """Else a machine that is gone would lead for hours. What the address says about it stands."""
    with Store.open(f"{address}&keepalives_idle=60") as store:
        db: Any = store._db
        names = ("tcp_keepalives_idle", "tcp_keepalives_interval", "tcp_keepalives_count", "tcp_user_timeout")
        assert [db.execute(f"SHOW {name}").fetchone()[0] for name in names] == ["3", "1", "3", "6000"]
        ours = db._raw.info.get_parameters()
        assert (ours["keepalives_idle"], ours["keepalives_count"]) == ("60", "3")


# The others of its kind


def test_learners_of_agents_of_others_take_turns(place: Path | str) -> None:
    """Both are told of the same feedback, and one learns from it; the other goes on in its place."""
    with ace.learner(place, team(), task=world(), drift=False) as second:
        with ace.learner(place, team(), task=world(), drift=False) as first:
            for learner, colour in ((first, "red"), (second, "blue"), (first, "teal")):
                with learner.episode(f"Which number has {colour}?") as episode:
                    episode.finish("no idea", right=False, expected=SECRET[colour])
        with second.episode("Which number has gold?") as episode:
            episode.finish("no idea", right=False, expected=SECRET["gold"])
    with Store.open(place) as store:
        assert list_learned(store) == [1, 2, 3, 4] and store.feedback(TASK, unlearned=True) == []
        assert len(store.checkout()) == 4
    assert first.problems == second.problems == ()


def test_a_server_that_stands_by_says_so_and_counts_what_it_spends(
    place: Path | str, caplog: pytest.LogCaptureFixture
) -> None:
    capped = RoleModels.of(client(), caps=Caps(calls=3))
    with ExitStack() as stack:
        one, two = (stack.enter_context(Store.open(place)) for _ in range(2))
        with serve(world(), one, team(), OPTIONS) as first:
            second = stack.enter_context(serve(world(), two, capped, OPTIONS))
            assert "learns" in caplog.text and "stands by" in caplog.text
            episodes = [second.answer(f"Which number has {colour}?").episode for colour in ("red", "blue")]
            assert {call.key.role for call in two.calls(second.run)} == {"generator"}
            own = second.run
            assert len(two.calls(own)) == 2
            first.feedback(episodes[0], right=True)
            wait_until(lambda: second.behind == 0)
        wait_until(lambda: second.run != own)
        assert second.leads and "from now on" in caplog.text
        second.answer("Which number has red?")
        with pytest.raises(CapReached):
            second.answer("Which number has blue?")
        report = second.close()
        agent = two.runs()[1]
        assert (report.kind, report.unjudged) == ("online", 1)
        assert agent.report is not None and agent.report["unjudged"] == 1


def test_a_server_that_never_learns_reports_its_answers_and_who_learns(place: Path | str) -> None:
    with Store.open(place) as one, Store.open(place) as two:
        with serve(world(), one, team(), OPTIONS), serve(world(), two, team(), OPTIONS) as second:
            answer = second.answer("Which number has red?")
            look = RunWatch(two, second.run).look()
            assert (look.backlog, f"{os.getpid()}" in look.leader) == (0, True)
            report = second.close("the questions ended")
        two.add_feedback(AnswerFeedback(answer.episode, right=False))
        look = RunWatch(two, report.run).look()
        assert (look.backlog, look.leader) == (1, "")
        assert (report.kind, report.unjudged, report.stopped) == ("agent", 1, "the questions ended")
        assert report.usage["generator"].calls == 1 and f"{os.getpid()}" in report.notes[0]


def test_a_long_backlog_is_read_in_pages(place: Path | str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Some of it was learned from before the rest came, and some comes meanwhile."""
    monkeypatch.setattr(background_learner, "_PAGE", 2)
    with Store.open(place) as store:
        with serve(world(), store, team(), OPTIONS) as server:
            episodes = [server.answer(f"Which number has {colour}?").episode for colour in COLOURS[:7]]
        for episode in episodes[:6]:
            store.add_feedback(AnswerFeedback(episode, right=True))
        with serve(world(), store, team(), OPTIONS) as server:
            server.feedback(episodes[6], right=True)
        assert list_learned(store) == [1, 2, 3, 4, 5, 6, 7]
        assert store.count_unlearned(TASK) == 0 and store.newest_feedback() == 7
        store.add_feedback(AnswerFeedback(episodes[0], right=True))
        assert [feedback.number for feedback in store.feedback(TASK, unlearned=True)] == [8]
        assert [feedback.number for feedback in store.feedback(TASK, after=2, limit=3)] == [3, 4, 5]
        assert store.count_unlearned("another") == 0
