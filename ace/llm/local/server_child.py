"""Serve one GGUF file with llama.cpp's server, in a process of its own, until its parent is gone.

Run as a script by `server_process`, with a folder for the states of slots, which it deletes in the end. It
reads one JSON line from its stdin: the fields of `server_process.Orders`, "parent", which is the id of the
process that writes it, and "path", where that finds modules. It writes one line, a JSON object with one key:

    address   where it listens, now that the weights are loaded
    missing   why xllamacpp cannot be imported
    failed    why the server did not start

The end of its stdin is the end of its parent, and its own. Imports the standard library and xllamacpp only.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import sys
import threading
from collections.abc import Mapping
from typing import Any

_HOST = "127.0.0.1"
_QUIET = -1  # llama.cpp writes to the C-level stderr; below 0 it writes nothing
_LOOK = 1.0  # seconds between looks at who the parent is


def serve() -> None:
    """Start the server and report, then wait for the end of the parent. Never returns."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_DFL)  # it ends at once, even where the parent ignores them
    folder = sys.argv[1]
    report = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # what native code prints is no report
    line = sys.stdin.readline()
    if line:
        orders = json.loads(line)
        sys.path[:] = orders["path"]
        server, answer = _start(orders, folder)
        report.write(json.dumps(answer) + "\n")
        report.close()
        if server is not None:
            _wait_for_end(orders["parent"])
    shutil.rmtree(folder, ignore_errors=True)
    os._exit(0)  # the destructor of the server waits for its clients


def _start(orders: Mapping[str, Any], folder: str) -> tuple[Any, dict[str, str]]:
    """Return the running server and the report of it; None and why, where there is none."""
    # llama.cpp's threads wait for each other some hundred times a token. Spinning through long waits, as
    # OpenMP does unless told otherwise, made calls 2 to 20 times slower when anything else had work; never
    # spinning cost a quarter on an idle machine of 2 cores. A short spin cost little in both.
    os.environ.setdefault("GOMP_SPINCOUNT", "2000")
    try:
        import xllamacpp
    except ImportError as error:
        return None, {"missing": str(error)}
    cores = os.cpu_count() or 1
    if hasattr(os, "sched_getaffinity"):  # in a container a process may use fewer than the machine has
        cores = len(os.sched_getaffinity(0))
    params = xllamacpp.CommonParams()
    params.model.path = orders["weights"]
    params.verbosity = _QUIET
    params.api_keys = [orders["key"]]
    params.ui = False
    params.hostnames = [_HOST]
    params.port = orders["port"]
    params.slot_save_path = f"{folder}/"
    params.cache_ram_mib = 0  # the server's own copies of prompts: `Slots` keeps better ones
    params.n_parallel = orders["slots"]
    params.n_ctx = orders["slots"] * orders["context"]
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = cores
    try:
        server = xllamacpp.Server(params)
    except RuntimeError as error:
        return None, {"failed": str(error)}
    return server, {"address": server.listening_address}


def _wait_for_end(parent: int) -> None:
    """Wait until stdin ends, or `parent` is no longer the parent of this process.

    A copy of the parent, made by a fork, holds the other end of stdin open as well.
    """
    ended = threading.Event()

    def read_to_end() -> None:
        while os.read(0, 1024):
            pass
        ended.set()

    threading.Thread(target=read_to_end, daemon=True).start()
    while not ended.wait(_LOOK):
        if os.getppid() != parent:
            return


if __name__ == "__main__":
    serve()
