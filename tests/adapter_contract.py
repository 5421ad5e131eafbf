"""What holds for the adapter of every framework: its test module says how runs are made."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from pathlib import Path
from typing import Any, ClassVar

import pytest

from ace.agent.adapters import FixedContext
from ace.loop.agent_learner import AgentLearner
from ace.store import Store
from tests.adapter_world import (
    LESSONS,
    QUESTIONS,
    RED,
    BrokenEpisodes,
    BrokenLearner,
    judge,
    know,
    record,
    run_example,
    teach,
)


class AdapterContract:
    """Derive from it in a module of a framework, with the methods that make a run there."""

    heading: ClassVar[str]
    """Of the example in docs/adapters.md."""

    names_fault: ClassVar[str] = "fly"
    """What the record of a call of the tool `fly` names."""

    def build(self, learner: Any, kind: str = "answers", judge: Any = None) -> Any:
        """Return an agent with the adapter around it.

        It "answers" as `adapter_world.reply` does, "calls" the tool `look_up` of the color red and then says
        "It is 7", "errs" by calling a tool `fly` that nobody has, or "waits" in `wait`, where it can.
        """
        raise NotImplementedError

    def run(self, agent: Any, question: str) -> tuple[Any, str]:
        """Return the answer, and the id of the episode."""
        raise NotImplementedError

    async def arun(self, agent: Any, question: str) -> tuple[Any, str]:
        """Return the same, in `async` code."""
        raise NotImplementedError

    def test_the_example_of_the_page_learns(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.chdir(tmp_path)
        assert run_example("adapters", self.heading)["answers"] == ["7", "4"]

    @pytest.mark.parametrize("is_async", [False, True])
    def test_an_agent_learns(self, store: Store, is_async: bool) -> None:
        """Ask every question, give feedback, and ask again: the lessons are there and the answers right."""

        def ask(learner: Any, question: str) -> tuple[Any, str]:
            agent = self.build(learner)
            return asyncio.run(self.arun(agent, question)) if is_async else self.run(agent, question)

        def ask_again(question: str, context: str) -> str:
            return str(ask(FixedContext(context), question)[0])

        with teach(store, ask_again) as learner:
            for question, code in QUESTIONS.items():
                answer, episode = ask(learner, question)
                assert answer == "no idea"
                assert learner.feedback(episode, right=False, expected=code)
            learner.close()
            assert learner.problems == ()
        assert sorted(bullet.content for bullet in store.checkout().active) == sorted(LESSONS.values())
        with record(store) as learner:
            answers = {question: ask(learner, question)[0] for question in QUESTIONS}
            assert learner.problems == ()
        assert answers == QUESTIONS
        assert store.verify() == [] and store.open_episodes() == {}

    @pytest.mark.parametrize("learner", [BrokenLearner(), BrokenEpisodes()])
    def test_a_fault_of_the_learner_never_reaches_the_agent(self, learner: Any) -> None:
        agent = self.build(learner, "calls")
        assert self.run(agent, RED)[0] == "It is 7"
        assert asyncio.run(self.arun(agent, RED))[0] == "It is 7"
        assert learner.problems

    def test_a_judge_says_at_once_what_is_known(self, store: Store) -> None:
        know(store)
        with record(store) as learner:
            self.run(self.build(learner, judge=judge), RED)
            assert learner.problems == ()
        assert [(row.right, row.expected) for row in store.feedback()] == [(True, "7")]

    def test_runs_at_the_same_time_do_not_mix(self, store: Store) -> None:
        async def gather(learner: AgentLearner) -> list[Any]:
            agent = self.build(learner)
            return await asyncio.gather(*(self.arun(agent, question) for question in QUESTIONS))

        know(store)
        with record(store) as learner:
            runs = asyncio.run(gather(learner))
            assert learner.problems == ()
        questions = {episode.id: episode.question for episode in store.episodes()}
        assert [questions[name] for _, name in runs] == [*QUESTIONS]
        assert [answer for answer, _ in runs] == ["7", *["no idea"] * 3]

    def test_a_task_that_is_cancelled_is_kept(self, store: Store) -> None:
        async def main(learner: AgentLearner) -> None:
            task = asyncio.ensure_future(self.arun(self.build(learner, "waits"), RED))
            await self.started.wait()
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task

        self.started = asyncio.Event()
        with record(store) as learner:
            asyncio.run(main(learner))
        assert [episode.attempt.error for episode in store.episodes()] == ["CancelledError: "]

    def test_a_tool_that_nobody_has_is_in_the_record(self, store: Store) -> None:
        with record(store) as learner:
            with suppress(Exception):  # some libraries tell the model, others raise
                self.run(self.build(learner, "errs"), RED)
            assert learner.problems == ()
        (episode,) = store.episodes()
        failures = [str(turn) for turn in episode.attempt.turns if turn.failed]
        assert self.names_fault in "\n".join([*failures, episode.attempt.error]), episode.attempt

    async def wait(self, *_: Any, **__: Any) -> Any:
        """Do what an agent that "waits" does in the middle of its run."""
        self.started.set()
        await asyncio.sleep(600)
