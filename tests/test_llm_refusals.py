"""What an endpoint refuses is left out or put otherwise and remembered; else its own words are shown."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import Any

import pytest
from pydantic import BaseModel

from ace.errors import ContentRefused, ModelError, ModelNameError, ModelUnavailable
from ace.llm import Endpoint, Message, Request, Retry, Role, ToolSpec, connect
from tests.raw_server import Answer, RawServer, reply

Serve = Callable[[Callable[[dict[str, Any]], Answer]], tuple[RawServer, Endpoint]]
QUESTION = Message("user", "Capital of Peru?")
ORDER = Message("system", "City only.")


class Lesson(BaseModel):
    lesson: str


def ask(*messages: Message, **more: Any) -> Request:
    more = {"max_tokens": 64, "seed": 3, **more}
    return Request(role=Role.GENERATOR, messages=messages or (ORDER, QUESTION), **more)


@pytest.fixture
def serve() -> Iterator[Serve]:
    opened: list[RawServer] = []

    def start(answer: Callable[[dict[str, Any]], Answer]) -> tuple[RawServer, Endpoint]:
        opened.append(RawServer(answer))
        retry = Retry(attempts=3, sleep=lambda _: None)
        return opened[-1], connect("openai/m", api_base=opened[-1].api_base, api_key="plain-key", retry=retry)

    yield start
    for server in opened:
        server.close()


def openai(message: str, param: str | None = None, code: str | None = None) -> dict[str, Any]:
    return {"error": {"message": message, "type": "invalid_request_error", "param": param, "code": code}}


def vllm(message: str) -> dict[str, Any]:
    return {"object": "error", "message": message, "type": "BadRequestError", "param": None, "code": 400}


def fastapi(name: str, message: str) -> dict[str, Any]:
    return {"detail": [{"loc": ["body", name], "msg": message, "type": "value_error"}]}


def has(name: str) -> Callable[[dict[str, Any]], bool]:
    return lambda asked: name in asked


# name -> whether a request is refused, the refusal, the action, and the number of refusals
PARAMETERS: dict[str, tuple[Callable[[dict[str, Any]], bool], tuple[int, Any], str]] = {
    "temperature, OpenAI": (
        lambda asked: asked.get("temperature", 1) != 1,
        (
            400,
            openai(
                "Unsupported value: 'temperature' does not support 0 with this model. Only the default (1) "
                "value is supported.",
                "temperature",
                "unsupported_value",
            ),
        ),
        "without temperature",
    ),
    "temperature, in param only": (
        has("temperature"),
        (400, openai("Unsupported parameter.", "temperature")),
        "without temperature",
    ),
    "temperature, FastAPI": (
        has("temperature"),
        (422, fastapi("temperature", "extra fields not permitted")),
        "without temperature",
    ),
    "temperature, TGI": (
        lambda asked: asked.get("temperature") == 0,
        (
            422,
            {
                "error": "Input validation error: `temperature` must be strictly positive",
                "error_type": "validation",
            },
        ),
        "temperature above 0",
    ),
    "temperature, a page": (
        has("temperature"),
        (400, b"<html><body>temperature is not allowed here</body></html>"),
        "without temperature",
    ),
    "seed, OpenAI": (
        has("seed"),
        (400, openai("Unrecognized request argument supplied: seed")),
        "without seed",
    ),
    "seed, FastAPI": (has("seed"), (422, fastapi("seed", "Extra inputs are not permitted")), "without seed"),
    "seed, text": (has("seed"), (400, b"seed is not supported"), "without seed"),
    "seed, under 200": (has("seed"), (200, {"error": "unknown field: seed"}), "without seed"),
    "seed, through a proxy": (
        has("seed"),
        (
            400,
            {
                "error": {
                    "message": "Provider returned error",
                    "code": 400,
                    "metadata": {"raw": json.dumps({"message": "property 'seed' is unsupported"})},
                }
            },
        ),
        "without seed",
    ),
    "limit, OpenAI": (
        has("max_tokens"),
        (
            400,
            openai(
                "Unsupported parameter: 'max_tokens' is not supported with this model. Use "
                "'max_completion_tokens' instead.",
                "max_tokens",
                "unsupported_parameter",
            ),
        ),
        "with max_completion_tokens",
    ),
    "limit, unknown": (
        lambda asked: "max_tokens" in asked or "max_completion_tokens" in asked,
        (400, openai('Unknown name "max_tokens": Cannot find field.')),
        "without max_tokens",
    ),
    "system, vLLM": (
        lambda asked: asked["messages"][0]["role"] == "system",
        (400, vllm("System role not supported")),
        "system text",
    ),
    "system, OpenAI": (
        lambda asked: asked["messages"][0]["role"] == "system",
        (
            400,
            openai(
                "Unsupported value: 'messages[0].role' does not support 'system' with this model.",
                "messages[0].role",
            ),
        ),
        "system text",
    ),
    "system, Gemini": (
        lambda asked: asked["messages"][0]["role"] == "system",
        (
            400,
            [
                {
                    "error": {
                        "code": 400,
                        "message": "Developer instruction is not enabled for models/gemma-3-1b-it",
                        "status": "INVALID_ARGUMENT",
                    }
                }
            ],
        ),
        "system text",
    ),
    "system, llama.cpp": (
        lambda asked: asked["messages"][0]["role"] == "system",
        (
            500,
            {
                "error": {
                    "code": 500,
                    "message": "Jinja exception: System role not supported",
                    "type": "server_error",
                }
            },
        ),
        "system text",
    ),
    "alternation of a template without a system role": (
        lambda asked: asked["messages"][0]["role"] == "system",
        (400, vllm("Conversation roles must alternate user/assistant/user/assistant/...")),
        "system text",
    ),
}


@pytest.mark.parametrize("name", PARAMETERS)
def test_a_refused_parameter_is_left_out_remembered_and_said_once(serve: Serve, name: str) -> None:
    refuses, refusal, action = PARAMETERS[name]
    server, endpoint = serve(lambda asked: refusal if refuses(asked) else reply("Lima"))
    first, second = endpoint.complete(ask()), endpoint.complete(ask())
    assert (first.text, second.text) == ("Lima", "Lima")
    assert action in first.faults[-1].action and first.faults[-1].kind in ("refused request", "server error")
    assert second.faults == (), "it is remembered"
    assert len(first.faults) <= 2
    assert len(server.seen) == len(first.faults) + 2
    sent = server.seen[-1]
    assert json.dumps(sent["messages"]).count("City only.") == 1
    untouched = {"temperature", "seed", "max_tokens"} - {name.split(",")[0].replace("limit", "max_tokens")}
    assert untouched <= sent.keys()


def test_several_refusals_are_overcome_one_after_the_other(serve: Serve) -> None:
    def answer(asked: dict[str, Any]) -> Answer:
        for name in ("temperature", "seed", "max_tokens", "response_format"):
            if name in asked:
                return 400, openai(f"Unsupported parameter: {name}", name)
        if asked["messages"][0]["role"] == "system":
            return 400, vllm("System role not supported")
        return reply('{"lesson": "x"}')

    server, endpoint = serve(answer)
    assert endpoint.complete(ask(schema=Lesson)).parsed == Lesson(lesson="x")
    assert [fault.attempt for fault in endpoint.complete(ask(schema=Lesson)).faults] == []
    assert server.seen[-1].keys() <= {"model", "messages", "max_completion_tokens"}
    assert len(server.seen) == 7


def test_roles_are_joined_where_they_must_alternate(serve: Serve) -> None:
    def answer(asked: dict[str, Any]) -> Answer:
        roles = [message["role"] for message in asked["messages"]]
        if "system" in roles or any(a == b for a, b in pairwise(roles)):
            return 400, vllm(
                "After the optional system message, conversation roles must alternate user and assistant"
            )
        return reply("Lima")

    server, endpoint = serve(answer)
    messages = (
        ORDER,
        QUESTION,
        Message("user", "One word."),
        Message("assistant", "Cusco"),
        Message("user", "No."),
    )
    assert endpoint.complete(ask(*messages)).text == "Lima"
    assert [message["role"] for message in server.seen[-1]["messages"]] == ["user", "assistant", "user"]
    assert server.seen[-1]["messages"][0]["content"] == "City only.\n\nCapital of Peru?\n\nOne word."


@pytest.mark.parametrize(
    "message",
    [
        "Conversation roles must alternate user/assistant/user/assistant/...",
        "'temperature' is bad, and so is seed, max_tokens and the system role",
        "Last message must have role `user`",
        "could not finish",
    ],
)
def test_a_refusal_that_stays_ends_with_its_words_and_is_not_remembered(serve: Serve, message: str) -> None:
    server, endpoint = serve(lambda _: (400, vllm(message)))
    with pytest.raises(ModelError) as caught:
        endpoint.complete(ask())
    assert message.rstrip(".") in str(caught.value) and len(server.seen) < 10
    assert len(caught.value.details["faults"]) == len(server.seen)
    server.answer = lambda _: reply("Lima")
    endpoint.complete(ask())
    assert {"temperature", "seed", "max_tokens"} <= server.seen[-1].keys()


def test_a_limit_that_one_request_has_no_room_for_is_sent_with_the_next(serve: Serve) -> None:
    words = "'max_tokens' is too large: 64. This model's maximum context length is 100 tokens"
    server, endpoint = serve(lambda asked: (400, vllm(words)) if "max_tokens" in asked else reply("Lima"))
    assert endpoint.complete(ask()).text == "Lima"
    server.answer = lambda _: reply("Lima")
    endpoint.complete(ask())
    assert server.seen[-1]["max_tokens"] == 64


@pytest.mark.parametrize("status", [400, 422, 500])
@pytest.mark.parametrize(
    "words", ["response_format is not supported", "guided decoding is off", "json mode is unavailable", "no"]
)
def test_a_refused_schema_is_put_into_words(serve: Serve, status: int, words: str) -> None:
    def answer(asked: dict[str, Any]) -> Answer:
        return (status, openai(words)) if "response_format" in asked else reply('{"lesson": "x"}')

    server, endpoint = serve(answer)
    if status == 500 and "not supported" not in words:  # a server's error is tried again, and no refusal
        with pytest.raises(ModelUnavailable, match=words):
            endpoint.complete(ask(schema=Lesson))
        return
    assert endpoint.complete(ask(schema=Lesson)).parsed == Lesson(lesson="x")
    assert endpoint.complete(ask(schema=Lesson)).faults == ()
    assert len(server.seen) == 3


# Words


WORDS: dict[str, tuple[Answer, type[Exception], str]] = {
    "LM Studio": (
        (200, {"error": "Unexpected endpoint or method. (POST /chat/completions)"}),
        ModelError,
        "Unexpected endpoint",
    ),
    "OpenRouter": (
        (200, {"error": {"message": "Rate limit exceeded: free-models-per-day", "code": 429}}),
        ModelUnavailable,
        "free-models-per-day",
    ),
    "OpenRouter's upstream": (
        (
            200,
            {
                "id": "1",
                "choices": [{"error": {"code": 502, "message": "Upstream idle"}, "finish_reason": "error"}],
            },
        ),
        ModelUnavailable,
        "Upstream idle",
    ),
    "FastAPI": ((422, fastapi("model", "field required")), ModelError, "model: field required"),
    "FastAPI's text": ((404, {"detail": "Not Found"}), ModelNameError, "Not Found"),
    "flat": ((400, {"error": "no such model: foo"}), ModelError, "no such model: foo"),
    "Ollama": ((404, {"error": "model 'x' not found"}), ModelNameError, "model 'x' not found"),
    "Anthropic": (
        (400, {"type": "error", "error": {"type": "invalid_request_error", "message": "bad turn"}}),
        ModelError,
        "bad turn",
    ),
    "Gemini": (
        (400, [{"error": {"code": 400, "message": "Bad thing", "status": "INVALID_ARGUMENT"}}]),
        ModelError,
        "Bad thing",
    ),
    "Cohere": ((400, {"message": "bad cohere thing", "id": "x"}), ModelError, "bad cohere thing"),
    "Zhipu": ((400, {"error": {"code": "1210", "message": "参数有误"}}), ModelError, "参数有误"),
    "Bedrock": (
        (400, {"__type": "ValidationException", "message": "Malformed input request"}),
        ModelError,
        "Malformed input",
    ),
    "problem details": (
        (400, {"title": "Bad Request", "status": 400, "detail": "quota group missing"}),
        ModelError,
        "quota group missing",
    ),
    "a list of errors": (
        (400, {"errors": [{"message": "first"}, {"message": "second"}]}),
        ModelError,
        "first; second",
    ),
    "an unknown form": ((400, {"why": "because"}), ModelError, "because"),
    "plain text": ((403, b"Your IP is blocked"), ModelNameError, "Your IP is blocked"),
    "a page": (
        (403, b"<!DOCTYPE html><html><head><title>t</title></head><p>Access &amp; denied</p></html>"),
        ModelNameError,
        "Access & denied",
    ),
    "nothing": ((400, b""), ModelError, "HTTP 400 Bad Request"),
    "a teapot": ((418, b"teapot"), ModelError, "teapot"),
    "JSON in a message": (
        (400, {"error": {"message": '{"error": {"message": "inner words"}}'}}),
        ModelError,
        "inner words",
    ),
    "an error without words": ((400, {"error": {"code": "weird_code"}}), ModelError, "weird_code"),
    "a number": ((400, {"error": 17}), ModelError, "17"),
    "lines": (
        (400, {"error": {"message": "\n\nfirst line\nsecond line"}}),
        ModelError,
        "first line second line",
    ),
    "a policy": (
        (400, {"error": {"message": "Blocked.", "code": "content_filter"}}),
        ContentRefused,
        "Blocked",
    ),
    "Azure's policy": (
        (
            400,
            {
                "error": {
                    "message": "The response was filtered",
                    "innererror": {"code": "ResponsibleAIPolicyViolation"},
                }
            },
        ),
        ContentRefused,
        "was filtered",
    ),
    "too long, llama.cpp": (
        (
            400,
            {
                "error": {
                    "code": 400,
                    "message": "the request exceeds the available context size",
                    "type": "exceed_context_size_error",
                }
            },
        ),
        ModelError,
        "smaller budget",
    ),
    "too long, Anthropic": (
        (400, {"error": {"message": "prompt is too long: 210000 tokens > 200000 maximum"}}),
        ModelError,
        "smaller budget",
    ),
}


@pytest.mark.parametrize("name", WORDS)
def test_the_endpoints_own_words_are_shown(serve: Serve, name: str) -> None:
    answer, error, words = WORDS[name]
    _, endpoint = serve(lambda _: answer)
    with pytest.raises(error) as caught:
        endpoint.complete(ask(QUESTION))
    assert words in str(caught.value) and "OpenAIException" not in str(caught.value)


def test_an_address_without_its_version_is_hinted_at(serve: Serve) -> None:
    server, endpoint = serve(lambda _: (200, {"error": "Unexpected endpoint or method."}))
    endpoint.api_base = server.api_base.removesuffix("/v1")
    with pytest.raises(ModelError, match="usually end in /v1"):
        endpoint.complete(ask())


# Credit


CREDIT: list[tuple[int, Any]] = [
    (
        429,
        {
            "error": {
                "message": "You exceeded your current quota, please check your plan and billing details.",
                "type": "insufficient_quota",
                "param": None,
                "code": "insufficient_quota",
            }
        },
    ),
    (429, {"error": {"message": "You exceeded your current quota", "type": "insufficient_quota"}}),
    (402, {"error": {"message": "Insufficient Balance", "type": "unknown_error"}}),
    (402, b""),
    (
        400,
        {
            "type": "error",
            "error": {"type": "invalid_request_error", "message": "Your credit balance is too low"},
        },
    ),
    (200, {"error": {"code": 402, "message": "This request requires more credits, or fewer max_tokens"}}),
    (429, {"error": {"message": "Your account org-x is suspended", "type": "exceeded_current_quota_error"}}),
    (429, {"error": {"code": "1113", "message": "您的账户余额不足"}}),
    (403, {"error": {"message": "Your account is not active", "code": "billing_not_active"}}),
]


@pytest.mark.parametrize(("status", "body"), CREDIT)
def test_an_empty_account_is_not_tried_again(serve: Serve, status: int, body: Any) -> None:
    server, endpoint = serve(lambda _: (status, body))
    with pytest.raises(ModelError, match="no credit left"):
        endpoint.complete(ask(schema=Lesson))
    assert len(server.seen) == 1


@pytest.mark.parametrize(
    "body",
    [
        {"error": {"message": "You exceeded your current quota, please check your plan and billing details. "
                              "Please retry in 12s.", "code": 429, "status": "RESOURCE_EXHAUSTED"}},
        {"error": {"message": "Rate limit reached for requests", "code": "rate_limit_exceeded"}},
        b"slow down",
    ],
)  # fmt: skip
def test_a_rate_limit_is_tried_again(serve: Serve, body: Any) -> None:
    server, endpoint = serve(lambda _: (429, body))
    with pytest.raises(ModelUnavailable):
        endpoint.complete(ask())
    assert len(server.seen) == 3


@pytest.mark.parametrize("wait", ["nan", "-5", "abc", "2, 3", "Wed, 21 Oct 2015 07:28:00 GMT", ""])
def test_an_odd_wait_is_no_reason_to_give_up(serve: Serve, wait: str) -> None:
    answers = iter([(429, b"slow", {"retry-after": wait}), reply("Lima")])
    _, endpoint = serve(lambda _: next(answers))
    assert endpoint.complete(ask()).text == "Lima"


@pytest.mark.parametrize("wait", ["99999", "inf", "1e400", "Wed, 21 Oct 2099 07:28:00 GMT"])
def test_a_wait_without_end_is_not_waited_for(serve: Serve, wait: str) -> None:
    server, endpoint = serve(lambda _: (429, b"slow", {"retry-after": wait}))
    with pytest.raises(ModelUnavailable, match="asks to wait"):
        endpoint.complete(ask())
    assert len(server.seen) == 1


# Half characters


@pytest.mark.parametrize("text", ["Half \ud83d?", "\udc00", "a\udfffb", "\ud83d\ude00 whole in two"])
def test_half_characters_are_replaced_before_sending(serve: Serve, text: str) -> None:
    server, endpoint = serve(lambda _: reply('{"lesson": "x"}'))
    messages = (Message("system", text), Message("user", text))
    assert endpoint.complete(ask(*messages)).text
    assert endpoint.complete(ask(*messages, schema=Lesson)).parsed
    assert all(not 0xD800 <= ord(letter) < 0xE000 for letter in server.seen[-1]["messages"][0]["content"])
    if "whole" in text:
        assert server.seen[-1]["messages"][0]["content"] == "\U0001f600 whole in two"


def test_a_reply_cut_in_a_character_can_be_shown_to_the_model_again(serve: Serve) -> None:
    answers = iter([reply("Lima \ud83d"), reply('{"lesson": "x"}')])
    server, endpoint = serve(lambda _: next(answers))
    assert endpoint.complete(ask(schema=Lesson)).parsed == Lesson(lesson="x")
    assert server.seen[-1]["messages"][-2]["content"] == "Lima \ufffd"


# The same refusals in the words of others


def is_system(asked: dict[str, Any]) -> bool:
    return bool(asked["messages"][0]["role"] == "system")


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (422, fastapi("messages.0.role", "Input should be 'user' or 'assistant'")),
        (400, openai('messages: first message must use the "user" role')),
        (200, {"error_code": 336006, "error_msg": "the role of first message must be user"}),
        (400, openai("Conversation must start with a user prompt")),
        (400, openai("Invalid value: 'system'. Supported: 'user', 'assistant'.", "messages[0].role")),
        (400, openai("messages 参数非法, 不支持system角色")),
        (400, openai("Please use a valid role: user, model.")),
        (501, openai("system messages not implemented")),
        (405, openai("System prompt is not supported by this endpoint")),
    ],
)  # fmt: skip
def test_a_system_role_is_refused_in_many_ways(serve: Serve, status: int, body: Any) -> None:
    server, endpoint = serve(lambda asked: (status, body) if is_system(asked) else reply("Lima"))
    assert endpoint.complete(ask()).text == "Lima"
    assert "City only." in server.seen[-1]["messages"][0]["content"]


@pytest.mark.parametrize(
    ("name", "status", "message"),
    [
        ("seed", 404, "No endpoints found that support the requested parameters: seed"),
        ("seed", 500, "TypeError: generate() got an unexpected keyword argument 'seed'"),
        ("seed", 501, "seed is not implemented"),
        ("temperature", 400, "sampling is not supported: do_sample=False"),
        ("response_format", 404, "No endpoints found that can handle the requested parameters."),
        ("response_format", 500, "failed to parse grammar"),
        ("response_format", 405, "json_schema unsupported"),
    ],
)
def test_a_parameter_is_refused_under_any_status(serve: Serve, name: str, status: int, message: str) -> None:
    refusal = status, openai(message)
    server, endpoint = serve(lambda asked: refusal if name in asked else reply('{"lesson": "x"}'))
    assert endpoint.complete(ask(schema=Lesson)).parsed == Lesson(lesson="x")
    assert len(server.seen) == 2


@pytest.mark.parametrize("status", [404, 503])
def test_a_missing_name_and_a_busy_server_are_no_refusals(serve: Serve, status: int) -> None:
    server, endpoint = serve(lambda _: (status, openai("The model m is not here, try again later.")))
    with pytest.raises(ModelNameError if status == 404 else ModelUnavailable):
        endpoint.complete(ask(schema=Lesson))
    assert all("seed" in asked and "response_format" in asked for asked in server.seen)


@pytest.mark.parametrize(
    ("status", "message"),
    [
        (403, "Your team has either used all available credits or reached its monthly spending limit."),
        (400, "Budget has been exceeded! Current cost: 10.5, Max budget: 10.0"),
        (400, "You have reached your specified API usage limits."),
        (403, "Key limit exceeded (total limit)."),
        (412, "Account my-long-account-name-12345 is suspended"),
        (429, "You are using a Trial key, which is limited to 1000 API calls / month."),
        (403, "inference prohibited, please add a payment method"),
    ],
)
def test_an_account_is_empty_in_many_words(serve: Serve, status: int, message: str) -> None:
    server, endpoint = serve(lambda _: (status, openai(message)))
    with pytest.raises(ModelError, match="no credit left"):
        endpoint.complete(ask())
    assert len(server.seen) == 1


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({"choices": None, "base_resp": {"status_code": 1004, "status_msg": "login fail"}}, "login fail"),
        ({"choices": [], "promptFeedback": {"blockReason": "PROHIBITED_CONTENT"}}, "PROHIBITED_CONTENT"),
        ({"Message": "not authorized", "__type": "AccessDenied"}, ": not authorized."),
        ({"fault": {"faultstring": "Invalid ApiKey"}}, ": Invalid ApiKey."),
        ({"err": "no such thing", "code": 400}, ": no such thing."),
        (json.dumps(openai("kaputt")).encode("utf-16"), ": kaputt."),
        (json.dumps(openai("kaputt")).encode("utf-8-sig"), ": kaputt."),
        ("Schlüssel ungültig".encode("latin-1"), "Schlüssel ungültig"),
        (openai("half \ud83d"), "half \ufffd"),
    ],
)
def test_words_in_many_forms(serve: Serve, body: Any, words: str) -> None:
    status = 200 if isinstance(body, dict) and "choices" in body else 400
    server, endpoint = serve(lambda _: (status, body))
    with pytest.raises(ModelError) as caught:
        endpoint.complete(ask(QUESTION))
    assert words in str(caught.value) and len(server.seen) == 1


def test_a_rate_limit_under_status_200_passes(serve: Serve) -> None:
    busy = 200, {"choices": None, "base_resp": {"status_code": 1002, "status_msg": "rate limit, try again"}}
    server, endpoint = serve(lambda _: busy if len(server.seen) < 2 else reply("Lima"))
    assert endpoint.complete(ask()).text == "Lima"


@pytest.mark.parametrize(
    "usage",
    [{"usage": {"input_tokens": 7, "output_tokens": 3}},
     {"usage": {"promptTokens": 7, "completionTokens": 3}},
     {"x_groq": {"usage": {"prompt_tokens": 7, "completion_tokens": 3}}},
     {"usageMetadata": {"promptTokenCount": 7, "candidatesTokenCount": 3}},
     {"prompt_eval_count": 7, "eval_count": 3}, {"timings": {"prompt_n": 7, "predicted_n": 3}}],
)  # fmt: skip
def test_tokens_are_counted_under_many_names(serve: Serve, usage: dict[str, Any]) -> None:
    _, endpoint = serve(lambda _: {**{k: v for k, v in reply("Lima").items() if k != "usage"}, **usage})
    done = endpoint.complete(ask())
    assert (done.usage.prompt_tokens, done.usage.completion_tokens, done.faults) == (7, 3, ())


@pytest.mark.parametrize(
    "finish", ["MAX_OUTPUT_TOKENS", "incomplete", "FinishReason.MAX_TOKENS", "model_length"]
)
def test_a_thought_past_the_limit_ends_under_many_names(serve: Serve, finish: str) -> None:
    body = reply("")
    body["choices"][0]["finish_reason"] = finish
    body["choices"][0]["message"]["reasoning_content"] = "Hm. " * 50
    server, endpoint = serve(lambda _: body)
    fault = endpoint.complete(ask()).faults[-1]
    assert fault.kind == "cut off" and "max_tokens" in fault.detail and len(server.seen) == 2


@pytest.mark.parametrize(
    "content",
    ["Lima<|im_end|>", "Lima<|eot_id|>\n", [{"text": "Hm.", "thought": True}, {"text": "Lima"}],
     "analysisThe user asks.assistantfinalLima", '<think time="3">a</think>Lima',
     "&lt;think&gt;a&lt;/think&gt;Lima"],
)  # fmt: skip
def test_only_the_answer_is_the_text(serve: Serve, content: Any) -> None:
    _, endpoint = serve(lambda _: reply(content))
    assert endpoint.complete(ask()).text == "Lima"


def test_half_an_emoji_in_a_tool_is_replaced(serve: Serve) -> None:
    server, endpoint = serve(lambda _: reply("Lima"))
    tool = ToolSpec("f", "Half \ud83d", {"type": "object", "properties": {}})
    assert endpoint.complete(ask(tools=(tool,))).text == "Lima"
    assert server.seen[-1]["tools"][0]["function"]["description"] == "Half \ufffd"


@pytest.mark.parametrize(
    ("headers", "body", "wait"),
    [
        ({"retry-after-ms": "1500"}, openai("slow"), 1.5),
        ({}, [{"error": {"code": 429, "message": "q", "details": [{"retryDelay": "34s"}]}}], 34),
        ({}, {"error": {"message": "slow"}, "retry_after": 7}, 7),
        ({}, openai("Rate limit reached. Please try again in 1.5s."), 1.5),
        ({}, openai("Please try again later. Retry after 2s."), 2),
        ({}, openai("Rate limit reached. Please try again in 250ms."), 0.25),
        ({"retry-after": "3"}, openai("Please try again in 9s."), 3),
    ],
)
def test_a_wait_is_kept_wherever_it_is_said(headers: dict[str, str], body: Any, wait: float) -> None:
    server, waits = RawServer(lambda _: (429, body, headers)), []
    endpoint = connect("openai/m", api_base=server.api_base, api_key="k", retry=Retry(2, sleep=waits.append))
    with pytest.raises(ModelUnavailable):
        endpoint.complete(ask())
    server.close()
    assert waits == [wait]


def test_a_limit_of_a_day_is_not_tried_again(serve: Serve) -> None:
    server, endpoint = serve(lambda _: (429, openai("Limit of tokens per day. Try again in 1h14m2s.")))
    with pytest.raises(ModelUnavailable, match="It asks to wait 4442 s"):
        endpoint.complete(ask())
    assert len(server.seen) == 1


CALL = {"id": "1", "type": "function", "function": {"name": "f", "arguments": "{}"}}


@pytest.mark.parametrize(
    "body",
    [
        reply([{"type": "text", "text": {"value": "Lima"}}]),
        {"choices": {"0": {"message": {"content": "Lima"}}}},
        {"choices": [{"message": {"content": ""}}, {"message": {"content": "Lima"}}]},
        {"code": 0, "msg": "success", "data": reply("Lima")},
        [reply("Lima")],
        json.dumps(reply("Lima")).encode("utf-16"),
    ],
)
def test_replies_in_many_wrappings(serve: Serve, body: Any) -> None:
    server, endpoint = serve(lambda _: (200, body))
    assert endpoint.complete(ask()).text == "Lima" and len(server.seen) == 1


def test_calls_of_tools_as_a_text(serve: Serve) -> None:
    _, endpoint = serve(lambda _: reply(None, "tool_calls", tool_calls=json.dumps([CALL])))
    tool = ToolSpec("f", "x", {"type": "object", "properties": {}})
    assert [call.name for call in endpoint.complete(ask(tools=(tool,))).tool_calls] == ["f"]


@pytest.mark.parametrize(
    "text",
    ['{"Lesson": {"lesson": "x"}}', '[{"lesson": "x"}]', json.dumps('{"lesson": "x"}'),
     '{"name": "Lesson", "arguments": {"lesson": "x"}}',
     '{"name": "Lesson", "arguments": "{\\"lesson\\": \\"x\\"}"}',
     '{"type": "object", "properties": {"lesson": "x"}}'],
)  # fmt: skip
def test_a_value_is_found_where_models_put_it(serve: Serve, text: str) -> None:
    server, endpoint = serve(lambda _: reply(text))
    done = endpoint.complete(ask(schema=Lesson))
    assert done.parsed == Lesson(lesson="x") and len(server.seen) == 1
    assert [fault.action for fault in done.faults] == ["repaired"]
