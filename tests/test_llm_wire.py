"""Whatever comes over the wire ends in a reply or in one of our errors, within the bounds of the call."""

from __future__ import annotations

import gzip
import json
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from http.server import BaseHTTPRequestHandler
from typing import Any

import pytest

from ace.errors import AceError, ModelError, ModelUnavailable
from ace.llm import Endpoint, Reply, Retry
from ace.llm.providers import load_litellm
from tests.model_server import ask
from tests.raw_server import Answer, RawServer, reply

Serve = Callable[..., Endpoint]
KEY = "zq9Xk4plainProviderKey77hG2m"
ONCE = Retry(attempts=1)


@pytest.fixture
def servers() -> Iterator[list[RawServer]]:
    opened: list[RawServer] = []
    yield opened
    for server in opened:
        server.close()


@pytest.fixture
def serve(servers: list[RawServer]) -> Iterator[Serve]:
    """An endpoint at a server that always answers the same. The servers are kept in `servers`."""
    endpoints: list[Endpoint] = []

    def connect(answer: Answer, **options: Any) -> Endpoint:
        servers.append(RawServer(lambda _: answer))
        options = {"retry": ONCE, "timeout": 20.0, **options}
        endpoints.append(Endpoint("openai/m", api_base=servers[-1].api_base, api_key=KEY, **options))
        return endpoints[-1]

    yield connect
    for endpoint in endpoints:
        endpoint.close()


def body(**changes: Any) -> dict[str, Any]:
    return {**reply("Lima"), **changes}


def choice(message: Any, finish: Any = "stop") -> dict[str, Any]:
    return body(choices=[{"index": 0, "message": message, "finish_reason": finish}])


# Bounds


class Drip:
    """Sends `head`, then one `piece` after the other until the client is gone, or `closing` is set."""

    def __init__(self, head: bytes, piece: bytes) -> None:
        self.head, self.piece = head, piece
        self.pieces, self.hung_up = 0, threading.Event()

    def __call__(self, handler: BaseHTTPRequestHandler) -> None:
        try:
            handler.wfile.write(self.head)
            for self.pieces in range(1, 600):
                handler.wfile.write(self.piece)
                handler.wfile.flush()
                if self.hung_up.wait(0.05):
                    break
        except OSError:
            self.hung_up.set()
        handler.close_connection = True


HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n"


