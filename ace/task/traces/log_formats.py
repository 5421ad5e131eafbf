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
from ace.task.traces.record import Fault, Record
from ace.task.traces.trace import Trace
from ace.text.message_content import read_content
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

    names_tasks: bool = False
    """Whether an id stands for one task however it is asked; else another question is another sample."""


def read_tau(record: Record) -> Trace:
    """Read a trajectory that tau-bench recorded: {"task_id", "trial", "reward", "traj": messages, "info"}.

    The actions that the task wants are its gold answer: a label, as the reward is.
    Raises TaskError for a conversation that cannot be read, and a reward that is no number.
    """
    return record.trace(
        **_read_conversation(record, "traj"),
        sample=record.name("task_id"),
        score=record.score("reward"),
        expected=_render_actions(record.values.get("info")),
    )


def read_intercode(record: Record) -> Trace:
    """Read an attempt of InterCode: {"task_id", "query", "actions", "observations", "rewards", "valid"}.

    The answer is the last action, with its own reward: which of the earlier ones was best is a label's to
    say. Whether the last action was valid is what the database says, not a label. The last observation may be
    missing, as where the action was not let through.
    Raises TaskError where there are no actions, or not as many rewards.
    """
    actions = [to_plain_text(action) for action in record.items("actions")]
    rewards = record.items("rewards")
    if len(actions) != len(rewards):
        raise record.problem("actions", "Actions and rewards differ in number.")
    turns: list[Turn] = []
    ran: bool | None = None
    for place, action in enumerate(actions):
        thought = to_plain_text(_get_entry(record, "thoughts", place)).strip()
        if thought:
            turns.append(Turn(kind=TurnKind.THOUGHT, text=thought))
        observation = to_plain_text(_get_entry(record, "observations", place))
        valid = _get_entry(record, "valid", place)
        ran = valid if isinstance(valid, bool) else None
        failed = _is_error(observation) if ran is None else not ran
        turns.append(Turn(kind=TurnKind.TOOL, arguments=action, observation=observation, failed=failed))
    return record.trace(
        sample=record.name("task_id"),
        question=record.text("query"),
        answer=actions[-1],
        error="" if actions[-1].strip() else "no answer",
        turns=tuple(turns),
        ran=ran,
        score=replace(record, values={"rewards": rewards[-1]}).score("rewards"),
        expected=record.text("gold", ""),
    )


def read_published_intercode(record: Record) -> Trace:
    """Read an attempt as InterCode writes it: {"task_id", "query", "turn_history": {"actions", ...}}.

    Raises TaskError as `read_intercode` does.
    """
    history = record.values["turn_history"]
    if not isinstance(history, Mapping):
        raise record.problem("turn_history", f"Expected an object, found {history!r:.60}.", fault=Fault.EMPTY)
    values = {**record.values, **history, "valid": history.get("valid_action")}
    return read_intercode(replace(record, values=values))


def read_played_intercode(record: Record) -> Trace:
    """Read an attempt of a person at InterCode: {"query_idx", "query", "trajectory", "reward", "gold"}.

    A trajectory is a list of {"action", "observation"}. Raises TaskError as `read_intercode` does.
    """
    steps = [step if isinstance(step, Mapping) else {} for step in record.items("trajectory")]
    values = {
        **record.values,
        "task_id": record.values.get("query_idx"),
        "actions": [step.get("action") for step in steps],
        "observations": [step.get("observation") for step in steps],
        "rewards": [record.values.get("reward") for _ in steps],
    }
    return read_intercode(replace(record, values=values))


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
        sample=record.name("id"),
        correct=correct,
        score=record.score("reward", lenient=correct is not None),
        remark=record.text("feedback", ""),
        expected=record.text("expected", ""),
    )


def read_row(record: Record) -> Trace:
    """Read a row for an attempt: {"id", "question", "answer", "correct" or "reward", ...}.

    `feedback` and `expected` count as labels, `observed` does not: it becomes the only turn. A row without an
    answer has the error "no answer".
    Raises TaskError for a row without a question, and for a `correct` that is neither true nor false.
    """
    correct = record.flag("correct")
    error = record.text("error", "")
    reasoning, answer = split_thoughts(record.text("answer", ""))
    if not error and not answer.strip():
        error = "no answer"
    observed = record.text("observed", "")
    turns: tuple[Turn, ...] = ()
    if observed:
        turns = (Turn(kind=TurnKind.TOOL, observation=observed),)
    return record.trace(
        sample=record.name("id"),
        question=record.text("question"),
        answer=answer,
        error=error,
        turns=turns,
        reasoning=reasoning,
        correct=correct,
        score=record.score("reward", lenient=correct is not None),
        remark=record.text("feedback", ""),
        expected=record.text("expected", ""),
    )


