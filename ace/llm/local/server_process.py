"""One process of llama.cpp's server, seen from the process that started it: start, ask, stop.

The server is native code, which may crash or hang. In a process of its own it can do so, and be killed, and
nothing here waits for it. Knows nothing of when another one is started; that is in `local_server`.
"""

from __future__ import annotations

import json
import logging
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

from ace.errors import InputError, ModelError, ModelUnavailable
from ace.llm.local.slots import Slots

TIMEOUT = 1800.0  # seconds: a CPU is slow and nobody else is waiting
_LOG = logging.getLogger("ace.local")
_CHILD = Path(__file__).with_name("server_child.py")
_GRACE = 1.0  # seconds between the signal that asks a process to end and the one that does not ask
_TAIL = 300  # bytes of the end of its stderr that an error quotes


@dataclass(frozen=True, slots=True, kw_only=True)
class Orders:
    """Tell a server what to serve."""

    weights: str
    """An absolute path."""

    slots: int
    """How many calls may hold a context at the same time."""

    context: int
    """The window of each slot, in tokens."""

    key: str = field(repr=False)
    """What requests must bear."""

    port: int = 0
    """0 is any that is free."""


class ServerProcess:
    """Hold one server in a child process. It has a session of its own, so Ctrl-C in a terminal spares it.

    `address` is its URL on the loopback interface, set by `wait_until_ready`. `slots` knows what the process
    has read.
    """

    def __init__(self, orders: Orders) -> None:
        """Start the process; it is not ready yet. Raises OSError where that cannot be done."""
        self.address = ""
        self.slots = Slots(orders.slots, self.change_state)
        self._orders = orders
        self._folder = Path(tempfile.mkdtemp(prefix="ace-slots-"))
        self._is_short_of_room = False
        self._errors = self._folder / "stderr.txt"
        with self._errors.open("wb") as errors:
            self._process = subprocess.Popen(  # noqa: S603 - our own interpreter and script
                [sys.executable, "-P", str(_CHILD), str(self._folder)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                start_new_session=True,
            )

    def wait_until_ready(self) -> None:
        """Give the process its orders, and wait until it answers requests.

        Raises InputError where xllamacpp is not installed, ModelError where the server does not start.
        """
        sent = {**asdict(self._orders), "parent": os.getpid(), "path": list(map(str, sys.path))}
        stdin, stdout = self._process.stdin, self._process.stdout
        assert stdin is not None and stdout is not None  # noqa: S101 - for the type checker: both are pipes
        with suppress(OSError, ValueError):  # it has been ended already, which the next line finds out
            stdin.write(json.dumps(sent).encode() + b"\n")
            stdin.flush()
        with stdout:
            line = stdout.readline()
        report = {}
        if line:
            report = json.loads(line)
        else:
            self.has_ended(_GRACE)
        if "missing" in report:
            raise InputError(
                f"Local models need xllamacpp, which cannot be imported ({report['missing']}).",
                hint="Install it: pip install 'ace-engine[local]'",
            )
        if "address" not in report:
            reason = report.get("failed") or self.describe_end()
            raise ModelError(
                f"The embedded server did not start with {self._orders.weights}: {reason}",
                hint="It may need more memory: use fewer slots.",
            )
        self.address = report["address"]
        self.ask("GET", "/slots")  # it listens before it works; this is answered by what does the work

    def ask(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Any:
        """Ask the server itself, past litellm, and return its JSON.

        Raises ModelUnavailable without an answer, ModelError for a refusal.
        """
        import httpx

        try:
            response = httpx.request(
                method,
                self.address + path,
                json=body,
                headers={"Authorization": f"Bearer {self._orders.key}"},
                timeout=TIMEOUT,
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

    def change_state(self, action: Literal["save", "restore", "discard"], slot: int, name: str) -> bool:
        """Save what a slot has read as a file, load it from one, or discard it; return whether it could.

        Raises ModelUnavailable without an answer.
        """
        if action == "discard":
            (self._folder / name).unlink(missing_ok=True)
            return True
        try:
            self.ask("POST", f"/slots/{slot}?action={action}", {"filename": name})
        except ModelUnavailable:
            raise
        except ModelError as refusal:
            if not self._is_short_of_room:
                self._is_short_of_room = True
                _LOG.warning(
                    "%s cannot keep what the embedded server has read (is the disk full?), so prompts are "
                    "read again, which takes longer: %s",
                    self._folder,
                    refusal,
                )
            return False
        return True

    def has_ended(self, seconds: float = 0.0) -> bool:
        """Tell whether the process has ended, or does so within some seconds."""
        try:
            self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            return False
        return True

    def describe_end(self) -> str:
        """Say how the process ended, with the end of what it wrote: "was ended by SIGKILL"."""
        code = self._process.poll()
        ending = f"ended with exit code {code}"
        if code is None:
            ending = "does not report"
        elif code < 0:
            names = {int(known): known.name for known in signal.Signals}
            ending = f"was ended by {names.get(-code, f'signal {-code}')}"
        with suppress(OSError):  # it has been stopped, and its folder is gone
            with self._errors.open("rb") as errors:
                errors.seek(max(0, self._errors.stat().st_size - _TAIL))
                written = errors.read().decode("utf-8", "replace")
            if written.strip():
                ending = f"{ending}: {' '.join(written.split())}"
        return ending

    def stop(self) -> None:
        """End the process and delete its folder: first asked, then killed. From any thread; twice is fine."""
        try:
            self._process.terminate()
            self.has_ended(_GRACE)
        finally:  # an interrupt of the wait changes nothing
            self._process.kill()  # has no effect on one that has ended
            self.has_ended(_GRACE)
            if self._process.stdin is not None:
                with suppress(OSError):
                    self._process.stdin.close()
            shutil.rmtree(self._folder, ignore_errors=True)
