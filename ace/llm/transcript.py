"""Write all that a model said as one text: thoughts, answer and tool calls, in the marks of open models.

Some endpoints take these apart, others do not. A journal keeps one text, from which the parts come back.
"""

from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import Any

from ace.llm.client import FinishReason, Reply, ToolCall
from ace.text.thoughts import mask_marks, split_thoughts

TOOL_CALL = "<tool_call>"

_TOOL_CALL = re.compile(r"\n?<tool_call>\s*(\{(?:(?!<tool_call>).)*?\})\s*</tool_call>", re.DOTALL)


def split_reply(reply: Reply, *, tools: bool = False) -> Reply:
    """Move the thoughts, and with `tools` the tool calls, from a reply's text to their fields.

    A lone end mark counts: many chat templates write the first one themselves. A call that is no JSON object
    with a name stays in the text. What the endpoint had taken apart itself comes first in each field. A reply
    with calls gets the finish reason TOOLS, whatever it had.
    """
    thoughts, text = split_thoughts(reply.text)
    reasoning = "\n\n".join(filter(None, (reply.reasoning, thoughts)))
    calls = list(reply.tool_calls)
    if tools:
        for block in _TOOL_CALL.finditer(text):
            call = read_tool_call(block[1], f"call_{len(calls) + 1}")
            if call is not None:
                calls.append(call)
                text = text.replace(block[0], "", 1)
    if reasoning:
        text = text.lstrip()  # the empty lines that set it apart from the thoughts
    finish_reason = FinishReason.TOOLS if calls else reply.finish_reason
    return replace(
        reply, text=text, reasoning=reasoning, tool_calls=tuple(calls), finish_reason=finish_reason
    )


def join_reply(reply: Reply) -> str:
    """Return the text from which `split_reply` makes this reply again; a plain reply's text as it is."""
    text = reply.text
    if reply.reasoning or split_thoughts(text) != ("", text):
        text = f"<think>{mask_marks(reply.reasoning)}</think>{text}"
    for call in reply.tool_calls:
        text += write_tool_call(call.name, call.arguments, call.id)
    return text


def write_tool_call(name: str, arguments: Any, call_id: str = "") -> str:
    """Return a call as a marked block of text, as open models write it.

    `arguments` is an object, or a text that could not be read as one: it stays, so that it can be seen.
    """
    call = json.dumps({"id": call_id, "name": name, "arguments": arguments}, ensure_ascii=False)
    escaped = call.replace("<", "\\u003c")  # so that no argument ends the block
    return f"\n{TOOL_CALL}\n{escaped}\n</tool_call>"


def read_tool_call(text: str, call_id: str) -> ToolCall | None:
    """Read a call from JSON with "name" and "arguments", an object or its text; None where it is none.

    `call_id` is for a call that has none of its own.
    """
    try:
        call = json.loads(text)
        arguments = call.get("arguments")
        if isinstance(arguments, str):
            arguments = json.loads(arguments or "{}")
    except (ValueError, RecursionError):
        return None
    name = call.get("name")
    if not isinstance(name, str) or not isinstance(arguments, dict):
        return None
    return ToolCall(str(call.get("id") or call_id), name, arguments)
