"""The loops: offline, online, evaluate. They cannot tell one method from another."""

from __future__ import annotations

from ace.loop.evaluate import evaluate
from ace.loop.offline import learn
from ace.loop.online import online
from ace.loop.online_server import Agent, Answer, serve
from ace.loop.options import Progress, Settings, check_method, silent
from ace.loop.recorded import learn_from_traces

__all__ = [
    "Agent",
    "Answer",
    "Progress",
    "Settings",
    "check_method",
    "evaluate",
    "learn",
    "learn_from_traces",
    "online",
    "serve",
    "silent",
]
