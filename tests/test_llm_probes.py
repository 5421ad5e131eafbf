"""`ace models check` finds what an endpoint refuses, leaves out or does otherwise, and says it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from ace.llm import Endpoint, Topic
from tests.cli import Ace
from tests.model_server import ask
from tests.raw_server import Answer, RawServer, reply


def answer(asked: dict[str, Any]) -> Answer:
    """What a good endpoint says to each probe."""
    text = '{"number": 5}' if "JSON" in asked["messages"][-1]["content"] else "OK"
    words = sum(len(message["content"].split()) for message in asked["messages"])
    return reply(text, usage={"prompt_tokens": words + 4, "completion_tokens": 2})


@pytest.fixture
def server() -> Iterator[RawServer]:
    server = RawServer(answer)
    yield server
    server.close()


def probe(server: RawServer, ace: Ace, name: str = "openai/m", base: str = "") -> dict[str, list[str]]:
    """Return the sentences of `ace models check --json` by topic."""
    done = ace("models", "check", name, "--api-base", base or server.api_base, "--json")
    assert done.code == 0, done.err
    findings: dict[str, list[str]] = {}
    for finding in json.loads(done.out)["findings"]:
        findings.setdefault(finding["topic"], []).append(finding["text"])
    return findings


def refuse(asked: dict[str, Any], name: str) -> Answer:
    return (
        (400, {"error": {"message": f"Unsupported parameter: {name}", "param": name}})
        if name in asked
        else answer(asked)
    )


def test_a_good_endpoint_has_little_to_say(server: RawServer, ace: Ace) -> None:
    findings = probe(server, ace)
    assert findings.keys() == {Topic.PRICE, Topic.WINDOW} and "6,000" in findings[Topic.WINDOW][0]
    assert len(server.seen) == 3
    shown = ace("models", "check", "openai/m", "--api-base", server.api_base).out
    assert shown.startswith("openai/m answered 'OK' in ") and "\nok  window: It reads" in shown


@pytest.mark.parametrize(
    ("name", "topic", "words"),
    [
        ("temperature", Topic.PARAMETERS, "no temperature"),
        ("seed", Topic.PARAMETERS, "no seed"),
        ("max_tokens", Topic.PARAMETERS, "no max_tokens"),
        ("response_format", Topic.SCHEMA, "schema is put into words"),
    ],
)
def test_a_refused_parameter_is_said_once(
    server: RawServer, ace: Ace, name: str, topic: Topic, words: str
) -> None:
    server.answer = lambda asked: refuse(asked, name)
    sentences = probe(server, ace)[topic]
    assert len(sentences) == 1 and words in sentences[0]


def test_a_template_without_a_system_role_is_found(server: RawServer, ace: Ace) -> None:
    refusal = 400, {"object": "error", "message": "System role not supported", "code": 400}
    server.answer = lambda asked: refusal if asked["messages"][0]["role"] == "system" else answer(asked)
    assert "no system role" in probe(server, ace)[Topic.ROLES][0]


def test_missing_usage_is_found(server: RawServer, ace: Ace) -> None:
    server.answer = lambda asked: {**answer(asked), "usage": None}
    assert "does not count tokens" in probe(server, ace)[Topic.USAGE][0]


@pytest.mark.parametrize(
    "fields", [{"content": "<think>Hm.</think>OK"}, {"content": "OK", "reasoning": "Hm."}]
)
def test_a_model_that_thinks_is_found(server: RawServer, ace: Ace, fields: dict[str, str]) -> None:
    def think(asked: dict[str, Any]) -> Answer:
        good = answer(asked)
        if "JSON" not in asked["messages"][-1]["content"]:
            good["choices"][0]["message"] |= fields
        return good

    server.answer = think
    assert "thinks" in probe(server, ace)[Topic.THINKING][0]


def test_a_model_that_cannot_write_json_is_found(server: RawServer, ace: Ace) -> None:
    server.answer = lambda asked: reply("five")
    assert "JSON" in probe(server, ace)[Topic.SCHEMA][0]


def test_a_server_that_cuts_prompts_is_found(server: RawServer, ace: Ace) -> None:
    def cut(asked: dict[str, Any]) -> Answer:
        good = answer(asked)
        good["usage"]["prompt_tokens"] = min(2_048, good["usage"]["prompt_tokens"])
        return good

    server.answer = cut
    assert "2,048 tokens of a prompt of some 6,000" in probe(server, ace)[Topic.WINDOW][0]
    error = {"error": {"message": "This model's maximum context length is 4096 tokens."}}
    server.answer = lambda asked: (
        (400, error) if "word" in asked["messages"][-1]["content"][:9] else answer(asked)
    )
    assert "maximum context length is 4096" in probe(server, ace)[Topic.WINDOW][0]


def test_ollama_says_how_much_it_holds_and_is_asked_for_what_is_needed(server: RawServer, ace: Ace) -> None:
    def ollama(asked: dict[str, Any]) -> Answer:
        if "messages" not in asked:
            return {"model_info": {"general.name": "x", "qwen2.context_length": 32_768}}
        text = '{"number": 5}' if "JSON" in asked["messages"][-1]["content"] else "OK"
        return {
            "model": "m", "created_at": "2026-01-01", "message": {"role": "assistant", "content": text},
            "done": True, "done_reason": "stop", "prompt_eval_count": 20, "eval_count": 2,
        }  # fmt: skip

    server.answer = ollama
    base = server.api_base.removesuffix("/v1")
    assert probe(server, ace, "ollama_chat/m", base)[Topic.WINDOW] == ["It reads 32,768 tokens."]
    assert {asked["options"]["num_ctx"] for asked in server.seen if "messages" in asked} == {4_096}


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ((429, {"error": {"message": "No.", "code": "insufficient_quota"}}), "no credit left"),
        (
            (307, b"", {"location": "http://elsewhere.invalid/v1"}),
            "redirects to another address, http://elsewhere",
        ),
        ((200, {"error": "Unexpected endpoint or method."}), "Unexpected endpoint or method"),
        ((401, {"error": {"message": "Bad key."}}), "Check the key"),
    ],
)
def test_what_ends_the_first_call_is_said(server: RawServer, ace: Ace, fault: Answer, words: str) -> None:
    server.answer = lambda _: fault
    done = ace("models", "check", "openai/m", "--api-base", server.api_base)
    assert done.code != 0 and words in done.err and len(server.seen) == 1


def test_the_context_of_ollama_grows_and_is_not_changed_back() -> None:
    """Each change loads the model again. More than the model can hold is not asked for."""

    def ollama(asked: dict[str, Any]) -> Answer:
        if "messages" not in asked:
            return {"model_info": {"llama.context_length": 12_000}}
        message = {"role": "assistant", "content": "Lima"}
        return {"model": "m", "created_at": "2026-01-01", "message": message, "done": True, "eval_count": 2}

    server = RawServer(ollama)
    endpoint = Endpoint("ollama_chat/m", api_base=server.api_base.removesuffix("/v1"))
    sizes = []
    for rules in (1, 2_000, 1, 9_000):
        endpoint.complete(ask("A rule. " * rules, max_tokens=64))
        asked = [seen for seen in server.seen if "messages" in seen]
        sizes.append(asked[-1]["options"]["num_ctx"])
    server.close()
    assert sizes == [4_096, 8_192, 8_192, 12_000]
    assert endpoint.window().tokens == 12_000
