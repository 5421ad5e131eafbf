"""A learner that hangs loses the lead, one that fails comes back, and feedback that fails it keeps nobody."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from threading import Event
from typing import Any

import pytest

import ace
from ace.errors import LeadLost, ModelNameError, ModelUnavailable, StoreBusy, StoreUnreachable
from ace.llm import Caps, Client, Message, Request, Role, RoleModels, ScriptedClient
from ace.llm.endpoint import Endpoint
from ace.llm.meter import mark_calls
from ace.loop import OnlineServer, background_learner, comeback, serve
from ace.loop import progress as run_progress
from ace.loop.run import RunParts
from ace.loop.run_watch import RunWatch
from ace.playbook import Vote
from ace.runs.records import Reason
from ace.store import Store, file_lead, lead_signs
from ace.store.postgres import server_lead, server_session, server_signs
from ace.task.types import Solving, Task
from tests.fleet import OPTIONS, Member, list_learned, wait_until
from tests.pace import patience
from tests.postgres_server import shared_server
from tests.world import LESSON, SECRET, colour_of, says, team, world

TASK = world().name
BY = {"author": "test", "reason": "test"}


# A leader that hangs


def test_a_leader_that_is_stopped_is_replaced_and_writes_nothing_when_it_goes_on(
    place: Path | str, tmp_path: Path
) -> None:
    """In the middle of a step. The other one has learned from the same feedback meanwhile."""
    with ExitStack() as stack:
        members = [stack.enter_context(Member(place, tmp_path / name)) for name in ("a", "b")]
        first, other = members
        store = stack.enter_context(Store.open(place))
        (first.folder / "hold").touch()
        other.judge(other.ask("red")[1], "red")
        wait_until((first.folder / "asked").exists)
        first.stop()
        stopped = time.monotonic()
        other.judge(other.ask("blue")[1], "blue")
        wait_until(lambda: other.leads)
        logging.getLogger("tests").info("another one leads after %.1f s", time.monotonic() - stopped)
        wait_until(lambda: not store.count_unlearned(TASK))

        first.go_on()
        (first.folder / "hold").unlink()
        wait_until(lambda: not first.leads)
        first.judge(first.ask("gold")[1], "gold")
        wait_until(lambda: not store.count_unlearned(TASK))
        assert other.leads and store.steps(first.run) == []
        other.close()
        wait_until(lambda: first.leads)  # it stood by
        first.close()
        assert list_learned(store) == [1, 2, 3]
        assert {bullet.content for bullet in store.checkout().active} == {
            LESSON[colour] for colour in ("red", "blue", "gold")
        }
        assert store.run(first.run).status == "interrupted" and store.verify() == []


@contextmanager
def silent(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Whoever begins to lead inside the block gives no sign of life."""
    with monkeypatch.context() as patched:
        patched.setattr(lead_signs, "EVERY", 3600.0)
        yield


def lead_at_last(store: Store, stack: ExitStack) -> None:
    """Ask for the lead until it is there."""

    def ask() -> bool:
        try:
            stack.enter_context(store.lead(TASK))
        except StoreBusy:
            return False
        return True

    wait_until(ask)


