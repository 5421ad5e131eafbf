"""Recorded attempts with their outcomes, from the logs of an agent that ran elsewhere.

`read_traces` turns a file into traces, whatever its format; `match_traces` finds the samples that they are
about.
"""

from __future__ import annotations

from ace.task.traces.match import Recorded, match_traces
from ace.task.traces.read import read_traces
from ace.task.traces.trace import WITHOUT_A_TASK, Trace, fingerprint, make_unjudged_task, number_traces

__all__ = [
    "WITHOUT_A_TASK",
    "Recorded",
    "Trace",
    "fingerprint",
    "make_unjudged_task",
    "match_traces",
    "number_traces",
    "read_traces",
]
