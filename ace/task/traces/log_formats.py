"""Reads one record of each kind of log that is known, and lists what its records are recognized by.

Another format is a function of a record that returns a trace, listed in `FORMATS`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from ace.task.attempt import Turn, TurnKind, to_plain_text
from ace.task.traces.record import Record
from ace.task.traces.trace import Trace
from ace.text.thoughts import split_thoughts

# How programs write their exceptions: "Error ...", "KeyError: ...", a traceback.
_EXCEPTION = re.compile(
    r"\W{0,9}(?:Error\b|[A-Za-z_.]{1,60}(?:Error|Exception):|Traceback \(most recent call last\))"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Format:
    """Describe one kind of log."""

    name: str
    """What messages call it."""

    keys: frozenset[str]
    """The keys that each of its records has."""

    lists: frozenset[str] = frozenset()
    """Those of them that hold lists."""

    read: Callable[[Record], Trace]
    """Reads one record. Raises TaskError for one that lacks something."""


def read_tau(record: Record) -> Trace:
    """Read a trajectory that tau-bench recorded: {"task_id", "trial", "reward", "traj": messages, "info"}.

    The actions that the task wants are its gold answer: a label, as the reward is.
    Raises TaskError for a conversation that cannot be read, and a reward that is no number.
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
    Raises TaskError where there are no actions, or not as many observations and rewards.
    """
    actions = [str(action) for action in record.items("actions")]
    observations = [str(observation) for observation in record.items("observations")]
    rewards = record.items("rewards")
    if len({len(actions), len(observations), len(rewards)}) > 1:
        raise record.problem("actions", "Actions, observations and rewards differ in number.")
    valid = record.values.get("valid")
    turns: list[Turn] = []
    for place, (action, observation) in enumerate(zip(actions, observations, strict=True)):
        failed = _is_error(observation)
        if isinstance(valid, list) and place < len(valid):
            failed = not valid[place]
        turns.append(Turn(kind=TurnKind.TOOL, arguments=action, observation=observation, failed=failed))
    ran: bool | None = None
    if isinstance(valid, list) and valid:
        ran = bool(valid[-1])
    last = Record({"rewards": rewards[-1]}, record.file, record.number, record.line)
    return record.trace(
        sample=record.name("task_id", f"record-{record.number}"),
        question=record.text("query"),
        answer=actions[-1],
        turns=tuple(turns),
        ran=ran,
        score=last.score("rewards"),
    )


def read_chat(record: Record) -> Trace:
    """Read a conversation in OpenAI's chat format: {"messages": [...], "reward": ...}, with tool calls.

    `reward` or `correct` and `feedback` are labels, and so is `expected`. All of them may be missing. A
    `correct` that is neither true nor false is ignored.
    Raises TaskError for a conversation that cannot be read.
    """
    correct = record.values.get("correct")
    if not isinstance(correct, bool):
        correct = None
    return record.trace(
        **_read_conversation(record, "messages"),
        sample=record.name("id", f"record-{record.number}"),
        correct=correct,
        score=record.score("reward"),
        remark=record.text("feedback", ""),
        expected=record.text("expected", ""),
    )


def read_row(record: Record) -> Trace:
    """Read a row for an attempt: {"id", "question", "answer", "correct" or "reward", ...}.

    `feedback` and `expected` count as labels, `observed` does not: it becomes the only turn. A row without an
    answer has the error "no answer".
    Raises TaskError for a row without a question, and for a `correct` that is neither true nor false.
    """
    correct = record.values.get("correct")
    if correct is not None and not isinstance(correct, bool):
        raise record.problem("correct", f"Expected true or false, found {correct!r:.60}.")
    error = record.text("error", "")
    reasoning, answer = split_thoughts(record.text("answer", ""))
    if not error and not answer.strip():
        error = "no answer"
    observed = record.text("observed", "")
    turns: tuple[Turn, ...] = ()
    if observed:
        turns = (Turn(kind=TurnKind.TOOL, observation=observed),)
    return record.trace(
        sample=record.name("id", f"record-{record.number}"),
        question=record.text("question"),
        answer=answer,
        error=error,
        turns=turns,
        reasoning=reasoning,
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
    """Return fields of a trace: question, answer, error, reasoning and turns. Raises TaskError.

    The question is the first thing the user says, the answer the last thing the assistant says, or the tool
    call with which it ends. System messages are left out: they are the same for every record, and no part of
    what happened.
    """
    messages = record.items(key)
    turns: list[Turn] = []
    calls: dict[str, int] = {}  # the id of a tool call that nothing has come back for -> its turn
    for message in messages:
        if not isinstance(message, Mapping) or not isinstance(message.get("role"), str):
            hint = 'Write {"role": "user", "content": "..."}.'
            raise record.problem(key, f"Expected a message with a role, found {message!r:.60}.", hint)
        if message["role"] in ("tool", "function"):
            _add_observation(turns, calls, message)
        elif message["role"] not in ("system", "developer"):
            _add_message(turns, calls, message)

    questions = [turn.text for turn in turns if turn.kind is TurnKind.USER]
    answers = [turn.text for turn in turns if turn.kind is TurnKind.AGENT]
    if not questions:
        raise record.problem(key, "Nobody asks anything: there is no message of a user.")
    answer = answers[-1] if answers else ""
    last = turns[-1]
    is_unanswered = len(turns) - 1 in calls.values() and not last.observation
    if last.kind is TurnKind.TOOL and is_unanswered:
        answer = _read_final_call(last)
    reasoning = ""
    visible = [turn.kind for turn in turns if turn.kind is not TurnKind.THOUGHT]
    if visible == [TurnKind.USER, TurnKind.AGENT]:
        # The turns are question and answer once more.
        reasoning = "\n\n".join(turn.text for turn in turns if turn.kind is TurnKind.THOUGHT)
        turns = []
    return {
        "question": questions[0],
        "answer": answer,
        "error": "" if answer else "the assistant says nothing",
        "reasoning": reasoning,
        "turns": tuple(turns),
    }


def _add_message(turns: list[Turn], calls: dict[str, int], message: Mapping[str, Any]) -> None:
    """Add what a message says and thinks, and each tool call that it makes.

    `calls` gets the ids of those calls, each with the place of its turn.
    """
    text = _read_content(message).strip()
    kind = TurnKind.USER if message["role"] == "user" else TurnKind.AGENT
    if kind is TurnKind.AGENT:
        thoughts, text = split_thoughts(text)
        shown = to_plain_text(message.get("reasoning_content") or message.get("reasoning"))
        for thought in filter(None, (shown.strip(), thoughts)):
            turns.append(Turn(kind=TurnKind.THOUGHT, text=thought))
    if text.strip():
        turns.append(Turn(kind=kind, text=text.strip()))
    for call in message.get("tool_calls") or ():
        function = call.get("function") if isinstance(call, Mapping) else None
        if isinstance(function, Mapping):
            calls[str(call.get("id") or f"turn {len(turns)}")] = len(turns)
            turn = Turn(
                kind=TurnKind.TOOL,
                tool=to_plain_text(function.get("name")),
                arguments=to_plain_text(function.get("arguments")),
            )
            turns.append(turn)


def _add_observation(turns: list[Turn], calls: dict[str, int], message: Mapping[str, Any]) -> None:
    """Add what a tool returned to the call that it answers: by its id, else the first that waits.

    The call then leaves `calls`. What answers no call is a turn of its own.
    """
    text = _read_content(message).strip()
    name = to_plain_text(message.get("name"))
    failed = _is_error(text)
    waiting: str | None = str(message.get("tool_call_id"))
    if waiting not in calls:
        waiting = next(iter(calls), None)
    if waiting is None:
        turns.append(Turn(kind=TurnKind.TOOL, tool=name, observation=text, failed=failed))
        return
    place = calls.pop(waiting)
    turns[place] = replace(turns[place], observation=text, failed=failed)


def _is_error(observation: str) -> bool | None:
    """Tell whether what a tool returned has the form of an error; None where it has not.

    That is the form in which programs write their exceptions, or a JSON object with an "error".
    """
    if _EXCEPTION.match(observation):
        return True
    if not observation.startswith("{"):
        return None
    try:
        value = json.loads(observation)
    except (ValueError, RecursionError):
        return None
    return True if isinstance(value, dict) and value.get("error") else None


def _read_final_call(turn: Turn) -> str:
    """Return the answer that an agent gives by a tool call: its only argument, or the call."""
    try:
        values = list(json.loads(turn.arguments).values())
    except (ValueError, RecursionError, AttributeError):  # of no JSON, and of JSON that is no object
        values = []
    if len(values) == 1:
        return to_plain_text(values[0])
    return f"{turn.tool}({turn.arguments})"


def _read_content(message: Mapping[str, Any]) -> str:
    """Return the text of a message, or its text parts; "" where there are only tool calls."""
    content = message.get("content")
    if isinstance(content, str):
        return content
    texts: list[str] = []
    for part in content if isinstance(content, list) else ():
        if isinstance(part, Mapping) and isinstance(part.get("text"), str):
            texts.append(part["text"])
    return "\n".join(texts)


def _render_actions(info: Any) -> str:
    """Return the actions that a task wants, as "book(at=9); pay()"; "" where the log does not say."""
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
