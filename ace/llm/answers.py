"""Put the body of a reply in order: endpoints that call themselves compatible differ in every field.

Knows the forms of chat completions; makes no requests.
"""

from __future__ import annotations

import json
import math
from typing import Any

from ace.llm.failures import has_error, load_json, load_words
from ace.task.attempt import FinishReason
from ace.text.message_content import is_thought, load_message_names
from ace.text.plain_file import decode_text
from ace.text.thoughts import strip_ends
from ace.text.unicode import mend_surrogates

_MOST_TOKENS = 10_000_000  # no window is as large


def mend_reply(body: bytes) -> tuple[bytes | None, str]:
    """Return the body of a chat completion as client libraries take it, and what was refused of it.

    Text in parts is joined, thoughts are put into one field, a stream that nobody asked for is put together,
    and counts that cannot be true are left out: the second value says which. Another body stays as it is.
    None is returned for one that reports an error.
    """
    text = decode_text(body, "replace")
    value = load_json(text)
    if value is None and text.lstrip().startswith(("data:", "event:", ":")):
        try:
            value = _join_events(text)
        except (AttributeError, KeyError, TypeError):  # events of another protocol
            return body, ""
    for _ in range(2):  # gateways wrap replies
        inner = value[0] if isinstance(value, list) and len(value) == 1 else None
        if isinstance(value, dict):
            inner = next((value[name] for name in ("data", "result") if name in value), None)
        value = inner if isinstance(inner, dict) and "choices" in inner else value
    if has_error(value):
        return None, ""
    if not isinstance(value, dict) or "choices" not in value:
        return body, ""
    choices = value["choices"]
    if isinstance(choices, dict):
        choices = list(choices.values())
    choices = choices if isinstance(choices, list) else []
    usage, refused = _mend_usage(_find_usage(value))
    mended: dict[str, Any] = {"id": "", "object": "chat.completion", "created": 0, "usage": usage}
    if isinstance(value.get("model"), str):
        mended["model"] = value["model"]
    try:
        mended["choices"] = [
            _mend_choice(choice) for choice in choices if isinstance(choice, dict) and choice
        ]
    except RecursionError:
        return body, refused
    mended["choices"].sort(key=lambda choice: not any(map(choice["message"].get, ("content", "tool_calls"))))
    return json.dumps(mended).encode(), refused


def _mend_choice(choice: dict[str, Any]) -> dict[str, Any]:
    """Return a choice with a message of text, thoughts and tool calls, and a reason to finish."""
    given = choice.get("message") or choice.get("delta")
    message: dict[str, Any] = given if isinstance(given, dict) else {"content": given}
    content = message.get("content")
    if content is None and isinstance(choice.get("text"), str):
        content = choice["text"]
    text, thoughts = _split_parts(content)
    for key in load_message_names()["thought"]:
        thought = _join_texts(message.get(key))
        if thought and thought not in thoughts:
            thoughts.append(thought)
    calls = message.get("tool_calls") or message.get("function_call")
    if isinstance(calls, str):
        calls = load_json(calls)
    if isinstance(calls, dict):
        calls = [calls]
    mended: dict[str, Any] = {"role": "assistant", "content": text and strip_ends(mend_surrogates(text))}
    if thoughts:
        mended["reasoning_content"] = mend_surrogates("\n\n".join(thoughts))
    if isinstance(calls, list) and calls:
        mended["tool_calls"] = [_mend_call(call) for call in calls if isinstance(call, dict)]
    if message.get("refusal"):
        mended["refusal"] = _join_texts(message["refusal"]) or "refused"
    given = str(choice.get("finish_reason") or "stop")
    reason = FinishReason.of(given)  # client libraries take a word that they do not know for "stop"
    finish = given if reason is FinishReason.OTHER else reason.value
    return {"index": 0, "message": mended, "finish_reason": finish}


def _mend_call(call: dict[str, Any]) -> dict[str, Any]:
    """Return a tool call whose parts are texts."""
    function = call.get("function")
    if not isinstance(function, dict):
        function = call
    arguments = function.get("arguments")
    if not isinstance(arguments, str):
        arguments = json.dumps(arguments) if arguments is not None else ""
    named = {"name": str(function.get("name") or ""), "arguments": mend_surrogates(arguments)}
    return {"id": str(call.get("id") or ""), "type": "function", "function": named}


