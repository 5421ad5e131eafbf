"""Reads trajectories of SWE-agent and of mini-SWE-agent: a file holds one attempt at a repository."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from ace.task.attempt import Turn, TurnKind, to_plain_text
from ace.task.traces.chat_record import is_error, read_conversation
from ace.task.traces.record import Record, parse_json
from ace.task.traces.trace import Trace


def read_swe_agent(record: Record) -> Trace:
    """Read a trajectory: {"trajectory": [{"thought", "action", "observation"}], "history", "info"}.

    The question is what the user says in the history, without demonstrations; the answer is what was
    submitted. Raises TaskError where nothing was asked or done.
    """
    history = [message for message in record.items("history") if isinstance(message, Mapping)]
    asked = [message for message in history if not _is_demonstration(message)]
    question = read_conversation(replace(record, values={"history": asked}), "history")["question"]
    turns: list[Turn] = []
    for step in record.items("trajectory"):
        step = step if isinstance(step, Mapping) else {}
        thought = to_plain_text(step.get("thought")).strip()
        action = to_plain_text(step.get("action")).strip()
        observation = to_plain_text(step.get("observation")).strip()
        if thought:
            turns.append(Turn(kind=TurnKind.THOUGHT, text=thought))
        if action or observation:
            failed = is_error(observation)
            turns.append(Turn(kind=TurnKind.TOOL, arguments=action, observation=observation, failed=failed))
    plan = parse_json(record.values.get("replay_config"))
    statement = plan.get("problem_statement") if isinstance(plan, Mapping) else None
    sample = statement.get("id") if isinstance(statement, Mapping) else None
    return _make_trace(record, sample, {"question": question, "turns": tuple(turns), "reasoning": ""})


def read_mini_swe_agent(record: Record) -> Trace:
    """Read a trajectory: {"messages", "info": {"exit_status", "submission"}, "trajectory_format"}.

    Actions and what came of them stand in a field beside the messages that models see. Raises TaskError for a
    conversation that cannot be read.
    """
    messages: list[Any] = []
    for message in record.items("messages"):
        extra = message.get("extra") if isinstance(message, Mapping) else None
        extra = extra if isinstance(extra, Mapping) else {}
        if extra.get("exit_status") is not None:
            continue
        if "returncode" in extra:
            call = message.get("tool_call_id") or message.get("call_id")
            output = extra.get("raw_output") or extra.get("exception_info")
            is_failure = extra["returncode"] != 0
            row = {"role": "tool", "tool_call_id": call, "content": output, "is_error": is_failure}
            messages.append(row)
        elif isinstance(message, Mapping) and message.get("object") == "response":
            messages += message["output"] if isinstance(message.get("output"), list) else []
        elif "actions" in extra:
            actions = extra["actions"] if isinstance(extra["actions"], list) else []
            messages.append({**message, "tool_calls": [_make_call(action) for action in actions]})
        else:
            messages.append(message)
    fields = read_conversation(replace(record, values={"messages": messages}), "messages")
    sample = record.values.get("instance_id")
    return _make_trace(record, sample, fields)


def _make_call(action: Any) -> dict[str, Any]:
    """Return an action of mini-SWE-agent as a call of its only tool."""
    action = action if isinstance(action, Mapping) else {}
    return {"id": action.get("tool_call_id"), "name": "bash", "arguments": action.get("command")}


def _is_demonstration(message: Mapping[str, Any]) -> bool:
    """Tell whether a message of the history is part of an example, and not of the attempt."""
    return message.get("is_demo") is True or message.get("message_type") == "demonstration"


def _make_trace(record: Record, sample: Any, fields: dict[str, Any]) -> Trace:
    """Return the trace of a trajectory: its answer is what was submitted, else how it ended is its error.

    Labels, which evaluations add, may stand beside the attempt or in its "info".
    """
    info = record.values.get("info")
    info = info if isinstance(info, Mapping) else {}
    status = to_plain_text(info.get("exit_status"))
    fields["answer"] = to_plain_text(info.get("submission")).strip()
    fields["error"] = "" if fields["answer"] else f"nothing was submitted: {status or 'it was cut off'}"
    labels = replace(record, values={**info, **record.values, "id": sample or record.values.get("id")})
    return record.trace(
        **fields,
        sample=labels.name("id"),
        ran=None if fields["answer"] else False,
        correct=labels.flag("correct", lenient=True),
        score=labels.score("reward", lenient=True),
        expected=labels.text("expected", ""),
    )
