"""Reads conversations of logs: what was said, thought, called and returned, and which of it is the answer.

Messages are those of OpenAI's formats and their kin; names of fields stand in `field_names.toml`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

from ace.task.attempt import Turn, TurnKind, to_plain_text
from ace.task.traces.record import Fault, Record, find_field, load_names, parse_json
from ace.text.message_content import (
    is_thought,
    load_message_names,
    read_content,
    read_message,
    read_thought,
)
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
    transcript = _Transcript()
    for message in record.items(key):
        if not transcript.add(message):
            hint = 'Write {"role": "user", "content": "..."}.'
            raise record.problem(key, f"Expected a message with a role, found {message!r:.60}.", hint)

    turns = transcript.turns
    questions = [turn.text for turn in turns if turn.kind is TurnKind.USER]
    if not questions:
        problem = "Nobody asks anything: there is no message of a user."
        raise record.problem(key, problem, fault=Fault.EMPTY)
    answer = transcript.find_answer()
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
    transcript = _Transcript()
    for message in messages:
        transcript.add(message)
    return tuple(transcript.turns)


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


@dataclass(slots=True)
class _Transcript:
    """Collect the turns of a conversation, and match what tools return to the calls that they answer."""

    turns: list[Turn] = field(default_factory=list)

    waiting: dict[str, int] = field(default_factory=dict)
    """The id of each tool call that nothing has come back for, and the place of its turn."""

    last_call: int = -1
    """The place of the last call; -1 without any."""

    def add(self, message: Any) -> bool:
        """Add a message, or an item of OpenAI's responses; return False for what is neither."""
        spoken = read_message(message)
        kind = str(message.get("type") or "") if isinstance(message, Mapping) else ""
        has_results = False
        if spoken is not None and spoken[0] == "tool":
            names = load_names("results")
            for part in (*_list(message.get("content")), *_list(message.get("parts"))):
                if isinstance(part, Mapping) and _find_result(part, names):
                    has_results = True
        if has_results:
            self.add_message(message, "user", "")
        elif spoken is not None and spoken[0] == "tool":
            value = spoken[1] or message.get("content")
            self.add_result(message.get("tool_call_id"), {**message, "content": value})
        elif spoken is not None and spoken[0] != "system":
            self.add_message(message, *spoken)
        elif spoken is None and kind:  # an item of OpenAI's responses, which has no role
            self.add_item(kind, message)
        return spoken is not None or bool(kind)

    def add_message(self, message: Mapping[str, Any], role: str, text: str) -> None:
        """Add what a message says and thinks, the tool calls that it makes, and results that it holds.

        They are added in the order in which its parts stand. `text` is added where no part holds text.
        """
        kind = TurnKind.USER if role == "user" else TurnKind.AGENT
        names = load_names("results")
        if kind is TurnKind.AGENT:
            self._add_thought(to_plain_text(find_field(message, load_message_names()["thought"])))
        contents = (*_list(message.get("content")), *_list(message.get("parts")))
        parts = [part for part in contents if isinstance(part, Mapping)]
        texts: list[str] = []  # of parts that follow one another
        is_in_parts = False
        for part in parts:
            said = read_content(part)
            texts += [said] if said else []
            is_in_parts = is_in_parts or bool(said.strip())
            calls = list(_list_calls(part))
            result = _find_result(part, names)
            if calls or result or is_thought(part):
                self._say(kind, texts)
                texts = []
            if is_thought(part) and kind is TurnKind.AGENT:
                self._add_thought(read_thought(part))
            for call in calls:
                self.add_call(call)
            if result:
                self.add_result(find_field(result, load_names("calls")["ids"]), result)
        self._say(kind, texts if is_in_parts else [text])
        for call in _list_field_calls(message):
            self.add_call(call)

    def add_item(self, kind: str, item: Mapping[str, Any]) -> None:
        """Add an item of OpenAI's responses that has no role: a thought, a call, or what came back for it.

        Other items, such as a mark where a history was shortened, are no turns.
        """
        names = load_names("calls")
        if kind.endswith("_output"):
            self.add_result(item.get("call_id"), {**item, "content": item.get("output")})
        elif kind.endswith("_call"):
            tool = to_plain_text(item.get("name")) or kind.removesuffix("_call")
            given = find_field(item, (*names["arguments"], *names["items"]))
            self.add_call({"id": item.get("call_id") or item.get("id"), "name": tool, "arguments": given})
            result = find_field(item, load_names("results")["items"])
            if result is not None or item.get("error"):  # the endpoint ran the tool itself
                self.add_result(item.get("call_id") or item.get("id"), {**item, "content": result})
        elif is_thought(item):
            self._add_thought(read_thought(item))

    def add_call(self, call: Any) -> None:
        """Add a call of a tool, if it is one; it waits for what comes back."""
        names = load_names("calls")
        if not isinstance(call, Mapping):
            return
        function = find_field(call, names["functions"]) or call
        if isinstance(function, str) and "arguments" in call:  # Inspect's, which has the arguments beside it
            function = {**call, "name": function}
        tool = find_field(function, names["names"]) if isinstance(function, Mapping) else None
        if tool is None:
            return
        self.last_call = len(self.turns)
        name = find_field(call, ("id", *names["ids"])) or f"turn {self.last_call}"
        self.waiting[str(name)] = self.last_call
        arguments = to_plain_text(find_field(function, names["arguments"]))
        self.turns.append(Turn(kind=TurnKind.TOOL, tool=to_plain_text(tool), arguments=arguments))

    def add_result(self, call: Any, result: Mapping[str, Any]) -> None:
        """Add what a tool returned to the call that it answers: by its id `call`, else the first that waits.

        Where all that wait have other ids, and where none waits, it is a turn of its own. A mark of failure
        beside what came back counts, and so does the form of an error.
        """
        value = find_field(result, load_names("results")["values"])
        text = read_content(value) or _name_parts(value) or to_plain_text(value)
        if not text.strip():
            error = result.get("error")
            text = to_plain_text(error.get("message") if isinstance(error, Mapping) else error)
        text = text.strip()
        failed = True if _is_marked_failed(result) else is_error(text)
        waiting: str | None = str(call)
        if waiting not in self.waiting:
            nameless = (
                name for name, place in self.waiting.items() if call is None or name == f"turn {place}"
            )
            waiting = next(nameless, None)
        if waiting is None:
            tool = to_plain_text(result.get("name"))
            self.turns.append(Turn(kind=TurnKind.TOOL, tool=tool, observation=text, failed=failed))
            return
        place = self.waiting.pop(waiting)
        self.turns[place] = replace(self.turns[place], observation=text, failed=failed)

    def find_answer(self) -> str:
        """Return the last thing that the assistant says or calls; "" where it does neither.

        What it says after it gave its answer by a call only takes leave.
        """
        said = [place for place, turn in enumerate(self.turns) if turn.kind is TurnKind.AGENT]
        uses = [turn for turn in self.turns if turn.kind is TurnKind.TOOL and turn.tool]
        if uses and _gives_answer(uses[-1]) and not uses[-1].failed:
            answer = _read_final_call(uses[-1])
            if answer.strip():
                return answer
        if self.last_call > max(said, default=-1):
            return _read_final_call(self.turns[self.last_call])
        return self.turns[said[-1]].text if said else ""

    def _say(self, kind: TurnKind, texts: list[str]) -> None:
        """Add texts as one turn, after what is thought in it, and before calls that stand in it."""
        text = "\n".join(texts)
        uses: list[Any] = []
        if kind is TurnKind.AGENT:
            thought, text = split_thoughts(text)
            names = load_names("calls")["names"]
            text, *blocks = text.split(_CALL)
            for block in blocks:
                written, _, rest = block.partition(_CALL_END)
                call = parse_json(written.strip())
                is_call = isinstance(call, Mapping) and find_field(call, names) is not None
                text += rest if is_call else f"{_CALL}{block}"
                uses += [call] if is_call else []
            self._add_thought(thought)
        if text.strip():
            self.turns.append(Turn(kind=kind, text=text.strip()))
        for call in uses:
            self.add_call(call)

    def _add_thought(self, text: str) -> None:
        """Add a turn for a thought, none for a blank one."""
        if text.strip():
            self.turns.append(Turn(kind=TurnKind.THOUGHT, text=text.strip()))


