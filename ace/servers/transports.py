"""How clients reach the server: over stdin and stdout, or over HTTP on an address of this machine.

Over HTTP a request must name this server as its host, so that no page of a browser gets here by a name of
its own (DNS rebinding). With a token it must bring that, too. Nothing that is logged holds a secret.
"""

from __future__ import annotations

import hmac
import io
import json
import logging
import os
import re
import sys
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any, BinaryIO

from ace.llm.faults import hide
from ace.servers.http_place import (
    LONGEST_BODY,
    App,
    HttpPlace,
    Receive,
    Scope,
    Send,
    list_hosts,
    serve_app,
)
from ace.text.sizes import format_size

if TYPE_CHECKING:
    from mcp.server.mcpserver import MCPServer

TOKEN_VARIABLE = "ACE_MCP_TOKEN"  # noqa: S105 (the name of a variable)
PATH = "/mcp"

# An escape of JSON: a pair of surrogates, one alone, or any other.
_ESCAPE = re.compile(
    rb"\\(?:u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|(u[dD][89a-fA-F][0-9a-fA-F]{2})|.)",
    re.DOTALL,
)


def serve_stdio(server: MCPServer) -> None:
    """Serve until stdin ends. Only messages of the protocol get to stdout."""
    log_to_stderr()
    wire = os.fdopen(os.dup(0), "rb")
    nowhere = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nowhere, 0)  # a program that is started meanwhile must not read messages
    os.close(nowhere)
    sys.stdin = io.TextIOWrapper(io.BufferedReader(MendedInput(wire)), encoding="utf-8", errors="replace")
    server.run("stdio")


def serve_http(server: MCPServer, place: HttpPlace, announce: Callable[[str], None]) -> None:
    """Serve until a signal ends it. `announce` is called with the address once it can be reached.

    Raises InputError where nobody can listen there.
    """
    log_to_stderr()
    make = partial(make_app, server, place)
    serve_app(make, place.host, place.port, lambda address: announce(f"{address}{PATH}"))


def make_app(server: MCPServer, place: HttpPlace, port: int) -> App:
    """Return the application: stateless, so that any process can answer any request."""
    from mcp.server.transport_security import TransportSecuritySettings

    hosts = list_hosts(place.host, port, place.names)
    security = TransportSecuritySettings(
        enable_dns_rebinding_protection=True,
        allowed_hosts=hosts,
        allowed_origins=[f"{scheme}://{host}" for host in hosts for scheme in ("http", "https")],
    )
    app: App = server.streamable_http_app(
        streamable_http_path=PATH,
        json_response=True,
        stateless_http=True,
        max_request_body_size=LONGEST_BODY,
        transport_security=security,
    )
    app = refuse_large_bodies(app)
    return require_token(app, place.token) if place.token else app


def refuse_large_bodies(app: App) -> App:
    """Return an application that answers 413, with the limit, to what says that it is larger."""
    limit = f"A request may have at most {format_size(LONGEST_BODY)}."
    answer = {"jsonrpc": "2.0", "id": None, "error": {"code": -32600, "message": limit}}

    async def guarded(scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or refuse it. What does not say its size is bounded where it is read."""
        declared = dict(scope.get("headers", ())).get(b"content-length", b"0")
        if scope["type"] != "http" or not declared.isdigit() or int(declared) <= LONGEST_BODY:
            await app(scope, receive, send)
            return
        headers = [(b"content-type", b"application/json"), (b"connection", b"close")]
        await send({"type": "http.response.start", "status": 413, "headers": headers})
        await send({"type": "http.response.body", "body": json.dumps(answer).encode()})

    return guarded


def require_token(app: App, token: str) -> App:
    """Return an application that answers 401 to each request without the token."""
    expected = f"Bearer {token}".encode()

    async def guarded(scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or refuse it."""
        sent = dict(scope.get("headers", ())).get(b"authorization", b"")
        if scope["type"] == "lifespan" or hmac.compare_digest(sent, expected):
            await app(scope, receive, send)
            return
        headers = [(b"content-type", b"text/plain"), (b"www-authenticate", b"Bearer")]
        await send({"type": "http.response.start", "status": 401, "headers": headers})
        await send({"type": "http.response.body", "body": b"A token is needed: Authorization: Bearer ..."})

    return guarded


def mend_escapes(line: bytes) -> bytes:
    r"""Replace escapes of half a character by that of U+FFFD, so that the rest of a message can be read.

    A text that was cut in the middle of an emoji ends in one, as \ud83d. JSON with it is refused as a whole.
    """
    if b"\\ud" not in line.lower():
        return line
    return _ESCAPE.sub(lambda match: b"\\ufffd" if match[1] else match[0], line)


class MendedInput(io.RawIOBase):
    """Read lines of another stream, mended by `mend_escapes`."""

    def __init__(self, wire: BinaryIO) -> None:
        super().__init__()
        self._wire = wire
        self._line = memoryview(b"")

    def readable(self) -> bool:
        """Return that it can be read."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Fill a buffer with what is left of the line, or of the next one; return how many bytes."""
        if not self._line:
            self._line = memoryview(mend_escapes(self._wire.readline()))
        target = memoryview(buffer).cast("B")
        size = min(len(target), len(self._line))
        target[:size] = self._line[:size]
        self._line = self._line[size:]
        return size


def hide_in_record(record: logging.LogRecord) -> bool:
    """Hide secrets in what is logged, and let it pass. Of an exception only the last line is left."""
    text = record.getMessage()
    if record.exc_info and record.exc_info[1] is not None:
        text = f"{text} ({type(record.exc_info[1]).__name__}: {record.exc_info[1]})"
    record.msg, record.args, record.exc_info, record.exc_text = hide(text), None, None, None
    return True


def log_to_stderr() -> None:
    """Log warnings to stderr, without secrets."""
    handler = logging.StreamHandler(sys.stderr)
    handler.addFilter(hide_in_record)
    handler.setFormatter(logging.Formatter("ace: %(name)s: %(message)s"))
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
