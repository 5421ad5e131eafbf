"""An endpoint on a loopback address that answers with whatever bytes a test gives it."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Answer = Any
"""A body (an object or bytes), (status, body), (status, body, headers), or a function of the handler."""


def reply(content: Any, finish: Any = "stop", usage: Any = "good", **message: Any) -> dict[str, Any]:
    """A chat completion. `usage` None is left out."""
    choice = {
        "index": 0,
        "message": {"role": "assistant", "content": content, **message},
        "finish_reason": finish,
    }
    body = {"id": "r", "object": "chat.completion", "created": 1, "model": "m", "choices": [choice]}
    if usage == "good":
        usage = {"prompt_tokens": 20, "completion_tokens": 5, "total_tokens": 25}
    return body if usage is None else {**body, "usage": usage}


class RawServer:
    """Answers every request with `answer(body)`; `seen` keeps the bodies, `paths` the paths, `keys` the keys.

    A GET has an empty body.
    """

    def __init__(self, answer: Callable[[dict[str, Any]], Answer]) -> None:
        self.answer = answer
        self.seen: list[dict[str, Any]] = []
        self.paths: list[str] = []
        self.keys: list[str] = []
        raw = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("content-length") or 0))
                raw.seen.append(json.loads(body or "{}"))
                raw.paths.append(self.path)
                raw.keys.append(self.headers.get("authorization", ""))
                raw.send(self, raw.answer(raw.seen[-1]))

            def do_GET(self) -> None:
                self.do_POST()

            def log_message(self, *_: Any) -> None:
                pass

        class Server(ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, *_: Any) -> None:
                """A client that hung up is nothing to report."""

        self._http = Server(("127.0.0.1", 0), Handler)
        self.port = self._http.server_port
        self.api_base = f"http://127.0.0.1:{self.port}/v1"
        threading.Thread(target=self._http.serve_forever, args=(0.01,), daemon=True).start()

    def send(self, handler: BaseHTTPRequestHandler, answer: Answer) -> None:
        if callable(answer):
            answer(handler)
            return
        status, body, headers = 200, answer, dict[str, str]()
        if isinstance(answer, tuple):
            status, body, *rest = answer
            headers = dict(rest[0]) if rest else headers
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        handler.send_response(status)
        for name, value in with_defaults(headers, data).items():
            handler.send_header(name, value)
        handler.end_headers()
        handler.wfile.write(data)

    def close(self) -> None:
        self._http.shutdown()
        self._http.server_close()


def with_defaults(headers: Mapping[str, str], data: bytes) -> dict[str, str]:
    """Return headers with the type and the length of a body."""
    return {"content-type": "application/json", "content-length": str(len(data)), **headers}