def _list_calls(part: Mapping[str, Any]) -> Iterator[Any]:
    """Yield the calls of tools in a part of a message: the part itself, or what it holds."""
    names = load_names("calls")
    if part.get("type") in names["kinds"]:
        yield part
    for name in names["parts"]:
        if name in part:
            yield part[name]


def _list_field_calls(message: Mapping[str, Any]) -> Iterator[Any]:
    """Yield what stands in the fields of a message that hold calls of tools."""
    names = load_names("calls")
    holders = [message, *(message[name] for name in names["holders"] if name in message)]
    for holder in holders:
        if isinstance(holder, Mapping):
            for name in names["fields"]:
                yield from _list(holder.get(name))


def _find_result(part: Mapping[str, Any], names: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """Return what a tool returned, where a part of a message is that or wraps it; else None."""
    for name in names["parts"]:
        part = part[name] if isinstance(part.get(name), Mapping) else part
    is_result = part.get("type") in names["kinds"] or any(name in part for name in names["marks"])
    return part if is_result else None


def _name_parts(value: Any) -> str:
    """Return the types of parts that are no text, as "[image]", which may be large; "" for anything else."""
    is_list = isinstance(value, list) and all(isinstance(part, Mapping) for part in value)
    kinds = [part.get("type") for part in value] if is_list else []
    hidden = load_names("results")["hidden"]
    return " ".join(f"[{kind}]" for kind in kinds) if kinds and all(kind in hidden for kind in kinds) else ""


def _is_marked_failed(result: Mapping[str, Any]) -> bool:
    """Tell whether a field beside what a tool returned says that it failed."""
    names = load_names("results")
    if any(result.get(name) is True for name in names["failures"]) or result.get("error"):
        return True
    return str(result.get("status") or "").lower() in names["failed"]


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
