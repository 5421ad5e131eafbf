"""How clients reach the server: over stdin and stdout, or over HTTP on an address of this machine.

Over HTTP a request must name this server as its host, so that no page of a browser gets here by a name of
its own (DNS rebinding). With a token it must bring that, too. Nothing that is logged holds a secret.
"""

from __future__ import annotations

import hmac
import io
import logging
import os
import re
import socket
import sys
from collections.abc import Awaitable, Callable, MutableMapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, BinaryIO

from ace.errors import InputError
from ace.llm.faults import hide

if TYPE_CHECKING:
    from mcp.server.mcpserver import MCPServer

TOKEN_VARIABLE = "ACE_MCP_TOKEN"  # noqa: S105 (the name of a variable)
PATH = "/mcp"
_LONGEST_BODY = 1_000_000  # bytes
_SHORTEST_TOKEN = 16  # characters
_LAST_SECONDS = 2  # for answers that are under way when the server ends
LOOPBACK = ("127.0.0.1", "localhost", "[::1]")

# An escape of JSON: a pair of surrogates, one alone, or any other.
_ESCAPE = re.compile(
    rb"\\(?:u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|(u[dD][89a-fA-F][0-9a-fA-F]{2})|.)",
    re.DOTALL,
)

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]
"""An ASGI application."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpPlace:
    """Say where to listen, and to whom."""

    host: str = "127.0.0.1"
    """A name or an address of this machine."""

    port: int = 8765
    """0 takes any that is free."""

    names: tuple[str, ...] = ()
    """Further names by which clients may call this machine."""

    token: str = ""
    """What a request must bring; "" for nothing, which only loopback may have."""

    def __post_init__(self) -> None:
        if self.token and (len(self.token) < _SHORTEST_TOKEN or not self.token.isascii()):
            hint = f"Set {TOKEN_VARIABLE} to at least {_SHORTEST_TOKEN} letters and digits at random."
            raise InputError("The token is too short, or not ASCII.", hint=hint)
        if not self.token and write_host(self.host) not in LOOPBACK:
            hint = f"Set {TOKEN_VARIABLE}, and let clients send it: Authorization: Bearer TOKEN."
            raise InputError(f"{self.host} can be reached from elsewhere, which needs a token.", hint=hint)


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
    import uvicorn

    log_to_stderr()
    with open_listener(place.host, place.port) as listener:
        port = int(listener.getsockname()[1])
        config = uvicorn.Config(
            make_app(server, place, port),
            log_config=None,
            log_level="warning",
            access_log=False,
            ws="none",
            timeout_graceful_shutdown=_LAST_SECONDS,
        )
        announce(f"http://{write_host(place.host)}:{port}{PATH}")
        uvicorn.Server(config).run(sockets=[listener])


def open_listener(host: str, port: int) -> socket.socket:
    """Return a socket that listens on an address of this machine. Raises InputError where nobody can."""
    address = host.strip("[]")
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    try:
        listener = socket.create_server((address, port), family=family)
        # Connections inherit it. asyncio leaves it out for a socket that does not say that it is TCP, and
        # then an answer in two pieces waits 40 ms for the client's word that it has the first.
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return listener
    except OSError as error:
        message = f"Nobody can listen on {host}, port {port} ({error.strerror or error})."
        raise InputError(message, hint="Give another --port or --host.") from error


def list_hosts(host: str, port: int, names: Sequence[str]) -> list[str]:
    """Return what clients may call this machine: loopback, its host, and further `names`, with the port."""
    hosts: list[str] = []
    for name in dict.fromkeys((*LOOPBACK, write_host(host), *names)):
        hosts.append(f"{name}:{port}")
        if port == 80 or name in names:  # a proxy in front may have another port
            hosts.append(name)
    return hosts


def make_app(server: MCPServer, place: HttpPlace, port: int) -> App:
    """Return the application: stateless, so that any process can answer any request."""
    from mcp.server.transport_security import TransportSecuritySettings

    hosts = [*list_hosts(place.host, port, place.names), *(f"{name}:*" for name in place.names)]
    security = TransportSecuritySettings(
        enable_dns_rebinding_protection=True,
        allowed_hosts=hosts,
        allowed_origins=[f"{scheme}://{host}" for host in hosts for scheme in ("http", "https")],
    )
    app = server.streamable_http_app(
        streamable_http_path=PATH,
        json_response=True,
        stateless_http=True,
        max_request_body_size=_LONGEST_BODY,
        transport_security=security,
    )
    return require_token(app, place.token) if place.token else app


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


def write_host(host: str) -> str:
    """Return a host as it stands in an address."""
    return f"[{host.strip('[]')}]" if ":" in host else host


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
