"""Reads logs of a row for an attempt: {"id", "question", "answer", "correct" or "reward", ...}."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ace.task.traces.record import Record
from ace.task.traces.trace import Trace


class Rows:
    """Reads rows. `feedback` and `expected` count as labels, `observed` does not."""

    name = "rows with question and answer"

    def claims(self, first: Mapping[str, Any]) -> bool:
        return {"question", "answer"} <= first.keys()

    def read(self, record: Record) -> Trace:
        correct = record.values.get("correct")
        if correct is not None and not isinstance(correct, bool):
            raise record.problem("correct", f"Expected true or false, found {correct!r:.60}.")
        answer, error = record.text("answer", ""), record.text("error", "")
        return record.trace(
            sample=record.name("id", f"record-{record.number}"),
            question=record.text("question"),
            answer=answer,
            error=error or ("" if answer.strip() else "no answer"),
            turns=tuple(filter(None, (record.text("observed", ""),))),
            correct=correct,
            score=record.score("reward"),
            remark=record.text("feedback", ""),
            expected=record.text("expected", ""),
        )