# The first one that fits a record reads it, so the more particular come first.
FORMATS = (
    Format(
        name="tau-bench trajectories",
        keys=frozenset({"task_id", "traj", "reward"}),
        read=read_tau,
        names_tasks=True,
    ),
    Format(
        name="InterCode attempts",
        keys=frozenset({"query", "turn_history"}),
        read=read_published_intercode,
        names_tasks=True,
    ),
    Format(
        name="InterCode attempts",
        keys=frozenset({"query", "actions", "observations"}),
        read=read_intercode,
        names_tasks=True,
    ),
    Format(
        name="InterCode attempts of people",
        keys=frozenset({"query", "query_idx", "trajectory"}),
        read=read_played_intercode,
        names_tasks=True,
    ),
    Format(name="chat messages", keys=frozenset({"messages"}), lists=frozenset({"messages"}), read=read_chat),
    Format(name="rows with question and answer", keys=frozenset({"question", "answer"}), read=read_row),
)


def _get_entry(record: Record, key: str, place: int) -> Any:
    """Return an entry of a list by its place, from 0; None where the list or the entry is missing."""
    entries = record.values.get(key)
    if not isinstance(entries, list) or place >= len(entries):
        return None
    return entries[place]


def _read_conversation(record: Record, key: str) -> dict[str, Any]:
    """Return fields of a trace: question, answer, error, reasoning and turns. Raises TaskError.

    The question is the first thing the user says, the answer the last thing the assistant says or calls.
    System messages are left out: they are the same for every record, and no part of what happened.
    """
    turns: list[Turn] = []
    calls: dict[str, int] = {}  # the id of a tool call that nothing has come back for -> its turn
    last_call = -1  # the place of its turn
    for message in record.items(key):
        if not isinstance(message, Mapping) or not isinstance(message.get("role"), str):
            hint = 'Write {"role": "user", "content": "..."}.'
            raise record.problem(key, f"Expected a message with a role, found {message!r:.60}.", hint)
        if message["role"] in ("tool", "function"):
            text = read_content(message.get("content"))
            _add_observation(turns, calls, message.get("tool_call_id"), text, message.get("name"))
        elif message["role"] not in ("system", "developer"):
            _add_message(turns, calls, message)
            last_call = max([last_call, *calls.values()])

    questions = [turn.text for turn in turns if turn.kind is TurnKind.USER]
    answers = [place for place, turn in enumerate(turns) if turn.kind is TurnKind.AGENT]
    if not questions:
        problem = "Nobody asks anything: there is no message of a user."
        raise record.problem(key, problem, fault=Fault.EMPTY)
    answer = turns[answers[-1]].text if answers else ""
    if last_call > max(answers, default=-1):
        answer = _read_final_call(turns[last_call])
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
    text = read_content(message.get("content")).strip()
    kind = TurnKind.USER if message["role"] == "user" else TurnKind.AGENT
    if kind is TurnKind.AGENT:
        thoughts, text = split_thoughts(text)
        shown = to_plain_text(message.get("reasoning_content") or message.get("reasoning"))
        for thought in filter(None, (shown.strip(), thoughts)):
            turns.append(Turn(kind=TurnKind.THOUGHT, text=thought))
    parts = [part for part in _list(message.get("content")) if isinstance(part, Mapping)]
    for part in parts:
        if part.get("type") == "tool_result":
            _add_observation(turns, calls, part.get("tool_use_id"), read_content(part.get("content")))
    if text.strip():
        turns.append(Turn(kind=kind, text=text.strip()))
    uses = [part for part in parts if part.get("type") == "tool_use"]
    for call in (*_list(message.get("tool_calls")), *_list(message.get("function_call")), *uses):
        if not isinstance(call, Mapping):
            continue
        function = call.get("function") or call.get("custom") or call
        if isinstance(function, Mapping) and "name" in function:
            given = [function[name] for name in ("arguments", "input", "args") if name in function]
            calls[str(call.get("id") or f"turn {len(turns)}")] = len(turns)
            turn = Turn(
                kind=TurnKind.TOOL,
                tool=to_plain_text(function["name"]),
                arguments=to_plain_text(given[0] if given else None),
            )
            turns.append(turn)


def _add_observation(
    turns: list[Turn], calls: dict[str, int], call: Any, text: str, name: object = None
) -> None:
    """Add what a tool returned to the call that it answers: by its id `call`, else the first that waits.

    The call then leaves `calls`. What answers no call is a turn of its own.
    """
    text = text.strip()
    failed = _is_error(text)
    waiting: str | None = str(call)
    if waiting not in calls:
        waiting = next(iter(calls), None)
    if waiting is None:
        turn = Turn(kind=TurnKind.TOOL, tool=to_plain_text(name), observation=text, failed=failed)
        turns.append(turn)
        return
    place = calls.pop(waiting)
    turns[place] = replace(turns[place], observation=text, failed=failed)


def _list(value: Any) -> list[Any]:
    """Return a list as it is, an object as a list of one, and anything else as an empty one."""
    if isinstance(value, list):
        return value
    return [value] if isinstance(value, Mapping) else []


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
