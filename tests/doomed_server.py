"""A server in a process of its own, to be killed: it answers faster than it learns."""

from __future__ import annotations

import time
from itertools import cycle
from multiprocessing.connection import Connection
from pathlib import Path

from ace.llm import Request, Role, RoleModels, ScriptedClient
from ace.loop import serve
from ace.settings import Settings
from ace.store import Store
from tests.world import COLOURS, says, world


def serve_forever(path: Path, told: Connection) -> None:
    """Tells the id of every answer once its feedback is acknowledged."""
    options = Settings(workers=1, batch_size=1, waiting=100, drift=False)
    with (
        Store.open(path) as store,
        serve(world(), store, RoleModels.of(ScriptedClient(_slow)), options) as agent,
    ):
        for colour in cycle(COLOURS):
            answer = agent.answer(f"Which number has {colour}?")
            agent.feedback(answer.episode, right=False)
            told.send(answer.episode)


def _slow(request: Request) -> str:
    if request.role is Role.REFLECTOR:
        time.sleep(0.05)
    return says(request)