def test_who_took_the_lead_of_a_file_is_the_only_one_that_reads_and_writes_as_its_learner(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(file_lead, "SILENCE", 0.2)
    with ExitStack() as stack:
        first, second, third = (stack.enter_context(Store.open(tmp_path / "p.db")) for _ in range(3))
        with silent(monkeypatch), first.lead(TASK):
            first.commit((Vote("a", 1),), **BY)
            with ExitStack() as inner:
                lead_at_last(second, inner)
                for use in (first.head, lambda: first.commit((Vote("a", 1),), **BY)):
                    with pytest.raises(LeadLost, match="gave no sign of life"):
                        use()
                second.commit((Vote("a", 1),), **BY)
                assert third.find_leader(TASK) == first.find_leader(TASK) != ""
                with pytest.raises(StoreBusy), third.lead(TASK):
                    pass
            with pytest.raises(LeadLost):  # also when the other one has ended
                first.head()
        assert third.find_leader(TASK) == ""
        with first.lead(TASK):
            first.commit((), **BY)


def test_whoever_asks_for_the_lead_ends_a_silent_session_where_the_servers_timer_does_not_run(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It stops with the last message of each transaction, until there is another one."""
    monkeypatch.setattr(server_lead, "SILENCE", -0.5)
    address = shared_server().address()
    with ExitStack() as stack:
        first, second = (stack.enter_context(Store.open(address)) for _ in range(2))
        with silent(monkeypatch), first.lead(TASK):
            first.commit((Vote("a", 1),), **BY)
            lead_at_last(second, stack)
            second.commit((Vote("a", 1),), **BY)
            for _ in range(2):
                with pytest.raises(LeadLost, match="learns on branch main"):
                    first.head()


def test_a_leader_that_computes_for_long_inside_a_transaction_keeps_the_lead(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The server sees only that it waits for its next word; the signs of life come from beside."""
    monkeypatch.setattr(server_lead, "SILENCE", -0.4)
    monkeypatch.setattr(server_signs, "_PATIENCE", 0.02)
    monkeypatch.setattr(lead_signs, "EVERY", 0.05)
    address = shared_server().address()
    with Store.open(address) as first, Store.open(address) as second, first.lead(TASK):
        with first._reading() as db:
            db.execute("SELECT 1").fetchone()
            for _ in range(20):
                with pytest.raises(StoreBusy), second.lead(TASK):
                    pass
                time.sleep(0.05)
        assert first.commit((Vote("a", 1),), **BY).version.number == 0


def test_a_session_leads_under_a_timer_that_ends_with_the_lead() -> None:
    with Store.open(shared_server().address()) as store:
        db: Any = store._db

        def read() -> Any:
            return db.execute("SHOW idle_session_timeout").fetchone()[0]

        with store.lead(TASK):
            assert read() == "6s"
            db.session.close()
            assert store.head().number == 0 and read() == "6s"
        assert read() == "0"


def test_a_writer_that_was_stopped_in_the_middle_is_ended_by_who_waits_for_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Otherwise the server would wait for its next word for ever: in a pipeline it believes to be at work."""
    monkeypatch.setattr(server_session, "IDLE", 0.5)
    address = shared_server().address()
    with Store.open(address) as first, Store.open(address, timeout=1.0) as second:
        with pytest.raises(StoreUnreachable), first._writing() as db:
            db.execute("SELECT 1").fetchone()
            with pytest.raises(StoreBusy):
                second.commit((Vote("a", 1),), **BY)
            second.commit((Vote("a", 1),), **BY)
            db.execute("SELECT 1").fetchone()
        assert first.verify() == []


def test_a_leader_that_gives_signs_of_life_or_is_of_an_earlier_release_keeps_the_lead(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An earlier release would not look whether it was replaced."""
    monkeypatch.setattr(file_lead, "SILENCE", 0.3)
    with Store.open(tmp_path / "p.db") as first, Store.open(tmp_path / "p.db") as second:
        for signs in (0.02, 3600.0):
            monkeypatch.setattr(lead_signs, "EVERY", signs)
            if signs > 1:
                monkeypatch.setattr(file_lead, "_SIGNS", "later")
            with first.lead(TASK):
                monkeypatch.setattr(file_lead, "_SIGNS", "signs")
                for _ in range(12):
                    with pytest.raises(StoreBusy), second.lead(TASK):
                        pass
                    time.sleep(0.05)
                first.commit((), **BY)


def test_who_was_stopped_itself_does_not_count_what_it_missed(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter((100.0, 101.0, 5_000.0, 5_001.0))
    monkeypatch.setattr(lead_signs.time, "monotonic", lambda: next(clock))
    counter = lead_signs.SilenceCounter()
    assert [counter.look(stamp) for stamp in ("a", "a", "a", "b")] == [0.0, 1.0, 3.0, 0.0]


def test_a_learner_that_waits_for_ever_loses_the_lead_although_its_process_answers(
    place: Path | str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """What it wakes up with is not written: another one has learned from the feedback meanwhile."""
    monkeypatch.setattr(lead_signs, "EVERY", 0.2)
    monkeypatch.setattr(file_lead, "SILENCE", 2.0)
    monkeypatch.setattr(server_lead, "_MILLISECONDS", "2000")
    monkeypatch.setattr(background_learner, "bound_wait", lambda parts: 3.0)
    asked, wakes = Event(), Event()

    def think(request: Request) -> str:
        if request.role is Role.REFLECTOR:
            asked.set()
            wakes.wait(patience(60))
        return says(request)

    with Store.open(place) as one, Store.open(place) as two:
        models = RoleModels.of(ScriptedClient(think))
        with serve(world(), one, models, OPTIONS) as first, serve(world(), two, team(), OPTIONS) as second:
            judge(first, "red")
            wait_until(asked.is_set)

            def is_taken_over() -> bool:
                assert first.answer("Which number has blue?").error == ""  # which says nothing of its learner
                return second.leads and not second.behind

            wait_until(is_taken_over)
            assert not first.leads and list_learned(one) == [1]
            assert "has waited for one thing" in caplog.text
            wakes.set()
            wait_until(lambda: "learns no longer" in caplog.text)
            judge(first, "green")
            wait_until(lambda: not second.behind)
            assert second.leads and list_learned(one) == [1, 2] and one.verify() == []


def test_a_learner_may_wait_for_twice_as_long_as_anything_it_waits_for_may_take(tmp_path: Path) -> None:
    def bound(task: Task, client: Client) -> float:
        with Store.open(tmp_path / "p.db") as store:
            models = RoleModels.of(client)
            parts = RunParts(
                task=task, store=store, models=models, settings=OPTIONS, progress=run_progress.silent
            )
            return background_learner.bound_wait(parts)

    slow = Endpoint("slow", timeout=7_200.0)
    patient = replace(world(), solver=Solving(seconds=3_600.0))
    assert bound(world(), ScriptedClient(says)) == 1_800.0
    assert bound(patient, ScriptedClient(says)) == 7_200.0
    assert bound(patient, slow) == 2 * (7_200.0 + slow.retry.most_seconds + slow.retry.max_wait)


def test_every_request_of_a_learner_shows_that_it_gets_on_and_no_answer_does() -> None:
    models, beats = team(), list[str]()
    models.meter.on_progress = lambda: beats.append("beat")
    request = Request(role=Role.GENERATOR, messages=(Message("user", "Which number has red?"),))
    models.reflector.complete(request)
    assert len(beats) == 2  # it begins and ends
    with mark_calls("red", answers=True), mark_calls("part"):
        models.generator.complete(request)
    assert len(beats) == 2


# A learner that fails


def broken(fails: dict[str, Exception | None], *, role: Role = Role.REFLECTOR) -> RoleModels:
    """Models whose reflector raises an error for some colours, or for "all"."""

    def think(request: Request) -> str:
        if request.role is role:
            error = fails.get(colour_of(request)) or fails.get("all")
            if error is not None:
                raise error
        return says(request)

    return RoleModels.of(ScriptedClient(think))


def judge(server: OnlineServer, *colours: str) -> None:
    for colour in colours:
        answer = server.answer(f"Which number has {colour}?")
        server.feedback(answer.episode, right=False, expected=SECRET[colour])


def test_a_learner_takes_part_again_when_its_model_is_back(
    place: Path | str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """It had learned before, and what came in the meantime is learned from once."""
    monkeypatch.setattr(comeback, "_FIRST_PAUSE", 0.1)
    monkeypatch.setattr(comeback, "_LONGEST_PAUSE", 0.2)
    fails: dict[str, Exception | None] = {}
    with Store.open(place) as store, serve(world(), store, broken(fails), OPTIONS) as server:
        judge(server, "red")
        wait_until(lambda: not server.behind)
        watch = RunWatch(store, server.run)
        assert watch.look().setbacks == ()
        fails["all"] = ModelUnavailable("connection refused")
        judge(server, "green", "blue")
        wait_until(lambda: server.pause > 0)
        assert not server.leads and not server.ended and store.find_leader(TASK) == ""
        wait_until(lambda: len([run for run in store.runs() if run.status == "failed"]) == 3)
        assert server.answer("Which number has red?").text == SECRET["red"]
        assert server.behind == 2 and len(server.problems) == 1
        look = watch.look()
        assert look.state == "failed" and "connection refused" in look.setbacks[0].error
        (said,) = [text for text in caplog.messages if "connection refused" in text]
        assert "gives up the lead" in said and "takes part again" in said
        fails.clear()
        wait_until(lambda: not server.behind)
        assert server.leads and server.pause == 0
    assert "learns again" in caplog.text
    with Store.open(place) as store:
        assert list_learned(store) == [1, 2, 3] and store.verify() == []
        assert {b.content for b in store.checkout().active} == {LESSON[c] for c in ("red", "green", "blue")}


def test_another_server_learns_at_once_when_the_learner_fails(place: Path | str) -> None:
    """The first would come back after five seconds."""
    with Store.open(place) as one, Store.open(place) as two:
        fails: dict[str, Exception | None] = {"all": ModelUnavailable("connection refused")}
        with (
            serve(world(), one, broken(fails), OPTIONS) as first,
            serve(world(), two, team(), OPTIONS) as second,
        ):
            assert first.leads
            judge(first, "red")
            wait_until(lambda: second.leads and not second.behind)
            assert not first.leads
            failed, own = two.runs()[0], first.run
            assert failed.status == "failed" and failed.id != own
            assert list_learned(two) == [1]


@pytest.mark.parametrize(
    ("place", "error"),
    [("postgres", ModelUnavailable("crashed")), ("sqlite", ZeroDivisionError("of a scorer"))],
    indirect=["place"],
    ids=["outage", "bug"],
)
def test_feedback_that_fails_every_learner_is_set_aside(
    place: Path | str, error: Exception, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The rest is learned from first, and it stops nobody for good. Given again it is tried again."""
    monkeypatch.setattr(comeback, "_FIRST_PAUSE", 0.05)
    fails: dict[str, Exception | None] = {"green": error}
    with ExitStack() as stack:
        one, two = (stack.enter_context(Store.open(place)) for _ in range(2))
        servers = [stack.enter_context(serve(world(), store, broken(fails), OPTIONS)) for store in (one, two)]
        seen = RunWatch(two, servers[0].run)
        judge(servers[0], "red", "green", "blue", "black")
        wait_until(lambda: one.count_unlearned(TASK) == 1)
        for colour in ("white", "pink", "brown", "grey"):
            judge(servers[1], colour)
            wait_until(lambda: one.count_unlearned(TASK) <= 1)
        wait_until(lambda: not one.count_unlearned(TASK))
        assert list_learned(one) == [1, 2, 3, 4, 5, 6, 7, 8]
        (proposal,) = one.proposals(reasons=[Reason.SET_ASIDE])
        assert "feedback 2 is set aside" in proposal.why and str(error) in proposal.why
        assert proposal.why in caplog.text
        setbacks = one.setbacks(TASK, since=1)
        assert [setback.feedback for setback in setbacks] == [2] * len(setbacks)
        assert [setback.set_aside for setback in setbacks] == [False] * (len(setbacks) - 1) + [True]
        assert sum(setback.counts for setback in setbacks) == 3
        assert seen.look().setbacks == ()  # nothing waits
        known = {bullet.content for bullet in one.checkout().active}
        assert len(known) == 7 and LESSON["green"] not in known

        fails.clear()
        judge(servers[0], "green")
        wait_until(lambda: not one.count_unlearned(TASK))
        assert LESSON["green"] in {bullet.content for bullet in one.checkout().active}
        reports = [server.close() for server in servers]
        assert one.verify() == []
    assert (
        any("feedback 2 is set aside" in note for run in reports for note in run.notes) or len(reports) == 2
    )


def test_where_nothing_can_be_learned_from_only_one_piece_is_set_aside(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Then it is not the fault of the feedback."""
    monkeypatch.setattr(comeback, "_FIRST_PAUSE", 0.01)
    monkeypatch.setattr(comeback, "_LONGEST_PAUSE", 0.02)
    fails: dict[str, Exception | None] = {"all": ZeroDivisionError("everywhere")}
    with Store.open(tmp_path / "p.db") as store, serve(world(), store, broken(fails), OPTIONS) as server:
        judge(server, "red", "green", "blue")
        wait_until(lambda: len(store.setbacks(TASK, since=1)) >= 20)
        assert len(store.proposals(reasons=[Reason.SET_ASIDE])) == 1
        watch = RunWatch(store, server.run).look()
        assert watch.backlog == 2 and "everywhere" in watch.setbacks[0].error
        fails.clear()
        wait_until(lambda: not server.behind)
        assert len(store.checkout()) == 2


def test_what_would_come_again_for_certain_is_not_tried_again(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with Store.open(tmp_path / "p.db") as store:
        keyless = broken({"all": ModelNameError("The key is refused.", hint="Set it.")})
        server = serve(world(), store, keyless, OPTIONS)
        judge(server, "red")
        wait_until(lambda: server.ended)
        assert not server.leads and server.pause == 0 and "The key is refused" in str(server.problems[-1])
        with pytest.raises(ModelNameError):
            server.close()
        capped = serve(world(), store, team(caps=Caps(calls=2)), OPTIONS)
        judge(capped, "red")
        wait_until(lambda: capped.ended)
        assert not capped.leads and "cap" in str(capped.problems[-1]) and "cap" in capped.close().stopped
        assert caplog.text.count("does not try again") == 2
        assert store.count_unlearned(TASK) == 2 and store.setbacks(TASK, since=1) == []


def test_an_agent_learner_takes_part_again_and_says_so_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(comeback, "_FIRST_PAUSE", 0.05)
    fails: dict[str, Exception | None] = {"all": ModelUnavailable("connection refused")}
    options: dict[str, Any] = {"task": world(), "drift": False}
    with (
        ace.learner(tmp_path / "p.db", broken(fails), **options) as learner,
        Store.open(tmp_path / "p.db") as store,
    ):
        with learner.episode("Which number has red?") as episode:
            episode.finish("no idea", right=False, expected=SECRET["red"])
        wait_until(lambda: len([run for run in store.runs() if run.status == "failed"]) == 3)
        assert len(learner.problems) == 1
        fails.clear()
        wait_until(lambda: not store.count_unlearned(TASK))
        assert list_learned(store) == [1]
