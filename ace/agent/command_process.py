"""Run an agent that is a command: a process for each attempt, JSON in, text out, nothing left behind.

The process gets a group of its own, which is killed when it ends or takes too long. Knows nothing of what the
text means.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from threading import Event, Thread

from ace.errors import AgentFailed
from ace.llm.faults import hide
from ace.task.solver_toml import program_path
from ace.task.solving import OwnCommand

_LAUNCHER = Path(__file__).with_name("limited_process.py")
_MEGABYTE = 1_000_000
_CHUNK = 65_536  # bytes
_STDERR = 2_000  # bytes of its end that an error quotes
_GRACE = 2.0  # seconds for pipes to be read to their end, once the group is gone


def run_command(agent: OwnCommand, text: str, offered: Mapping[str, str]) -> str:
    """Return what the command writes to stdout when it is given `text` on stdin.

    `offered` are environment variables that it gets besides those of this process, if it lists them. Raises
    AgentFailed with the end of its stderr when it crashes, takes too long or writes too much.
    """
    command = [sys.executable, "-I", "-S", str(_LAUNCHER), str(agent.memory * _MEGABYTE), *agent.command]
    process = subprocess.Popen(  # noqa: S603 (the task's own command, as a list of words)
        command,
        cwd=agent.folder,
        env=choose_environment(agent.env, offered),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    if process.stdin is None or process.stdout is None or process.stderr is None:
        raise AgentFailed(f"{' '.join(agent.command)} has no pipes.")
    pipes = (process.stdin, process.stdout, process.stderr)
    stdin, stdout, stderr = (pipe.fileno() for pipe in pipes)
    output, errors, overflow = bytearray(), bytearray(), Event()

    def write_input() -> None:
        rest = memoryview(text.encode("utf-8", "replace"))
        with suppress(OSError):  # it need not read its input
            while rest:
                rest = rest[os.write(stdin, rest) :]
        with suppress(OSError):
            pipes[0].close()

    def read_output() -> None:
        while chunk := os.read(stdout, _CHUNK):
            output.extend(chunk)
            if len(output) > agent.output:
                overflow.set()
                _kill_group(process)
                return

    def read_errors() -> None:
        while chunk := os.read(stderr, _CHUNK):
            errors.extend(chunk)
            del errors[:-_STDERR]

    threads = [Thread(target=work, daemon=True) for work in (write_input, read_output, read_errors)]
    for thread in threads:
        thread.start()
    timed_out = False
    try:
        process.wait(agent.seconds)
    except subprocess.TimeoutExpired:
        timed_out = True
    finally:  # what it started must not outlive it
        _kill_group(process)
        process.wait()
        for thread, pipe in zip(threads, pipes, strict=True):
            thread.join(_GRACE)
            if not thread.is_alive():  # else a process that left the group holds the other end
                pipe.close()

    written = output[: agent.output].decode("utf-8", "replace")
    problem = ""
    if overflow.is_set():
        problem = f"it wrote more than {agent.output:,} bytes"
    elif timed_out:
        problem = f"it took more than {agent.seconds:g} s and was stopped"
    elif process.returncode:
        problem = _describe_exit(process.returncode)
    if problem:
        quoted = hide(errors.decode("utf-8", "replace").strip(), *_secrets(agent, offered))
        tail = f": {quoted}" if quoted else ""
        raise AgentFailed(f"{' '.join(agent.command)}: {problem}{tail}", output=written)
    return written


def choose_environment(names: tuple[str, ...], offered: Mapping[str, str]) -> dict[str, str]:
    """Return the environment of an agent: where programs are, and the variables that it lists."""
    environment = {"PATH": program_path(), "LANG": "C.UTF-8"}
    available = {**os.environ, **offered}
    return environment | {name: available[name] for name in names if name in available}


def _secrets(agent: OwnCommand, offered: Mapping[str, str]) -> list[str]:
    return [offered[name] for name in agent.env if name in offered and name.endswith("_KEY")]


def _describe_exit(code: int) -> str:
    if code > 0:
        return f"it ended with exit code {code}"
    with suppress(ValueError):
        return f"it was ended by {signal.Signals(-code).name}"
    return f"it was ended by signal {-code}"


def _kill_group(process: subprocess.Popen[bytes]) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
