"""A program that stands in for the embedded server's process where no weights are: same orders, same report.

What it does is read from the file of "weights", a JSON object; where that is GGUF, it does nothing odd:

    fails, misses   it reports this as the reason why it does not start, or why xllamacpp is missing
    crashes         it writes this to stderr and ends before it reports
    dies            the numbers of the calls at which it kills itself, counted in the file beside it
    stays           it ignores SIGTERM
    waits           a call gets no answer
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

SAID = {"role": "assistant", "content": "42"}
ANSWER = {
    "id": "1", "object": "chat.completion", "created": 1, "model": "stub",
    "choices": [{"index": 0, "finish_reason": "stop", "message": SAID}],
    "usage": {"prompt_tokens": 9, "completion_tokens": 1, "total_tokens": 10},
    "timings": {"prompt_n": 9},
}  # fmt: skip


class Handler(BaseHTTPRequestHandler):
    behaviour: dict[str, Any]
    counter: Path
    lock = threading.Lock()

    def do_GET(self) -> None:
        self.reply([])

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if self.path == "/tokenize":
            return self.reply({"tokens": asked["content"].split()})
        with self.lock, self.counter.open("a") as file:
            file.write("x")
        with self.lock, self.counter.with_suffix(".asked").open("a") as file:
            file.write(json.dumps(asked) + "\n")
        call = self.counter.stat().st_size
        if call in self.behaviour.get("dies", ()):
            os.kill(os.getpid(), signal.SIGKILL)
        while self.behaviour.get("waits"):
            time.sleep(1)
        return self.reply(ANSWER)

    def reply(self, value: Any) -> None:
        body = json.dumps(value).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Write nothing."""


def report(**fields: str) -> None:
    print(json.dumps(fields), flush=True)


def main() -> None:
    orders = json.loads(sys.stdin.readline())
    weights = Path(orders["weights"])
    behaviour = {}
    if not weights.read_bytes().startswith(b"GGUF"):
        behaviour = json.loads(weights.read_text())
    if behaviour.get("stays"):
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    if "crashes" in behaviour:
        sys.exit(behaviour["crashes"])
    if "fails" in behaviour:
        return report(failed=behaviour["fails"])
    if "misses" in behaviour:
        return report(missing=behaviour["misses"])
    Handler.behaviour, Handler.counter = behaviour, weights.with_suffix(".calls")
    server = ThreadingHTTPServer(("127.0.0.1", orders["port"]), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    report(address=f"http://127.0.0.1:{server.server_port}")
    sys.stdin.read()
    os._exit(0)


if __name__ == "__main__":
    main()
