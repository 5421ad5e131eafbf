"""Where a server listens, to whom, and by which names it is called. Shared by all that speak HTTP.

A server that can be reached from elsewhere needs a token. Knows nothing about what is served.
"""

from __future__ import annotations

import asyncio
import re
import socket
from collections.abc import Awaitable, Callable, Collection, MutableMapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from ace.errors import InputError

_SHORTEST_TOKEN = 16  # characters
_LAST_SECONDS = 2  # for answers that are under way when the server ends
_LONGEST_REST = 64_000_000  # bytes of a refused request that are still taken
_REST_SILENCE = 1.0  # seconds for the next piece of it
LONGEST_BODY = 1_000_000
"""Bytes of a form of the review pages, and of a message to the MCP server. For the proxy it is a setting."""

LOOPBACK = ("127.0.0.1", "localhost", "[::1]")

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]
"""An ASGI application."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpPlace:
    """Say where to listen, and to whom. Raises InputError for a place that needs a token and has none."""

    host: str = "127.0.0.1"
    """A name or an address of this machine."""

    port: int = 8765
    """0 takes any that is free."""

    names: tuple[str, ...] = ()
    """Further names by which clients may call this machine."""

    token: str = ""
    """What a request must bring; "" for nothing, which only loopback may have."""

    variable: str = "ACE_MCP_TOKEN"
    """The environment variable that holds the token, for the errors."""

    def __post_init__(self) -> None:
        if self.token and (len(self.token) < _SHORTEST_TOKEN or not self.token.isascii()):
            hint = f"Set {self.variable} to at least {_SHORTEST_TOKEN} letters and digits at random."
            raise InputError("The token is too short, or not ASCII.", hint=hint)
        if not self.token and write_host(self.host) not in LOOPBACK:
            hint = f"Set {self.variable}, and let clients send it in the header Authorization: Bearer $TOKEN."
            raise InputError(f"{self.host} can be reached from elsewhere, which needs a token.", hint=hint)


def write_host(host: str) -> str:
    """Return a host as it stands in an address."""
    return f"[{host.strip('[]')}]" if ":" in host else host


def list_hosts(host: str, port: int, names: Sequence[str] = ()) -> list[str]:
    """Return what a request may give as its host, so that no page of a browser gets here by its own name.

    "NAME:*" stands for any port.
    """
    hosts: list[str] = []
    names = [name.lower() for name in names]
    for name in dict.fromkeys((*LOOPBACK, write_host(host).lower(), *names)):
        hosts.append(f"{name}:{port}")
        if port == 80:
            hosts.append(name)
        if name in names:  # a proxy in front may have another port
            hosts += [name, f"{name}:*"]
    return hosts


def is_host_of(host: str, hosts: Collection[str]) -> bool:
    """Return whether a host, with its port if it has one, is among those of `list_hosts`."""
    host = host.lower()
    return host in hosts or re.sub(r":\d*$", ":*", host) in hosts


def hear_out(app: App) -> App:
    """Return an application whose refusals wait until the client has sent its request, within bounds.

    A client that is still writing when the connection closes gets an error of the network and no reason.
    """

    async def patient(scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on; take what is left of it before an answer of 400 or more."""
        has_more = (b"expect", b"100-continue") not in scope.get("headers", ())  # else it waits for a word

        async def take() -> MutableMapping[str, Any]:
            """Return the next piece of the request."""
            nonlocal has_more
            message = await receive()
            has_more = bool(message.get("more_body"))
            return message

        async def answer(message: MutableMapping[str, Any]) -> None:
            """Pass a piece of the answer on."""
            size = 0
            if message["type"] == "http.response.start" and message["status"] >= 400:
                with suppress(TimeoutError):
                    while has_more and size < _LONGEST_REST:
                        async with asyncio.timeout(_REST_SILENCE):
                            size += len((await take()).get("body", b""))
            await send(message)

        await app(scope, take, answer)

    return patient


def open_listener(host: str, port: int) -> socket.socket:
    """Return a socket that listens on an address of this machine. Raises InputError where nobody can."""
    address = host.strip("[]")
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    try:
        listener = socket.create_server((address, port), family=family)
        # Connections inherit it. asyncio leaves it out for a socket that does not say that it is TCP, and
        # then an answer in two pieces waits 40 ms for the client's word that it has the first.
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    except OSError as error:
        message = f"Nobody can listen on {host}, port {port} ({error.strerror or error})."
        raise InputError(message, hint="Give another --port or --host.") from error
    return listener


def serve_app(
    make: Callable[[int], App], host: str, port: int, announce: Callable[[str], None], **options: Any
) -> None:
    """Serve the application that `make` returns for a port, until a signal ends it.

    `announce` is called with the address once it can be reached. `options` are those of `uvicorn.Config` that
    shall differ. Raises InputError where nobody can listen there.
    """
    import uvicorn

    with open_listener(host, port) as listener:
        port = int(listener.getsockname()[1])
        usual: dict[str, Any] = {"log_level": "warning", "timeout_graceful_shutdown": _LAST_SECONDS}
        app = hear_out(make(port))
        config = uvicorn.Config(
            app, log_config=None, access_log=False, ws="none", server_header=False, **(usual | options)
        )
        announce(f"http://{write_host(host)}:{port}")
        uvicorn.Server(config).run(sockets=[listener])
