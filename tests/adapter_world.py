"""What the tests of adapters share: colors whose codes only the playbook says, and who teaches them."""

from __future__ import annotations

import runpy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import ace
from ace.loop.agent_learner import AgentLearner
from ace.playbook import Add
from ace.store import Store
from ace.testing import World

CODES = {"red": ("7", "seven"), "blue": ("4", "four"), "green": ("9", "nine"), "black": ("2", "two")}
QUESTIONS = {f"Which code has {color}?": code for color, (code, _) in CODES.items()}
LESSONS = {f"Which code has {color}?": f"{color.title()} means {word}." for color, (_, word) in CODES.items()}
RED = "Which code has red?"

run_example = runpy.run_path(str(Path(__file__).parent.parent / "docs" / "run_example.py"))["run_example"]


def reply(system: str, question: str) -> str:
    """Return a code only where the system message has the lesson of the question."""
    lesson = LESSONS.get(question)
    return QUESTIONS[question] if lesson and lesson in system else "no idea"


def judge(question: str, answer: Any) -> dict[str, Any]:
    """Say whether an answer is right, and what would be."""
    return {"right": answer == QUESTIONS[question], "expected": QUESTIONS[question]}


def know(store: Store, question: str = RED) -> None:
    store.commit((Add("b-known", "facts", LESSONS[question]),), author="person", reason="known")


def record(store: Store) -> AgentLearner:
    """Return a learner that only records."""
    return ace.learner(store, None, drift=False)


def teach(store: Store, ask_again: Callable[[str, str], str]) -> AgentLearner:
    """Return a learner to whom the lesson of each question occurs, and who proves it by asking again."""
    teacher = World(lessons=lambda request: [LESSONS[request.sample.question]])
    return ace.learner(store, teacher, agent=ask_again, drift=False)


class BrokenLearner:
    """Raises from every method: no agent may notice."""

    def __init__(self) -> None:
        self.problems: list[str] = []

    def episode(self, question: str, **data: Any) -> Any:
        raise RuntimeError("broken")

    def feedback(self, episode: str, **outcome: Any) -> bool:
        raise RuntimeError("broken")

    def guard(self, doing: str, episode: str) -> Any:
        return Guard(self, doing)


class Guard:
    def __init__(self, learner: BrokenLearner, doing: str) -> None:
        self._learner, self._doing = learner, doing

    def __enter__(self) -> None: ...

    def __exit__(self, kind: Any, error: Any, trace: Any) -> bool:
        if error is not None:
            self._learner.problems.append(self._doing)
        return isinstance(error, Exception)


class BrokenEpisodes(BrokenLearner):
    """Begins episodes whose every method raises."""

    def episode(self, question: str, **data: Any) -> Any:
        return BrokenEpisode()


class BrokenEpisode:
    id = "ep-broken"

    def __getattr__(self, name: str) -> Any:
        raise RuntimeError("broken")
