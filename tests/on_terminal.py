"""The `ace` command on a terminal of its own, in a process of its own.

Importing this in such a process imports what takes long. `Terminal` is the side of the person: it types,
and reads what is drawn.
"""

from __future__ import annotations

import importlib
import multiprocessing
import os
import pty
import re
import select
import signal
import sys
import time
from multiprocessing.process import BaseProcess
from pathlib import Path

from ace.cli.main import main
from ace.llm.providers import load_litellm

_CODES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|\r")
_PATIENCE = 120.0  # seconds, of a machine that is busy

if sys.argv[0] == "-c":  # in the process that forks the commands, and not in that of the tests
    load_litellm()
    importlib.import_module("openai")


def run(arguments: list[str], folder: Path, terminal: str) -> None:
    """Become the command on a terminal, or with its output in the file of that name."""
    os.chdir(folder)
    os.setsid()
    signal.signal(signal.SIGINT, signal.default_int_handler)
    handle = os.open(terminal, os.O_RDWR | os.O_CREAT)
    for stream in (0, 1, 2):
        os.dup2(handle, stream)
    sys.stdin = open(0, encoding="utf-8", closefd=False)  # noqa: SIM115 (for as long as the process runs)
    sys.stdout = open(1, "w", encoding="utf-8", closefd=False)  # noqa: SIM115
    sys.stderr = open(2, "w", encoding="utf-8", closefd=False)  # noqa: SIM115
    os.environ |= {"TERM": "xterm", "COLUMNS": "110", "LINES": "40", "OPENAI_API_KEY": "none"}
    sys.argv = ["ace", *arguments]
    main()


def start(arguments: list[str], folder: Path, terminal: str) -> BaseProcess:
    """Start the command in a process of its own."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tests.on_terminal"])
    process = context.Process(target=run, args=(arguments, folder, terminal))
    process.start()
    return process


class Terminal:
    """A pseudo-terminal: `name` is its other side. `text` is all that was drawn, without codes of control."""

    def __init__(self) -> None:
        self._master, self._slave = pty.openpty()
        self.name = os.ttyname(self._slave)
        self.text = ""
        self.process: BaseProcess | None = None

    def start(self, arguments: list[str], folder: Path) -> BaseProcess:
        """Start the command here."""
        self.process = start(arguments, folder, self.name)
        return self.process

    def type(self, line: str) -> None:
        os.write(self._master, f"{line}\n".encode())

    def read_until(self, pattern: str) -> str:
        """Read until a pattern was drawn, and return what it matched. Fails where it never is."""
        deadline = time.monotonic() + _PATIENCE
        while not (match := re.search(pattern, self.text)):
            assert time.monotonic() < deadline, f"{pattern!r} was not drawn: {self.text[-2000:]}"
            if select.select([self._master], [], [], 0.1)[0]:
                self.text += _CODES.sub("", os.read(self._master, 65536).decode(errors="replace"))
            elif self.process is not None and not self.process.is_alive():
                raise AssertionError(f"It ended with {self.process.exitcode}: {self.text[-2000:]}")
        return match[0]

    def close(self) -> None:
        os.close(self._master)
        os.close(self._slave)
