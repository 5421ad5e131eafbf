"""HTTP below litellm: a request has one deadline, its answer a largest size, and nothing goes elsewhere.

What came over the wire is kept for whoever asks (`Exchange`), because client libraries lose the words of an
error. Knows HTTP; nothing of models and their protocols.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any
from urllib.request import getproxies, proxy_bypass

import httpcore
import httpx

from ace.llm.faults import Kind
from ace.text.sizes import format_size

MOST_BYTES = 8_000_000
_SLICE = 4_096  # bytes that are decompressed at once: they become 4 MB at most
_WRITE = 65_536  # bytes that are sent at once
_MOST_REDIRECTS = 5
_CONNECT = 30.0  # seconds: whoever listens at all takes less
# As many as a run has workers: httpx keeps 20 by default, and the others would connect for each call.
_CONNECTIONS = httpx.Limits(max_connections=None, max_keepalive_connections=256)


class AnswerStopped(Exception):
    """Stop a request that cannot become a reply; the exchange says why.

    It says nothing itself: client libraries act on what they read in messages.
    """


@dataclass(slots=True)
class Exchange:
    """Bound one call, and keep what came of it."""

    seconds: float
    """Those of the whole call, from when it is first sent."""

    most_bytes: int = MOST_BYTES
    """The largest size of a body, decompressed."""

    mend: Callable[[bytes], bytes | None] = bytes
    """Turns a good body into the one that the client library gets; None stops there."""

    status: int | None = None
    """That of the last answer; None where none began."""

    headers: Mapping[str, str] = field(default_factory=dict)
    """Those of the last answer."""

    body: bytes = b""
    """That of the last answer, decompressed."""

    kind: Kind | None = None
    """What went wrong on the way; None where nothing did."""

    problem: str = ""
    """The same in words."""

    is_refused_connection: bool = False
    """Whether nobody listens there."""

    ends: float | None = None
    """When the call is over, by `time.monotonic`; None before it is sent."""

    def fail(self, kind: Kind, problem: str) -> None:
        """Record what went wrong on the way."""
        self.kind, self.problem = kind, problem


_exchange: ContextVar[Exchange | None] = ContextVar("exchange", default=None)


@contextmanager
def keep_exchange(exchange: Exchange) -> Iterator[Exchange]:
    """Bound what this thread sends within the block, and keep what comes back."""
    token = _exchange.set(exchange)
    try:
        yield exchange
    finally:
        _exchange.reset(token)


def open_http(verify: Any = True) -> httpx.Client:
    """Return a client whose requests are bounded by the exchange of the thread that makes them.

    `verify` is httpx's: a context of certificates, or whether they are checked. Proxies are those of the
    environment.
    """
    return httpx.Client(transport=Wire(verify), follow_redirects=True, max_redirects=_MOST_REDIRECTS)


class Wire(httpx.BaseTransport):
    """Send requests directly or through the environment's proxy, and read whole bodies within bounds.

    Without an exchange it is a transport like any other: somebody else's request is not bounded. One that is
    `shared` by several clients stays open when one of them is closed.
    """

    def __init__(self, verify: Any, *, shared: bool = False) -> None:
        self._shared = shared
        self._direct = _bound_transport(httpx.HTTPTransport(verify=verify, limits=_CONNECTIONS))
        self._proxies = {
            scheme: _bound_transport(httpx.HTTPTransport(verify=verify, proxy=address, limits=_CONNECTIONS))
            for scheme, address in getproxies().items()
            if scheme in ("http", "https", "all")
        }

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Return the answer with its body read. Raises AnswerStopped, and what httpx raises."""
        transport = self._direct
        if not proxy_bypass(request.url.host):
            transport = self._proxies.get(request.url.scheme) or self._proxies.get("all") or transport
        exchange = _exchange.get()
        if exchange is None:
            return transport.handle_request(request)
        exchange.status, exchange.body = None, b""
        if exchange.ends is None:
            exchange.ends = time.monotonic() + exchange.seconds
        try:
            response = transport.handle_request(request)
            exchange.status, exchange.headers = response.status_code, response.headers
            exchange.body = _read_body(response, exchange)
        except (httpx.ConnectError, httpx.ConnectTimeout) as error:
            exchange.is_refused_connection = True
            exchange.fail(Kind.LOST_CONNECTION, f"no connection ({error})")
            raise
        except httpx.TimeoutException:
            exchange.fail(Kind.TIME_OUT, f"no whole answer came within {exchange.seconds:g} s")
            raise
        except (httpx.TransportError, httpx.DecodingError) as error:
            exchange.fail(Kind.LOST_CONNECTION, f"the connection broke, or its data did: {error}")
            raise
        if response.has_redirect_location:
            _check_redirect(request.url, response, exchange)
        body = exchange.mend(exchange.body) if response.is_success else exchange.body
        if response.is_error or body is None:
            raise AnswerStopped
        headers = [pair for pair in response.headers.multi_items() if pair[0] not in _OF_THE_BODY]
        return httpx.Response(response.status_code, headers=headers, content=body, request=request)

    def close(self) -> None:
        """Close every connection, unless others share them."""
        if self._shared:
            return
        for transport in (self._direct, *self._proxies.values()):
            transport.close()


