"""Episodes of somebody else's agent: context before its work, outcomes after it, no fault that reaches it."""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import re
import signal
import sqlite3
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from pathlib import Path
from threading import Event, Thread
from typing import Any

import pytest

import ace
from ace.errors import InputError, ModelUnavailable, TaskError
from ace.llm import Caps, Request, Role
from ace.playbook import Add, Status
from ace.runs.records import ALTERNATIVE
from ace.safety.secrets import SECRET_MARK
from ace.store import Store
from ace.task.agent_episode import AgentEpisode, EpisodeLearner
from ace.testing import World
from tests import doomed_agent
from tests.pace import patience
from tests.wire_server import serve_wire
from tests.world import LESSON, SECRET, knows, teaches, world

LINE = "Red means seven."


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "agent.db"


@pytest.fixture
def store(path: Path) -> Iterator[Store]:
    with Store.open(path) as store:
        yield store


def teacher(line: str = LINE) -> World:
    return World(lessons=lambda _: [line])


def know(store: Store, line: str = LINE) -> None:
    store.commit((Add("b-red", "facts", line),), author="person", reason="known")


def test_an_agent_gets_the_playbook_and_its_work_becomes_an_episode(store: Store) -> None:
    know(store)
    with ace.learner(store, teacher()) as learner:
        with learner.episode("What is red?", user="ann") as episode:
            assert LINE in episode.context and episode.bullets == ("b-red",)
            episode.say("I look it up.")
            episode.tool("search", {"q": "red"}, "nothing", failed=True)
            episode.say("It may be 3.", kind="thought")
            episode.finish("3", right=False, expected="7")
        report = learner.close()
        assert learner.problems == ()
    (kept,) = store.episodes(ids=[episode.id])[:1]
    assert (kept.question, kept.attempt.answer, kept.context_version) == ("What is red?", "3", 1)
    assert [turn.kind.value for turn in kept.attempt.turns] == ["assistant", "tool", "thought"]
    assert kept.attempt.turns[1].arguments == '{"q": "red"}' and kept.attempt.turns[1].failed is True
    assert "It may be 3" not in kept.attempt.text
    assert store.episode_beginning(episode.id)["data"] == {"user": "ann"}
    assert store.open_episodes() == {} and store.feedback(unlearned=True) == []
    assert report and report.after and (report.after.correct, report.after.total) == (0, 1)
    assert store.verify() == []


def test_without_a_way_to_ask_again_a_lesson_waits_in_quarantine(store: Store) -> None:
    with ace.learner(store, teacher()) as learner, learner.episode("What is red?") as episode:
        episode.finish("3", right=False, expected="7")
    (bullet,) = store.checkout().bullets.values()
    assert bullet.status is Status.QUARANTINED and bullet.provenance == (episode.id,)
    with ace.learner(store, None) as learner, learner.episode("What is red?") as episode:
        assert episode.context == "" and episode.bullets == ()


def test_without_proof_a_lesson_is_used_at_once(store: Store) -> None:
    with (
        ace.learner(store, teacher(), without="proof") as learner,
        learner.episode("What is red?") as episode,
    ):
        episode.finish("3", right=False, expected="7")
        assert learner.problems == ()
    with (
        ace.learner(store, teacher("Blue means four."), without="proof") as learner,
        learner.episode("What is blue?") as episode,
    ):
        assert LINE in episode.context and len(episode.bullets) == 1
        episode.finish("4", feedback="I wonder.")
    statuses = {bullet.content: bullet.status for bullet in store.checkout().bullets.values()}
    assert statuses == {LINE: Status.ACTIVE, "Blue means four.": Status.QUARANTINED}


def test_an_agent_that_can_be_asked_again_proves_its_lessons(store: Store) -> None:
    calls = []

    def agent(question: str, context: str) -> str:
        calls.append(question)
        return "7" if LINE in context else "3"

    with ace.learner(store, teacher(), agent=agent) as learner, learner.episode("What is red?") as episode:
        episode.finish(agent("What is red?", episode.context), right=False, expected="7")
    (bullet,) = store.checkout().active
    assert bullet.content == LINE and len(calls) > 1
    with ace.learner(store, None) as learner, learner.episode("And red?") as episode:
        assert LINE in episode.context


