"""Calls of tools that a model writes as a line of text: `refund(order="31", amount=4500)`.

For models without function calling of their own. A grammar (GBNF, as llama.cpp reads it) allows nothing but a
call of one of the tools: a small model needs a third of the tokens that a call in JSON takes.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from ace.llm.client import Client, Reply, ToolCall, ToolSpec
from ace.task.attempt import write_value

_NAME = re.compile(r"\s*([^\W\d][\w.-]*)\s*")
_ARGUMENT = re.compile(r"[\s,]*([^\W\d]\w*)\s*[=:]\s*")
_SINGLE_QUOTED = re.compile(r"'((?:[^'\\]|\\.)*)'")
_END = re.compile(r"[\s,]*\)[\s;]*$")
_LONGEST_STRING = 600  # characters: a model that repeats itself must come to an end
_RULES = rf"""
string ::= "\"" ([^"\\\n] | "\\" ["\\/bfnrt]){{0,{_LONGEST_STRING}}} "\""
integer ::= "-"? [0-9]{{1,15}}
number ::= integer ("." [0-9]{{1,9}})?
boolean ::= "true" | "false"
object ::= "{{" (string ": " value (", " string ": " value)*)? "}}"
array ::= "[" (value (", " value)*)? "]"
value ::= string | number | boolean | "null" | object | array
"""
_KINDS = frozenset({"string", "integer", "number", "boolean", "object", "array"})


def writes_calls(client: Client) -> bool:
    """Return whether a client's model writes its calls as text: then its prompt must list the tools."""
    return bool(getattr(client, "writes_calls", False))


def list_tools(tools: Sequence[ToolSpec]) -> str:
    """Return a line for each tool: how it is called, what it does, and what its arguments are."""
    lines: list[str] = []
    for tool in tools:
        schemas: Mapping[str, Any] = tool.parameters.get("properties", {})
        notes = ""
        for name, schema in schemas.items():
            if "description" in schema:
                notes += f"; {name}: {schema['description']}"
        text = " ".join(tool.description.split())
        call = f"{tool.name}({', '.join(schemas)})"
        lines.append(f"- {call}: {text} {notes.removeprefix('; ')}".rstrip(" :"))
    return "\n".join(lines)


def write_grammar(tools: Sequence[ToolSpec]) -> str:
    """Return the grammar of a single call of one of the tools, arguments in the order of their schema.

    Arguments that need not be given come last. What a schema says of the kind and the choice of a value
    holds; its other limits do not.
    """
    rules = [f"root ::= {' | '.join(f't{number}' for number in range(len(tools)))}"]
    for number, tool in enumerate(tools):
        schemas: Mapping[str, Any] = tool.parameters.get("properties", {})
        pairs = {name: f"{_quote(f'{name}=')} {_name_rule(schema)}" for name, schema in schemas.items()}
        needed = [pair for name, pair in pairs.items() if name in tool.required]
        optional = [pair for name, pair in pairs.items() if name not in tool.required]
        inside = ' ", " '.join(needed)
        if needed:
            inside += "".join(f' (", " {pair})?' for pair in optional)
        elif optional:
            # Whichever comes first has no comma before it.
            starts = []
            for place, pair in enumerate(optional):
                starts.append(pair + "".join(f' (", " {other})?' for other in optional[place + 1 :]))
            inside = f"({' | '.join(starts)})?"
        rules.append(f't{number} ::= {_quote(f"{tool.name}(")} {inside} ")"')
    return "\n".join(rules) + _RULES


def read_written_call(text: str, call_id: str) -> ToolCall | None:
    """Read a call from its line; None where the text is none. Single quotes are read as well.

    Arguments without a name are not: which of them is meant is not guessed.
    """
    head = _NAME.match(text)
    if head is None or not text[head.end() :].startswith("("):
        return None
    try:
        arguments = dict(_read_arguments(text, head.end() + 1))
    except ValueError:
        return None
    return ToolCall(call_id, head[1], arguments)


def split_written_call(reply: Reply, call_id: str = "call_1") -> Reply:
    """Move a call that is the whole text of a reply to its field."""
    call = read_written_call(reply.text, call_id)
    return reply if call is None else replace(reply, text="", tool_calls=(*reply.tool_calls, call))


def _name_rule(schema: Mapping[str, Any]) -> str:
    """Return the rule of a value of a schema: a choice of its values, or the rule of its kind."""
    choices = schema.get("enum")
    if choices:
        return f"({' | '.join(_quote(write_value(choice)) for choice in choices)})"
    kind = schema.get("type")
    return kind if kind in _KINDS else "value"


def _quote(text: str) -> str:
    """Return a text as a literal of the grammar."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'


def _read_arguments(text: str, place: int) -> Iterator[tuple[str, Any]]:
    """Yield names and values up to the closing bracket, which must end the text. Raises ValueError."""
    decoder = json.JSONDecoder()
    while True:
        if _END.match(text, place):
            return
        name = _ARGUMENT.match(text, place)
        if name is None:
            raise ValueError("expected the name of an argument")
        single = _SINGLE_QUOTED.match(text, name.end())
        if single:
            yield name[1], single[1].replace("\\'", "'")
            place = single.end()
            continue
        value, place = decoder.raw_decode(text, name.end())
        yield name[1], value
