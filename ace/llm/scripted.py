"""A client that says what it was told to say: for tests, examples and dry runs."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Sequence

from pydantic import BaseModel

from ace.errors import ModelError
from ace.llm import asking
from ace.llm.client import How, Message, Reply, Usage

Script = Callable[[Sequence[Message]], str | Reply]


class ScriptedClient:
    """Replies from a list, in order, or from a function of the messages; an exception in a list is raised.

    Replies are looked at as those of a real model are: one that is empty, or not valid, uses up a try and the
    next one is asked for. `calls` keeps the messages of every call. Tokens are four characters each.
    """

    def __init__(
        self, replies: Iterable[str | Reply | Exception] | Script, *, model: str = "scripted", tries: int = 3
    ) -> None:
        self.model = model
        self.calls: list[tuple[Message, ...]] = []
        self.tries = tries
        self._script: Script | None = replies if callable(replies) else None
        self._replies: Iterator[str | Reply | Exception] = iter(() if callable(replies) else replies)
        self._lock = threading.Lock()

    def complete(
        self,
        messages: Sequence[Message],
        *,
        schema: type[BaseModel] | None = None,
        temperature: float = 0.0,
        seed: int | None = None,
        max_tokens: int | None = None,
    ) -> Reply:
        how = How(schema, temperature, seed, max_tokens)
        return asking.complete(self.ask, messages, how, tries=self.tries)

    def ask(self, messages: Sequence[Message], how: How) -> Reply:
        """The next scripted reply, whatever is asked."""
        with self._lock:
            self.calls.append(tuple(messages))
            said = self._next() if self._script is None else None
        if said is None and self._script is not None:
            said = self._script(messages)
        if isinstance(said, Exception):
            raise said
        return said if isinstance(said, Reply) else Reply(str(said), usage=_usage(messages, str(said)))

    def _next(self) -> str | Reply | Exception:
        for reply in self._replies:
            return reply
        raise ModelError(f"The script of {self.model} ended before call {len(self.calls)}.")


def _usage(messages: Sequence[Message], said: str) -> Usage:
    asked = sum(len(message.content) for message in messages)
    return Usage(calls=1, prompt_tokens=asked // 4, completion_tokens=len(said) // 4)
