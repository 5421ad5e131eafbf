"""Run an agent that is a command: a process for each attempt, JSON in, text out, nothing left behind.

The process gets a group of its own, which is killed when it ends or takes too long. Knows nothing of what the
text means.
"""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Mapping
from contextlib import suppress
from threading import Event, Thread
from typing import IO

from ace.errors import AgentFailed
from ace.llm.faults import hide
from ace.task.limited_process import limit_command
from ace.task.solver_toml import program_path
from ace.task.solving import OwnCommand

_CHUNK = 65_536  # bytes
_STDERR = 2_000  # bytes of its end that an error quotes
_GRACE = 2.0  # seconds for pipes to be read to their end, once the group is gone


class CommandProcess:
    """Hold one process of an agent: its input is written and its output read, in threads, until it ends.

    `output` is what it wrote to stdout, at most one chunk more than its limit; `errors` is the end of its
    stderr. `overflow` is set where it was killed for writing too much.
    """

    def __init__(self, agent: OwnCommand, environment: Mapping[str, str], text: str) -> None:
        """Start the command in its folder, with `text` for its stdin and no variables but `environment`."""
        self.agent = agent
        self.text = text
        self.output = bytearray()
        self.errors = bytearray()
        self.overflow = Event()
        self.process = subprocess.Popen(  # noqa: S603 (the task's own command, as a list of words)
            limit_command(agent.command, memory=agent.memory),
            cwd=agent.folder,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
        # A thread for each pipe: a process that waits for one of them must not keep the others waiting.
        works = {
            self.process.stdin: self._write_input,
            self.process.stdout: self._read_output,
            self.process.stderr: self._read_errors,
        }
        self._threads: list[tuple[Thread, IO[bytes]]] = []
        for pipe, work in works.items():
            if pipe is not None:
                thread = Thread(target=work, args=(pipe,), daemon=True)
                thread.start()
                self._threads.append((thread, pipe))

    def wait_in_time(self) -> bool:
        """Wait for the end; return whether the time was enough. Nothing that it started outlives it.

        What is in the pipes then is read, but for that of a process that left the group. `process.returncode`
        is set: negative for a signal.
        """
        try:
            self.process.wait(self.agent.seconds)
        except subprocess.TimeoutExpired:
            return False
        finally:
            self._kill_group()
            self.process.wait()
            for thread, pipe in self._threads:
                thread.join(_GRACE)
                if not thread.is_alive():  # else a process that left the group holds the other end
                    pipe.close()
        return True

    def _write_input(self, pipe: IO[bytes]) -> None:
        """Write all of the text, and close the pipe."""
        with suppress(OSError), pipe:  # it need not read its input
            pipe.write(self.text.encode("utf-8", "replace"))

    def _read_output(self, pipe: IO[bytes]) -> None:
        """Keep what it writes, and kill it when that is too much."""
        while chunk := os.read(pipe.fileno(), _CHUNK):
            self.output.extend(chunk)
            if len(self.output) > self.agent.output:
                self.overflow.set()
                self._kill_group()
                return

    def _read_errors(self, pipe: IO[bytes]) -> None:
        """Keep the end of what it writes, however much that is."""
        while chunk := os.read(pipe.fileno(), _CHUNK):
            self.errors.extend(chunk)
            del self.errors[:-_STDERR]

    def _kill_group(self) -> None:
        """Kill whatever is left of the process and what it started; nothing left is fine."""
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self.process.pid, signal.SIGKILL)


def run_command(agent: OwnCommand, text: str, offered: Mapping[str, str]) -> str:
    """Return what the command writes to stdout when it is given `text` on stdin.

    `offered` are environment variables that it gets besides those of this process, if it lists them. Raises
    AgentFailed with the end of its stderr when it crashes, takes too long, or writes too much or what is not
    UTF-8: such an answer would only look like one. What it wrote is in the error's details as `output`; keys
    and other secrets in its stderr are hidden.
    """
    running = CommandProcess(agent, choose_environment(agent.env, offered), text)
    in_time = running.wait_in_time()
    code = running.process.returncode
    written = running.output[: agent.output].decode("utf-8", "replace")
    if running.overflow.is_set():
        problem = f"it wrote more than {agent.output:,} bytes"
    elif not in_time:
        problem = f"it took more than {agent.seconds:g} s and was stopped"
    elif code > 0:
        problem = f"it ended with exit code {code}"
    elif code < 0:
        names = {int(known): known.name for known in signal.Signals}
        problem = f"it was ended by {names.get(-code, f'signal {-code}')}"
    elif written.encode() != running.output:  # something was replaced
        problem = "what it wrote is not UTF-8"
    else:
        return written
    keys = [value for name, value in offered.items() if name.endswith("_KEY")]
    errors = running.errors.decode("utf-8", "replace").strip()
    quoted = hide(errors, *keys)
    tail = f": {quoted}" if quoted else ""
    raise AgentFailed(f"{' '.join(agent.command)}: {problem}{tail}", output=written)


def choose_environment(names: tuple[str, ...], offered: Mapping[str, str]) -> dict[str, str]:
    """Return the environment of an agent: where programs are, and the variables that it lists.

    What is offered counts as a whole: where one of it is set already, none of it is used. So an address never
    goes with the key of another place.
    """
    available = dict(os.environ)
    if not offered.keys() & available.keys():
        available |= offered
    environment = {"PATH": program_path(), "LANG": "C.UTF-8"}
    for name in names:
        if name in available:
            environment[name] = available[name]
    return environment