def test_of_several_right_answers_each_is_one(store: Store) -> None:
    """The lesson is proven by the second of them, which the first alone would refute."""
    seen = []

    def look(request: Request) -> list[str]:
        seen.append(request.feedback)
        return [LINE]

    def agent(question: str, context: str) -> str:
        return "Seven" if LINE in context else "3"

    several = ALTERNATIVE.join(["7", "seven"])
    with ace.learner(store, World(lessons=look), agent=agent) as learner:
        with learner.episode("What is red?") as episode:
            episode.finish("3", expected=several)
        right = learner.episode("What is crimson?")
        right.finish(" SEVEN ", expected=several)
        assert learner.problems == ()
    (bullet,) = store.checkout().active
    assert bullet.content == LINE
    assert {feedback.expected for feedback in seen} == {"7 or seven"}
    outcomes = {row.episode: row.alternatives for row in store.feedback()}
    assert outcomes == {episode.id: ("7", "seven"), right.id: ("7", "seven")}
    report = [run.report for run in store.runs() if run.kind == "online"][-1]
    assert report is not None and report["after"]["correct"] == 1


def test_a_task_with_the_same_question_proves_lessons(store: Store) -> None:
    client = World(knows, teaches)
    with (
        ace.learner(store, client, task=world(), drift=False) as learner,
        learner.episode("Which number has red?") as episode,
    ):
        episode.finish("no idea", expected=SECRET["red"])
    assert [bullet.content for bullet in store.checkout().active] == [LESSON["red"]]


def test_without_river_a_learner_works_and_says_that_nothing_watches(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "river.drift.binary", None)
    with pytest.raises(InputError, match="river"):
        ace.learner(store, teacher(), drift=True)  # it was asked for
    with ace.learner(store, teacher(), without=["proof"]) as learner:
        with learner.episode("What is red?") as episode:
            episode.finish("3", right=False, expected="7")
        assert learner.problems == ()
        report = learner.close()
    assert [bullet.content for bullet in store.checkout().active] == [LINE]
    assert report is not None
    for notes in (report.notes, (store.runs()[0].report or {})["notes"]):
        (note,) = [note for note in notes if "river" in note]
        assert note.startswith("changes were not watched for") and "ace-engine[online]" in note
    for options in ({"drift": False}, {}):  # nothing to say where nothing was asked for, or nothing learns
        with ace.learner(store, teacher() if options else None, **options) as learner:  # type: ignore[arg-type]
            learner.episode("What is red?").finish("7", right=True)
        assert not any("river" in note for note in (store.runs()[-1].report or {}).get("notes", ()))


@pytest.mark.parametrize(
    ("outcome", "passed", "score"),
    [
        ({"right": True}, True, 1.0),
        ({"right": False}, False, 0.0),
        ({"feedback": True}, True, 1.0),
        ({"feedback": False}, False, 0.0),
        ({"score": 1}, True, 1.0),
        ({"score": 0.4}, False, 0.4),
        ({"feedback": 0.4}, False, 0.4),
        ({"right": False, "score": 1.0}, False, 0.99),
        ({"right": True, "score": 0.2}, True, 1.0),
        ({"expected": "7"}, False, 0.0),
        ({"expected": " SEVENTEEN"}, True, 1.0),
        ({"feedback": "Too short."}, None, None),
    ],
)
def test_feedback_may_be_a_bool_a_score_a_text_or_the_right_answer(
    store: Store, outcome: dict[str, Any], passed: bool | None, score: float | None
) -> None:
    seen = []

    def look(request: Request) -> list[str]:
        seen.append(request.feedback)
        return [LINE]

    with ace.learner(store, World(lessons=look)) as learner:
        with learner.episode("What is red?") as episode:
            episode.finish("seventeen", **outcome)
        report = learner.close()
        assert learner.problems == () and report is not None
    result = [kept for step in store.steps(report.run) for kept in step.payload["results"]]
    assert [kept["right"] for kept in result] == [passed]
    assert (report.after.total if report.after else 0) == (passed is not None)
    assert len(seen) == (not passed)
    if seen:
        assert (seen[0].passed, seen[0].score) == (passed, score)
        assert str(outcome.get("feedback", "")) in seen[0].text or passed is not None


