"""The block in which calls are watched: which calls belong to it, and what is said of their answers.

A call belongs to the innermost block of its own thread or task (`contextvars`). Whatever goes wrong here, the
call is made as if nobody watched.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from contextvars import ContextVar
from typing import Any

from ace.agent.watch import patches
from ace.agent.watch.conversation import Conversation, Conversations
from ace.agent.watch.wire import Body, Interface, add_context
from ace.task.agent_episode import EpisodeLearner

Guard = Callable[[str, str], AbstractContextManager[None]]
"""Runs a block of which what it raises is kept as a problem: what is being done, and at which episode."""

_BLOCK: ContextVar[WatchedBlock | None] = ContextVar("ace_watched_block", default=None)


class WatchedCall:
    """Follows one call of a model: `body` is what to send instead of what was given."""

    def __init__(self, block: WatchedBlock, interface: Interface, body: Body) -> None:
        """Find the conversation of the call, and put its context into the body. Raises what goes wrong."""
        self._block = block
        self.interface = interface
        self._conversation: Conversation = block.conversations.take_request(interface, body)
        context = self._conversation.episode.context
        self.body = add_context(interface, body, context) if context else dict(body)

    def guard(self, doing: str) -> AbstractContextManager[None]:
        """Run a block whose exceptions become problems of the learner."""
        return self._block.guard(doing, self._conversation.episode.id)

    def take_reply(self, reply: Body) -> None:
        """Record a reply. Never raises."""
        with self.guard("record a reply"):
            self._block.conversations.take_reply(self._conversation, self.interface, reply)

    def take_error(self, error: BaseException) -> None:
        """Record that the call raised an error."""
        with self.guard("record an error"):
            self._block.conversations.take_error(self._conversation, error)


class WatchedBlock:
    """Holds what a block with watched calls offers: its learner, its episodes, and feedback on them."""

    def __init__(self, learner: EpisodeLearner, guard: Guard) -> None:
        self.learner = learner
        self.guard = guard
        self.conversations = Conversations(learner)

    @property
    def episodes(self) -> tuple[str, ...]:
        """Return the ids of the episodes of this block, in the order in which they began."""
        return tuple(self.conversations.ids)

    def feedback(
        self,
        episode: str = "",
        *,
        right: bool | None = None,
        score: float | None = None,
        expected: str = "",
        text: str = "",
    ) -> bool:
        """Record what became of an answer: of the conversation that spoke last, or of an episode by its id.

        A conversation ends with it. Return whether it is in the file; what cannot be used is a problem.
        """
        with self.guard("take feedback", episode):
            name = self.conversations.finish(episode) or episode
            if not name and self.conversations.ids:
                name = self.conversations.ids[-1]
            return self.learner.feedback(name, right=right, score=score, expected=expected, text=text)
        return False

    def begin_call(self, interface: Interface, body: Body) -> WatchedCall | None:
        """Return the call to follow; None where it cannot be followed, and is to be made as it is."""
        with self.guard("watch a call", ""):
            return WatchedCall(self, interface, body)
        return None


@contextmanager
def watch_calls(learner: EpisodeLearner, guard: Guard) -> Iterator[WatchedBlock]:
    """Watch the calls of the block, and yield what it offers. Leaving it ends all of its conversations."""
    block = WatchedBlock(learner, guard)
    token = _BLOCK.set(block)
    try:
        with patches.installed():
            yield block
    finally:
        _BLOCK.reset(token)
        with guard("end the conversations", ""):
            block.conversations.finish_all()


def find_block() -> WatchedBlock | None:
    """Return the block that a call made here belongs to; None outside, and within a call that is watched."""
    return _BLOCK.get()


@contextmanager
def inside_call() -> Iterator[None]:
    """Leave calls alone that a watched call makes itself, in the same thread or task."""
    token = _BLOCK.set(None)
    try:
        yield
    finally:
        _BLOCK.reset(token)


async def run_beside(function: Callable[..., Any], *arguments: Any) -> Any:
    """Run a function in a thread, so that the loop is not blocked; here, where the loop is not asyncio's."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return function(*arguments)
    return await asyncio.to_thread(function, *arguments)
