"""Trajectories that tau-bench recorded: {"task_id", "trial", "reward", "traj": messages, "info"}."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ace.task.traces.chat import conversation
from ace.task.traces.record import Record
from ace.task.traces.trace import Trace


class Tau:
    """The actions that the task wants are its gold answer: a label, as the reward is."""

    name = "tau-bench trajectories"

    def claims(self, first: Mapping[str, Any]) -> bool:
        return {"task_id", "traj", "reward"} <= first.keys()

    def read(self, record: Record) -> Trace:
        return record.trace(
            **conversation(record, "traj"),
            sample=record.name("task_id", ""),
            score=record.score("reward"),
            expected=_wanted(record.values.get("info")),
        )


def _wanted(info: Any) -> str:
    task = info.get("task") if isinstance(info, Mapping) else None
    actions = task.get("actions") if isinstance(task, Mapping) else None
    told = [
        f"{action.get('name')}({', '.join(f'{k}={v}' for k, v in _arguments(action))})"
        for action in actions or ()
        if isinstance(action, Mapping)
    ]
    return "; ".join(told)


def _arguments(action: Mapping[str, Any]) -> list[tuple[str, Any]]:
    arguments = action.get("kwargs")
    return list(arguments.items()) if isinstance(arguments, Mapping) else []
