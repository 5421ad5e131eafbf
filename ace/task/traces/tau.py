"""Reads trajectories that tau-bench recorded: {"task_id", "trial", "reward", "traj": messages, "info"}."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ace.task.traces.chat import read_conversation
from ace.task.traces.record import Record
from ace.task.traces.trace import Trace


class Tau:
    """Reads trajectories. The actions that the task wants are its gold answer: a label, as the reward is."""

    name = "tau-bench trajectories"

    def claims(self, first: Mapping[str, Any]) -> bool:
        return {"task_id", "traj", "reward"} <= first.keys()

    def read(self, record: Record) -> Trace:
        return record.trace(
            **read_conversation(record, "traj"),
            sample=record.name("task_id", ""),
            score=record.score("reward"),
            expected=_render_actions(record.values.get("info")),
        )


def _render_actions(info: Any) -> str:
    """Return the actions that a task wants, as "book(at=9); pay()"."""
    task = info.get("task") if isinstance(info, Mapping) else None
    actions = task.get("actions") if isinstance(task, Mapping) else None
    calls = []
    for action in actions or ():
        if isinstance(action, Mapping):
            keywords = action.get("kwargs")
            pairs = keywords.items() if isinstance(keywords, Mapping) else ()
            arguments = ", ".join(f"{name}={value}" for name, value in pairs)
            calls.append(f"{action.get('name')}({arguments})")
    return "; ".join(calls)
