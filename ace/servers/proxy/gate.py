"""Who may come in, how often, and with which headers a request goes on.

A key names a project. It comes in a header of its own beside the caller's key of the API, or in the place of
that. Either way it goes no further. Nothing here writes a key anywhere.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from ace.servers.http_place import Scope, Send, is_host_of
from ace.servers.proxy.projects import Project, hash_key

KEY_HEADER = b"x-ace-key"
Headers = list[tuple[bytes, bytes]]

# Headers that belong to one connection, or that are written anew.
_OWN_LEG = frozenset(
    (b"connection", b"keep-alive", b"proxy-connection", b"te", b"trailer", b"transfer-encoding", b"upgrade")
)
_NOT_SENT = _OWN_LEG | {b"host", b"content-length", b"expect", b"proxy-authorization", KEY_HEADER}


class Reason(StrEnum):
    """Name why a request is refused here. Clients read the values: add to them, and never rename one."""

    ADDRESS = "invalid_address"
    HOST = "unknown_host"
    ORIGIN = "foreign_origin"
    KEY = "invalid_key"
    RATE = "rate_limit_exceeded"
    SIZE = "request_too_large"
    SLOW = "request_too_slow"
    FEEDBACK = "invalid_feedback"
    REPLY = "unknown_response"
    FULL = "spool_full"
    UNREACHABLE = "upstream_unreachable"
    SILENT = "upstream_silent"


@dataclass(frozen=True, slots=True)
class Refusal:
    """Say why a request goes no further."""

    status: int
    reason: Reason
    message: str
    """What is wrong and what to do, for people."""

    headers: tuple[tuple[bytes, bytes], ...] = ()


@dataclass(frozen=True, slots=True)
class Admission:
    """Say whose request it is, and with which headers it goes on."""

    project: Project
    headers: Headers
    """Of the caller, without those of this leg and without keys of a project."""


class Gate:
    """Admit requests. Used by one event loop."""

    def __init__(self, projects: Sequence[Project], hosts: frozenset[str]) -> None:
        """Take the projects, and the names by which clients may call this server, "" for any."""
        self._by_key = {key: project for project in projects for key in project.keys}
        self._open = None if self._by_key else projects[0]
        self._hosts = hosts
        self._credit: dict[str, tuple[float, float]] = {}  # requests left, and when that was counted

    def admit(self, scope: Scope) -> Admission | Refusal:
        """Return whose request it is, or why it is refused. A page of a browser has to be of this server."""
        raw: Headers = scope["headers"]
        headers = {name.lower(): value for name, value in raw}
        if not scope["raw_path"].startswith(b"/"):
            return Refusal(400, Reason.ADDRESS, "Ask for a path, as in GET /v1/models.")
        host = headers.get(b"host", b"").decode("latin-1")
        if not is_host_of(host, self._hosts):
            hint = "Start the proxy with --allow-host NAME."
            return Refusal(403, Reason.HOST, f"This server does not answer to the name {host!r:.80}. {hint}")
        origin = headers.get(b"origin", b"").decode("latin-1")
        if origin and not is_host_of(origin.partition("://")[2], self._hosts):
            return Refusal(403, Reason.ORIGIN, "Pages of other servers may not call this one.")
        project, carrier = self._find_project(headers)
        if project is None:
            message = "Send a key of a project: x-ace-key: KEY, or in the place of the API's own key."
            return Refusal(401, Reason.KEY, message)
        wait = self._spend(project)
        if wait > 0:
            message = f"The project {project.name} may send {project.rate:g} requests a second."
            retry = str(max(1, round(wait))).encode()
            return Refusal(429, Reason.RATE, message, ((b"retry-after", retry),))
        return Admission(project, _write_headers(raw, project, carrier))

    def _find_project(self, headers: Mapping[bytes, bytes]) -> tuple[Project | None, bytes]:
        """Return the project that a request names, and the header by which; None for none."""
        if self._open is not None:
            return self._open, b""
        for name in (KEY_HEADER, b"x-api-key", b"api-key", b"authorization"):
            value = headers.get(name, b"").decode("latin-1").strip()
            if name == b"authorization":
                value = value.partition(" ")[2].strip()
            project = self._by_key.get(hash_key(value)) if value else None
            if project is not None:
                return project, name
        return None, b""

    def _spend(self, project: Project) -> float:
        """Count a request; return how many seconds it comes too early, 0 for none."""
        now = time.monotonic()
        most = max(1.0, 2 * project.rate)
        credit, counted = self._credit.get(project.name, (most, now))
        credit = min(most, credit + (now - counted) * project.rate)
        if credit < 1:
            self._credit[project.name] = (credit, now)
            return (1 - credit) / project.rate
        self._credit[project.name] = (credit - 1, now)
        return 0.0


def _write_headers(raw: Headers, project: Project, carrier: bytes) -> Headers:
    """Return the headers to go on with: a key of the project is gone, or the API's key has its place."""
    own_leg = _list_own_leg(raw)
    # A line break at its end, as of a file, is no part of a key.
    own_key = os.environ.get(project.upstream_key, "").strip() if project.upstream_key else ""
    secrets = (b"x-api-key", b"api-key", b"authorization")
    sent: Headers = []
    for name, value in raw:
        low = name.lower()
        if low in _NOT_SENT or low in own_leg or (low == carrier and not own_key):
            continue
        if own_key and low in secrets:
            value = f"Bearer {own_key}".encode() if low == b"authorization" else own_key.encode()
        sent.append((name, value))
    return sent


def list_reply_headers(raw: Sequence[tuple[bytes, bytes]]) -> Headers:
    """Return the headers of an upstream's reply that go to the client: all but those of one leg."""
    own_leg = _list_own_leg(raw)
    return [(name, value) for name, value in raw if name.lower() not in own_leg]


def _list_own_leg(raw: Sequence[tuple[bytes, bytes]]) -> frozenset[bytes]:
    """Return the names of headers that belong to one connection, with those that `Connection` names."""
    named: set[bytes] = set()
    for name, value in raw:
        if name.lower() == b"connection":
            named |= {word.strip().lower() for word in value.split(b",")}
    return _OWN_LEG | named


async def send_refusal(send: Send, refusal: Refusal) -> None:
    """Answer with an error in the form that clients of all three interfaces read."""
    error = {"type": refusal.reason.value, "code": refusal.reason.value, "message": refusal.message}
    await send_json(send, refusal.status, {"type": "error", "error": error}, refusal.headers)


async def send_json(
    send: Send, status: int, value: Mapping[str, Any], headers: Sequence[tuple[bytes, bytes]] = ()
) -> None:
    """Answer with a JSON object."""
    body = json.dumps(value).encode()
    lines = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode()), *headers]
    await send({"type": "http.response.start", "status": status, "headers": lines})
    await send({"type": "http.response.body", "body": body})
