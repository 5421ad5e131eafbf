"""The loops: offline, online, evaluate. They cannot tell one method from another."""

from __future__ import annotations

from ace.loop.evaluate import evaluate
from ace.loop.offline import learn
from ace.loop.online import online
from ace.loop.options import Options, Progress, silent

__all__ = ["Options", "Progress", "evaluate", "learn", "online", "silent"]
