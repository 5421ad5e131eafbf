"""Reads conversations of logs: what was said, thought, called and returned, and which of it is the answer.

Messages are those of OpenAI's formats and their kin; names of fields stand in `field_names.toml`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from functools import partial
from typing import Any

from ace.task.attempt import Turn, TurnKind, to_plain_text
from ace.task.traces.record import Fault, Record, load_names, parse_json
from ace.text.message_content import is_thought, load_message_names, read_content, read_message
from ace.text.thoughts import split_thoughts

_CALL, _CALL_END = "<tool_call>", "</tool_call>"
# How programs write their exceptions: "Error ...", "KeyError: ...", a traceback.
_EXCEPTION = re.compile(
    r"\W{0,9}(?:Error\b|[A-Za-z_.]{1,60}(?:Error|Exception):|Traceback \(most recent call last\))"
)


def read_conversation(record: Record, key: str) -> dict[str, Any]:
    """Return fields of a trace: question, answer, error, reasoning and turns. Raises TaskError.

    The question is the first thing the user says, the answer the last thing the assistant says or calls.
    System messages are left out: they are the same for every record, and no part of what happened.
    """
    turns: list[Turn] = []
    calls: dict[str, int] = {}  # the id of a tool call that nothing has come back for -> its turn
    last_call = -1  # the place of its turn
    for message in record.items(key):
        if not _add_item(turns, calls, message):
            hint = 'Write {"role": "user", "content": "..."}.'
            raise record.problem(key, f"Expected a message with a role, found {message!r:.60}.", hint)
        last_call = max([last_call, *calls.values()])

    questions = [turn.text for turn in turns if turn.kind is TurnKind.USER]
    answers = [place for place, turn in enumerate(turns) if turn.kind is TurnKind.AGENT]
    if not questions:
        problem = "Nobody asks anything: there is no message of a user."
        raise record.problem(key, problem, fault=Fault.EMPTY)
    answer = turns[answers[-1]].text if answers else ""
    uses = [place for place, turn in enumerate(turns) if turn.kind is TurnKind.TOOL and turn.tool]
    is_final = bool(uses) and _gives_answer(turns[uses[-1]])
    if is_final and not turns[uses[-1]].failed and _read_final_call(turns[uses[-1]]).strip():
        answer = _read_final_call(turns[uses[-1]])  # what is said after it only takes leave
    elif last_call > max(answers, default=-1):
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


def read_messages(messages: Iterable[Any]) -> tuple[Turn, ...]:
    """Return what was said, thought, called and returned in messages; what is no message is left out."""
    turns: list[Turn] = []
    calls: dict[str, int] = {}
    for message in messages:
        _add_item(turns, calls, message)
    return tuple(turns)


def list_messages(value: Any, role: str) -> list[Any]:
    """Return the messages in a value: a list of them, the body of a request or of a reply.

    A text is a message of `role`, or none without one.
    """
    value, names = parse_json(value), load_names("reply")
    if isinstance(value, str):
        return [{"role": role, "content": value}] if role and value.strip() else []
    if isinstance(value, Mapping):
        for name in names["messages"]:
            if name in value:
                return list_messages(value[name], role)
        for name in names["answers"]:
            if name in value:
                return list_messages(value[name], role)
        within = [value[name] for name in names["message"] if isinstance(value.get(name), Mapping)]
        inner = within[0] if within else value
        if role and read_message(inner) is None and read_content(inner):
            return [{"role": role, "content": read_content(inner)}]
        return [inner] if read_message(inner) else []
    if isinstance(value, list) and any(isinstance(entry, Mapping | list) for entry in value):
        messages: list[Any] = []
        for entry in value:
            is_item = isinstance(entry, Mapping) and (read_message(entry) or "type" in entry)
            messages += [entry] if is_item else list_messages(entry, role)
        return messages
    return []


def is_error(observation: str) -> bool | None:
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


def _add_item(turns: list[Turn], calls: dict[str, int], message: Any) -> bool:
    """Add what an entry of a conversation says, calls or returns. Return False for what is none."""
    spoken = read_message(message)
    kind = str(message.get("type") or "") if isinstance(message, Mapping) else ""
    if kind.endswith("_call_output"):  # an item of OpenAI's responses, which has no role
        _add_observation(turns, calls, message.get("call_id"), read_content(message.get("output")))
    elif kind.endswith("_call") and "name" in message:
        _add_message(turns, calls, {"tool_calls": [{**message, "id": message.get("call_id")}]}, "", "")
    elif spoken is None:
        return kind == "reasoning"
    elif spoken[0] == "tool":
        text = spoken[1] or to_plain_text(message.get("content"))
        _add_observation(turns, calls, message.get("tool_call_id"), text, message.get("name"))
    elif spoken[0] != "system":
        _add_message(turns, calls, message, *spoken)
    return True


def _add_message(
    turns: list[Turn], calls: dict[str, int], message: Mapping[str, Any], role: str, text: str
) -> None:
    """Add what a message says and thinks, and each tool call that it makes.

    `calls` gets the ids of those calls, each with the place of its turn.
    """
    kind = TurnKind.USER if role == "user" else TurnKind.AGENT
    contents = (*_list(message.get("content")), *_list(message.get("parts")))
    parts = [part for part in contents if isinstance(part, Mapping)]
    uses: list[Any] = []
    if kind is TurnKind.AGENT:
        thought, text = split_thoughts(text)
        text, uses = _cut_calls(text)
        shown = to_plain_text(_find(message, load_message_names()["thought"])).strip()
        hidden = [
            to_plain_text(part.get("thinking") or part.get("text")) for part in parts if is_thought(part)
        ]
        for thinking in filter(None, (shown, thought, *hidden)):
            turns.append(Turn(kind=TurnKind.THOUGHT, text=thinking))
    for part in parts:
        _add_result(turns, calls, part)
    if text.strip():
        turns.append(Turn(kind=kind, text=text.strip()))
    for call in (*uses, *_list_calls(message, parts)):
        _add_call(turns, calls, call)


def _cut_calls(text: str) -> tuple[str, list[Any]]:
    """Return a text without the calls that an open model writes into it, and those calls."""
    names = load_names("calls")["names"]
    uses: list[Any] = []
    text, *blocks = text.split(_CALL)
    for block in blocks:
        written, _, rest = block.partition(_CALL_END)
        call = parse_json(written.strip())
        is_call = isinstance(call, Mapping) and _find(call, names) is not None
        text += rest if is_call else f"{_CALL}{block}"
        uses += [call] if is_call else []
    return text, uses


def _list_calls(message: Mapping[str, Any], parts: Iterable[Mapping[str, Any]]) -> Iterator[Any]:
    """Yield what stands where a message has calls of tools: parts of it, what they hold, and fields."""
    names, parts = load_names("calls"), list(parts)
    yield from (part for part in parts if part.get("type") in names["kinds"])
    for name in names["parts"]:
        yield from (part[name] for part in parts if name in part)
    holders = [message, *(message[name] for name in names["holders"] if name in message)]
    for holder in holders:
        if isinstance(holder, Mapping):
            for name in names["fields"]:
                yield from _list(holder.get(name))


def _add_call(turns: list[Turn], calls: dict[str, int], call: Any) -> None:
    """Add a call of a tool, if it is one, and its id to `calls`."""
    names = load_names("calls")
    if not isinstance(call, Mapping):
        return
    function = _find(call, names["functions"]) or call
    tool = _find(function, names["names"]) if isinstance(function, Mapping) else None
    if tool is None:
        return
    calls[str(_find(call, ("id", *names["ids"])) or f"turn {len(turns)}")] = len(turns)
    arguments = to_plain_text(_find(function, names["arguments"]))
    turns.append(Turn(kind=TurnKind.TOOL, tool=to_plain_text(tool), arguments=arguments))


def _add_result(turns: list[Turn], calls: dict[str, int], part: Mapping[str, Any]) -> None:
    """Add what a tool returned, where a part of a message is that."""
    names = load_names("results")
    for name in names["parts"]:
        part = part[name] if isinstance(part.get(name), Mapping) else part
    if part.get("type") in names["kinds"] or any(name in part for name in names["marks"]):
        result = _find(part, names["values"])
        text = read_content(result) or to_plain_text(result)
        _add_observation(turns, calls, _find(part, load_names("calls")["ids"]), text, part.get("name"))


def _find(values: Mapping[str, Any], names: Iterable[str]) -> Any:
    """Return the first of some fields that holds anything; None where none does."""
    return next((values[name] for name in names if values.get(name) not in (None, "")), None)


def _add_observation(
    turns: list[Turn], calls: dict[str, int], call: Any, text: str, name: object = None
) -> None:
    """Add what a tool returned to the call that it answers: by its id `call`, else the first that waits.

    The call then leaves `calls`. What answers no call is a turn of its own.
    """
    text = text.strip()
    failed = is_error(text)
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
    """Return a list as it is, an object as a list of one, and anything else as an empty one.

    A text may hold either as JSON.
    """
    value = parse_json(value)
    if isinstance(value, list):
        return value
    return [value] if isinstance(value, Mapping) else []


def _gives_answer(turn: Turn) -> bool:
    """Tell whether an agent gives its answer by this call. "mcp__x__submitAnswer" is "submit_answer"."""
    name = re.split(r"__|[./:]", turn.tool)[-1].replace("-", "_")
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower() in load_names("final")["calls"]


def _read_final_call(turn: Turn) -> str:
    """Return the answer that an agent gives by a tool call: its only argument, or the one that is named so.

    Else it is the call. Numbers stay as they are written.
    """
    readers: tuple[Callable[[str], Any], ...] = (
        json.loads,
        partial(json.loads, parse_int=str, parse_float=str),
    )
    for read in readers:
        given: Any = turn.arguments
        for _ in range(2):  # some encode it twice
            try:
                given = read(given)
            except (ValueError, RecursionError, TypeError):
                break
        if isinstance(given, Mapping):
            named = [name for name in load_names("final")["arguments"] if name in given]
            values = [given[named[0]]] if len(named) == 1 else list(given.values())
        elif _gives_answer(turn) and given != "":
            values = given if isinstance(given, list) else [given]
        else:
            values = []
        if len(values) != 1:
            return f"{turn.tool}({turn.arguments})"
        if isinstance(values[0], bool) or not isinstance(values[0], int | float):
            break
    return to_plain_text(values[0])
