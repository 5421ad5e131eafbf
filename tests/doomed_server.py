"""A server in a process of its own, to be killed: it answers faster than it learns."""

from __future__ import annotations

import time
from collections.abc import Sequence
from itertools import cycle
from multiprocessing.connection import Connection
from pathlib import Path

from ace.llm import Message, ScriptedClient, Team
from ace.loop import Settings, serve
from ace.store import Store
from tests.world import COLOURS, says, world


def serve_forever(path: Path, told: Connection) -> None:
    """Tells the id of every answer once its feedback is acknowledged."""
    options = Settings(workers=1, batch_size=1, waiting=100, drift=False)
    with Store.open(path) as store, serve(world(), store, Team.of(ScriptedClient(_slow)), options) as agent:
        for colour in cycle(COLOURS):
            answer = agent.answer(f"Which number has {colour}?")
            agent.feedback(answer.episode, right=False)
            told.send(answer.episode)


def _slow(messages: Sequence[Message]) -> str:
    if messages[0].content.startswith("You read one failed attempt"):
        time.sleep(0.05)
    return says(messages)
