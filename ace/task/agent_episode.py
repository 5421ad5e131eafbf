"""What a program that runs an agent of its own reports of it, as protocols: for adapters of frameworks.

`ace.learner` returns an `EpisodeLearner`. Neither protocol raises anything but for a wrong call: what goes
wrong with recording or learning must not reach the agent.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Any, Protocol, Self


class AgentEpisode(Protocol):
    """Take down one piece of work of an agent: what it was asked, its turns, and what came of it.

    It begins with `begin` or its first use, and ends with `finish` or `fail`. Any thread may call these
    methods. Each takes as long as a write to a file: in `async` code, call it by `asyncio.to_thread`, or by
    the twins that the object has beside them: `abegin`, `atool`, `asay`, `afinish` and `afail`.
    """

    @property
    def id(self) -> str:
        """Return the id by which feedback finds the episode later."""
        ...

    @property
    def context(self) -> str:
        """Return what the agent's prompt should hold: playbook and retrieved items, or ""."""
        ...

    @property
    def bullets(self) -> tuple[str, ...]:
        """Return the ids of the bullets in the context."""
        ...

    def begin(self) -> Self:
        """Look up the context and record that the episode has begun. A second call does nothing."""
        ...

    def tool(
        self, name: str, arguments: Any = None, result: Any = None, *, failed: bool | None = None
    ) -> None:
        """Record a call of a tool, with what came back.

        `arguments` and `result` are JSON values or texts. `failed` says whether the result is an error; None
        where nobody knows.
        """
        ...

    def say(self, text: str, *, kind: str = "assistant") -> None:
        """Record what was said. `kind` is "assistant", "user" or "thought"."""
        ...

    def finish(
        self,
        answer: Any,
        *,
        feedback: str | bool | float | None = None,
        right: bool | None = None,
        score: float | None = None,
        expected: str = "",
    ) -> None:
        """Record the answer, and what is known of it by now; feedback by the id may follow.

        `feedback` is a text, a bool, or a score from 0 to 1, where 1 is right. `right` and `score` say the
        same by their names; None says nothing. `expected` is the right answer, "" where nobody knows it.
        """
        ...

    def fail(self, error: BaseException | str) -> None:
        """Record that the agent ended without an answer, and why. An answer that it gave before stands."""
        ...


class EpisodeLearner(Protocol):
    """Learn from the episodes of an agent that somebody else's program runs."""

    def episode(self, question: str, *, user: str = "", **data: Any) -> AgentEpisode:
        """Return the episode of a question, which has not begun yet.

        `user` is whoever asks, "" where that does not matter: the context may hold what is remembered of
        them. `data` is what else belongs to the question, as JSON values. Neither may hold a label.
        """
        ...

    def feedback(
        self,
        episode: str,
        *,
        right: bool | None = None,
        score: float | None = None,
        expected: str = "",
        text: str = "",
        author: str = "program",
    ) -> bool:
        """Record what became of an answer, by the id of its episode. Return whether it is in the file.

        `right`, `score` (0 to 1), `expected` and `text` are what is known; what is not is left out. `author`
        says who knows it, as "program" or the name of a person. It may come at any time, more than once.
        """
        ...

    def guard(self, doing: str, episode: str) -> AbstractContextManager[None]:
        """Run a block whose exceptions become problems: what was being done, and at which episode.

        `doing` completes "could not ...", as "read the answer". `episode` is an id; "" before there is one.
        What ends a program, such as KeyboardInterrupt, passes through.
        """
        ...
