"""Servers in processes of their own that share one playbook, to be told what to do, and to be killed."""

from __future__ import annotations

import multiprocessing
import os
import signal
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from ace.llm import Request, Role, RoleModels, ScriptedClient
from ace.loop import serve
from ace.settings import Settings
from ace.store import Store
from tests.pace import patience
from tests.world import SECRET, says, world

OPTIONS = Settings(workers=1, batch_size=1, drift=False)


class Member:
    """One server. While the file `hold` is in its folder, its reflector thinks; `asked` says that it does."""

    def __init__(self, place: Path | str, folder: Path) -> None:
        context: Any = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload(["tests.fleet"])
        self.folder = folder
        folder.mkdir()
        self._pipe, child = context.Pipe()
        self.process = context.Process(target=_obey, args=(place, folder, child), daemon=True)
        self.process.start()
        child.close()
        self.run: int = self._receive()

    def tell(self, *command: Any) -> Any:
        """Have it do something, and return what it says."""
        self._pipe.send(command)
        return self._receive()

    def _receive(self) -> Any:
        assert self._pipe.poll(patience(60)), "it does not answer"
        return self._pipe.recv()

    @property
    def leads(self) -> bool:
        answer = self.tell("leads")
        assert isinstance(answer, bool)
        return answer

    def ask(self, colour: str) -> tuple[str, str]:
        """Return its answer, and the id of the episode."""
        text, episode = self.tell("ask", colour)
        return text, episode

    def judge(self, episode: str, colour: str) -> None:
        """Say through this server that an answer is wrong, whoever gave it."""
        self.tell("judge", episode, colour)

    def stop(self) -> None:
        """Stop it where it stands, as Ctrl-Z does, until `go_on`."""
        os.kill(self.process.pid, signal.SIGSTOP)

    def go_on(self) -> None:
        os.kill(self.process.pid, signal.SIGCONT)

    def __enter__(self) -> Member:
        return self

    def __exit__(self, *error: object) -> None:
        """Leave no process behind: one that is stopped cannot be ended in order."""
        if self.process.is_alive():
            self.kill()

    def kill(self) -> None:
        os.kill(self.process.pid, signal.SIGKILL)
        self.process.join()

    def close(self) -> str:
        """End it in order, and return the kind of its report."""
        kind = self.tell("close")
        self.process.join()
        assert isinstance(kind, str)
        return kind


def wait_until(true: Callable[[], Any], seconds: float = 30.0) -> None:
    """Wait until something is true."""
    began = time.monotonic()
    while not true():
        assert time.monotonic() - began < patience(seconds), "it does not come true"
        time.sleep(0.02)


def list_learned(store: Store) -> list[int]:
    """Return the numbers of the feedback that was learned from, as often as it was, in any run."""
    numbers = []
    for run in store.runs():
        for step in store.steps(run.id):
            numbers += step.payload.get("feedback", [])
    return sorted(numbers)


def _obey(place: Path | str, folder: Path, commands: Connection) -> None:
    """Serve, and do what comes through the pipe until it says so, or its other end is gone."""

    def think(request: Request) -> str:
        if request.role is Role.REFLECTOR:
            (folder / "asked").touch()
            while (folder / "hold").exists():
                time.sleep(0.02)
        return says(request)

    with Store.open(place) as store:
        server = serve(world(), store, RoleModels.of(ScriptedClient(think)), OPTIONS)
        commands.send(server.run)
        while True:
            try:
                command = commands.recv()
            except EOFError:
                return
            match command:
                case ("leads",):
                    commands.send(server.leads)
                case ("ask", colour):
                    answer = server.answer(f"Which number has {colour}?")
                    commands.send((answer.text, answer.episode))
                case ("judge", episode, colour):
                    server.feedback(episode, right=False, expected=SECRET[colour])
                    commands.send(None)
                case ("close",):
                    commands.send(server.close().kind)
                    return
