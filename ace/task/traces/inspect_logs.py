"""Reads samples of a log of Inspect, in its JSON form."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from ace.task.attempt import to_plain_text
from ace.task.traces.chat_record import read_conversation
from ace.task.traces.record import Record, load_names
from ace.task.traces.scores import Score, flatten_scores, read_scores
from ace.task.traces.trace import Trace


def read_inspect(record: Record) -> Trace:
    """Read a sample: {"id", "epoch", "input", "target", "messages", "scores", "error"}.

    Its target and scores are labels. "C", "P", "I" and "N" are right, half right, wrong and no answer.
    Raises TaskError for a conversation that cannot be read.
    """
    values = record.values
    fields = read_conversation(record, "messages")
    output = values.get("output")
    if not fields["answer"] and isinstance(output, Mapping):
        fields["answer"] = to_plain_text(output.get("completion")).strip()
        fields["error"] = "" if fields["answer"] else fields["error"]
    scores = values.get("scores") or {"score": values.get("score")}  # there was one only, once
    problem = values.get("error")
    if isinstance(problem, Mapping):
        fields["error"] = to_plain_text(problem.get("message")) or fields["error"]
    targets = values.get("target")
    expected = [to_plain_text(target) for target in (targets if isinstance(targets, list) else [targets])]
    return record.trace(
        **fields,
        **read_scores(replace(record, key=""), _list_scores(scores, fields["answer"])),
        sample=record.name("id"),
        ran=False if problem else None,
        expected=" or ".join(filter(None, expected)),
    )


def _list_scores(scores: Any, answer: str) -> list[Score]:
    """Return the scores of a sample; an explanation that only repeats the answer is left out."""
    letters = load_names("scores")["letters"]
    found: list[Score] = []
    for name, score in scores.items() if isinstance(scores, Mapping) else ():
        if score is None:
            continue
        is_object = isinstance(score, Mapping)
        remark = to_plain_text(score.get("explanation")).strip() if is_object else ""
        remark = "" if remark == answer.strip() else remark
        for key, value in flatten_scores(name, score.get("value") if is_object else score):
            value = letters.get(value, value) if isinstance(value, str) else value
            found.append(Score(name=key, value=value, remark=remark))
    return found
