"""Record what a model said, and say it again later without the model.

The file is JSON Lines, one call a line, found again by a hash of everything that was asked:

    ace.learn(task, store, RecordingClient(client, "calls.jsonl"))
    ace.learn(task, other_store, ReplayClient("calls.jsonl"))  # the same run, without the model

It holds prompts and answers as they were, so whatever is private in them is private in the file.
"""

from __future__ import annotations

import json
import threading
from dataclasses import asdict
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from ace.errors import InputError, MalformedReply
from ace.llm.client import Client, FinishReason, Reply, Request, ToolCall, Usage
from ace.llm.journal import identify_request
from ace.text.plain_file import find_obstacle


class RecordingClient:
    """Pass every call on to `inner` and append it to `path`. Delete the file to record afresh.

    A call that ends in MalformedReply is recorded too, and raised again on replay. Any other error is not:
    it says nothing of the model. Safe to use from many threads.
    """

    def __init__(self, inner: Client, path: str | Path) -> None:
        self.model = inner.model
        """That of the client it passes calls on to."""
        self._inner = inner
        self._path = Path(path)
        self._lock = threading.Lock()

    def complete(self, request: Request) -> Reply:
        """Answer as `inner` does, and record it.

        Raises what `inner` raises, and OSError where the file cannot be written.
        """
        asked, key = identify_request(self.model, request)
        row = {"key": key, "request": asked}
        try:
            reply = self._inner.complete(request)
        except MalformedReply as error:
            malformed = {
                "message": error.message,
                "hint": error.hint,
                "text": error.details.get("text", ""),
                "usage": asdict(error.details.get("usage", Usage(calls=1))),
            }
            self._write({**row, "malformed": malformed})
            raise
        self._write({**row, "reply": _reply_to_json(reply)})
        return reply

    def _write(self, row: dict[str, Any]) -> None:
        """Append one line, whole, whatever other threads do."""
        line = json.dumps(row, ensure_ascii=False)
        with self._lock, self._path.open("a", encoding="utf-8") as file:
            file.write(line + "\n")


class ReplayClient:
    """Answer from a recording. A request asked several times gets its recorded replies in turn.

    After the last of them it gets the last one again. `model` is needed only when the file holds several; by
    default it is the first one's. Usage is that of the recorded call. Safe to use from many threads.

    Raises InputError for a file that cannot be read, with the number of a line that is no recorded call.
    """

    def __init__(self, path: str | Path, *, model: str = "") -> None:
        self._path = Path(path)
        self._lock = threading.Lock()
        self._recorded: dict[str, list[dict[str, Any]]] = {}
        self._asked: dict[str, int] = {}
        obstacle = find_obstacle(self._path)
        if obstacle:
            raise InputError(f"Cannot read the recording {path}: {obstacle}.", file=str(path))
        try:
            lines = self._path.read_text(encoding="utf-8").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            raise InputError(f"Cannot read the recording {path}: {error}", file=str(path)) from error
        for number, line in enumerate(lines, 1):
            try:
                row = json.loads(line)
                if not ({"key", "request"} <= row.keys() and row.keys() & {"reply", "malformed"}):
                    raise ValueError("a line needs key, request and reply")
            except (ValueError, AttributeError) as error:
                raise InputError(f"{path}:{number}: not a recorded call: {error}", file=str(path)) from error
            self._recorded.setdefault(row["key"], []).append(row)
            model = model or row["request"]["model"]
        self.model = model
        """The model whose replies it says again."""

    def complete(self, request: Request) -> Reply:
        """Return the recorded reply.

        Raises InputError for a request that the file does not hold, and MalformedReply where the recorded
        call did.
        """
        asked, key = identify_request(self.model, request)
        rows = self._recorded.get(key)
        if rows is None:
            last = request.messages[-1].content if request.messages else ""
            raise InputError(
                f"{self._path} holds no reply of {self.model} to the request that ends with {last[-80:]!r}.",
                hint="The prompt, the schema or an option changed since: record again with RecordingClient.",
                file=str(self._path),
                key=key,
                request=asked,
            )
        with self._lock:
            turn = self._asked.get(key, 0)
            self._asked[key] = turn + 1
        row = rows[min(turn, len(rows) - 1)]
        if "malformed" in row:
            malformed = row["malformed"]
            usage = Usage(**malformed["usage"])
            raise MalformedReply(
                malformed["message"], hint=malformed["hint"], text=malformed["text"], usage=usage
            )
        return _reply_from_json(row["reply"], request.schema)


def _reply_to_json(reply: Reply) -> dict[str, Any]:
    """Return a reply as JSON values; thoughts and tool calls only where there are any.

    Faults are left out: they were those of the recording.
    """
    row: dict[str, Any] = {
        "text": reply.text,
        "parsed": None if reply.parsed is None else reply.parsed.model_dump(mode="json", by_alias=True),
        "usage": asdict(reply.usage),
        "finish_reason": reply.finish_reason.value,
    }
    if reply.reasoning:
        row["reasoning"] = reply.reasoning
    if reply.tool_calls:
        row["tool_calls"] = [asdict(call) for call in reply.tool_calls]
    return row


def _reply_from_json(row: dict[str, Any], schema: type[BaseModel] | None) -> Reply:
    """Read what `_reply_to_json` wrote; `schema` is that of the request. Faults are not recorded."""
    calls = tuple(ToolCall(**call) for call in row.get("tool_calls", ()))
    parsed = None
    if schema is not None and not (calls and row["parsed"] is None):
        parsed = schema.model_validate(row["parsed"])
    return Reply(
        row["text"],
        parsed,
        Usage(**row["usage"]),
        FinishReason.of(row["finish_reason"]),
        reasoning=row.get("reasoning", ""),
        tool_calls=calls,
    )
