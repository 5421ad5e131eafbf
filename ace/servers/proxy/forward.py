"""One request: to the upstream, back to the client, and to the spool. Only the prompt of it is changed.

A reply goes on piece by piece as it comes. It is in the spool before the client sees its end. What goes wrong
here that is ours is logged, and the request goes on as if nobody recorded it.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from ace.agent.watch.wire import Interface, find_session, insert_context
from ace.errors import describe_error
from ace.servers.http_place import Receive, Scope, Send
from ace.servers.proxy.gate import Admission, Reason, Refusal, list_reply_headers, send_refusal
from ace.servers.proxy.shown import ShownTexts
from ace.servers.proxy.spool import MOST_SPOOLED, Ending, Exchange, SpoolWriter

if TYPE_CHECKING:
    import httpx

_MOST_RECORDED = 16_000_000  # bytes of a reply
_MOST_AHEAD = 1_000_000  # bytes that are read of a reply before the client takes them
_LARGE = 500_000  # bytes of a request: reading more would keep others waiting
_COUNT = "/count_tokens"  # what a prompt takes: with what would be put into it
_IDEMPOTENT = frozenset(("GET", "HEAD", "OPTIONS", "PUT", "DELETE"))  # of RFC 9110, as far as an API has them
_SESSION_HEADERS = (
    b"x-ace-session",
    b"x-claude-code-session-id",
    b"session_id",
    b"session-id",
    b"x-session-id",
    b"x-litellm-session-id",
)
_ADDRESSES = {f"{root}{interface}": interface for interface in Interface for root in ("", "/v1")}
_LOG = logging.getLogger("ace.proxy")


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Bound what a request may take, and what of a project may wait."""

    size: int = 32_000_000
    """Bytes of a request."""

    body_silence: float = 60.0
    """Seconds that a client may take for the next piece of its request."""

    spool: int = MOST_SPOOLED
    """Bytes of exchanges of one project that may wait to be recorded."""

    silence: float = 600.0
    """Seconds that an upstream may say nothing, and that a client may take nothing of a reply."""


@dataclass(slots=True)
class Call:
    """Hold a request on its way."""

    request: httpx.Request
    exchange: Exchange | None
    """What will be recorded, as far as it is known; None for nothing."""

    spool: SpoolWriter

    is_repeatable: bool
    """Whether the upstream may get it twice, as it does from clients of the three interfaces themselves."""

    pieces: list[bytes] = field(default_factory=list)
    """Of the reply, as they came."""

    size: int = 0
    """Bytes of the reply so far."""

    def take(self, piece: bytes) -> None:
        """Keep a piece of the reply, unless there is too much of it."""
        self.size += len(piece)
        if self.exchange is not None and self.size <= _MOST_RECORDED:
            self.pieces.append(piece)

    def keep(self, ending: Ending) -> None:
        """Put the exchange into the spool, once. Never raises."""
        if self.exchange is None:
            return
        exchange, self.exchange = self.exchange, None
        if ending is Ending.WHOLE and self.size > _MOST_RECORDED:
            ending = Ending.TOO_LONG
        try:
            self.spool.put(replace(exchange, reply=b"".join(self.pieces), ending=ending))
        except Exception as error:  # recording must not fail a request
            _LOG.warning("could not keep an exchange: %s", describe_error(error))


@dataclass(slots=True)
class ReplyPieces:
    """Hand on the pieces of a reply as they come; those that came together are handed on as one."""

    _pieces: list[bytes] = field(default_factory=list)
    _size: int = 0
    _has_ended: bool = False
    _news: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when there is a piece, or the end."""

    _room: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when the client has taken what there was."""

    async def read(self, response: httpx.Response) -> None:
        """Read a reply to its end, and wait while the client is slow. Raises httpx.TransportError."""
        try:
            async for piece in response.aiter_raw():
                self._pieces.append(piece)
                self._size += len(piece)
                self._news.set()
                if self._size > _MOST_AHEAD:
                    self._room.clear()
                    await self._room.wait()
        finally:
            self._has_ended = True
            self._news.set()

    async def take(self) -> bytes:
        """Return what came since the last call, as soon as there is any; b"" at the end."""
        while not self._pieces and not self._has_ended:
            self._news.clear()
            await self._news.wait()
        piece = self._pieces[0] if len(self._pieces) == 1 else b"".join(self._pieces)
        self._pieces.clear()
        self._size = 0
        self._room.set()
        return piece