def test_what_tools_returned_is_shown_to_the_reflector(store: Store) -> None:
    client = teacher()
    with ace.learner(store, client) as learner, learner.episode("What is red?") as episode:
        episode.tool("search", {"q": "red"}, "KeyError: no such page", failed=True)
        episode.finish("3", right=False, feedback="It is seven.")
    (request,) = [request for request in client.requests if request.role is Role.REFLECTOR]
    text = "\n".join(message.content for message in request.messages)
    assert "KeyError: no such page" in text and "It is seven." in text


def test_late_feedback_finds_its_episode_after_a_restart(path: Path) -> None:
    with ace.learner(path, None) as learner, learner.episode("What is red?") as episode:
        episode.finish("3")
    with Store.open(path) as store:
        assert store.feedback() == []
    with ace.learner(path, teacher()) as learner:
        assert learner.feedback(episode.id, right=False, expected="7", text="said ann")
        report = learner.close()
    assert report and report.proposed == 1


def test_feedback_that_no_learner_learned_from_is_learned_from_by_the_next(path: Path) -> None:
    with ace.learner(path, None) as learner, learner.episode("What is red?") as episode:
        episode.finish("3", score=0.0)
    client = teacher()
    with ace.learner(path, client) as learner:
        report = learner.close()
    assert report and report.proposed == 1 and client.calls["reflector"] == 1
    with ace.learner(path, client) as learner:
        time.sleep(1)  # it looks twice
        assert learner.close() is None, "it was learned from twice"


def test_feedback_before_the_end_waits_for_it(store: Store) -> None:
    client = teacher()
    with ace.learner(store, client) as learner:
        with learner.episode("What is red?") as episode:
            assert learner.feedback(episode.id, right=False)
            episode.finish("3")
        learner.close()
        assert learner.problems == ()
    assert client.calls["reflector"] == 1


def test_an_episode_that_an_exception_leaves_is_kept_with_its_error(store: Store) -> None:
    with ace.learner(store, None) as learner:
        with pytest.raises(KeyError, match="page"), learner.episode("What is red?") as broken:
            broken.tool("search", "red")
            raise KeyError("page")
        with learner.episode("What is blue?") as silent:
            silent.say("Well.")
        assert learner.problems == ()
    kept = {episode.id: episode.attempt for episode in store.episodes()}
    assert kept[broken.id].error == "KeyError: 'page'" and len(kept[broken.id].turns) == 1
    assert "without an answer" in kept[silent.id].error and kept[silent.id].turns[0].text == "Well."


def test_many_threads_share_a_learner(path: Path) -> None:
    with Store.open(path) as store:
        know(store)
    with ace.learner(path, teacher()) as learner:

        def work(number: int) -> str:
            with learner.episode(f"Question {number}?") as episode:
                assert LINE in episode.context
                for turn in range(3):
                    episode.tool("look", turn, f"{number}.{turn}")
                episode.finish(str(number), right=number % 2 == 0)
            return episode.id

        with ThreadPoolExecutor(8) as pool:
            ids = list(pool.map(work, range(40)))
        report = learner.close()
        assert learner.problems == ()
    with Store.open(path) as store:
        kept = {episode.id: episode for episode in store.episodes() if episode.id in ids}
        assert [kept[name].attempt.answer for name in ids] == [str(number) for number in range(40)]
        assert {len(episode.attempt.turns) for episode in kept.values()} == {3}
        assert report and report.after and (report.after.correct, report.after.total) == (20, 40)
        assert store.verify() == []


def test_one_episode_may_be_told_of_by_many_threads(path: Path) -> None:
    with ace.learner(path, None) as learner, learner.episode("What is red?") as episode:
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(lambda number: episode.tool("look", number, number), range(50)))
        episode.finish("7")
    with Store.open(path) as store:
        (kept,) = store.episodes()
        assert sorted(int(turn.observation) for turn in kept.attempt.turns) == list(range(50))


