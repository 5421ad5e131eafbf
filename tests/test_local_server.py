"""The life of the embedded server's process: real processes and requests, and a program without weights."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from ace.errors import InputError, ModelError, ModelUnavailable
from ace.llm import Endpoint, Message, Request, Role
from ace.llm.faults import Kind
from ace.llm.local import server_process
from ace.llm.local.local_server import connect_local

STUB = Path(__file__).with_name("stub_server.py")

Connect = Callable[..., Endpoint]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where servers keep their files. Their program is the stub."""
    monkeypatch.setattr(server_process, "_CHILD", STUB)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    return tmp_path


@pytest.fixture
def start(folder: Path) -> Connect:
    def connect(slots: int = 2, **behaviour: Any) -> Endpoint:
        weights = folder / "weights.json"
        weights.write_text(json.dumps(behaviour))
        return connect_local("stub", weights, slots=slots)

    return connect


def processes(folder: Path) -> list[int]:
    """Return the ids of the servers that keep their files in a folder; dead ones that nobody reaped, too."""
    listing = subprocess.run(["ps", "-axwwo", "pid=,ppid=,args="], capture_output=True, text=True, check=True)
    pids = []
    for line in listing.stdout.splitlines():
        pid, parent, args = line.split(None, 2)
        unreaped = int(parent) == os.getpid() and "<defunct>" in args
        if unreaped or f"{folder}/ace-slots-" in args:
            pids.append(int(pid))
    return pids


def leftovers(folder: Path) -> list[Any]:
    return [*processes(folder), *folder.glob("ace-slots-*")]


def wait_until_gone(folder: Path) -> None:
    while leftovers(folder):  # the limit of the test ends it
        time.sleep(0.05)


def ask(text: str = "What is six times seven?") -> Request:
    return Request(role=Role.GENERATOR, messages=(Message("system", "Be short."), Message("user", text)))


def count(client: Endpoint, text: str) -> int:
    counter = client.window().count
    assert counter is not None
    return counter(text)


def test_it_answers_and_leaves_nothing_behind(start: Connect, folder: Path) -> None:
    with start() as client:
        assert client.complete(ask()).text == "42"
        assert count(client, "one two three") == 3
        assert len(processes(folder)) == 1
    assert leftovers(folder) == []
    client.close()


def test_one_that_is_killed_is_started_again_at_its_address(start: Connect, folder: Path) -> None:
    with start() as client:
        address = client.access()["ACE_MODEL_URL"]
        for _ in range(5):  # each is a fault of its own, and none adds up
            (pid,) = processes(folder)
            os.kill(pid, signal.SIGKILL)
            reply = client.complete(ask())
            assert reply.text == "42"
            assert processes(folder) != [pid]
        os.kill(*processes(folder), signal.SIGKILL)
        assert count(client, "one two three") == 3
        assert client.access()["ACE_MODEL_URL"] == address
    assert leftovers(folder) == []


def test_a_crash_during_a_call_is_a_fault_that_is_recorded(start: Connect) -> None:
    with start(dies=[1]) as client:
        reply = client.complete(ask())
    (fault,) = reply.faults
    assert (reply.text, fault.kind) == ("42", Kind.LOST_CONNECTION)
    assert "was ended by SIGKILL" in fault.detail


def test_a_crash_is_followed_by_one_start_however_many_calls_it_ended(start: Connect, folder: Path) -> None:
    with start(slots=8, dies=[4]) as client, ThreadPoolExecutor(8) as pool:
        (before,) = processes(folder)
        replies = list(pool.map(lambda n: client.complete(ask(f"{n}?")), range(16)))
        assert [reply.text for reply in replies] == ["42"] * 16
        (after,) = processes(folder)
        assert after != before


def test_one_that_always_crashes_is_given_up(start: Connect, folder: Path) -> None:
    with start(dies=list(range(1, 100))) as client:
        for _ in range(2):
            with pytest.raises(ModelUnavailable, match="was ended by SIGKILL"):
                client.complete(ask())
        for _ in range(3):
            with pytest.raises(ModelUnavailable, match="ended 4 times in a row: the last one was ended by"):
                client.complete(ask())
        assert (folder / "weights.calls").stat().st_size == 4
    assert leftovers(folder) == []


@pytest.mark.parametrize(
    ("behaviour", "kind", "words"),
    [
        ({"fails": "no memory"}, ModelError, r"did not start with .*weights\.json: no memory"),
        ({"crashes": "no such instruction"}, ModelError, "ended with exit code 1: no such instruction"),
        ({"misses": "No module named 'xllamacpp'"}, InputError, r"pip install 'ace-engine\[local\]'"),
    ],
)
def test_one_that_does_not_start_says_why(
    behaviour: dict[str, str], kind: type[Exception], words: str, start: Connect, folder: Path
) -> None:
    with pytest.raises(kind, match=words):
        start(**behaviour)
    assert leftovers(folder) == []


def test_one_that_does_not_start_again_says_why(start: Connect, folder: Path) -> None:
    with start() as client:
        (folder / "weights.json").write_text(json.dumps({"fails": "the file is gone"}))
        os.kill(*processes(folder), signal.SIGKILL)
        with pytest.raises(ModelError, match=r"did not start .* the file is gone"):
            client.complete(ask())
        (folder / "weights.json").write_text("{}")
        assert client.complete(ask()).text == "42"


def test_one_that_ignores_the_signal_is_killed(start: Connect, folder: Path) -> None:
    with start(stays=True) as client:
        client.complete(ask())
    assert leftovers(folder) == []


def test_closing_ends_calls_that_nobody_answers(start: Connect, folder: Path) -> None:
    client = start(waits=True)
    with ThreadPoolExecutor(3) as pool:  # one more than there are slots
        calls = [pool.submit(client.complete, ask(f"{n}?")) for n in range(3)]
        while not (folder / "weights.calls").exists():
            time.sleep(0.01)
        client.close()
        errors = [call.exception() for call in calls]
    assert [type(error) for error in errors] == [ModelUnavailable] * 3
    assert leftovers(folder) == []
    with pytest.raises(ModelUnavailable, match="closed"):
        client.complete(ask())
    assert leftovers(folder) == []


def test_closing_from_many_threads_is_fine(start: Connect, folder: Path) -> None:
    client = start()
    threads = [threading.Thread(target=client.close) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert leftovers(folder) == []


def test_it_ends_with_the_process_that_started_it(start: Connect, folder: Path) -> None:
    (folder / "weights.json").write_text("{}")
    program = (
        "import sys, pathlib, tempfile, time\n"
        "from ace.llm.local import server_process\n"
        "from ace.llm.local.local_server import connect_local\n"
        f"server_process._CHILD = pathlib.Path({str(STUB)!r}); tempfile.tempdir = {str(folder)!r}\n"
        f"client = connect_local('stub', pathlib.Path({str(folder / 'weights.json')!r}))\n"
        "print('ready', flush=True); time.sleep(1000)"
    )
    parent = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None and parent.stdout.readline() == "ready\n"
    assert len(processes(folder)) == 1
    parent.kill()
    parent.communicate()
    while processes(folder):
        time.sleep(0.05)


def test_a_fork_calls_it_and_does_not_stop_it(start: Connect, folder: Path) -> None:
    with start() as client:
        client.complete(ask())
        copy = os.fork()
        if copy == 0:
            good = count(client, "one two") == 2
            client.close()
            os._exit(0 if good else 1)
        assert os.waitpid(copy, 0)[1] == 0
        assert client.complete(ask()).text == "42"
    assert leftovers(folder) == []
