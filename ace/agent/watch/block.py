"""The block in which calls are watched: which calls belong to it, and what is said of their answers.

A call belongs to the innermost block of its own thread or task (`contextvars`). Whatever goes wrong here, the
call is made as if nobody watched.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from contextvars import ContextVar
from functools import wraps
from typing import Any

from ace.agent.watch import patches
from ace.agent.watch.conversation import Conversation, Conversations
from ace.agent.watch.wire import Body, Interface, add_context
from ace.task.agent_episode import EpisodeLearner

Function = Callable[..., Any]
Guard = Callable[[str, str], AbstractContextManager[None]]
"""Runs a block of which what it raises is kept as a problem: what is being done, and at which episode."""

Begin = Callable[
    ["WatchedBlock", tuple[Any, ...], dict[str, Any]],
    tuple["WatchedCall | None", tuple[Any, ...], dict[str, Any]],
]
"""Returns the call that arguments are, if they are one, and the arguments to go on with."""

Take = Callable[["WatchedCall", Any], None]
"""Records what a call returned."""

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
        """Remember why the call has no reply: the same one may be made again."""
        self._conversation.error, self._conversation.failed = error, True


class WatchedBlock:
    """Holds what a block with watched calls offers: its learner, its episodes, and feedback on them."""

    def __init__(self, learner: EpisodeLearner, guard: Guard) -> None:
        self.learner = learner
        """What gives its calls their context, and takes their episodes."""
        self.guard = guard
        """Runs a block; what the block raises becomes a problem of the learner."""
        self.conversations = Conversations(learner)
        """Those that go on."""
        self.episodes = self.conversations.ids
        """The ids of its episodes, in the order in which they began."""

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
            if not name and self.episodes:
                name = self.episodes[-1]
            return self.learner.feedback(name, right=right, score=score, expected=expected, text=text)
        return False


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
            while block.conversations.finish():
                pass


def watch(original: Function, begin: Begin, take: Take) -> Function:
    """Return a function that does what the original does, and is watched where a block asks for it.

    `begin` returns the call of a model that its arguments are, and the arguments to go on with; None for the
    call where it is none. Where it raises, the call is made as it is. `take` records what came back. What the
    original returns and raises is returned and raised.
    """

    @wraps(original)
    def watched(*args: Any, **keywords: Any) -> Any:
        block, call = _BLOCK.get(), None
        if block is not None:
            with block.guard("watch a call", ""):
                call, args, keywords = begin(block, args, keywords)
        if call is None:
            return original(*args, **keywords)
        token = _BLOCK.set(None)  # what the call itself calls is no call of the agent
        try:
            result = original(*args, **keywords)
        except BaseException as error:
            call.take_error(error)
            raise
        finally:
            _BLOCK.reset(token)
        with call.guard("read a reply"):
            take(call, result)
        return result

    return watched


def watch_async(original: Function, begin: Begin, take: Take) -> Function:
    """Return an `async` function that does what the original does, and is watched; see `watch`.

    What takes time is done in a thread, so that the loop is not blocked.
    """

    @wraps(original)
    async def watched(*args: Any, **keywords: Any) -> Any:
        block, call = _BLOCK.get(), None
        if block is not None:
            with block.guard("watch a call", ""):
                call, args, keywords = await run_beside(begin, block, args, keywords)
        if call is None:
            return await original(*args, **keywords)
        token = _BLOCK.set(None)
        try:
            result = await original(*args, **keywords)
        except BaseException as error:
            call.take_error(error)
            raise
        finally:
            _BLOCK.reset(token)
        with call.guard("read a reply"):
            await run_beside(take, call, result)
        return result

    return watched


async def run_beside(function: Callable[..., Any], *arguments: Any) -> Any:
    """Run a function in a thread, so that the loop is not blocked; here, where the loop is not asyncio's."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return function(*arguments)
    return await asyncio.to_thread(function, *arguments)
