"""Real clients of three APIs through the proxy: openai in Python and JavaScript, anthropic, litellm."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("starlette", reason="the proxy needs the extra `serve`")

import openai
from pydantic import BaseModel

from ace.store import Store
from tests.pace import slowness
from tests.proxy_here import LINE, ProxyHere
from tests.wire_server import WireServer

anthropic = pytest.importorskip("anthropic", reason="anthropic is not installed")

pytest_plugins = ["tests.proxy_fixtures"]
ROOT = Path(__file__).parent.parent
ASKED = [{"role": "user", "content": "What is red?"}]
ANSWER = "It is seven. 七"
PARAMETERS = {"type": "object", "properties": {"word": {"type": "string"}}}


def says(body: dict[str, Any]) -> Any:
    """Call a tool where there is one whose result is not known yet; else answer."""
    text = json.dumps(body)
    if body.get("tools") and "page 3" not in text:
        return ("look_up", '{"word": "red"}')
    return '{"code": 7}' if "json_schema" in text else ANSWER


def finish(proxy: ProxyHere, wire: WireServer, playbook: Path) -> list[Any]:
    """End the proxy, and return the episodes: each request has the lesson once."""
    proxy.stop()
    assert wire.bodies and all(json.dumps(body).count(LINE) == 1 for body in wire.bodies)
    with Store.open(playbook, read_only=True) as store:
        assert store.verify() == []
        return store.episodes()


class Code(BaseModel):
    """What a structured answer holds."""

    code: int


def test_openai_chat(proxy: ProxyHere, wire: WireServer, playbook: Path) -> None:
    client = openai.OpenAI(base_url=f"{proxy.url}/v1", api_key="x", max_retries=0)
    chat = client.chat.completions
    tools = [{"type": "function", "function": {"name": "look_up", "parameters": PARAMETERS}}]
    messages: list[Any] = [{"role": "system", "content": "Be short."}, *ASKED]
    first = chat.create(model="m", messages=messages, tools=tools, stream=True)
    calls = [call for chunk in first for call in chunk.choices[0].delta.tool_calls or ()]
    arguments = "".join(call.function.arguments for call in calls)
    function = {"name": "look_up", "arguments": arguments}
    messages += [
        {"role": "assistant", "tool_calls": [{"id": calls[0].id, "type": "function", "function": function}]},
        {"role": "tool", "tool_call_id": calls[0].id, "content": "page 3"},
    ]
    assert chat.create(model="m", messages=messages, tools=tools).choices[0].message.content == ANSWER
    asked = [{"role": "user", "content": "Which code?"}]
    assert chat.parse(model="m", messages=asked, response_format=Code).choices[0].message.parsed == Code(
        code=7
    )

    async def ask() -> str:
        client = openai.AsyncOpenAI(base_url=f"{proxy.url}/v1", api_key="x", max_retries=0)
        stream = await client.chat.completions.create(model="m", messages=ASKED, stream=True)
        return "".join([chunk.choices[0].delta.content or "" async for chunk in stream])

    assert asyncio.run(ask()) == ANSWER
    episodes = finish(proxy, wire, playbook)
    answers = sorted((episode.question, episode.attempt.answer) for episode in episodes)
    assert answers == [("What is red?", ANSWER), ("What is red?", ANSWER), ("Which code?", '{"code": 7}')]
    texts = [episode.attempt.text for episode in episodes]
    assert sum("look_up" in text and "page 3" in text for text in texts) == 1


def test_openai_responses(proxy: ProxyHere, wire: WireServer, playbook: Path) -> None:
    client = openai.OpenAI(base_url=f"{proxy.url}/v1", api_key="x", max_retries=0)
    first = client.responses.create(model="m", input="What is red?", instructions="Be short.")
    assert first.output_text == ANSWER
    with client.responses.stream(model="m", input="Sure?", previous_response_id=first.id) as stream:
        assert stream.get_final_response().output_text == ANSWER
    parsed = client.responses.parse(model="m", input="Which code?", text_format=Code)
    assert parsed.output_parsed == Code(code=7)
    assert "Be short." in wire.bodies[0]["instructions"]
    long, short = sorted(finish(proxy, wire, playbook), key=lambda episode: episode.question)
    assert (long.question, len(long.attempt.turns)) == ("What is red?", 4)
    assert short.attempt.answer == '{"code": 7}'


def test_anthropic_messages(proxy: ProxyHere, wire: WireServer, playbook: Path) -> None:
    client = anthropic.Anthropic(base_url=proxy.url, api_key="x", max_retries=0)
    cached = {"type": "text", "text": "Be short.", "cache_control": {"type": "ephemeral"}}
    system = [cached, {"type": "text", "text": "Today is Monday."}]
    options: dict[str, Any] = {"model": "m", "max_tokens": 9, "system": system}
    tools = [{"name": "look_up", "input_schema": PARAMETERS}]
    with client.messages.stream(messages=ASKED, tools=tools, **options) as stream:
        first = stream.get_final_message()
    results = [
        {"type": "tool_result", "tool_use_id": part.id, "content": "page 3"}
        for part in first.content
        if part.type == "tool_use"
    ]
    messages = [*ASKED, {"role": "assistant", "content": first.content}, {"role": "user", "content": results}]
    headers = {"anthropic-beta": "context-1m-2025-08-07"}
    reply = client.messages.create(messages=messages, tools=tools, extra_headers=headers, **options)
    assert reply.content[0].text == ANSWER
    texts = [part["text"] for part in wire.bodies[-1]["system"]]
    assert texts[0] == "Be short." and LINE in texts[1] and texts[2] == "Today is Monday."
    (episode,) = finish(proxy, wire, playbook)
    assert episode.attempt.answer == ANSWER and "page 3" in episode.attempt.text


def test_litellm(proxy: ProxyHere, wire: WireServer, playbook: Path) -> None:
    from ace.llm.providers import load_litellm

    litellm: Any = load_litellm()
    here = {"messages": ASKED, "api_key": "x"}
    reply = litellm.completion(model="openai/m", api_base=f"{proxy.url}/v1", **here)
    assert reply.choices[0].message.content == ANSWER
    stream = litellm.completion(model="anthropic/m", api_base=proxy.url, stream=True, **here)
    assert "".join(chunk.choices[0].delta.content or "" for chunk in stream) == ANSWER
    assert [episode.attempt.answer for episode in finish(proxy, wire, playbook)] == [ANSWER, ANSWER]


SCRIPT = """
import OpenAI from "openai";
const client = new OpenAI({ baseURL: process.argv[2] + "/v1", apiKey: "x", maxRetries: 0 });
const messages = [{ role: "user", content: "What is red?" }];
const whole = await client.chat.completions.create({ model: "m", messages });
let text = "";
for await (const chunk of await client.chat.completions.create({ model: "m", messages, stream: true }))
  text += chunk.choices[0].delta.content ?? "";
const response = await client.responses.create({ model: "m", input: "What is blue?" });
const body = { response_id: whole.id, right: false };
const feedback = await client.post("/feedback", { body });
const spoken = whole.choices[0].message.content;
console.log(JSON.stringify([spoken, text, response.output_text, feedback.recorded]));
"""


def test_openai_in_javascript(proxy: ProxyHere, wire: WireServer, playbook: Path, tmp_path: Path) -> None:
    modules = Path(
        os.environ.get("ACE_NODE_MODULES", ROOT / ".adapters" / "coding-agents" / "js" / "node_modules")
    )
    if shutil.which("node") is None or not (modules / "openai").is_dir():
        pytest.skip("openai for node is not installed: run `just coding-agents`, or set ACE_NODE_MODULES")
    (tmp_path / "node_modules").symlink_to(modules)
    (tmp_path / "ask.mjs").write_text(SCRIPT)
    command = ["node", "ask.mjs", proxy.url]
    done = subprocess.run(
        command, cwd=tmp_path, capture_output=True, text=True, timeout=60 * slowness(), check=False
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == [ANSWER, ANSWER, ANSWER, True]
    assert len(finish(proxy, wire, playbook)) == 3