@pytest.mark.parametrize(
    "drip",
    [
        Drip(HEAD + b"content-length: 100000\r\n\r\n", b" "),
        Drip(HEAD + b"transfer-encoding: chunked\r\n\r\n", b"1\r\n \r\n"),
        Drip(b"HTTP/1.1 200 OK\r\n", b"x-more: 1\r\n"),
        Drip(b"HTTP/1.1 ", b"2"),
        Drip(b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
    ],
    ids=["body", "chunks", "headers", "status line", "interim answers"],
)
def test_a_server_that_drips_does_not_hold_a_call(serve: Serve, drip: Drip) -> None:
    """It would send for 30 seconds; the limit is counted for the call, not for each byte."""
    with pytest.raises(ModelUnavailable, match="no whole answer came within"):
        serve(drip, timeout=0.4).complete(ask())
    assert drip.pieces < 300


def test_time_outs_are_not_added_up_for_ever(serve: Serve, servers: list[RawServer]) -> None:
    endpoint = serve(Drip(HEAD, b" "), timeout=0.1, retry=Retry(attempts=5, first_wait=0.01, most_seconds=0))
    with pytest.raises(ModelUnavailable):
        endpoint.complete(ask())
    assert len(servers[0].seen) == 1


@pytest.mark.parametrize("status", [200, 500])
@pytest.mark.parametrize("packed", [False, True], ids=["plain", "a bomb"])
def test_an_answer_that_is_too_large_is_cut_off_while_it_is_read(
    serve: Serve, status: int, packed: bool
) -> None:
    data = b" " * 30_000_000
    headers = {}
    if packed:
        data, headers = gzip.compress(data), {"content-encoding": "gzip"}
    with pytest.raises(ModelError, match="larger than 8 MB") as caught:
        serve((status, data, headers), retry=Retry(attempts=3)).complete(ask())
    assert [fault.kind for fault in caught.value.details["faults"]] == ["too long"]


def test_the_largest_size_can_be_chosen(serve: Serve) -> None:
    with pytest.raises(ModelError, match=r"larger than 10 kB"):
        serve(reply("x" * 20_000), most_bytes=10_000).complete(ask())
    assert len(serve(reply("x" * 20_000), most_bytes=100_000).complete(ask()).text) == 20_000


def test_a_good_answer_may_be_packed(serve: Serve) -> None:
    packed = gzip.compress(json.dumps(reply("Lima")).encode())
    assert serve((200, packed, {"content-encoding": "gzip"})).complete(ask()).text == "Lima"


# Redirects


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_a_redirect_to_another_origin_is_refused(
    serve: Serve, servers: list[RawServer], status: int, host: str
) -> None:
    thief = RawServer(lambda _: reply("from elsewhere"))
    servers.append(thief)
    place = f"http://{host}:{thief.port}"
    with pytest.raises(ModelError, match=f"redirects to another address, {place}"):
        serve((status, b"", {"location": f"{place}/v1/chat/completions"})).complete(ask())
    assert thief.seen == [] and thief.keys == []


def test_a_redirect_within_an_origin_is_followed_and_a_circle_ends(
    serve: Serve, servers: list[RawServer]
) -> None:
    endpoint = serve((307, b"", {"location": "/v1/chat/completions"}))
    with pytest.raises(ModelError, match="redirects"):
        endpoint.complete(ask())
    assert len(servers[0].seen) < 10
    answers = iter([(308, b"", {"location": "/v2/chat/completions"}), reply("Lima")])
    moved = RawServer(lambda _: next(answers))
    servers.append(moved)
    assert Endpoint("openai/m", api_base=moved.api_base, api_key=KEY).complete(ask()).text == "Lima"
    assert moved.paths == ["/v1/chat/completions", "/v2/chat/completions"]


# Bodies


REPLIES: dict[str, tuple[Answer, str]] = {
    "text parts": (
        choice({"content": [{"type": "text", "text": "Li"}, {"type": "text", "text": "ma"}]}),
        "Lima",
    ),
    "one part": (choice({"content": {"type": "text", "text": "Lima"}}), "Lima"),
    "output parts": (choice({"content": [{"type": "output_text", "text": "Lima"}]}), "Lima"),
    "bare texts": (choice({"content": ["Li", "ma"]}), "Lima"),
    "a number": (choice({"content": 5}), "5"),
    "no role": (choice({"content": "Lima"}), "Lima"),
    "a delta": (body(choices=[{"index": 0, "delta": {"content": "Lima"}}]), "Lima"),
    "a text": (body(choices=[{"index": 0, "text": "Lima"}]), "Lima"),
    "a null reason": (choice({"content": "Lima"}, None), "Lima"),
    "an odd reason": (choice({"content": "Lima"}, "banana"), "Lima"),
    "a number for a reason": (choice({"content": "Lima"}, 7), "Lima"),
    "unknown fields": (body(foo={"bar": [1]}, system_fingerprint=None, id=None, created="now"), "Lima"),
    "an empty error": (body(error={}), "Lima"),
    "a null error": (body(error=None), "Lima"),
    "another type": ((200, reply("Lima"), {"content-type": "text/html"}), "Lima"),
    "a byte order mark": ((200, b"\xef\xbb\xbf" + json.dumps(reply("Lima")).encode()), "Lima"),
    "another code": ((200, json.dumps(reply("é"), ensure_ascii=False).encode("latin-1")), "\ufffd"),
    "half an emoji": (reply("Lima \ud83d"), "Lima \ufffd"),
    "an odd call": (choice({"content": "Lima", "tool_calls": ["x", 3]}), "Lima"),
    "no calls": (choice({"content": "Lima", "tool_calls": []}), "Lima"),
    "an odd message field": (choice({"content": "Lima", "annotations": 3, "audio": "x"}), "Lima"),
    "201": ((201, reply("Lima")), "Lima"),
}


@pytest.mark.parametrize("name", REPLIES)
def test_a_reply_in_an_odd_form_is_read(serve: Serve, name: str) -> None:
    answer, text = REPLIES[name]
    assert serve(answer).complete(ask()).text == text


EMPTY: dict[str, Answer] = {
    "no choices": body(choices=[]),
    "null choices": body(choices=None),
    "an object for choices": body(choices={"a": 1}),
    "an empty choice": body(choices=[{}]),
    "null for a choice": body(choices=[None]),
    "a null message": choice(None),
    "null content": choice({"content": None}),
    "no parts": choice({"content": []}),
}


@pytest.mark.parametrize("name", EMPTY)
def test_a_reply_without_an_answer_is_empty(serve: Serve, name: str) -> None:
    answer = serve(EMPTY[name], tries=1).complete(ask())
    assert answer.text == "" and [fault.kind for fault in answer.faults if fault.kind != "usage"] == ["empty"]


def events(*values: Any) -> bytes:
    lines = [f"data: {value if isinstance(value, str) else json.dumps(value)}\n\n" for value in values]
    return ("".join(lines)).encode()


def delta(**fields: Any) -> dict[str, Any]:
    return {
        "object": "chat.completion.chunk",
        "choices": [{"index": 0, "delta": fields, "finish_reason": None}],
    }


def test_a_stream_that_nobody_asked_for_is_put_together(serve: Serve) -> None:
    call = {"index": 0, "id": "c1", "type": "function", "function": {"name": "look", "arguments": '{"a"'}}
    more = {"index": 0, "function": {"arguments": ": 1}"}}
    end = {"choices": [{"index": 0, "delta": {}, "finish_reason": "length"}]}
    counts = {"choices": [], "usage": {"prompt_tokens": 7, "completion_tokens": 3}}
    parts = [delta(role="assistant"), delta(reasoning="Hmm."), delta(content="Li"), delta(content="ma")]
    data = b": ping\n\n" + events(
        *parts, delta(tool_calls=[call]), delta(tool_calls=[more]), end, counts, "[DONE]"
    )
    answer = serve((200, data, {"content-type": "text/event-stream"}), tries=1).complete(ask())
    assert (answer.text, answer.reasoning, answer.usage.prompt_tokens) == ("Lima", "Hmm.", 7)
    assert [(call.name, call.arguments) for call in answer.tool_calls] == [("look", {"a": 1})]


JUNK: dict[str, tuple[Answer, str]] = {
    "a page": ((200, b"<html><head><title>x</title></head><h1>Log in</h1></html>"), "Log in"),
    "half a body": ((200, b'{"id": "x", "choices": ['), "choices"),
    "a string": ((200, b'"hello"'), "hello"),
    "a list": ((200, b"[]"), "no reply"),
    "null": ((200, b"null"), "no reply"),
    "nothing": ((200, b""), "HTTP 200"),
    "no content": ((204, b""), "HTTP 204"),
    "an empty object": ((200, b"{}"), "no reply"),
    "events of something else": ((200, b"data: {}\n\n"), "data"),
    "an error in a stream": (
        (200, events({"error": {"message": "upstream died", "code": 502}})),
        "upstream died",
    ),
    "no gzip": ((200, b"\x1f\x8bgarbage" * 3, {"content-encoding": "gzip"}), "data"),
    "a proxy's page": (
        (502, b"<html><body><h1>502 Bad Gateway</h1><script>x</script></body></html>"),
        "Bad Gateway",
    ),
    "a plain error": ((500, b"oops"), "oops"),
    "an unknown status": ((999, b"what"), "what"),
    "an empty error": ((503, b""), "HTTP 503 Service Unavailable"),
    "deep brackets": ((200, b"[" * 100_000), "no reply"),
}


@pytest.mark.parametrize("name", JUNK)
def test_what_is_no_reply_is_said_and_may_pass(serve: Serve, servers: list[RawServer], name: str) -> None:
    answer, words = JUNK[name]
    endpoint = serve(answer, retry=Retry(attempts=2, sleep=lambda _: None))
    with pytest.raises(ModelUnavailable) as caught:
        endpoint.complete(ask())
    assert words in caught.value.message and len(caught.value.message) < 450
    assert len(servers[0].seen) == 2


def reset(handler: BaseHTTPRequestHandler) -> None:
    handler.wfile.write(HEAD + b'content-length: 500\r\n\r\n{"id": "x", "cho')
    handler.wfile.flush()
    handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    handler.connection.close()
    handler.close_connection = True


def stop_short(handler: BaseHTTPRequestHandler) -> None:
    handler.wfile.write(HEAD + b'content-length: 5000\r\n\r\n{"id": "x", "cho')
    handler.close_connection = True


def speak_otherwise(handler: BaseHTTPRequestHandler) -> None:
    handler.wfile.write(b"SSH-2.0-OpenSSH_9.6\r\n")
    handler.close_connection = True


@pytest.mark.parametrize("answer", [reset, stop_short, speak_otherwise])
def test_a_connection_that_breaks_may_pass(serve: Serve, servers: list[RawServer], answer: Answer) -> None:
    with pytest.raises(ModelUnavailable) as caught:
        serve(answer, retry=Retry(attempts=2, sleep=lambda _: None)).complete(ask())
    assert {fault.kind for fault in caught.value.details["faults"]} <= {"lost connection"}
    assert len(servers[0].seen) == 2


# Other protocols than OpenAI's take the same wire


PROVIDERS = ["anthropic/claude-sonnet-4-5", "gemini/gemini-2.0-flash", "hosted_vllm/m", "azure/m"]
# litellm takes no client of ours for these, and makes its own.
OWN_CLIENTS = [
    *(
        "cohere_chat/command-r",
        "cohere/command-r",
        "azure_ai/m",
        "azure_ai/claude-3",
        "cloudflare/m",
        "maritalk/m",
    ),
    *("ai21/m", "amazon_nova/m", "anthropic_text/m", "custom/m", "gradient_ai/m", "oobabooga/m", "aiand/m"),
]


@pytest.mark.parametrize("name", PROVIDERS)
def test_bounds_hold_for_other_providers(servers: list[RawServer], name: str) -> None:
    drip = Drip(HEAD + b"content-length: 100000\r\n\r\n", b" ")
    servers.append(RawServer(lambda _: drip))
    base = servers[-1].api_base.removesuffix("/v1")
    endpoint = Endpoint(name, api_base=base, api_key=KEY, timeout=0.4, retry=ONCE)
    with pytest.raises(ModelUnavailable, match="no whole answer came within"):
        endpoint.complete(ask())
    servers[-1].answer = lambda _: (
        429,
        {"error": {"type": "rate_limit_error", "message": "Slow down, please"}},
    )
    endpoint.timeout = 20.0
    with pytest.raises(ModelUnavailable, match="Slow down, please"):
        endpoint.complete(ask())
    endpoint.close()


@pytest.mark.parametrize("name", OWN_CLIENTS)
def test_bounds_hold_where_litellm_makes_its_own_client(
    servers: list[RawServer], name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A drip, an answer of 30 MB, and a redirect to another origin."""
    monkeypatch.setenv("CLOUDFLARE_ACCOUNT_ID", "a")
    servers += [RawServer(lambda _: reply("elsewhere")), RawServer(lambda _: drip)]
    drip = Drip(HEAD + b"content-length: 100000\r\n\r\n", b" ")
    base = servers[-1].api_base.removesuffix("/v1")
    endpoint = Endpoint(name, api_base=base, api_key=KEY, timeout=0.4, retry=ONCE)
    with pytest.raises(ModelUnavailable, match="no whole answer came within"):
        endpoint.complete(ask())
    endpoint.timeout = 20.0
    servers[-1].answer = lambda _: (200, b" " * 30_000_000)
    with pytest.raises(ModelError, match="larger than 8 MB"):
        endpoint.complete(ask())
    servers[-1].answer = lambda _: (307, b"", {"location": f"{servers[-2].api_base}/chat/completions"})
    with pytest.raises(ModelError, match="redirects to another address"):
        endpoint.complete(ask())
    assert servers[-2].seen == []
    endpoint.close()


def test_azure_with_a_login_instead_of_a_key_is_bounded(
    servers: list[RawServer], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("AZURE_API_KEY", "AZURE_OPENAI_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AZURE_OPENAI_AD_TOKEN", "token")
    drip = Drip(HEAD + b"content-length: 100000\r\n\r\n", b" ")
    servers.append(RawServer(lambda _: drip))
    base = servers[-1].api_base.removesuffix("/v1")
    with pytest.raises(ModelUnavailable, match="no whole answer came within"):
        Endpoint("azure/m", api_base=base, timeout=0.4, retry=ONCE).complete(ask())


def test_a_reply_that_came_past_the_bounds_is_not_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    litellm = load_litellm()

    class Inside(litellm.CustomLLM):  # type: ignore[misc]
        def completion(self, *_: Any, **__: Any) -> Any:
            return litellm.completion(
                model="openai/m", api_key="k", messages=[], mock_response="from nowhere"
            )

    monkeypatch.setattr(litellm, "custom_provider_map", [{"provider": "inside", "custom_handler": Inside()}])
    monkeypatch.setattr(litellm, "provider_list", [*litellm.provider_list, "inside"])
    monkeypatch.setattr(litellm, "_custom_providers", ["inside"])
    with pytest.raises(ModelError, match="use openai/NAME with its OpenAI-compatible address"):
        Endpoint("inside/m", retry=ONCE).complete(ask())


def test_calls_that_are_not_ours_are_not_bounded(servers: list[RawServer]) -> None:
    """Whoever uses litellm in the same process gets what it gives: streams as they come, large answers."""
    data = json.dumps(reply("x" * 9_000_000)).encode()
    servers.append(RawServer(lambda _: (200, data)))
    litellm = load_litellm()
    for name in ("openai/m", "cohere_chat/command-r"):
        with suppress(litellm.APIConnectionError, litellm.APIError):  # the form is OpenAI's
            answer = litellm.completion(
                model=name,
                api_base=servers[-1].api_base,
                api_key="k",
                messages=[{"role": "user", "content": "?"}],
            )
            assert len(answer.choices[0].message.content) == 9_000_000


def test_a_reply_in_another_protocol_is_read(servers: list[RawServer]) -> None:
    message = {
        "id": "1", "type": "message", "role": "assistant", "model": "claude", "stop_reason": "end_turn",
        "content": [{"type": "text", "text": "Lima"}], "usage": {"input_tokens": 9, "output_tokens": 2},
    }  # fmt: skip
    servers.append(RawServer(lambda _: message))
    base = servers[-1].api_base.removesuffix("/v1")
    answer = Endpoint("anthropic/claude-sonnet-4-5", api_base=base, api_key=KEY, retry=ONCE).complete(ask())
    assert (answer.text, answer.usage.prompt_tokens, answer.faults) == ("Lima", 9, ())


# Keys


@pytest.mark.parametrize("padding", [*range(220, 310, 6), 3_990])
def test_no_part_of_a_key_is_left_where_words_are_cut(serve: Serve, padding: int) -> None:
    with pytest.raises(AceError) as caught:
        serve((400, {"error": {"message": "e" * padding + f" {KEY} tail"}})).complete(ask())
    shown = caught.value.message + " ".join(fault.detail for fault in caught.value.details["faults"])
    assert not any(KEY[start : start + 8] in shown for start in range(len(KEY) - 8))


def test_many_threads_have_a_deadline_each(serve: Serve, servers: list[RawServer]) -> None:
    """The connections are shared; the bounds are those of the call that uses one."""
    endpoint = serve(None)
    drip = Drip(HEAD + b"content-length: 9\r\n\r\n", b" " * 10)

    def answer(asked: dict[str, Any]) -> Answer:
        return drip if "slow" in asked["messages"][-1]["content"] else reply("Lima")

    servers[0].answer = answer
    results: list[Reply | AceError] = []

    def call(question: str) -> None:
        try:
            results.append(endpoint.complete(ask(question)))
        except AceError as error:
            results.append(error)

    threads = [threading.Thread(target=call, args=(f"quick {n}",)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [result.text for result in results if isinstance(result, Reply)] == ["Lima"] * 8
