"""Providers that want to be told where the stable part ends are told, and others get plain messages.

Against litellm's real request for each provider, sent to a loopback address.
"""

from __future__ import annotations

import json
from typing import Any

import pytest

from ace.llm import Endpoint, Message, Request, Retry, Role
from ace.llm.endpoint import wants_mark
from tests.pace import patience
from tests.test_llm_endpoint import FaultServer, answer, say

PROMPT = (Message("system", "Instructions and playbook."), Message("user", "How many?"))
CLAUDE = {
    "id": "m", "type": "message", "role": "assistant", "model": "claude-sonnet-4-5",
    "stop_reason": "end_turn", "stop_sequence": None, "content": [{"type": "text", "text": "42"}],
    "usage": {"input_tokens": 10, "cache_read_input_tokens": 90, "cache_creation_input_tokens": 0,
              "output_tokens": 2},
}  # fmt: skip


@pytest.fixture
def server() -> Any:
    server = FaultServer()
    yield server
    server.close()


def asked(server: FaultServer, model: str, address: str) -> dict[str, Any]:
    endpoint = Endpoint(model, api_base=address, api_key="k", timeout=patience(5), retry=Retry(attempts=1))
    reply = endpoint.complete(Request(role=Role.GENERATOR, messages=PROMPT, max_tokens=9))
    assert reply.text == "42"
    return server.requests[-1]


def test_claude_is_told_where_the_stable_part_ends(server: FaultServer) -> None:
    server.behaviours = [answer(200, json.dumps(CLAUDE))]
    endpoint = Endpoint(
        "anthropic/claude-sonnet-4-5", api_base=server.address.removesuffix("/v1"), api_key="k"
    )
    reply = endpoint.complete(Request(role=Role.GENERATOR, messages=PROMPT, max_tokens=9))
    (request,) = server.requests
    (block,) = request["system"]
    assert block == {"type": "text", "text": PROMPT[0].content, "cache_control": {"type": "ephemeral"}}
    assert "cache_control" not in json.dumps(request["messages"]) and "How many?" in json.dumps(
        request["messages"]
    )
    assert (reply.usage.prompt_tokens, reply.usage.cached_tokens) == (100, 90)


def test_claude_elsewhere_is_told_too(server: FaultServer) -> None:
    server.behaviours = [say("42")]
    request = asked(server, "openrouter/anthropic/claude-sonnet-4", server.address)
    assert request["messages"][0]["content"] == [
        {"type": "text", "text": PROMPT[0].content, "cache_control": {"type": "ephemeral"}}
    ]
    assert "cache_control" not in json.dumps(request["messages"][1])


@pytest.mark.parametrize("model", ["openai/gpt-4.1-mini", "hosted_vllm/claude-of-my-own", "openai/m"])
def test_others_get_plain_messages(server: FaultServer, model: str) -> None:
    server.behaviours = [say("42")]
    request = asked(server, model, server.address)
    assert [message["content"] for message in request["messages"]] == [m.content for m in PROMPT]


def test_which_models_want_it() -> None:
    wanting = [
        "anthropic/claude-sonnet-4-5",
        "bedrock/anthropic.claude-3-5-sonnet-20241022-v2:0",
        "vertex_ai/claude-sonnet-4@20250514",
        "openrouter/anthropic/claude-sonnet-4",
        "bedrock/amazon.nova-pro-v1:0",
    ]
    assert [model for model in wanting if not wants_mark(model)] == []
    plain = ["openai/gpt-4.1-mini", "gemini/gemini-2.5-pro", "ollama/llama3.2", "openai/qwen", "nobody/x"]
    assert [model for model in plain if wants_mark(model)] == []
