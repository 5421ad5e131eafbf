"""Recorded attempts with their outcomes, from the logs of an agent that ran elsewhere.

`read` turns a file into traces, whatever its format; `match` finds the samples of a task they are about.
"""

from __future__ import annotations

from ace.task.traces.match import Recorded, match
from ace.task.traces.read import read
from ace.task.traces.trace import WITHOUT_A_TASK, Trace, fingerprint, numbered, unjudged

__all__ = ["WITHOUT_A_TASK", "Recorded", "Trace", "fingerprint", "match", "numbered", "read", "unjudged"]
