"""Check the tokens that an endpoint counts, and estimate them where it does not, so that caps hold.

Knows how much a text can be at most; reads no answers.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ace.llm.client import Message, Reply, Request, Usage
from ace.llm.providers import load_litellm
from ace.text import estimate_tokens

_MOST_A_BYTE = 4  # tokens of a prompt for each of its bytes: templates add marks to every message
_ADDED = 20_000  # tokens that a provider may put before a prompt
_MOST_WRITTEN = 1_000_000  # tokens of one reply, thoughts included
_EACH_MESSAGE = 4  # tokens of a message's frame
_ANSWER = 2_048  # tokens, where a request names no limit
_LEAST_CONTEXT = 4_096


def check_usage(
    reply: Reply,
    messages: Sequence[Message],
    options: Mapping[str, Any],
    refused: str,
    count: Callable[[str], int],
) -> tuple[Usage, str]:
    """Return what a reply took, and what is wrong with the endpoint's counts; "" where nothing is.

    `refused` says which counts were left out already, because they cannot be numbers of tokens. Counts that
    are missing, or larger than prompt and reply can be, are replaced by those of `count`.
    """
    usage = reply.usage
    problems = [refused] if refused else []
    prompt, written, cached = usage.prompt_tokens, usage.completion_tokens, usage.cached_tokens
    asked = [message.content for message in messages]
    asked += [call.write() for message in messages for call in message.tool_calls]
    for name in ("tools", "response_format"):
        if name in options:
            asked.append(json.dumps(options[name], ensure_ascii=False))
    size = sum(len(text.encode("utf-8", "replace")) for text in asked)
    spoken = [reply.text, reply.reasoning, *(json.dumps(dict(call.arguments)) for call in reply.tool_calls)]
    if not 0 <= prompt <= size * _MOST_A_BYTE + _ADDED:
        problems.append(f"prompt_tokens is {prompt} for {size} bytes")
        prompt = 0
    if not 0 <= written <= _MOST_WRITTEN:
        problems.append(f"completion_tokens is {written}")
        written = 0
    is_missing = prompt == 0 or (written == 0 and any(spoken))
    if is_missing and not problems:
        problems.append("the endpoint does not count tokens")
    if prompt == 0:
        prompt = sum(count(text) + _EACH_MESSAGE for text in asked)
    if written == 0:
        written = sum(count(text) for text in spoken if text)
    if not 0 <= cached <= prompt:
        cached = 0
    tokens = Usage(prompt_tokens=prompt, completion_tokens=written, cached_tokens=cached, cost=usage.cost)
    return tokens, "; ".join(problems)


def price_tokens(address: str, usage: Usage) -> float | None:
    """Return what tokens cost in US dollars by litellm's list; None for a model that it has no price for."""
    litellm = load_litellm()
    try:
        costs = litellm.cost_per_token(
            model=address, prompt_tokens=usage.prompt_tokens, completion_tokens=usage.completion_tokens
        )
    except Exception:  # it has a type of its own for each way not to know a price
        return None
    return float(sum(costs)) or None


def choose_context(request: Request, limit: int | None, present: int, most: int | None) -> int:
    """Return how many tokens an Ollama server must hold for a request; its own default cuts prompts silently.

    Sizes double from 4,096, and none below the `present` one is asked for: each change loads the model
    again. `most` is what the model can hold, where that is known.
    """
    need = (limit or _ANSWER) + sum(estimate_tokens(tool.description) + 200 for tool in request.tools)
    for message in request.messages:
        need += estimate_tokens(message.content) + _EACH_MESSAGE
    size = max(present, _LEAST_CONTEXT)
    while size < need:
        size *= 2
    return size if most is None else min(size, most)
