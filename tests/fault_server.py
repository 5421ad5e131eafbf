"""A model on a loopback address that fails as providers do: a seeded part of its requests meets a fault.

Which request meets which fault depends on the seed, on what is asked and on how often it was asked before,
not on the order in which requests arrive.
"""

from __future__ import annotations

import hashlib
import json
import socket
import threading
from collections import Counter
from collections.abc import Callable, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from random import Random
from typing import Any

from ace.llm import Request
from tests.model_server import received

# What the server does -> what the engine must call it.
ON_THE_WAY = {
    "429": "rate limit",
    "429 with Retry-After": "rate limit",
    "500": "server error",
    "hangs": "time-out",
    "drops": "lost connection",
    "policy": "refused",
}
IN_ANY_REPLY = {
    "empty": "empty",
    "null": "empty",
    "filtered": "refused",
    "refusal": "refused",
    "cut off": "cut off",
    "a megabyte": "too long",
}
IN_JSON = {"prose": "prose", "wrong schema": "wrong form"}
FAULTS = ON_THE_WAY | IN_ANY_REPLY | IN_JSON

MEGABYTE = "words and words " * 65_536
_HANGS = 30.0  # seconds, unless the server is closed before


class FaultServer:
    """Says `say(request)`, but for the `rate` of requests that meet one of `faults`.

    `met` lists the faults in the order they were played, `answered` counts the replies.
    `steady`: the same request meets the same fault every time.
    """

    def __init__(
        self,
        say: Callable[[Request], str],
        *,
        rate: float = 0.2,
        seed: int = 0,
        faults: Sequence[str] = tuple(FAULTS),
        steady: bool = False,
    ) -> None:
        self.say, self.rate, self.seed, self.faults, self.steady = say, rate, seed, tuple(faults), steady
        self.met: list[str] = []
        self.answered = self.requests = 0
        self._asked: Counter[str] = Counter()
        self._lock, self._closing = threading.Lock(), threading.Event()
        served = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                served.serve(self, self.rfile.read(int(self.headers["content-length"])))

            def log_message(self, *args: Any) -> None:
                pass

        class Server(ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, *_: Any) -> None:
                """A client that hung up is nothing to report."""

        self._http = Server(("127.0.0.1", 0), Handler)
        self.api_base = f"http://127.0.0.1:{self._http.server_port}/v1"
        threading.Thread(target=self._http.serve_forever, args=(0.01,), daemon=True).start()

    def close(self) -> None:
        self._closing.set()
        self._http.shutdown()
        self._http.server_close()

    def serve(self, handler: BaseHTTPRequestHandler, body: bytes) -> None:
        asked = json.loads(body)
        fault = self._choose(asked)
        if fault in ON_THE_WAY:
            self._fail(handler, fault)
        else:
            self._answer(handler, asked, fault)

    def _choose(self, asked: dict[str, Any]) -> str:
        key = json.dumps(asked, sort_keys=True)
        with self._lock:
            self.requests += 1
            self._asked[key] += 1
            before = 0 if self.steady else self._asked[key]
            digest = hashlib.sha256(f"{self.seed} {before} {key}".encode()).digest()
            chance = Random(digest)
            fits = [fault for fault in self.faults if fault not in IN_JSON]
            if "response_format" in asked:  # these are few, and only they can meet it
                fits += 5 * [fault for fault in self.faults if fault in IN_JSON]
            fault = chance.choice(fits) if fits and chance.random() < self.rate else ""
            if fault:
                self.met.append(fault)
        return fault

    def _fail(self, handler: BaseHTTPRequestHandler, fault: str) -> None:
        if fault == "hangs":
            self._closing.wait(_HANGS)
            return
        if fault == "drops":
            handler.connection.shutdown(socket.SHUT_RDWR)
            return
        status = {"policy": 400, "500": 500}.get(fault, 429)
        error = {"message": "no", "type": "invalid_request_error", "code": None}
        if fault == "policy":
            error |= {"message": "The prompt was refused.", "code": "content_policy_violation"}
        wait = {"retry-after": "0.02"} if "Retry-After" in fault else {}
        send(handler, status, {"error": error}, **wait)

    def _answer(self, handler: BaseHTTPRequestHandler, asked: dict[str, Any], fault: str) -> None:
        request = received(asked)
        message, finish = played(fault, self.say(request))
        usage = {"prompt_tokens": sum(len(m.content) for m in request.messages), "completion_tokens": 10}
        reply = {
            "id": "1", "object": "chat.completion", "created": 1, "model": asked["model"],
            "choices": [{"index": 0, "finish_reason": finish, "message": {"role": "assistant", **message}}],
            "usage": usage | {"total_tokens": sum(usage.values())},
        }  # fmt: skip
        with self._lock:
            self.answered += 1  # before: a client may have it, and be done with it, before this goes on
        send(handler, 200, reply)


def played(fault: str, said: str) -> tuple[dict[str, Any], str]:
    """The message and the finish reason of a reply that should have been `said`."""
    match fault:
        case "empty":
            return {"content": ""}, "stop"
        case "null":
            return {"content": None}, "stop"
        case "filtered":
            return {"content": ""}, "content_filter"
        case "refusal":
            return {"content": None, "refusal": "I will not say that."}, "stop"
        case "cut off":
            return {"content": said[: len(said) // 2]}, "length"
        case "a megabyte":
            return {"content": MEGABYTE}, "stop"
        case "prose":
            return {"content": f"Sure, here it is:\n{said}\nI hope this helps."}, "stop"
        case "wrong schema":
            return {"content": '{"thoughts": ["it is not what was asked for"]}'}, "stop"
        case _:
            return {"content": said}, "stop"


def send(handler: BaseHTTPRequestHandler, status: int, body: dict[str, Any], **headers: str) -> None:
    data = json.dumps(body).encode()
    handler.send_response(status)
    for name, value in {"content-type": "application/json", **headers}.items():
        handler.send_header(name, value)
    handler.send_header("content-length", str(len(data)))
    handler.end_headers()
    handler.wfile.write(data)
