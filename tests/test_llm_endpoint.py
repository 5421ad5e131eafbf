"""litellm, our retries and our repairs against a server that misbehaves in every way we know of."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from pydantic import BaseModel

from ace.errors import MalformedReply, ModelError, ModelNameError, ModelUnavailable
from ace.llm import Endpoint, Retry, check, connect
from tests.model_server import ask
from tests.pace import patience

Behaviour = Callable[[BaseHTTPRequestHandler], None]


class Lesson(BaseModel):
    section: str
    content: str


GOOD = json.dumps({"section": "orders", "content": "status 3 means paid"})


class FaultServer:
    """Plays one behaviour a request, the last one for ever; keeps what was asked."""

    def __init__(self) -> None:
        self.behaviours: list[Behaviour] = []
        self.requests: list[dict[str, Any]] = []
        faults = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                faults.requests.append(json.loads(body))
                todo = faults.behaviours
                (todo.pop(0) if len(todo) > 1 else todo[0])(self)

            def log_message(self, *args: Any) -> None:
                pass

        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"http://127.0.0.1:{self._http.server_port}/v1"
        threading.Thread(target=self._http.serve_forever, args=(0.01,), daemon=True).start()

    def close(self) -> None:
        self._http.shutdown()
        self._http.server_close()


def answer(status: int, body: str, **headers: str) -> Behaviour:
    def behave(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(status)
        for name, value in headers.items():
            handler.send_header(name.replace("_", "-"), value)
        data = body.encode()
        handler.send_header("content-type", "application/json")
        handler.send_header("content-length", str(len(data)))
        handler.end_headers()
        handler.wfile.write(data)

    return behave


def fail(status: int, message: str = "no", **headers: str) -> Behaviour:
    return answer(status, json.dumps({"error": {"message": message}}), **headers)


def say(content: str | None, finish: str = "stop", model: str = "m") -> Behaviour:
    choice = {"index": 0, "finish_reason": finish, "message": {"role": "assistant", "content": content}}
    details = {"cached_tokens": 60}
    usage = {
        "prompt_tokens": 100,
        "completion_tokens": 20,
        "total_tokens": 120,
        "prompt_tokens_details": details,
    }
    reply = {"id": "1", "object": "chat.completion", "created": 1, "model": model}
    return answer(200, json.dumps(reply | {"choices": [choice], "usage": usage}))


def drop(handler: BaseHTTPRequestHandler) -> None:
    handler.connection.shutdown(socket.SHUT_RDWR)


def hang(handler: BaseHTTPRequestHandler) -> None:
    time.sleep(patience(0.5))


@pytest.fixture
def server() -> Iterator[FaultServer]:
    server = FaultServer()
    yield server
    server.close()


@pytest.fixture
def waits() -> list[float]:
    return []


@pytest.fixture
def endpoint(server: FaultServer, waits: list[float]) -> Endpoint:
    retry = Retry(attempts=3, sleep=waits.append)
    return Endpoint("openai/m", api_base=server.address, api_key="k", timeout=patience(0.25), retry=retry)


def test_a_reply_carries_its_text_and_usage(server: FaultServer, endpoint: Endpoint) -> None:
    server.behaviours = [say("42")]
    reply = endpoint.complete(ask(temperature=0.5, seed=7, max_tokens=9))
    assert reply.text == "42" and reply.parsed is None and reply.finish_reason == "stop"
    usage = reply.usage
    assert (usage.calls, usage.prompt_tokens, usage.cached_tokens, usage.completion_tokens) == (
        1,
        100,
        60,
        20,
    )
    assert usage.cost is None, "an unknown price is unknown, not nothing"
    assert usage.seconds > 0
    sent = server.requests[0]
    assert (sent["temperature"], sent["seed"], sent["max_tokens"]) == (0.5, 7, 9)
    assert sent["messages"] == [{"role": "user", "content": "How many?"}]


def test_a_known_price_is_reported_and_a_given_one_replaces_it(server: FaultServer) -> None:
    server.behaviours = [say("42", model="gpt-4o")]
    cost = Endpoint("openai/gpt-4o", api_base=server.address, api_key="k").complete(ask()).usage.cost
    assert cost is not None and cost > 0
    assert (
        Endpoint("openai/gpt-4o", api_base=server.address, api_key="k", cost=0.0).complete(ask()).usage.cost
        == 0
    )


@pytest.mark.parametrize("fault", [fail(429), fail(500), fail(503), drop, hang, answer(200, "<html>")])
def test_passing_faults_are_tried_again(
    server: FaultServer, endpoint: Endpoint, waits: list[float], fault: Behaviour
) -> None:
    server.behaviours = [fault, fault, say("42")]
    assert endpoint.complete(ask()).text == "42"
    assert len(waits) == 2 and all(0 <= wait <= 60 for wait in waits)


@pytest.mark.parametrize("fault", [fail(429), fail(500), drop, hang])
def test_lasting_faults_are_given_up_after_every_attempt(
    server: FaultServer, endpoint: Endpoint, fault: Behaviour
) -> None:
    server.behaviours = [fault]
    with pytest.raises(ModelUnavailable, match="openai/m did not answer"):
        endpoint.complete(ask())
    assert len(server.requests) == 3


def test_the_wait_that_the_endpoint_asks_for_is_kept(
    server: FaultServer, endpoint: Endpoint, waits: list[float]
) -> None:
    server.behaviours = [fail(429, Retry_After="7"), fail(503, Retry_After="11"), say("42")]
    assert endpoint.complete(ask()).text == "42"
    assert waits == [7, 11]


def test_a_wait_past_the_bound_is_not_waited_for(
    server: FaultServer, endpoint: Endpoint, waits: list[float]
) -> None:
    server.behaviours = [fail(429, Retry_After="3600")]
    with pytest.raises(ModelUnavailable, match="wait 3600 s"):
        endpoint.complete(ask())
    assert waits == [] and len(server.requests) == 1


@pytest.mark.parametrize(
    ("fault", "error", "says"),
    [
        (fail(401, "Incorrect API key"), ModelNameError, "OPENAI_API_KEY"),
        (fail(404, "no such model"), ModelNameError, "no such model"),
        (fail(400, "bad sampling"), ModelError, "bad sampling"),
        (fail(413, "too big"), ModelError, "too big"),
        (fail(429, "insufficient_quota"), ModelError, "no credit"),
        (fail(400, "This model's maximum context length is 10 tokens"), ModelError, "smaller budget"),
    ],
)
def test_faults_that_would_come_again_are_raised_at_once(
    server: FaultServer, endpoint: Endpoint, fault: Behaviour, error: type[Exception], says: str
) -> None:
    server.behaviours = [fault]
    with pytest.raises(error, match=says):
        endpoint.complete(ask())
    assert len(server.requests) == 1


def test_a_schema_is_enforced_by_the_endpoint(server: FaultServer, endpoint: Endpoint) -> None:
    server.behaviours = [say(GOOD)]
    reply = endpoint.complete(ask(schema=Lesson))
    assert reply.parsed == Lesson(section="orders", content="status 3 means paid") and reply.text == GOOD
    schema = server.requests[0]["response_format"]["json_schema"]["schema"]
    assert schema["required"] == ["section", "content"] and schema["additionalProperties"] is False


def test_an_endpoint_that_refuses_schemas_is_told_in_words(server: FaultServer, endpoint: Endpoint) -> None:
    server.behaviours = [fail(400, "response_format is not supported"), say(GOOD)]
    for _ in range(2):
        assert endpoint.complete(ask(schema=Lesson)).parsed is not None
    assert ["response_format" in request for request in server.requests] == [True, False, False]
    assert "JSON Schema" in server.requests[2]["messages"][-1]["content"]


@pytest.mark.parametrize(
    "content", [f"Sure! Here it is:\n{GOOD}\nHope this helps.", GOOD[:-1], f"```json\n{GOOD}\n```"]
)
def test_json_in_prose_or_without_its_end_is_repaired(
    server: FaultServer, endpoint: Endpoint, content: str
) -> None:
    server.behaviours = [say(content)]
    reply = endpoint.complete(ask(schema=Lesson))
    assert reply.parsed == Lesson(section="orders", content="status 3 means paid")
    assert reply.text == content and reply.usage.calls == 1


@pytest.mark.parametrize(
    ("bad", "told"),
    [
        (say(""), "it is empty"),
        (say(None), "it is empty"),
        (say("I cannot help with that."), "it holds no JSON"),
        (say('{"section": "orders"}'), "content: Field required"),
        (say('{"section": "orders", "content": "status 3 me', finish="length"), "cut off"),
        (say("x" * 1_000_000), "it holds no JSON"),
        (say("[" * 1_000_000), "it holds no JSON"),
        (answer(200, '{"id": "1", "object": "chat.completion", "model": "m", "choices": []}'), "it is empty"),
    ],
    ids=[
        "empty",
        "null",
        "prose",
        "field",
        "cut off",
        "a million letters",
        "a million brackets",
        "no choice",
    ],
)
def test_an_unusable_reply_is_asked_for_again_with_the_error(
    server: FaultServer, endpoint: Endpoint, bad: Behaviour, told: str
) -> None:
    server.behaviours = [bad, say(GOOD)]
    reply = endpoint.complete(ask(schema=Lesson))
    assert reply.parsed is not None and reply.usage.calls == 2
    *_, shown, correction = server.requests[1]["messages"]
    assert told in correction["content"]
    assert len(shown["content"]) < 3_000


def test_a_model_that_never_complies_raises_with_its_last_words(
    server: FaultServer, endpoint: Endpoint
) -> None:
    server.behaviours = [say("no"), say("still no"), say("never")]
    with pytest.raises(MalformedReply, match="after 3 tries") as caught:
        endpoint.complete(ask(schema=Lesson))
    assert caught.value.details["text"] == "never"
    assert caught.value.details["usage"].calls == 3


def test_connection_refused_says_to_start_the_server() -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        address = f"http://127.0.0.1:{free.getsockname()[1]}/v1"
    with pytest.raises(ModelUnavailable, match="Is the server running at http"):
        check("openai/m", api_base=address)


def test_check_reports_a_model_that_answers(server: FaultServer) -> None:
    server.behaviours = [say("OK"), say('{"number": 5}'), say("OK")]
    assert check("openai/m", api_base=server.address).reply.text == "OK"
    assert len(server.requests) == 3


@pytest.mark.parametrize("name", ["nonsense", "nobody/knows-this", ""])
def test_a_name_nobody_serves_is_refused_before_any_call(name: str) -> None:
    with pytest.raises(ModelNameError, match="provider/model"):
        connect(name)


@pytest.mark.parametrize(
    ("name", "variable"),
    [("openai/gpt-4o", "OPENAI_API_KEY"), ("anthropic/claude-sonnet-4-5", "ANTHROPIC_API_KEY")],
)
def test_a_missing_key_is_named(monkeypatch: pytest.MonkeyPatch, name: str, variable: str) -> None:
    monkeypatch.delenv(variable, raising=False)
    with pytest.raises(ModelNameError, match=variable):
        connect(name)


def test_an_address_of_ones_own_needs_no_key(monkeypatch: pytest.MonkeyPatch, server: FaultServer) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    server.behaviours = [say("42")]
    assert connect("openai/mine", api_base=server.address).complete(ask()).text == "42"
