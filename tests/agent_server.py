"""A model on a loopback address for coding agents: Anthropic's messages and OpenAI's responses, streamed.

It lets the agent run commands, or call tools, one a reply, and then says an answer. `requests` are the bodies
that came.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Event = dict[str, Any]
ToolUse = tuple[str, dict[str, Any]]  # the name of a tool, and its arguments
USAGE = {"input_tokens": 10, "output_tokens": 5}


class AgentServer:
    """Serve both protocols. Use as a context manager."""

    def __init__(self, commands: Sequence[str | ToolUse], answer: str) -> None:
        self.commands, self.answer = commands, answer
        self.requests: list[dict[str, Any]] = []
        served = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                self._send("application/json", b'{"data": [], "models": []}')

            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["content-length"])))
                path = self.path.partition("?")[0]
                if path.endswith("/count_tokens"):
                    self._send("application/json", b'{"input_tokens": 10}')
                    return
                served.requests.append(body)
                events = served.say_message(body) if path.endswith("/messages") else served.say_response(body)
                stream = "".join(f"event: {event['type']}\ndata: {json.dumps(event)}\n\n" for event in events)
                self._send("text/event-stream", stream.encode())

            def _send(self, kind: str, body: bytes) -> None:
                self.send_response(200)
                self.send_header("content-type", kind)
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *args: Any) -> None:
                pass

        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"http://127.0.0.1:{self._http.server_port}"
        threading.Thread(target=self._http.serve_forever, args=(0.01,), daemon=True).start()

    def __enter__(self) -> AgentServer:
        return self

    def __exit__(self, *error: object) -> None:
        self._http.shutdown()
        self._http.server_close()

    def say_message(self, body: dict[str, Any]) -> Iterator[Event]:
        """Reply as Anthropic does: with the next command, where the agent has a tool for one."""
        contents = [message["content"] for message in body["messages"]]
        parts = [part for content in contents if isinstance(content, list) for part in content]
        step = sum(part.get("type") == "tool_result" for part in parts)
        names = {tool.get("name") for tool in body.get("tools", ())}
        has_tool = "Bash" in names or bool(names.intersection(each[0] for each in self.commands))
        acts = has_tool and step < len(self.commands)
        message = {"id": f"msg_{step}", "type": "message", "role": "assistant", "model": body["model"]}
        message |= {"content": [], "stop_reason": None, "stop_sequence": None, "usage": USAGE}
        yield {"type": "message_start", "message": message}
        if acts:
            command = self.commands[step]
            if isinstance(command, str):
                command = ("Bash", {"command": command, "description": "Look at a file"})
            block = {"type": "tool_use", "id": f"toolu_{step}", "name": command[0], "input": {}}
            delta = {"type": "input_json_delta", "partial_json": json.dumps(command[1])}
        else:
            block = {"type": "text", "text": ""}
            delta = {"type": "text_delta", "text": self.answer}
        yield {"type": "content_block_start", "index": 0, "content_block": block}
        yield {"type": "content_block_delta", "index": 0, "delta": delta}
        yield {"type": "content_block_stop", "index": 0}
        end = {"stop_reason": "tool_use" if acts else "end_turn", "stop_sequence": None}
        yield {"type": "message_delta", "delta": end, "usage": USAGE}
        yield {"type": "message_stop"}

    def say_response(self, body: dict[str, Any]) -> Iterator[Event]:
        """Reply as OpenAI does to a request for a response."""
        step = sum(str(item.get("type")).endswith("_call_output") for item in body["input"])
        if step < len(self.commands):
            arguments = json.dumps({"cmd": self.commands[step]})
            item: Event = {"type": "function_call", "id": f"fc_{step}", "call_id": f"call_{step}"}
            item |= {"name": "exec_command", "arguments": arguments}
        else:
            content = [{"type": "output_text", "text": self.answer}]
            item = {"type": "message", "id": "msg_1", "role": "assistant", "content": content}
        usage = {**USAGE, "input_tokens_details": None, "output_tokens_details": None, "total_tokens": 15}
        yield {"type": "response.created", "response": {"id": f"resp_{step}"}}
        yield {"type": "response.output_item.done", "output_index": 0, "item": item}
        yield {"type": "response.completed", "response": {"id": f"resp_{step}", "usage": usage}}