def test_async_agents_do_not_block_each_other(path: Path) -> None:
    async def work(learner: ace.loop.AgentLearner, number: int) -> str:
        async with learner.episode(f"Question {number}?") as episode:
            await episode.asay("hm")
            await episode.atool("look", number, "x")
            await episode.afinish(str(number))
        await learner.afeedback(episode.id, score=0.5)
        return episode.id

    async def main() -> list[str]:
        async with ace.learner(path, teacher()) as learner:
            ids = await asyncio.gather(*(work(learner, number) for number in range(20)))
            with pytest.raises(ValueError, match="broken"):
                async with learner.episode("Broken?"):
                    raise ValueError("broken")
            for wait in (0.0, 0.2):  # while it begins, and after
                task = asyncio.create_task(cancel_me(learner))
                await asyncio.sleep(wait)
                task.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await task
            assert learner.problems == ()
        return list(ids)

    async def cancel_me(learner: ace.loop.AgentLearner) -> None:
        async with learner.episode("Cancelled?"):
            await asyncio.sleep(3600)

    ids = asyncio.run(main())
    with Store.open(path) as store:
        kept = {episode.id: episode.attempt for episode in store.episodes()}
        assert [kept[name].answer for name in ids] == [str(number) for number in range(20)]
        errors = {attempt.error for attempt in kept.values() if attempt.error}
        assert errors == {"ValueError: broken", "CancelledError: "}
        assert len(store.feedback(unlearned=True)) == 0


def test_a_slow_model_is_never_waited_for(store: Store) -> None:
    gate, asked = Event(), Event()

    def slow(request: Request) -> list[str]:
        asked.set()
        assert gate.wait(patience(30))
        return [LINE]

    with ace.learner(store, World(lessons=slow)) as learner:
        for number in range(30):
            with learner.episode(f"Question {number}?") as episode:
                episode.finish("3", right=False)
        assert asked.wait(patience(20)) and not gate.is_set()
        assert len(store.feedback()) == 30
        gate.set()


def test_what_waits_when_a_learner_is_closed_at_once_stays_in_the_file(store: Store) -> None:
    """It is closed while it thinks about the first of three."""
    closing: list[Thread] = []
    closed = Event()

    def slow(request: Request) -> list[str]:
        if not closing:
            closing.append(Thread(target=lambda: (learner.close(at_once=True), closed.set())))
            closing[0].start()
            assert closed.wait(patience(30))  # it does not wait for a model
        return [LINE]

    with ace.learner(store, None, name="agent") as recorder:
        for number in range(3):
            with recorder.episode(f"Question {number}?") as episode:
                episode.finish("3", right=False)
    with ace.learner(store, World(lessons=slow), name="agent") as learner:
        assert closed.wait(patience(30))
        while store.runs()[-1].status == "running":
            time.sleep(0.01)  # the limit of the test ends it
        assert len(store.feedback(unlearned=True)) == 2


def raise_unreachable(request: Request) -> list[str]:
    raise ModelUnavailable("nobody there")


def test_a_model_that_cannot_be_reached_is_a_problem_and_the_feedback_stays(store: Store) -> None:
    with ace.learner(store, World(lessons=raise_unreachable)) as learner:
        with learner.episode("What is red?") as episode:
            episode.finish("3", right=False)
        while not learner.problems:
            pass  # the limit of the test ends it
        with learner.episode("What is blue?") as episode:
            episode.finish("4", right=False)
        assert learner.close() is None
        assert "nobody there" in str(learner.problems[0])
    (run,) = [run for run in store.runs() if run.kind == "agent"]
    assert run.report and "nobody there" in run.report["notes"][0]
    assert len(store.feedback(unlearned=True)) == 2
    with ace.learner(store, teacher()) as learner:
        learner.close()
    assert store.feedback(unlearned=True) == []


def test_a_model_that_does_not_exist_is_a_problem_when_there_is_something_to_learn(store: Store) -> None:
    with ace.learner(store, "local/no-such-model") as learner:
        with learner.episode("What is red?") as episode:
            episode.finish("3")
        assert learner.problems == ()
        learner.feedback(episode.id, right=False)
        learner.close()
        assert "no-such-model" in str(learner.problems[0])


def test_a_cap_ends_the_learning_and_nothing_else(store: Store) -> None:
    with ace.learner(store, teacher(), caps=Caps(calls=1)) as learner:
        for number in range(3):
            with learner.episode(f"Question {number}?") as episode:
                episode.finish("3", right=False)
        report = learner.close()
        assert report and report.stopped and "could not learn more" in report.notes[-1]
    assert len(store.episodes()) >= 3