_OF_THE_BODY = ("content-encoding", "content-length", "transfer-encoding")


def _check_redirect(url: httpx.URL, response: httpx.Response, exchange: Exchange) -> None:
    """Raise AnswerStopped where a redirect leads to another origin: key and prompt stay here."""
    target = url.join(response.headers["location"])
    if (target.scheme, target.host, target.port) == (url.scheme, url.host, url.port):
        return
    port = f":{target.port}" if target.port else ""
    place = f"{target.scheme}://{target.host}{port}"
    problem = f"it redirects to another address, {place}; nothing was sent there"
    exchange.fail(Kind.REFUSED_REQUEST, problem)
    raise AnswerStopped


def _read_body(response: httpx.Response, exchange: Exchange) -> bytes:
    """Read and decompress a body. Raises AnswerStopped once it is larger than it may be."""
    body = bytearray()
    pieces = (
        piece[start : start + _SLICE]
        for piece in response.iter_raw()
        for start in range(0, len(piece), _SLICE)
    )
    decoded = httpx.Response(response.status_code, headers=response.headers, content=pieces)
    try:
        for piece in decoded.iter_bytes():
            body += piece
            if len(body) > exchange.most_bytes:
                limit = format_size(exchange.most_bytes)
                exchange.fail(Kind.TOO_LONG, f"its answer was cut off: it is larger than {limit}")
                raise AnswerStopped
    finally:
        response.close()
    return bytes(body)


def _bound_transport(transport: httpx.HTTPTransport) -> httpx.HTTPTransport:
    """Make every single read and write of a transport end at the deadline of the call.

    httpx takes no backend from outside, and its own time-outs count from the last byte.
    """
    pool: Any = transport._pool
    pool._network_backend = _Backend(pool._network_backend)
    return transport


class _Backend(httpcore.NetworkBackend):
    """Open connections whose waits are bounded by the exchange under way."""

    def __init__(self, inner: httpcore.NetworkBackend) -> None:
        self._inner = inner

    def connect_tcp(self, host: str, port: int, timeout: Any = None, *where: Any, **more: Any) -> _Stream:
        """Connect within the time that is left."""
        wait = min(_CONNECT, _bound_wait(timeout) or _CONNECT)
        return _Stream(self._inner.connect_tcp(host, port, wait, *where, **more))


class _Stream(httpcore.NetworkStream):
    """Read and write within the time that is left."""

    def __init__(self, inner: httpcore.NetworkStream) -> None:
        self._inner = inner
        self.close = inner.close  # type: ignore[method-assign]
        self.get_extra_info = inner.get_extra_info  # type: ignore[method-assign]

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        """Return what came, at most `max_bytes`."""
        return self._inner.read(max_bytes, _bound_wait(timeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        """Send all of `buffer`."""
        for start in range(0, len(buffer), _WRITE):
            self._inner.write(buffer[start : start + _WRITE], _bound_wait(timeout))

    def start_tls(self, ssl_context: Any, server_hostname: Any = None, timeout: Any = None) -> _Stream:
        """Return the encrypted stream."""
        return _Stream(self._inner.start_tls(ssl_context, server_hostname, _bound_wait(timeout)))


def _bound_wait(timeout: float | None) -> float | None:
    """Return how long a read or write may take, in seconds: until the deadline of the exchange under way.

    Raises ReadTimeout after it.
    """
    exchange = _exchange.get()
    if exchange is None or exchange.ends is None:
        return timeout
    rest = exchange.ends - time.monotonic()
    if rest <= 0:
        raise httpcore.ReadTimeout("the deadline has passed")
    return rest if timeout is None else min(rest, timeout)
