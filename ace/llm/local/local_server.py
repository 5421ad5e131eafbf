"""Open-weights model inside this process: llama.cpp's server on the loopback interface.

Knows how to start and stop the server; calls go through litellm as to any other endpoint.
"""

from __future__ import annotations

import os
import secrets
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal

from ace.errors import InputError, ModelError, ModelUnavailable
from ace.llm.client import Message
from ace.llm.endpoint import Endpoint, Place
from ace.llm.local.slots import Slots
from ace.llm.providers import load_litellm
from ace.llm.retry import Retry
from ace.llm.window import Window

_HOST = "127.0.0.1"
_TIMEOUT = 1800.0  # seconds: a CPU is slow and nobody else is waiting
_QUIET = -1  # llama.cpp writes to the C-level stderr; below 0 it writes nothing


class LocalServer:
    """Serve one GGUF file to `slots` calls at once, each with `context` tokens to itself.

    A prompt that begins like an earlier one costs its new part, in whichever slot the earlier one was.
    `address` is its URL on the loopback interface, `key` what requests must bear.
    """

    def __init__(self, weights: Path, *, slots: int = 4, context: int = 8192) -> None:
        """Start it, and return once it answers.

        Raises InputError where xllamacpp is not installed, ModelError where the server does not start.
        """
        self.key = secrets.token_urlsafe()  # other users of this machine can reach the port, too
        self._saved = TemporaryDirectory(prefix="ace-slots-")
        self._server: Any = _start(
            weights, slots=slots, context=context, key=self.key, saved=self._saved.name
        )
        self.address: str = self._server.listening_address
        # It listens before it works, and stopping it in between hangs; /slots is answered by its loop.
        self._ask("GET", "/slots")
        self._slots = Slots(slots, self.change_state)
        self._context = context

    @contextmanager
    def place(self, messages: Sequence[Message]) -> Iterator[Place]:
        """Find a slot for one call; a long prefix that no slot has is read first, and shared.

        The prefix is the first message, the part of a prompt that other calls have too. Waits while every
        slot is taken. Raises ModelError for a prompt that is longer than a slot, ModelUnavailable where the
        server does not answer.
        """
        prefix = messages[0].content
        with self._slots.lease(prefix, "\n".join(message.content for message in messages)) as lease:
            fields = {"id_slot": lease.slot, "cache_prompt": True}
            tokens = 0
            if lease.prime:
                sent = [asdict(message) for message in messages]
                body = {"messages": sent, "max_tokens": 1, **fields}
                tokens = int(self._ask("POST", "/v1/chat/completions", body)["timings"]["prompt_n"])
                lease.share()
            yield Place(fields, tokens)

    def window(self) -> Window:
        """Return the size of one slot in tokens, and the model's own count of a text."""
        return Window(self._context, self.count)

    def count(self, text: str) -> int:
        """Count the tokens of a text, by the model's own tokenizer; no slot is needed for that."""
        if not text:
            return 0
        return len(self._ask("POST", "/tokenize", {"content": text})["tokens"])

    def change_state(self, action: Literal["save", "restore", "discard"], slot: int, name: str) -> None:
        """Save what a slot has read as a file, load it from one, or discard the file."""
        if action == "discard":
            (Path(self._saved.name) / name).unlink(missing_ok=True)
        else:
            self._ask("POST", f"/slots/{slot}?action={action}", {"filename": name})

    def close(self) -> None:
        """Stop and free the memory. Closing twice is fine."""
        self._server = None
        self._saved.cleanup()

    def _ask(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Any:
        """Ask the server itself, past litellm, and return its JSON.

        Raises ModelUnavailable without an answer, ModelError for a refusal.
        """
        import httpx

        try:
            response = httpx.request(
                method,
                self.address + path,
                json=body,
                headers={"Authorization": f"Bearer {self.key}"},
                timeout=_TIMEOUT,
                trust_env=False,  # a proxy has no business on the loopback interface
            )
        except httpx.HTTPError as error:
            raise ModelUnavailable(
                f"The embedded server did not answer {path}: {error}", hint="Use fewer slots, or start again."
            ) from error
        if response.is_error:
            raise ModelError(
                f"The embedded server refused {path}: {response.text:.200}",
                hint="The prompt may be longer than a slot holds: use a smaller budget.",
            )
        return response.json()


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
        timeout=_TIMEOUT,
        max_tokens=1024,  # a small model that starts to repeat itself would fill its context
        cost=0.0,
        tries=2,
        retry=Retry(attempts=2),
        server=server,
    )


def _start(weights: Path, *, slots: int, context: int, key: str, saved: str) -> Any:
    """Start llama.cpp's server on a port that is free; `saved` is the folder for the states of slots.

    Raises InputError where xllamacpp is not installed, ModelError where the server does not start.
    """
    # llama.cpp's threads wait for each other some hundred times a token. Spinning through long waits, as
    # OpenMP does unless told otherwise, made calls 2 to 20 times slower when anything else had work; never
    # spinning cost a quarter on an idle machine of 2 cores. A short spin cost little in both.
    os.environ.setdefault("GOMP_SPINCOUNT", "2000")
    try:
        import xllamacpp
    except ImportError as error:
        raise InputError(
            "Local models need xllamacpp, which is not installed.",
            hint="Install it: pip install 'ace-engine[local]'",
        ) from error
    cores = os.cpu_count() or 1
    if hasattr(os, "sched_getaffinity"):  # in a container a process may use fewer than the machine has
        cores = len(os.sched_getaffinity(0))
    params = xllamacpp.CommonParams()
    params.model.path = str(weights)
    params.verbosity = _QUIET
    params.api_keys = [key]
    params.ui = False
    params.hostnames = [_HOST]
    params.slot_save_path = f"{saved}/"
    params.cache_ram_mib = 0  # the server's own copies of prompts: `Slots` keeps better ones
    params.n_parallel = slots
    params.n_ctx = slots * context
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = cores
    try:
        return xllamacpp.Server(params)
    except RuntimeError as error:
        raise ModelError(
            f"The embedded server did not start with {weights}: {error}",
            hint="It may need more memory: use fewer slots.",
        ) from error
