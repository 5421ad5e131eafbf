"""`ace proxy` as a process of its own, with the address it serves at and what it has logged."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.pace import patience

MAIN = "import sys; sys.argv[0] = 'ace'; from ace.cli.main import main; main()"


class ProxyProcess:
    """Hold a running proxy."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self.lines: list[str] = []
        self._ready = threading.Event()
        self.url = ""
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self.lines.append(line.rstrip("\n"))
            match = re.search(r" at (http://\S+)$", self.lines[-1])
            if match and not self.url:
                self.url = match[1]
                self._ready.set()
        self._ready.set()

    @property
    def log(self) -> str:
        """Everything it has written but the line with its address."""
        return "\n".join(line for line in self.lines if " at http://" not in line)

    def wait_until_ready(self) -> None:
        assert self._ready.wait(patience(30)) and self.url, self.log

    def post(self, path: str, body: Any, headers: dict[str, str] | None = None) -> tuple[int, Any]:
        """Return the status and the JSON of a reply; the request body may be bytes."""
        payload = body if isinstance(body, bytes) else json.dumps(body).encode()
        request = urllib.request.Request(self.url + path, payload, headers or {})
        try:
            with urllib.request.urlopen(request, timeout=patience(30)) as reply:
                return reply.status, json.load(reply)
        except urllib.error.HTTPError as error:
            return error.code, json.load(error)

    def feedback(self, reply: str, headers: dict[str, str] | None = None, **outcome: Any) -> tuple[int, Any]:
        return self.post("/v1/feedback", {"response_id": reply, **outcome}, headers)

    def wait_for_log(self, words: str) -> None:
        wait_until(lambda: words in self.log, f"{words!r} in {self.log}")

    def stop(self) -> str:
        """End it in order, and return what it has logged."""
        self.process.terminate()
        self.process.wait(patience(30))
        return self.log


def wait_until(is_true: Callable[[], bool], what: str) -> None:
    """Wait for what another process does; fail where it does not."""
    end = time.monotonic() + patience(30)
    while not is_true():
        assert time.monotonic() < end, what
        time.sleep(0.05)


@contextmanager
def run_proxy(*words: str, folder: Path | None = None) -> Iterator[ProxyProcess]:
    """Run `ace proxy` with these words on a free port until the block ends."""
    command = [sys.executable, "-c", MAIN, "proxy", *words, "--port", "0"]
    process = subprocess.Popen(
        command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True, cwd=folder
    )
    proxy = ProxyProcess(process)
    try:
        proxy.wait_until_ready()
        yield proxy
    finally:
        if process.poll() is None:
            process.terminate()
            try:
                process.wait(patience(30))
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
