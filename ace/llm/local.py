"""An open-weights model inside this process: llama.cpp's server on the loopback interface.

Knows how to start and stop the server; calls go through litellm as to any other endpoint.
"""

from __future__ import annotations

import os
import secrets
import threading
from pathlib import Path
from typing import Any

from ace.errors import InputError, ModelError
from ace.llm.endpoint import Endpoint
from ace.llm.providers import load_litellm
from ace.llm.retry import Retry

_QUIET = -1  # llama.cpp writes to the C-level stderr; below 0 it writes nothing


class LocalServer:
    """Serves one GGUF file to `slots` calls at once, each with `context` tokens to itself.

    Each slot keeps the last prompt it saw, so a prompt that begins like an earlier one costs its new part.
    """

    def __init__(self, weights: Path, *, slots: int = 4, context: int = 8192) -> None:
        self.key = secrets.token_urlsafe()  # other users of this machine can reach the port, too
        self._server: Any = _start(weights, slots, context, self.key)
        self.address: str = self._server.listening_address

    def close(self) -> None:
        """Stop and free the memory. Closing twice is fine."""
        self._server = None


def connect_local(name: str, weights: Path, *, slots: int = 4, context: int = 8192) -> Endpoint:
    """A server for these weights, and the endpoint that talks to it and closes it."""
    threading.Thread(target=load_litellm, daemon=True).start()  # takes seconds, and so do the weights
    server = LocalServer(weights, slots=slots, context=context)
    return Endpoint(
        f"local/{name}",
        address=f"openai/{name}",
        api_base=f"{server.address}/v1",
        api_key=server.key,
        timeout=1800.0,  # a CPU is slow and nobody else is waiting
        max_tokens=1024,  # a small model that starts to repeat itself would fill its context
        cost=0.0,
        tries=2,
        retry=Retry(attempts=2),
        server=server,
    )


def _start(weights: Path, slots: int, context: int, key: str) -> Any:
    try:
        import xllamacpp
    except ImportError as error:
        raise InputError(
            "Local models need xllamacpp, which is not installed.",
            hint="Install it: pip install 'ace-playbook[local]'",
        ) from error
    params = xllamacpp.CommonParams()
    params.model.path = str(weights)
    params.verbosity = _QUIET
    params.api_keys = [key]
    params.ui = False
    params.n_parallel = slots
    params.n_ctx = slots * context
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = _cores()
    try:
        return xllamacpp.Server(params)  # on 127.0.0.1, on a port that is free
    except RuntimeError as error:
        raise ModelError(
            f"The embedded server did not start with {weights}: {error}",
            hint="It may need more memory: use fewer slots.",
        ) from error


def _cores() -> int:
    """Those this process may use: in a container fewer than the machine has."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
