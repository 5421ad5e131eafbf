"""The loops: offline, online, evaluate. They know the protocol of methods, and nothing of any one method."""

from __future__ import annotations

from ace.loop.evaluate import evaluate
from ace.loop.offline import learn
from ace.loop.online import online
from ace.loop.online_server import OnlineServer, ServedAnswer, serve
from ace.loop.progress import Progress, silent
from ace.loop.recorded import learn_from_traces
from ace.methods import check_method

__all__ = [
    "OnlineServer",
    "Progress",
    "ServedAnswer",
    "check_method",
    "evaluate",
    "learn",
    "learn_from_traces",
    "online",
    "serve",
    "silent",
]
