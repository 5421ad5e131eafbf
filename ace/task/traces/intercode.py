"""Reads attempts of InterCode: {"task_id", "query", "actions", "observations", "rewards", "valid"}.

The answer is the last action, with its own reward: which of the earlier ones was best is a label's to say.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ace.task.traces.record import Record
from ace.task.traces.trace import Trace


class InterCode:
    """Reads attempts. Whether the last action was valid is what the database says, not a label."""

    name = "InterCode attempts"

    def claims(self, first: Mapping[str, Any]) -> bool:
        return {"query", "actions", "observations"} <= first.keys()

    def read(self, record: Record) -> Trace:
        actions = [str(action) for action in record.items("actions")]
        observations = [str(observation) for observation in record.items("observations")]
        rewards = record.items("rewards")
        if len({len(actions), len(observations), len(rewards)}) > 1:
            raise record.problem("actions", "Actions, observations and rewards differ in number.")
        turns: list[str] = []
        for action, observation in zip(actions, observations, strict=True):
            turns += [f"> {action}", observation]
        valid = record.values.get("valid")
        last = Record({"rewards": rewards[-1]}, record.file, record.number, record.line)
        return record.trace(
            sample=record.name("task_id", f"record-{record.number}"),
            question=record.text("query"),
            answer=actions[-1],
            turns=tuple(turns),
            ran=bool(valid[-1]) if isinstance(valid, list) and valid else None,
            score=last.score("rewards"),
        )
