"""Replies that come in pieces: they pass on as they are, and are put together beside that.

A reply is over with its last event, so that it is recorded before the caller sees its end; or else when the
caller stops reading.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import AbstractContextManager, suppress
from typing import Any

from ace.agent.watch.wire import Interface

_LAST_EVENTS = ("response.completed", "response.incomplete", "response.failed")  # which hold all of it
_READING = "read a piece of a reply"

Done = Callable[[Mapping[str, Any]], None]
"""Takes the whole reply. Never raises."""


class ReplyBuilder:
    """Puts one reply together from its pieces. `done` is called once, with what there is by then.

    `guard` runs a block whose exceptions become problems: whoever reads a stream must not meet them.
    """

    def __init__(
        self, interface: Interface, done: Done, guard: Callable[[str], AbstractContextManager[None]]
    ) -> None:
        self._interface = interface
        self._done = done
        self.guard = guard
        self._rest = b""
        self._is_over = False
        self._whole: Mapping[str, Any] | None = None
        self._parts: dict[int, dict[str, Any]] = {}  # blocks or calls by their number
        self._message: dict[str, Any] = {"role": "assistant", "content": ""}
        self._about: dict[str, Any] = {}  # the reply's id, and why it ended
        self.has_events = True  # else the bytes are one JSON object
        self.is_whole = False
        """Whether the reply came to an end of its own."""

    def feed(self, data: bytes) -> None:
        """Take bytes of server-sent events, cut anywhere. What is not JSON is passed over."""
        if not self.has_events:
            self._rest += data
            return
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            name, _, value = line.partition(b":")
            if name.strip() != b"data":
                continue
            if value.strip() == b"[DONE]":
                self.is_whole = True
                self.end()
                continue
            try:
                event = json.loads(value)
            except (ValueError, RecursionError):
                continue
            if isinstance(event, dict):
                self.take(event)

    def take(self, event: Mapping[str, Any]) -> None:
        """Take one event."""
        match self._interface:
            case Interface.CHAT:
                self._take_chunk(event)
            case Interface.RESPONSES if event.get("type") == "response.output_item.done":
                self._parts[int(event.get("output_index") or 0)] = dict(event.get("item") or {})
            case Interface.RESPONSES if event.get("type") in _LAST_EVENTS:
                self._whole = event.get("response")
                self.is_whole = True
                self.end()
            case Interface.RESPONSES if event.get("type") == "response.created":
                self._note_id(event.get("response"))
            case Interface.MESSAGES:
                self._take_block(event)

    def end(self) -> None:
        """Hand over the reply, unless that was done."""
        if self._is_over:
            return
        self._is_over = True
        if not self.has_events:
            with suppress(ValueError, RecursionError):  # whoever stops reading gets no reply either
                whole = json.loads(self._rest)
                self._whole = whole if isinstance(whole, dict) else None
                self.is_whole = self._whole is not None
        parts = [self._parts[number] for number in sorted(self._parts)]
        if self._whole is not None:
            if parts and not self._whole.get("output"):  # an end that does not repeat what came before it
                self._whole = {**self._whole, "output": parts}
            self._done(self._whole)
        elif self._interface is Interface.CHAT:
            calls = {"tool_calls": parts} if parts else {}
            reason = self._about.pop("finish_reason", None)
            choice = {"message": {**self._message, **calls}, "finish_reason": reason}
            self._done({**self._about, "choices": [choice]})
        elif self._interface is Interface.RESPONSES:
            self._done({**self._about, "output": parts})
        else:
            for block in parts:
                written = block.pop("written")
                block["input"] = written or block.get("input")
            self._done({**self._about, "content": parts})

    def _note_id(self, holder: Any) -> None:
        """Note the reply's id where an event, or what is in it, has one."""
        if isinstance(holder, Mapping) and isinstance(holder.get("id"), str):
            self._about["id"] = holder["id"]

    def _take_chunk(self, event: Mapping[str, Any]) -> None:
        """Take a chunk of a chat completion."""
        self._note_id(event)
        for choice in event.get("choices") or ():
            delta = choice.get("delta") or {}
            if choice.get("index"):
                continue  # of several choices the first counts
            for name in ("content", "reasoning_content", "reasoning", "refusal"):
                if isinstance(delta.get(name), str):
                    self._message[name] = (self._message.get(name) or "") + delta[name]
            for place, piece in enumerate(delta.get("tool_calls") or ()):
                number = piece.get("index")
                empty = {"id": "", "type": "function", "function": {"name": "", "arguments": ""}}
                call = self._parts.setdefault(place if number is None else number, empty)
                call["id"] = piece.get("id") or call["id"]
                function = piece.get("function") or {}
                call["function"]["name"] += function.get("name") or ""
                call["function"]["arguments"] += function.get("arguments") or ""
            if choice.get("finish_reason"):
                self._about["finish_reason"] = choice["finish_reason"]
                self.is_whole = True
                self.end()

    def _take_block(self, event: Mapping[str, Any]) -> None:
        """Take an event of Anthropic's messages, which come as numbered blocks."""
        number = int(event.get("index") or 0)
        if event.get("type") == "content_block_start":
            self._parts[number] = {**event.get("content_block", {}), "written": ""}
        elif event.get("type") == "content_block_delta" and number in self._parts:
            delta = event.get("delta") or {}
            block = self._parts[number]
            for name in ("text", "thinking"):
                if isinstance(delta.get(name), str):
                    block[name] = (block.get(name) or "") + delta[name]
            block["written"] += delta.get("partial_json") or ""
        elif event.get("type") == "message_start":
            self._note_id(event.get("message"))
        elif event.get("type") == "message_delta":
            self._about["stop_reason"] = (event.get("delta") or {}).get("stop_reason")
        elif event.get("type") == "message_stop":
            self.is_whole = True
            self.end()


def tee_response(response: Any, builder: ReplyBuilder) -> None:
    """Let a builder see the bytes of an HTTP response (of httpx or its kin) as they are read.

    A reply that is no stream of events is one JSON object.
    """
    read, read_async = response.iter_bytes, response.aiter_bytes
    builder.has_events = "event-stream" in response.headers.get("content-type", "")

    def iter_bytes(*args: Any, **keywords: Any) -> Iterator[bytes]:
        try:
            for data in read(*args, **keywords):
                with builder.guard(_READING):
                    builder.feed(data)
                yield data
        finally:
            with builder.guard(_READING):
                builder.end()

    async def aiter_bytes(*args: Any, **keywords: Any) -> AsyncIterator[bytes]:
        try:
            async for data in read_async(*args, **keywords):
                with builder.guard(_READING):
                    builder.feed(data)
                yield data
        finally:
            with builder.guard(_READING):
                builder.end()

    response.iter_bytes, response.aiter_bytes = iter_bytes, aiter_bytes
