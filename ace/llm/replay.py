"""Record what a model said, and say it again later without the model.

The file is JSON Lines, one call a line, found again by a hash of everything that was asked.
"""

from __future__ import annotations

import json
import threading
from dataclasses import asdict
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from ace.errors import InputError, MalformedReply
from ace.llm.client import Client, Reply, Request, Usage
from ace.llm.request import request_json, request_key


class RecordingClient:
    """Passes every call on to `inner` and appends it to `path`. Delete the file to record afresh."""

    def __init__(self, inner: Client, path: str | Path) -> None:
        self._inner = inner
        self._path = Path(path)
        self._lock = threading.Lock()

    @property
    def model(self) -> str:
        return self._inner.model

    def complete(self, request: Request) -> Reply:
        asked = request_json(self.model, request)
        try:
            reply = self._inner.complete(request)
        except MalformedReply as error:
            self._write(asked, malformed=_malformed_to_json(error))
            raise
        self._write(asked, reply=_reply_to_json(reply))
        return reply

    def _write(self, asked: dict[str, Any], **outcome: Any) -> None:
        line = json.dumps({"key": request_key(asked), "request": asked, **outcome}, ensure_ascii=False)
        with self._lock, self._path.open("a", encoding="utf-8") as file:
            file.write(line + "\n")


class ReplayClient:
    """Answers from a recording. A request asked several times gets its recorded replies in turn.

    After the last of them it gets the last one again. `model` is needed only when the file holds several.
    """

    def __init__(self, path: str | Path, *, model: str = "") -> None:
        self._path = Path(path)
        self._lock = threading.Lock()
        self._recorded: dict[str, list[dict[str, Any]]] = {}
        self._asked: dict[str, int] = {}
        for row in _rows(self._path):
            self._recorded.setdefault(row["key"], []).append(row)
            model = model or row["request"]["model"]
        self.model = model

    def complete(self, request: Request) -> Reply:
        row = self._take(request_json(self.model, request))
        if "malformed" in row:
            raise _malformed_from_json(row["malformed"])
        return _reply_from_json(row["reply"], request.schema)

    def _take(self, asked: dict[str, Any]) -> dict[str, Any]:
        key = request_key(asked)
        if key not in self._recorded:
            raise self._missing(asked, key)
        with self._lock:
            turn = self._asked.get(key, 0)
            self._asked[key] = turn + 1
        return self._recorded[key][min(turn, len(self._recorded[key]) - 1)]

    def _missing(self, asked: dict[str, Any], key: str) -> InputError:
        last = asked["messages"][-1]["content"] if asked["messages"] else ""
        return InputError(
            f"{self._path} holds no reply of {self.model} to the request that ends with {last[-80:]!r}.",
            hint="The prompt, the schema or an option changed since: record again with RecordingClient.",
            file=str(self._path),
            key=key,
            request=asked,
        )


def _rows(path: Path) -> list[dict[str, Any]]:
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise InputError(f"Cannot read the recording {path}: {error}", file=str(path)) from error
    rows = []
    for number, line in enumerate(lines, 1):
        try:
            row = json.loads(line)
            if not ({"key", "request"} <= row.keys() and row.keys() & {"reply", "malformed"}):
                raise ValueError("a line needs key, request and reply")
        except (ValueError, AttributeError) as error:
            raise InputError(f"{path}:{number}: not a recorded call: {error}", file=str(path)) from error
        rows.append(row)
    return rows


def _reply_to_json(reply: Reply) -> dict[str, Any]:
    parsed = None if reply.parsed is None else reply.parsed.model_dump(mode="json", by_alias=True)
    return {
        "text": reply.text,
        "parsed": parsed,
        "usage": asdict(reply.usage),
        "finish_reason": reply.finish_reason,
    }


def _reply_from_json(row: dict[str, Any], schema: type[BaseModel] | None) -> Reply:
    parsed = None if schema is None else schema.model_validate(row["parsed"])
    return Reply(row["text"], parsed, Usage(**row["usage"]), row["finish_reason"])


def _malformed_to_json(error: MalformedReply) -> dict[str, Any]:
    usage = error.details.get("usage", Usage(calls=1))
    text = error.details.get("text", "")
    return {"message": error.message, "hint": error.hint, "text": text, "usage": asdict(usage)}


def _malformed_from_json(row: dict[str, Any]) -> MalformedReply:
    return MalformedReply(row["message"], hint=row["hint"], text=row["text"], usage=Usage(**row["usage"]))