@pytest.mark.parametrize(
    "outcome",
    [{"score": 1.5}, {"score": float("nan")}, {"score": "good"}, {"right": "yes"}, {"feedback": -1}],
)
def test_bad_feedback_is_a_problem_and_the_answer_is_kept(store: Store, outcome: dict[str, Any]) -> None:
    with ace.learner(store, None) as learner:
        with learner.episode("What is red?") as episode:
            episode.finish("3", **outcome)
        assert [problem.episode for problem in learner.problems] == [episode.id]
        assert not learner.feedback("ep-nobody", right=True)
        assert not learner.feedback(episode.id)
        assert "no episode" in learner.problems[1].error
    assert store.episodes()[0].attempt.answer == "3" and store.feedback() == []


def test_wrong_calls_are_problems_and_not_errors_of_the_agent(store: Store) -> None:
    class Odd:
        def __str__(self) -> str:
            raise ZeroDivisionError

    circle: list[Any] = []
    circle.append(circle)
    with ace.learner(store, None) as learner:
        learner.episode(Odd(), page={1: 2, "a": 3}, circle=circle)  # type: ignore[arg-type]
        assert "read the question" in str(learner.problems[0])
        episode = learner.episode("What is red?")
        episode.say("x", kind="music")
        episode.tool("search", Odd())
        episode.finish(7)
        episode.finish(8)
        episode.tool("search")
        assert len(learner.problems) == 4
    (kept,) = store.episodes()
    assert kept.attempt.answer == "7"
    assert [turn.tool for turn in kept.attempt.turns] == ["search"], "what has no text is a turn all the same"


def test_a_file_that_cannot_be_written_is_written_later(store: Store, path: Path) -> None:
    know(store)
    with ace.learner(store, None) as learner:
        first = learner.episode("What is red?").begin()
        lock = sqlite3.connect(path, isolation_level=None)
        learner._journal._db.execute("PRAGMA busy_timeout = 10")  # type: ignore[union-attr]
        lock.execute("BEGIN IMMEDIATE")
        first.tool("search", "red", "7")
        with learner.episode("What is blue?") as second:
            assert LINE in second.context
            second.finish("4", right=True)
        assert len(learner.problems) == 3 and "locked" in learner.problems[0].error
        lock.execute("ROLLBACK")
        first.finish("7")
    kept = {episode.id: episode.attempt for episode in store.episodes()}
    assert len(kept[first.id].turns) == 1 and kept[second.id].answer == "4"
    assert [feedback.episode for feedback in store.feedback()] == [second.id]
    assert store.verify() == []


def test_a_source_that_fails_leaves_the_playbook(store: Store) -> None:
    def broken(question: str) -> list[str]:
        raise OSError("no index")

    know(store)
    task = ace.define_task("t", [{"id": "1", "question": "q", "answer": "a"}], "exact", sources=[broken])
    with ace.learner(store, None, task=task) as learner, learner.episode("What is red?") as episode:
        assert LINE in episode.context and "no index" in learner.problems[0].error


def test_sources_see_the_user_and_the_context_fits_the_budget(store: Store) -> None:
    def notes(question: str) -> list[str]:
        return ["Ann likes short answers."]

    for number in range(40):
        store.commit((Add(f"b-{number}", "facts", f"Fact {number} " * 20),), author="p", reason="r")
    task = ace.define_task("t", [{"id": "1", "question": "q", "answer": "a"}], "exact", sources=[notes])
    with ace.learner(store, None, task=task, budget=500) as learner, learner.episode("What?") as episode:
        assert "Ann likes short answers." in episode.context
        assert 0 < len(episode.bullets) < 40 and len(episode.context) < 4 * 500
        assert learner.problems == ()


def test_secrets_are_hidden_while_an_episode_goes_on(store: Store, path: Path) -> None:
    key = "sk-ant-api03-" + "Ab3" * 31 + "-AA"
    with ace.learner(store, None) as learner:
        episode = learner.episode("What is red?")
        episode.tool("login", {"key": key})
        (events,) = store.open_episodes().values()
        assert key not in str(events) and SECRET_MARK in str(events)
        episode.finish("7")