def _split_parts(content: Any) -> tuple[str | None, list[str]]:
    """Return the text of a content, which may come in parts, and the thoughts among the parts."""
    if content is None or isinstance(content, str):
        return content, []
    if isinstance(content, dict):
        content = [content]
    if not isinstance(content, list):
        return json.dumps(content), []
    texts, thoughts = [], []
    for part in content:
        text = _join_texts(part)
        if isinstance(part, dict) and is_thought(part):
            thoughts.append(text)
        else:
            texts.append(text or json.dumps(part))
    return "".join(texts), list(filter(None, thoughts))


def _join_texts(value: Any, depth: int = 0) -> str:
    """Return all text of a part, or of a field of thoughts, in whichever form."""
    if isinstance(value, str):
        return value
    if depth < 5 and isinstance(value, list):
        return "".join(_join_texts(item, depth + 1) for item in value)
    if depth < 5 and isinstance(value, dict):
        for key in ("text", "content", "value", "thinking", "reasoning", "summary", "refusal"):
            if value.get(key):
                return _join_texts(value[key], depth + 1)
    return ""


def _find_usage(value: dict[str, Any]) -> Any:
    """Return the counts of a reply under OpenAI's names, wherever it has them and whatever it calls them."""
    usage = value.get("usage")
    extra = value.get("x_groq")
    holders = [usage, extra.get("usage") if isinstance(extra, dict) else None]
    holders += [value.get("usageMetadata"), value.get("timings"), value]
    if usage and not isinstance(usage, dict):
        return usage
    counts = load_words("counts")
    for holder in holders:
        if not isinstance(holder, dict):
            continue
        renamed = dict(holder)
        for name, others in counts.items():
            for other in others:
                if renamed.get(name) is None and holder.get(other) is not None:
                    renamed[name] = holder[other]
        if any(renamed.get(name) for name in counts):
            return renamed
    return usage


def _mend_usage(usage: Any) -> tuple[dict[str, Any] | None, str]:
    """Return counts that can be true, and the names and values of those that cannot; None without any."""
    if not isinstance(usage, dict):
        return None, f"usage is {usage!r:.60}" if usage else ""
    refused: list[str] = []
    counts: dict[str, Any] = {}
    for name in ("prompt_tokens", "completion_tokens"):
        count = read_count(usage.get(name))
        if count is None and usage.get(name) is not None:
            refused.append(f"{name} is {usage[name]!r:.60}")
        counts[name] = count or 0
    for name in ("prompt_tokens_details", "completion_tokens_details"):
        details = usage.get(name)
        known = {key: read_count(item) for key, item in details.items()} if isinstance(details, dict) else {}
        counts[name] = {key: count for key, count in known.items() if count is not None}
    cached = counts["prompt_tokens_details"].get("cached_tokens", usage.get("prompt_cache_hit_tokens"))
    count = read_count(cached)  # the last name is DeepSeek's
    if count is not None and count > counts["prompt_tokens"]:
        refused.append(f"cached_tokens is {cached!r:.60}")
        count = None
    counts["prompt_tokens_details"]["cached_tokens"] = count or 0
    counts["total_tokens"] = counts["prompt_tokens"] + counts["completion_tokens"]
    return counts, ", ".join(refused)


def read_count(value: Any) -> int | None:
    """Return a number of tokens, from a number or a text; None for what cannot be one."""
    if isinstance(value, str):
        try:
            value = float(value)
        except ValueError:
            return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    if not math.isfinite(value) or not 0 <= value <= _MOST_TOKENS:
        return None
    return int(value)


def _join_events(text: str) -> Any:
    """Return the completion that a stream of events spells, or the error in it; None where it has neither."""
    merged: dict[str, Any] = {}
    content, thoughts, reason = "", "", None
    calls: dict[int, dict[str, Any]] = {}
    for line in text.splitlines():
        event = load_json(line.removeprefix("data:")) if line.startswith("data:") else None
        if has_error(event):
            return event
        if not isinstance(event, dict):
            continue
        merged |= {key: item for key, item in event.items() if item is not None}
        for choice in event.get("choices") or ():
            message = _mend_choice(choice)["message"]
            reason = choice.get("finish_reason") or reason
            content += message["content"] or ""
            thoughts += message.get("reasoning_content", "")
            for number, call in enumerate(message.get("tool_calls", ())):
                place = choice["delta"]["tool_calls"][number].get("index", number)
                known = calls.setdefault(place, {"id": "", "function": {"name": "", "arguments": ""}})
                known["id"] = known["id"] or call["id"]
                known["function"]["name"] += call["function"]["name"]
                known["function"]["arguments"] += call["function"]["arguments"]
    if "choices" not in merged:
        return None
    message = {"content": content, "reasoning_content": thoughts, "tool_calls": list(calls.values())}
    return {**merged, "choices": [{"message": message, "finish_reason": reason}]}
