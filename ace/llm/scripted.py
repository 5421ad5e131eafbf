"""A client that says what it was told to say: for tests, examples and dry runs."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator

from ace.errors import ModelError
from ace.llm import asking
from ace.llm.client import Reply, Request, Usage

Script = Callable[[Request], str | Reply]


class ScriptedClient:
    """Replies from a list, in order, or from a function of the request; an exception in a list is raised.

    Replies are looked at as those of a real model are: one that is empty, or not valid, uses up a try and the
    next one is asked for. `calls` keeps every request. Tokens are four characters each.
    """

    def __init__(
        self, replies: Iterable[str | Reply | Exception] | Script, *, model: str = "scripted", tries: int = 3
    ) -> None:
        self.model = model
        self.calls: list[Request] = []
        self.tries = tries
        self._script: Script | None = replies if callable(replies) else None
        self._replies: Iterator[str | Reply | Exception] = iter(() if callable(replies) else replies)
        self._lock = threading.Lock()

    def complete(self, request: Request) -> Reply:
        return asking.complete(self.ask, request, tries=self.tries)

    def ask(self, request: Request) -> Reply:
        """The next scripted reply, whatever is asked."""
        with self._lock:
            self.calls.append(request)
            said = self._next() if self._script is None else None
        if said is None and self._script is not None:
            said = self._script(request)
        if isinstance(said, Exception):
            raise said
        return said if isinstance(said, Reply) else Reply(str(said), usage=_usage(request, str(said)))

    def _next(self) -> str | Reply | Exception:
        for reply in self._replies:
            return reply
        raise ModelError(f"The script of {self.model} ended before call {len(self.calls)}.")


def _usage(request: Request, said: str) -> Usage:
    asked = sum(len(message.content) for message in request.messages)
    return Usage(calls=1, prompt_tokens=asked // 4, completion_tokens=len(said) // 4)