def test_killed_in_the_middle_nothing_that_was_acknowledged_is_lost(path: Path) -> None:
    context: Any = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tests.doomed_agent"])
    reader, writer = context.Pipe(duplex=False)
    process = context.Process(target=doomed_agent.work_forever, args=(path, writer))
    process.start()
    acknowledged: dict[str, tuple[int, bool]] = {}
    while len(acknowledged) < 15:
        assert reader.poll(patience(60))
        name, turns, judged = reader.recv()
        acknowledged[name] = turns, judged
    os.kill(process.pid, signal.SIGKILL)
    process.join()
    while reader.poll():  # what was acknowledged before the kill
        name, turns, judged = reader.recv()
        acknowledged[name] = turns, judged
    with Store.open(path) as store:
        assert store.verify() == [] and store.open_episodes()
        with ace.learner(store, teacher(), name="doomed") as learner:
            learner.close()
            assert learner.problems == ()
        assert store.open_episodes() == {} and store.feedback(unlearned=True) == []
        kept = {episode.id: episode for episode in store.episodes()}
        judged_ids = {feedback.episode for feedback in store.feedback()}
        for name, (turns, judged) in acknowledged.items():
            assert len(kept[name].attempt.turns) >= turns
            assert not judged or name in judged_ids
        errors = {episode.attempt.error for episode in kept.values()}
        assert errors == {"", "the process ended before the episode was finished"}
        assert store.verify() == []


def test_an_episode_of_a_process_that_lives_is_left_alone(path: Path) -> None:
    with ace.learner(path, None) as first:
        episode = first.episode("What is red?").begin()
        with ace.learner(path, teacher()) as second:
            second.close()
        episode.finish("7")
        assert first.problems == ()
    with Store.open(path) as store:
        assert [kept.attempt.answer for kept in store.episodes()] == ["7"]


def test_an_episode_may_outlive_its_learner(path: Path) -> None:
    with ace.learner(path, None) as learner:
        episode = learner.episode("What is red?").begin()
    episode.tool("search", "red", "7")
    episode.finish("7", right=True)
    with Store.open(path) as store:
        assert [kept.attempt.answer for kept in store.episodes()] == ["7"] and len(store.feedback()) == 1


def test_an_error_in_the_block_leaves_learning_to_the_next(path: Path) -> None:
    gate = Event()

    def slow(request: Request) -> list[str]:
        gate.wait(patience(30))
        return [LINE]

    with pytest.raises(KeyError), ace.learner(path, World(lessons=slow)) as learner:
        with learner.episode("What is red?") as episode:
            episode.finish("3", right=False)
        raise KeyError
    gate.set()
    with Store.open(path) as store:
        assert len(store.feedback()) == 1


def test_what_cannot_work_is_refused_at_once(store: Store, tmp_path: Path) -> None:
    for settings in ({"nonsense": 1}, {"feedback": "none"}, {"budget": 0}, {"method": "none"}):
        with pytest.raises(InputError):
            ace.learner(store, None, **settings)
    for keywords in ({"name": "not a name"}, {"agent": 7}):
        with pytest.raises(TaskError):
            ace.learner(store, None, **keywords)  # type: ignore[arg-type]


def test_adapters_can_be_typed_by_protocols(store: Store) -> None:
    def adapt(learner: EpisodeLearner) -> AgentEpisode:
        return learner.episode("What is red?", user="ann", page=3).begin()

    with ace.learner(store, None) as learner:
        adapt(learner).finish("7")
    assert store.episode_beginning(store.episodes()[0].id)["data"] == {"user": "ann", "page": "3"}


def test_the_page_on_own_agents_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its examples as they stand, with a loopback server and a double for the models."""
    pytest.importorskip("openai")
    page = (Path(__file__).parent.parent / "docs" / "own-agent.md").read_text(encoding="utf-8")
    examples = re.findall(r"^```python\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    assert len(examples) == 2
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("ace.api.connect", lambda *_, **__: nullcontext(teacher()))
    with serve_wire(lambda _: "3") as server:
        monkeypatch.setenv("OPENAI_BASE_URL", f"{server.url}/v1")
        monkeypatch.setenv("OPENAI_API_KEY", "x")
        for example in examples:
            exec(compile(example, "own-agent.md", "exec", dont_inherit=True), {})
    with Store.open("agent.db") as store:
        kept = [(episode.question, episode.attempt.answer) for episode in store.episodes()]
        assert set(kept) >= {("Which number has red?", "3"), ("What is red?", "3")}
        assert [feedback.expected for feedback in store.feedback()] == ["70002", "7", ""]
        assert store.feedback(unlearned=True) == [] and store.verify() == []
