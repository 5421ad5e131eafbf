"""The proxy as a server in a thread of this process: its real application, and its recorder in another."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import uvicorn

import ace
from ace.loop import AgentLearner
from ace.playbook import Add
from ace.servers.http_place import list_hosts, open_listener
from ace.servers.proxy.application import ProxyPlan, make_application
from ace.servers.proxy.forward import Limits
from ace.servers.proxy.projects import Project
from ace.servers.proxy.recorder import Recorder
from ace.servers.proxy.recorder_process import FeedbackFate, RecorderProcess
from ace.store import Store
from tests.pace import patience

LINE = "Red means seven."


def fill(path: Path, line: str = LINE) -> Path:
    """Make a playbook with one bullet."""
    with Store.open(path) as store:
        store.commit((Add("b-red", "facts", line),), author="person", reason="known")
    return path


class RecorderThread(RecorderProcess):
    """Record in a thread, as the process does. `open_learner` may be replaced by what raises."""

    def __init__(self, projects: Sequence[Project], model: Any = None, silence: float = 1800.0) -> None:
        self.fates: dict[str, tuple[FeedbackFate, str]] = {}
        self.model = model
        self.silence = silence
        self.recorders = [self._make(project) for project in projects]
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._live, daemon=True)

    def _make(self, project: Project) -> Recorder:
        def open_learner() -> AgentLearner:
            return ace.learner(project.playbook, self.model, name=project.name, raises=True)

        return Recorder(project.playbook, open_learner, self._hear)

    def _hear(self, name: str, fate: FeedbackFate, episode: str) -> None:
        self.fates[name] = (fate, episode)

    def _live(self) -> None:
        while not self._stop.wait(0.01):
            for recorder in self.recorders:
                recorder.step(self.silence)
        for recorder in self.recorders:
            recorder.close()

    async def start(self) -> None:
        self._thread.start()

    async def wait_for(self, name: str, seconds: float) -> tuple[FeedbackFate, str]:
        end = time.monotonic() + patience(seconds)
        while time.monotonic() < end:
            if name in self.fates:
                return self.fates[name]
            await asyncio.sleep(0.01)
        return FeedbackFate.WAITING, ""

    async def close(self) -> None:
        self._stop.set()
        await asyncio.to_thread(self._thread.join)


class ProxyHere:
    """Hold a proxy that serves, until `stop`."""

    def __init__(self, server: uvicorn.Server, thread: threading.Thread, url: str, recorder: Any) -> None:
        self._server, self._thread, self.url, self.recorder = server, thread, url, recorder

    @property
    def port(self) -> int:
        return int(self.url.rpartition(":")[2])

    def stop(self) -> None:
        """End it, with everything recorded and all conversations ended."""
        self._server.should_exit = True
        self._thread.join(patience(30))
        assert not self._thread.is_alive()


@contextmanager
def serve_here(
    *projects: Project, limits: Limits | None = None, recorder: RecorderThread | None = None
) -> Iterator[ProxyHere]:
    """Serve projects on a free port until the block ends."""
    recorder = recorder or RecorderThread(projects)
    with open_listener("127.0.0.1", 0) as listener:
        port = listener.getsockname()[1]
        hosts = frozenset(list_hosts("127.0.0.1", port, ()))
        plan = ProxyPlan(projects=projects, hosts=hosts, limits=limits or Limits())
        config = uvicorn.Config(
            make_application(plan, recorder),
            log_config=None,
            log_level="critical",
            ws="none",
            server_header=False,
            date_header=False,
            timeout_graceful_shutdown=1,
        )
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, args=([listener],), daemon=True)
        thread.start()
        end = time.monotonic() + patience(30)
        while not server.started:
            assert time.monotonic() < end
            time.sleep(0.01)
        proxy = ProxyHere(server, thread, f"http://127.0.0.1:{port}", recorder)
        try:
            yield proxy
        finally:
            proxy.stop()
