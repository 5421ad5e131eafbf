"""What a reply shows by itself, by rule: no word of what was said decides anything here.

A reply that breaks the schema which the request asked for is wrong, and so is a call of a tool with arguments
which the tool does not take. A reply that was cut off, or asked for again, is only worth a remark.
"""

from __future__ import annotations

import json
import signal
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from ace.agent.watch.wire import Body, Interface, list_reply_items
from ace.runs.records import AnswerFeedback
from ace.task.attempt import TurnKind
from ace.task.traces.chat_record import read_messages

AUTHOR = "proxy"
_LONGEST = 300  # characters of what a validator says
_MOST_WORK = 1.0  # seconds of processor time for one schema: its patterns may take forever


class Signal(StrEnum):
    """Name a rule."""

    SCHEMA = "the reply breaks the schema that was asked for"
    TOOL = "a call does not fit the tool"
    CUT_OFF = "the reply was cut off at its limit of tokens"
    ASKED_AGAIN = "the same was asked again after the reply"


WRONG = frozenset({Signal.SCHEMA, Signal.TOOL})
"""Those that make the last reply of a conversation wrong."""


@dataclass(frozen=True, slots=True)
class Remark:
    """Hold one signal."""

    signal: Signal
    detail: str = ""
    """What is wrong, for people and reflectors."""

    def __str__(self) -> str:
        """Return it as a sentence."""
        return f"By rule: {self.signal}{f': {self.detail}' if self.detail else ''}."


def judge_reply(interface: Interface, body: Body, reply: Body) -> tuple[Remark, ...]:
    """Return what a reply shows by itself. Raises what is wrong with a body that is none of its interface."""
    if interface is Interface.MESSAGES:
        is_cut = reply.get("stop_reason") == "max_tokens"
    elif interface is Interface.RESPONSES:
        details = reply.get("incomplete_details")
        is_cut = isinstance(details, Mapping) and details.get("reason") == "max_output_tokens"
    else:
        choices = reply.get("choices") or [{}]
        is_cut = choices[0].get("finish_reason") == "length"
    remarks = [Remark(Signal.CUT_OFF)] if is_cut else []
    turns = read_messages(list_reply_items(interface, reply))
    text = "\n\n".join(turn.text for turn in turns if turn.kind is TurnKind.AGENT)
    calls = [turn for turn in turns if turn.kind is TurnKind.TOOL]
    schema = find_schema(interface, body)
    if schema is not None and text and not calls:
        flaw = find_flaw(schema, text)
        if flaw:
            remarks.append(Remark(Signal.SCHEMA, flaw))
    tools = list_tools(interface, body)
    for call in calls:
        parameters = tools.get(call.tool)
        flaw = find_flaw(parameters, call.arguments or "{}") if parameters is not None else ""
        if flaw:
            remarks.append(Remark(Signal.TOOL, f"{call.tool}: {flaw}"))
    return tuple(remarks)


def make_feedback(
    episode: str, last: tuple[Remark, ...], earlier: tuple[Remark, ...]
) -> AnswerFeedback | None:
    """Return what the remarks on a conversation say of its answer; None for nothing.

    Only what its last reply shows can make it wrong: an agent may have mended the others.
    """
    remarks = tuple(dict.fromkeys((*earlier, *last)))
    if not remarks:
        return None
    is_wrong = any(remark.signal in WRONG for remark in last)
    text = "\n".join(map(str, remarks))
    return AnswerFeedback(episode, False if is_wrong else None, text=text, author=AUTHOR)


def find_schema(interface: Interface, body: Body) -> Mapping[str, Any] | None:
    """Return the JSON schema that a request asks for; None for none."""
    if interface is Interface.CHAT:
        form = body.get("response_format")
        holder = form.get("json_schema") if isinstance(form, Mapping) else None
    elif interface is Interface.RESPONSES:
        text = body.get("text")
        holder = text.get("format") if isinstance(text, Mapping) else None
    else:
        config = body.get("output_config")
        holder = config.get("format") if isinstance(config, Mapping) else body.get("output_format")
    schema = holder.get("schema") if isinstance(holder, Mapping) else None
    return schema if isinstance(schema, Mapping) else None


def list_tools(interface: Interface, body: Body) -> dict[str, Mapping[str, Any]]:
    """Return the schemas of arguments by the names of the caller's tools."""
    tools: dict[str, Mapping[str, Any]] = {}
    listed = body.get("tools")
    field = "input_schema" if interface is Interface.MESSAGES else "parameters"
    for entry in listed if isinstance(listed, list) else ():
        holder = entry.get("function", entry) if isinstance(entry, Mapping) else {}
        name = holder.get("name") if isinstance(holder, Mapping) else None
        schema = holder.get(field) if name else None
        if isinstance(name, str) and isinstance(schema, Mapping):
            tools[name] = schema
    return tools


def find_flaw(schema: Mapping[str, Any], text: str) -> str:
    """Return how a JSON text breaks a schema; "" where it fits, or where the schema cannot be used.

    Nothing that a schema refers to is fetched.
    """
    from jsonschema.exceptions import best_match
    from jsonschema.validators import validator_for
    from referencing import Registry

    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        return f"it is no JSON ({error})"[:_LONGEST]
    try:
        with limit_work(_MOST_WORK):
            kind = validator_for(schema)
            kind.check_schema(schema)
            flaw = best_match(kind(schema, registry=Registry()).iter_errors(value))
    except Exception:  # no schema, one without end, or a reference that leads nowhere
        return ""
    return "" if flaw is None else f"at {flaw.json_path}: {flaw.message}"[:_LONGEST]


@contextmanager
def limit_work(seconds: float) -> Iterator[None]:
    """Raise TimeoutError in the block once the process has worked for so long since it began.

    It interrupts regular expressions, too. Only a main thread can be interrupted, as that of the recorder's
    program is; in any other the block goes on.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def interrupt(number: int, frame: object) -> None:
        """End the block."""
        raise TimeoutError(f"It took more than {seconds:g} s.")

    before = signal.signal(signal.SIGVTALRM, interrupt)
    signal.setitimer(signal.ITIMER_VIRTUAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)
