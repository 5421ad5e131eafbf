"""A loopback server that speaks three wire formats, whole and in pieces. A function says what it says."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Says = Callable[[dict[str, Any]], Any]
"""Returns a text, a call as (name, arguments), or the status of an error, for the body of a request."""


class WireServer:
    """Holds the address, and the bodies of all requests in order."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.bodies: list[dict[str, Any]] = []
        self.paths: list[str] = []


@contextmanager
def serve_wire(says: Says) -> Iterator[WireServer]:
    """Serve on a free port until the block ends."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            with lock:
                server.bodies.append(body)
                server.paths.append(self.path)
            spoken = says(body)
            if isinstance(spoken, int):
                return self.send(spoken, {"error": {"message": "no", "type": "bad", "code": spoken}})
            path = self.path.split("?")[0]
            form = next(forms[end] for end in forms if path.endswith(end))
            whole, events = form(spoken, len(server.bodies))
            if not body.get("stream"):
                return self.send(200, whole)
            self.send_response(200)
            self.send_header("Content-Type", "text/event-stream")
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            text = "".join(
                (f"event: {event['type']}\n" if "type" in event else "") + f"data: {json.dumps(event)}\n\n"
                for event in events
            )
            data = (text + ("data: [DONE]\n\n" if "chat" in path else "")).encode()
            for start in range(0, len(data), 97):  # cut anywhere
                piece = data[start : start + 97]
                self.wfile.write(f"{len(piece):x}\r\n".encode() + piece + b"\r\n")
            self.wfile.write(b"0\r\n\r\n")
            return None

        def send(self, status: int, value: Any) -> None:
            data = json.dumps(value).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_: Any) -> None:
            """Write nothing."""

    forms = {"/chat/completions": chat, "/responses": responses, "/messages": messages}
    lock = threading.Lock()
    http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server = WireServer(f"http://127.0.0.1:{http.server_port}")
    thread = threading.Thread(target=http.serve_forever, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        http.shutdown()
        http.server_close()


def pieces(text: str) -> list[str]:
    return [text[place : place + 3] for place in range(0, len(text), 3)]


def chat(spoken: Any, number: int) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """A chat completion, and its chunks."""
    base = {"id": f"chat-{number}", "created": 1, "model": "m"}
    usage = {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}
    if isinstance(spoken, str):
        message: dict[str, Any] = {"role": "assistant", "content": spoken}
        deltas: list[dict[str, Any]] = [{"role": "assistant", "content": ""}]
        deltas += [{"content": piece} for piece in pieces(spoken)]
        reason = "stop"
    else:
        name, arguments = spoken
        function = {"name": name, "arguments": arguments}
        message = {
            "role": "assistant",
            "content": None,
            "tool_calls": [{"id": f"call-{number}", "type": "function", "function": function}],
        }
        start = {"index": 0, "id": f"call-{number}", "type": "function"}
        deltas = [{"role": "assistant", "tool_calls": [{**start, "function": {**function, "arguments": ""}}]}]
        deltas += [
            {"tool_calls": [{"index": 0, "function": {"arguments": piece}}]} for piece in pieces(arguments)
        ]
        reason = "tool_calls"
    choice = {"index": 0, "finish_reason": reason, "message": message, "logprobs": None}
    whole = {**base, "object": "chat.completion", "choices": [choice], "usage": usage}
    kind = {**base, "object": "chat.completion.chunk"}
    events = [{**kind, "choices": [{"index": 0, "delta": delta, "finish_reason": None}]} for delta in deltas]
    events.append({**kind, "choices": [{"index": 0, "delta": {}, "finish_reason": reason}]})
    return whole, events


def responses(spoken: Any, number: int) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """A response, and its events."""
    if isinstance(spoken, str):
        part = {"type": "output_text", "text": spoken, "annotations": []}
        item: dict[str, Any] = {
            "type": "message", "id": f"msg-{number}", "role": "assistant", "status": "completed",
            "content": [part],
        }  # fmt: skip
    else:
        item = {
            "type": "function_call", "id": f"fc-{number}", "call_id": f"call-{number}", "name": spoken[0],
            "arguments": spoken[1], "status": "completed",
        }  # fmt: skip
    whole = {
        "id": f"resp-{number}", "object": "response", "created_at": 1, "status": "completed", "model": "m",
        "output": [item], "parallel_tool_calls": True, "tool_choice": "auto", "tools": [], "error": None,
        "incomplete_details": None, "instructions": None, "metadata": {}, "temperature": 1.0, "top_p": 1.0,
    }  # fmt: skip
    begun = {**whole, "output": [], "status": "in_progress"}
    events: list[dict[str, Any]] = [
        {"type": "response.created", "sequence_number": 0, "response": begun},
        {"type": "response.output_item.added", "sequence_number": 1, "output_index": 0, "item": item},
    ]
    if isinstance(spoken, str):
        place = {"item_id": item["id"], "output_index": 0, "content_index": 0}
        events += [
            {
                "type": "response.output_text.delta",
                "sequence_number": 2,
                "delta": piece,
                "logprobs": [],
                **place,
            }
            for piece in pieces(spoken)
        ]
    events += [
        {"type": "response.output_item.done", "sequence_number": 8, "output_index": 0, "item": item},
        {"type": "response.completed", "sequence_number": 9, "response": whole},
    ]
    return whole, events


def messages(spoken: Any, number: int) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """A message of Anthropic's, and its events."""
    base = {
        "id": f"msg-{number}",
        "type": "message",
        "role": "assistant",
        "model": "m",
        "stop_sequence": None,
    }
    usage = {"input_tokens": 1, "output_tokens": 1}
    if isinstance(spoken, str):
        block: dict[str, Any] = {"type": "text", "text": spoken}
        first: dict[str, Any] = {"type": "text", "text": ""}
        deltas = [{"type": "text_delta", "text": piece} for piece in pieces(spoken)]
        reason = "end_turn"
    else:
        name, arguments = spoken
        first = {"type": "tool_use", "id": f"call-{number}", "name": name, "input": {}}
        block = {**first, "input": json.loads(arguments)}
        deltas = [{"type": "input_json_delta", "partial_json": piece} for piece in pieces(arguments)]
        reason = "tool_use"
    whole = {**base, "content": [block], "stop_reason": reason, "usage": usage}
    begun = {**base, "content": [], "stop_reason": None, "usage": usage}
    events: list[dict[str, Any]] = [
        {"type": "message_start", "message": begun},
        {"type": "content_block_start", "index": 0, "content_block": first},
    ]
    events += [{"type": "content_block_delta", "index": 0, "delta": delta} for delta in deltas]
    stop = {"stop_reason": reason, "stop_sequence": None}
    events += [
        {"type": "content_block_stop", "index": 0},
        {"type": "message_delta", "delta": stop, "usage": {"output_tokens": 1}},
        {"type": "message_stop"},
    ]
    return whole, events
