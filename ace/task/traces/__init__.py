"""Recorded attempts with their outcomes, from the logs of an agent that ran elsewhere.

`read_log` turns a file into traces, whatever its format, and says which records it left out; `match_traces`
finds the samples that traces are about.
"""

from __future__ import annotations

from ace.task.traces.match import Recorded, match_traces
from ace.task.traces.read import Log, read_log, read_traces
from ace.task.traces.trace import WITHOUT_A_TASK, Trace, fingerprint, make_unjudged_task, number_traces

__all__ = [
    "WITHOUT_A_TASK",
    "Log",
    "Recorded",
    "Trace",
    "fingerprint",
    "make_unjudged_task",
    "match_traces",
    "number_traces",
    "read_log",
    "read_traces",
]