@dataclass(frozen=True, slots=True, kw_only=True)
class Forwarder:
    """Take requests that were admitted to their upstream. Used by one event loop."""

    client: httpx.AsyncClient
    """For all upstreams. It keeps connections, and no cookies."""

    texts: ShownTexts
    spools: Mapping[str, SpoolWriter]
    """Those of the projects, by their names."""

    limits: Limits

    async def forward(self, admission: Admission, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request with what the upstream answers. Nothing is left open when the client hangs up."""
        body = await read_body(scope, receive, self.limits)
        if isinstance(body, Refusal):
            await send_refusal(send, body)
            return
        if body is None:
            return
        call = await self._prepare(admission, scope, body)
        work = asyncio.create_task(self._relay(call, send))
        watcher = asyncio.create_task(cancel_after_hang_up(receive, work))
        try:
            with suppress(asyncio.CancelledError):
                await work
        finally:
            watcher.cancel()
            work.cancel()

    async def _prepare(self, admission: Admission, scope: Scope, body: bytes) -> Call:
        """Return the request to send, with the playbook in it where it has a prompt."""
        import httpx

        project, path = admission.project, scope["path"]
        spool = self.spools[project.name]
        exchange: Exchange | None = None
        sent = body
        is_count = path.endswith(_COUNT)
        interface = _ADDRESSES.get(path.removesuffix(_COUNT)) if scope["method"] == "POST" else None
        if is_count and interface is not Interface.MESSAGES:
            interface = None
        if interface is not None:
            try:
                prepare = self._put_in
                arguments = (admission, scope, interface, body)
                if len(body) > _LARGE:
                    exchange, sent = await asyncio.to_thread(prepare, *arguments)
                else:
                    exchange, sent = prepare(*arguments)
            except Exception as error:  # whatever it is, the upstream says what is wrong with a request
                _LOG.warning("a request passes as it is: %s", describe_error(error)[:300])
        url = build_url(project.upstream, scope["raw_path"], scope["query_string"])
        content = sent if body or scope["method"] in ("POST", "PUT", "PATCH") else None
        request = httpx.Request(scope["method"], url, headers=admission.headers, content=content)
        is_repeatable = interface is not None or scope["method"] in _IDEMPOTENT
        return Call(request, None if is_count else exchange, spool, is_repeatable)

    def _put_in(
        self, admission: Admission, scope: Scope, interface: Interface, body: bytes
    ) -> tuple[Exchange | None, bytes]:
        """Return the exchange that a request begins, and its body with the playbook in it.

        Raises what is wrong with a body that is none of its interface.
        """
        headers = dict(scope["headers"])
        if headers.get(b"content-encoding", b"identity") != b"identity":
            raise ValueError("its body is compressed")
        text = body.decode("utf-8")
        values = json.loads(text)
        if not isinstance(values, dict):
            raise ValueError("its body is no JSON object")
        session = next((headers[name] for name in _SESSION_HEADERS if name in headers), b"").decode("latin-1")
        session = session or find_session(values)
        playbook = self.texts.choose(admission.project.name, session, interface, values)
        exchange = Exchange(
            interface=interface.value,
            session=session[:200],
            bullets=playbook.bullets,
            version=playbook.version,
            request=body,
        )
        if not playbook.text:
            return exchange, body
        try:
            return exchange, insert_context(interface, text, values, playbook.text).encode("utf-8")
        except (LookupError, TypeError, AttributeError) as error:
            raise ValueError(f"its body has not the form of its interface ({error!r:.80})") from error

    async def _relay(self, call: Call, send: Send) -> None:
        """Send the request, and pass the reply on. A reply that breaks off does so for the client, too."""
        import httpx

        try:
            response = await self._send(call)
        except httpx.TransportError as error:
            await self._refuse(call, send, error)
            return
        except asyncio.CancelledError:
            call.keep(Ending.HUNG_UP)
            raise
        headers = response.headers
        if call.exchange is not None:
            call.exchange = replace(
                call.exchange,
                status=response.status_code,
                kind=headers.get("content-type", ""),
                encoding=headers.get("content-encoding", ""),
            )
        declared = headers.get("content-length", "")
        length = int(declared) if declared.isdigit() else -1
        start = {"type": "http.response.start", "status": response.status_code}
        await send({**start, "headers": list_reply_headers(headers.raw)})
        stream = ReplyPieces()
        reading = asyncio.create_task(stream.read(response))
        try:
            while piece := await stream.take():
                call.take(piece)
                if call.size == length:
                    call.keep(Ending.WHOLE)  # with this piece the client has all
                async with asyncio.timeout(self.limits.silence):
                    await send({"type": "http.response.body", "body": piece, "more_body": True})
            await reading
            call.keep(Ending.WHOLE)
            await send({"type": "http.response.body", "body": b"", "more_body": False})
        except httpx.TransportError as error:
            is_silent = isinstance(error, httpx.TimeoutException)
            call.keep(Ending.SILENT if is_silent else Ending.BROKEN)
            _LOG.warning("a reply broke off: %s", describe_error(error)[:300])
            return  # without an end: then the server closes the connection, as the upstream did
        except TimeoutError:
            call.keep(Ending.HUNG_UP)
            _LOG.warning("a client took nothing of its reply for %g s", self.limits.silence)
            return
        except asyncio.CancelledError:
            call.keep(Ending.HUNG_UP)
            raise
        finally:
            call.keep(Ending.BROKEN)  # where nothing said before how it ended
            reading.cancel()
            await response.aclose()

    async def _send(self, call: Call) -> httpx.Response:
        """Return the reply as it begins. Raises httpx.TransportError where none comes.

        An upstream closes kept connections when it likes, also while a request is on its way there. Such a
        request is sent once more, if it is repeatable.
        """
        import httpx

        is_kept = True  # the connection is that of an earlier request

        async def note_connection(event: str, details: Mapping[str, Any]) -> None:
            """Note that a connection is made for the request."""
            nonlocal is_kept
            if event.endswith("connect_tcp.started"):
                is_kept = False

        call.request.extensions["trace"] = note_connection
        try:
            return await self.client.send(call.request, stream=True, follow_redirects=False)
        except (httpx.NetworkError, httpx.RemoteProtocolError):
            if not is_kept or not call.is_repeatable:
                raise
        return await self.client.send(call.request, stream=True, follow_redirects=False)

    async def _refuse(self, call: Call, send: Send, error: httpx.TransportError) -> None:
        """Say that no reply came, and why."""
        import httpx

        is_silent = isinstance(error, httpx.ReadTimeout)
        call.keep(Ending.SILENT if is_silent else Ending.UNREACHABLE)
        what = describe_error(error)[:300]
        if isinstance(error, httpx.LocalProtocolError):  # its words repeat the header, which may be a key
            what = "a header of the request, or the key of the API, holds what no header may"
        _LOG.warning("no reply came from %s: %s", call.request.url.host, what)
        if is_silent:
            message = f"The upstream said nothing for {self.limits.silence:g} s."
            await send_refusal(send, Refusal(504, Reason.SILENT, message))
            return
        await send_refusal(send, Refusal(502, Reason.UNREACHABLE, f"The upstream sent no reply ({what})."))


@lru_cache(maxsize=256)
def build_url(upstream: str, path: bytes, query: bytes) -> httpx.URL:
    """Return the address of a request at an upstream. Its /v1 counts once where both have one."""
    import httpx

    if upstream.endswith("/v1") and path.startswith(b"/v1/"):
        path = path.removeprefix(b"/v1")
    if query:
        path += b"?" + query
    url = httpx.URL(upstream)
    return url.copy_with(raw_path=url.raw_path.rstrip(b"/") + path)


async def read_body(scope: Scope, receive: Receive, limits: Limits) -> bytes | Refusal | None:
    """Return the body of a request, or why it is refused; None where the client has hung up."""
    headers = dict(scope["headers"])
    too_large = Refusal(
        413,
        Reason.SIZE,
        f"A request may have {limits.size:,} bytes. Start the proxy with a larger --max-bytes.",
        ((b"connection", b"close"),),
    )
    length = headers.get(b"content-length", b"0")
    if not length.isdigit() or int(length) > limits.size:
        return too_large
    pieces: list[bytes] = []
    size = 0
    while True:
        try:
            async with asyncio.timeout(limits.body_silence):
                message: Any = await receive()
        except TimeoutError:
            what = f"The next piece of the request did not come within {limits.body_silence:g} s."
            return Refusal(408, Reason.SLOW, what, ((b"connection", b"close"),))
        if message["type"] == "http.disconnect":
            return None
        piece = message.get("body", b"")
        size += len(piece)
        if size > limits.size:
            return too_large
        pieces.append(piece)
        if not message.get("more_body"):
            return b"".join(pieces)


async def cancel_after_hang_up(receive: Receive, work: asyncio.Task[None]) -> None:
    """Cancel the work on a request when its client has hung up."""
    while (await receive())["type"] != "http.disconnect":
        pass
    work.cancel()
