"""Reads one record of each kind of log that is known, and lists what its records are recognized by.

Another format is a function of a record that returns a trace, listed in `FORMATS`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ace.task.traces.record import Record
from ace.task.traces.trace import Trace


@dataclass(frozen=True, slots=True, kw_only=True)
class Format:
    """Name one kind of log, the keys that its records have, and those of them that hold lists."""

    name: str
    keys: frozenset[str]
    lists: frozenset[str] = frozenset()
    read: Callable[[Record], Trace]


def read_tau(record: Record) -> Trace:
    """Read a trajectory that tau-bench recorded: {"task_id", "trial", "reward", "traj": messages, "info"}.

    The actions that the task wants are its gold answer: a label, as the reward is.
    """
    return record.trace(
        **_read_conversation(record, "traj"),
        sample=record.name("task_id", ""),
        score=record.score("reward"),
        expected=_render_actions(record.values.get("info")),
    )


def read_intercode(record: Record) -> Trace:
    """Read an attempt of InterCode: {"task_id", "query", "actions", "observations", "rewards", "valid"}.

    The answer is the last action, with its own reward: which of the earlier ones was best is a label's to
    say. Whether the last action was valid is what the database says, not a label.
    """
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


def read_chat(record: Record) -> Trace:
    """Read a conversation in OpenAI's chat format: {"messages": [...], "reward": ...}, with tool calls.

    `reward` or `correct` and `feedback` are labels.
    """
    correct = record.values.get("correct")
    return record.trace(
        **_read_conversation(record, "messages"),
        sample=record.name("id", f"record-{record.number}"),
        correct=correct if isinstance(correct, bool) else None,
        score=record.score("reward"),
        remark=record.text("feedback", ""),
        expected=record.text("expected", ""),
    )


def read_row(record: Record) -> Trace:
    """Read a row for an attempt: {"id", "question", "answer", "correct" or "reward", ...}.

    `feedback` and `expected` count as labels, `observed` does not.
    """
    correct = record.values.get("correct")
    if correct is not None and not isinstance(correct, bool):
        raise record.problem("correct", f"Expected true or false, found {correct!r:.60}.")
    answer, error = record.text("answer", ""), record.text("error", "")
    if not error and not answer.strip():
        error = "no answer"
    observed = record.text("observed", "")
    return record.trace(
        sample=record.name("id", f"record-{record.number}"),
        question=record.text("question"),
        answer=answer,
        error=error,
        turns=(observed,) if observed else (),
        correct=correct,
        score=record.score("reward"),
        remark=record.text("feedback", ""),
        expected=record.text("expected", ""),
    )


# The first one that fits a record reads it, so the more particular come first.
FORMATS = (
    Format(name="tau-bench trajectories", keys=frozenset({"task_id", "traj", "reward"}), read=read_tau),
    Format(
        name="InterCode attempts", keys=frozenset({"query", "actions", "observations"}), read=read_intercode
    ),
    Format(name="chat messages", keys=frozenset({"messages"}), lists=frozenset({"messages"}), read=read_chat),
    Format(name="rows with question and answer", keys=frozenset({"question", "answer"}), read=read_row),
)


def _read_conversation(record: Record, key: str) -> dict[str, Any]:
    """Return fields of a trace: question, answer, error and turns. Raises TaskError.

    The question is the first thing the user says, the answer the last thing the assistant says. System
    messages are left out: they are the same for every record, and no part of what happened.
    """
    messages = record.items(key)
    texts: dict[str, list[str]] = {"user": [], "assistant": []}  # those that are not empty, by role
    for message in messages:
        if not isinstance(message, Mapping) or not isinstance(message.get("role"), str):
            hint = 'Write {"role": "user", "content": "..."}.'
            raise record.problem(key, f"Expected a message with a role, found {message!r:.60}.", hint)
        text = _read_content(message)
        if text.strip():
            texts.setdefault(message["role"], []).append(text)
    if not texts["user"]:
        raise record.problem(key, "Nobody asks anything: there is no message of a user.")

    roles = [message["role"] for message in messages if message["role"] != "system"]
    turns: list[str] = []
    if roles != ["user", "assistant"]:  # else the turns are question and answer once more
        for message in messages:
            turns += _render_turns(message)
    answers = texts["assistant"]
    return {
        "question": texts["user"][0],
        "answer": answers[-1] if answers else "",
        "error": "" if answers else "the assistant says nothing",
        "turns": tuple(turns),
    }


def _read_content(message: Mapping[str, Any]) -> str:
    """Return the text of a message, or its text parts; "" where there are only tool calls."""
    content = message.get("content")
    if isinstance(content, list):
        parts = (part.get("text") for part in content if isinstance(part, Mapping))
        return "\n".join(part for part in parts if isinstance(part, str))
    return content if isinstance(content, str) else ""


def _render_turns(message: Mapping[str, Any]) -> Iterator[str]:
    """Yield what a message says, and each tool call that it makes."""
    role = message["role"]
    if role in ("system", "developer"):
        return
    text, name = _read_content(message).strip(), message.get("name")
    if text:
        yield f"{role} {name}: {text}" if isinstance(name, str) else f"{role}: {text}"
    for call in message.get("tool_calls") or ():
        function = call.get("function") if isinstance(call, Mapping) else None
        if isinstance(function, Mapping):
            yield f"{role} calls {function.get('name')}({function.get('arguments')})"


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
