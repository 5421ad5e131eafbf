"""A model on a loopback address: OpenAI's protocol, its words from a function, its faults on request."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from pydantic import BaseModel

from ace.llm import Message, Request, Role, Subject, ToolSpec
from ace.memory.rememberer import Notes
from ace.methods.ace.curator import Curation
from ace.methods.ace.reflection import Diagnosis
from ace.methods.ace.reflector import Critique, Lesson, words_for
from ace.task import Feedback, FeedbackKind, Sample
from tests.world import says

SCHEMAS: dict[str, type[BaseModel]] = {
    **{schema.__name__: schema for schema in (Diagnosis, Lesson, Critique, Curation, Notes)},
    **{words_for(parts).__name__: words_for(parts) for parts in range(1, 21)},
}
ROLES = {Curation: Role.CURATOR, Notes: Role.REMEMBERER}


def ask(question: str = "How many?", *, role: Role = Role.GENERATOR, **more: Any) -> Request:
    """A request with one question and nothing around it."""
    return Request(role=role, messages=(Message("user", question),), **more)


def received(asked: dict[str, Any]) -> Request:
    """The request that a body of OpenAI's protocol stands for. The schema's name tells which role asks."""
    messages = tuple(Message(message["role"], message["content"]) for message in asked["messages"])
    if "response_format" in asked:
        name = asked["response_format"]["json_schema"]["name"]
    else:  # where a schema is put into words, it is the last line
        name = re.findall(r'"title": "(\w+)"', messages[-1].content.splitlines()[-1])[-1:]
        name = name[0] if name else ""
    schema = SCHEMAS.get(name)
    tools = tuple(ToolSpec(**tool["function"]) for tool in asked.get("tools", ()))
    role = ROLES.get(schema, Role.REFLECTOR) if schema else Role.GENERATOR
    limit = asked.get("max_tokens") or asked.get("max_completion_tokens")
    return Request(
        role=role,
        messages=messages,
        schema=schema,
        tools=tools,
        max_tokens=limit,
        subject=_subject(messages),
    )


def _subject(messages: tuple[Message, ...]) -> Subject:
    """What a request is about, which is not sent: read off its words, here and nowhere else.

    The question is in the second message, whatever is asked again behind it.
    """
    if len(messages) < 2:
        return Subject()
    system, user = messages[0].content, messages[1].content
    question = user.partition("\n")[0] if user.startswith("Question: ") else user
    bullets = re.findall(r"^- (?:\[\S+\] )?(.+)$", system, re.MULTILINE)
    expected = re.findall(r"^Right \w+: (.+)$", user, re.MULTILINE)
    feedback = Feedback(FeedbackKind.LABELS, "", expected="".join(expected[:1]))
    return Subject(sample=Sample("", question), bullets=tuple(bullets), feedback=feedback)


class ModelServer:
    """Says `say(request)` to everybody, a text or a whole message. From call `stalls_at` on, callers wait.

    `received` keeps the requests.
    """

    def __init__(self, say: Callable[[Request], str | dict[str, Any]] = says) -> None:
        self.say, self.calls, self.stalls_at = say, 0, 0  # calls are counted from 1
        self.received: list[Request] = []
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
        request = received(asked)
        self.received.append(request)
        reply = self.say(request)
        fields = reply if isinstance(reply, dict) else {"content": reply}
        finish = "tool_calls" if "tool_calls" in fields else fields.get("finish_reason", "stop")
        message = {"role": "assistant", **{key: fields[key] for key in fields if key != "finish_reason"}}
        read = sum(len(m.content) for m in request.messages)
        spoken = [message.get("content"), message.get("reasoning_content"), message.get("tool_calls")]
        written = sum(len(part if isinstance(part, str) else json.dumps(part)) for part in spoken if part)
        usage = {"prompt_tokens": read, "completion_tokens": written}
        return json.dumps({
            "id": "1", "object": "chat.completion", "created": 1, "model": asked["model"],
            "choices": [{"index": 0, "finish_reason": finish, "message": message}],
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
