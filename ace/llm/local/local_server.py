"""Open-weights model on this machine: llama.cpp's server on the loopback interface, kept running.

Knows when a server is started, started again and stopped; the process itself is in `server_process`. Calls go
through litellm as to any other endpoint.
"""

from __future__ import annotations

import os
import secrets
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

from ace.errors import ModelUnavailable
from ace.llm.client import Message
from ace.llm.endpoint import Endpoint, Place
from ace.llm.failures import Cause, Failure
from ace.llm.faults import Kind
from ace.llm.local.server_process import TIMEOUT, Orders, ServerProcess
from ace.llm.local.vocabulary import read_special_tokens
from ace.llm.providers import load_litellm
from ace.llm.retry import Retry
from ace.llm.window import Window
from ace.safety.markup import break_markup, compile_tokens

_HOST = "127.0.0.1"
_RETRY = Retry(attempts=2)
_MOST_STARTS = 3  # of another process, without a call that succeeds between them
_MOMENT = 1.0  # seconds
_HINT = "It may need more memory: use fewer workers."


class LocalServer:
    """Serve one GGUF file to `slots` calls at once, each with `context` tokens to itself.

    A prompt that begins like an earlier one costs its new part, in whichever slot the earlier one was.
    `address` is its URL on the loopback interface, `key` what requests must bear. The server is a child
    process; one that ends is started again at the same address, a few times as long as no call succeeds.
    Safe to use from many threads. A fork of this process may make calls, and starts and stops nothing.
    """

    def __init__(self, weights: Path, *, slots: int = 4, context: int = 8192) -> None:
        """Start it, and return once it answers.

        Raises InputError where xllamacpp is not installed, ModelError where the server does not start,
        WeightsError where the file is damaged.
        """
        self._special = compile_tokens(read_special_tokens(weights))
        self.key = secrets.token_urlsafe()  # other users of this machine can reach the port, too
        self._orders = Orders(weights=str(weights.absolute()), slots=slots, context=context, key=self.key)
        self._owner = os.getpid()
        self._lock = threading.Lock()  # held while the process is replaced
        self._is_closed = False
        self._starts = 0  # of another process, since a call succeeded
        self._process = ServerProcess(self._orders)
        self._wait_until_ready()
        self.address = self._process.address
        # Whoever was told the address finds the next process there.
        self._orders = replace(self._orders, port=urlsplit(self.address).port or 0)

    def defuse(self, text: str) -> str:
        """Return a text of a prompt in which nothing is a special token of this model's own tokenizer."""
        if self._special is None:
            return text
        return break_markup(text, self._special)

    @contextmanager
    def place(self, messages: Sequence[Message]) -> Iterator[Place]:
        """Find a slot for one call; a long prefix that no slot has is read first, and shared.

        The prefix is the first message, the part of a prompt that other calls have too; messages are those of
        `defuse`. Waits while every slot is taken. Raises ModelError for a prompt that is longer than a slot,
        ModelUnavailable where the server does not start, Failure where it ends during the call.
        """
        prefix = messages[0].content
        text = "\n".join(message.content for message in messages)
        with self._use() as process, process.slots.lease(prefix, text) as lease:
            fields = {"id_slot": lease.slot, "cache_prompt": True}
            tokens = 0
            if lease.prime:
                sent = [message.to_json() for message in messages]
                body = {"messages": sent, "max_tokens": 1, **fields}
                tokens = int(process.ask("POST", "/v1/chat/completions", body)["timings"]["prompt_n"])
                lease.share()
            yield Place(fields, tokens)

    def window(self) -> Window:
        """Return the size of one slot in tokens, and the model's own count of a text."""
        return Window(self._orders.context, self.count)

    def count(self, text: str) -> int:
        """Count the tokens of a text as it is sent, by the model's own tokenizer; no slot is needed."""
        if not text:
            return 0
        sent = self.defuse(text)

        def ask() -> int:
            with self._use() as process:
                return len(process.ask("POST", "/tokenize", {"content": sent})["tokens"])

        try:
            return _RETRY.run(ask)
        except Failure as failure:
            raise ModelUnavailable(failure.words) from failure

    def close(self) -> None:
        """Stop the server and free its memory. Calls under way fail at once. Closing twice is fine."""
        if os.getpid() != self._owner:
            return
        self._is_closed = True  # without the lock: whoever has it may be waiting for the process
        self._process.stop()

    @contextmanager
    def _use(self) -> Iterator[ServerProcess]:
        """Yield the process that serves. What fails because it ended is a Failure that may pass."""
        process = self._ensure_process()
        try:
            yield process
        except Exception as error:
            # A connection is lost a moment before the process is gone.
            if self._is_closed or os.getpid() != self._owner or not process.has_ended(_MOMENT):
                raise
            words = f"The embedded server {process.describe_end()}. {_HINT}"
            raise Failure(Kind.LOST_CONNECTION, Cause.PASSING, words, is_unreachable=True) from error
        self._starts = 0

    def _ensure_process(self) -> ServerProcess:
        """Return the process, or the one that takes the place of one that has ended.

        Raises ModelUnavailable where the server is closed or has ended too often, ModelError where it does
        not start again.
        """
        if os.getpid() != self._owner:
            return self._process
        with self._lock:
            self._refuse_if_closed()
            if not self._process.has_ended():
                return self._process
            if self._starts == _MOST_STARTS:
                raise ModelUnavailable(
                    f"The embedded server ended {self._starts + 1} times in a row: "
                    f"the last one {self._process.describe_end()}.",
                    hint=_HINT,
                )
            self._starts += 1
            self._process.stop()
            self._process = ServerProcess(self._orders)
            self._refuse_if_closed()  # in the meantime, so that it was the one before that was stopped
            self._wait_until_ready()
            return self._process

    def _refuse_if_closed(self) -> None:
        """Raise ModelUnavailable where the server is closed, and see that no process runs."""
        if self._is_closed:
            self._process.stop()
            hint = "Is the server running? Connect to the model again."
            raise ModelUnavailable("The embedded server is closed.", hint=hint)

    def _wait_until_ready(self) -> None:
        """Wait for the new process; one that does not get there, or is not waited for, is stopped."""
        try:
            self._process.wait_until_ready()
        except BaseException:  # an interrupt, too
            self._process.stop()
            raise


def connect_local(name: str, weights: Path, *, slots: int = 4, context: int = 8192) -> Endpoint:
    """Start a server for these weights, and return the endpoint that talks to it and closes it.

    `name` is the model's without "local/". The environment's NO_PROXY takes in the loopback address. Raises
    as `LocalServer` does.
    """
    for variable in ("NO_PROXY", "no_proxy"):  # a proxy for the outside world does not reach this machine
        hosts = [host for host in os.environ.get(variable, "").split(",") if host]
        if _HOST not in hosts:
            os.environ[variable] = ",".join([*hosts, _HOST])
    threading.Thread(target=load_litellm, daemon=True).start()  # takes seconds, and so do the weights
    server = LocalServer(weights, slots=slots, context=context)
    return Endpoint(
        f"local/{name}",
        address=f"openai/{name}",
        api_base=f"{server.address}/v1",
        api_key=server.key,
        timeout=TIMEOUT,
        max_tokens=1024,  # a small model that starts to repeat itself would fill its context
        cost=0.0,
        tries=2,
        retry=_RETRY,
        server=server,
    )
