"""What the tests of adapters share: colors whose codes only the playbook says, and who teaches them."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import ace
from ace.agent.adapters import FixedContext
from ace.loop.agent_learner import AgentLearner
from ace.playbook import Add
from ace.store import Store
from ace.testing import World

CODES = {"red": ("7", "seven"), "blue": ("4", "four"), "green": ("9", "nine"), "black": ("2", "two")}
QUESTIONS = {f"Which code has {color}?": code for color, (code, _) in CODES.items()}
LESSONS = {f"Which code has {color}?": f"{color.title()} means {word}." for color, (_, word) in CODES.items()}
RED = "Which code has red?"

PYTHON_BLOCK = re.compile(r"^## ([^\n]+)\n(?:(?!^## ).)*?^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def reply(system: str, question: str) -> str:
    """Return a code only where the system message has the lesson of the question."""
    lesson = LESSONS.get(question)
    return QUESTIONS[question] if lesson and lesson in system else "no idea"


def judge(question: str, answer: Any) -> dict[str, Any]:
    """Say whether an answer is right, and what would be."""
    return {"right": answer == QUESTIONS[question], "expected": QUESTIONS[question]}


def teacher() -> World:
    return World(lessons=lambda request: [LESSONS[request.sample.question]])


def know(store: Store, question: str = RED) -> None:
    store.commit((Add("b-known", "facts", LESSONS[question]),), author="person", reason="known")


def record(store: Store) -> AgentLearner:
    """Return a learner that only records."""
    return ace.learner(store, None, drift=False)


def check_learning(store: Store, ask: Callable[[Any, str], tuple[str, str]]) -> None:
    """Ask every question, give feedback, and ask again: the lessons are there and the answers right.

    `ask(learner, question)` returns the answer and the id of its episode.
    """

    def ask_again(question: str, context: str) -> str:
        return ask(FixedContext(context), question)[0]

    with ace.learner(store, teacher(), agent=ask_again, drift=False) as learner:
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


def run_example(heading: str) -> dict[str, Any]:
    """Run the example under a heading of docs/adapters.md, behind what they share; return its names."""
    page = (Path(__file__).parent.parent / "docs" / "adapters.md").read_text(encoding="utf-8")
    blocks = dict(PYTHON_BLOCK.findall(page))
    names: dict[str, Any] = {}
    for title in ("What the examples share", heading):
        exec(compile(blocks[title], f"docs/adapters.md: {title}", "exec"), names)
    return names


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
