"""A model on a loopback address: OpenAI's protocol, its words from a function, its faults on request."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from ace.llm import Message
from tests.world import says


class ModelServer:
    """Says `say(messages)` to everybody. From call `stalls_at` on, callers wait."""

    def __init__(self, say: Callable[[Sequence[Message]], str] = says) -> None:
        self.say, self.calls, self.stalls_at = say, 0, 0  # calls are counted from 1
        self.stalled, self._goes_on, self._lock = threading.Event(), threading.Event(), threading.Lock()
        served = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
                if served.answers():
                    body = served.reply(asked)
                    self.send_response(200)
                    self.send_header("content-type", "application/json")
                    self.send_header("content-length", str(len(body)))
                    self.end_headers()
                    self.wfile.write(body)

            def log_message(self, *args: Any) -> None:
                pass

        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.api_base = f"http://127.0.0.1:{self._http.server_port}/v1"
        threading.Thread(target=self._http.serve_forever, args=(0.01,), daemon=True).start()

    def answers(self) -> bool:
        """Counts the call; a caller that was kept waiting is not answered at all."""
        with self._lock:
            self.calls += 1
            stalls = 0 < self.stalls_at <= self.calls
        if stalls:
            self.stalled.set()
            self._goes_on.wait()
        return not stalls

    def reply(self, asked: dict[str, Any]) -> bytes:
        messages = [Message(message["role"], message["content"]) for message in asked["messages"]]
        said = self.say(messages)
        message = {"role": "assistant", "content": said}
        usage = {"prompt_tokens": sum(len(m.content) for m in messages), "completion_tokens": len(said)}
        return json.dumps({
            "id": "1", "object": "chat.completion", "created": 1, "model": asked["model"],
            "choices": [{"index": 0, "finish_reason": "stop", "message": message}],
            "usage": usage | {"total_tokens": sum(usage.values())},
        }).encode()  # fmt: skip

    def go_on(self) -> None:
        """Let go of those who wait, and answer everybody from now on."""
        self.stalls_at = 0
        self._goes_on.set()

    def close(self) -> None:
        self.go_on()
        self._http.shutdown()
        self._http.server_close()
