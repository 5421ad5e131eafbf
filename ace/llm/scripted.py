"""Client that replies from a script: for tests, examples and dry runs."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator

from ace.errors import ModelError
from ace.llm import asking
from ace.llm.client import Reply, Request, Usage

Script = Callable[[Request], str | Reply]


class ScriptedClient:
    """Reply from a list, in order, or from a function of the request; an exception in a list is raised.

    Replies are looked at as those of a real model are: one that is empty, or not valid, uses up a try and the
    next one is asked for. Tokens are four characters each. Safe to use from many threads, if the function is.
    """

    def __init__(
        self, replies: Iterable[str | Reply | Exception] | Script, *, model: str = "scripted", tries: int = 3
    ) -> None:
        self.model = model
        """The name that reports have for it."""
        self.tries = tries
        """How often it is asked at most for one call."""
        self.calls: list[Request] = []
        """Every request, in order."""
        self._script: Script | None = None
        self._replies: Iterator[str | Reply | Exception] = iter(())
        if callable(replies):
            self._script = replies
        else:
            self._replies = iter(replies)
        self._lock = threading.Lock()

    def complete(self, request: Request) -> Reply:
        """Reply once the script says what can be used.

        Raises MalformedReply when it did not within `tries`, and what `ask` raises.
        """
        return asking.complete(self.ask, request, tries=self.tries)

    def ask(self, request: Request) -> Reply:
        """Return the script's next reply.

        Raises ModelError when a list has come to its end, and an exception that the list holds.
        """
        reply: str | Reply | Exception | None = None
        with self._lock:
            self.calls.append(request)
            if self._script is None:
                reply = next(self._replies, None)
                number = len(self.calls)
        if self._script is not None:
            reply = self._script(request)  # outside the lock: scripts may wait for each other
        elif reply is None:
            raise ModelError(f"The script of {self.model} ended before call {number}.")
        if isinstance(reply, Exception):
            raise reply
        if isinstance(reply, Reply):
            return reply
        text = str(reply)
        asked = sum(len(message.content) for message in request.messages)
        usage = Usage(calls=1, prompt_tokens=asked // 4, completion_tokens=len(text) // 4)
        return Reply(text, usage=usage)
