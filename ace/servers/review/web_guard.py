"""Who may ask for a page: the host that a request names, where a form comes from, tokens, sizes.

A browser sends requests for any page that it shows. So a form counts only if it comes from a page of ours:
by its origin, and by a secret that only our pages hold. Knows nothing about what the pages say.
"""

from __future__ import annotations

import hmac
import re
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, urlsplit

from ace.servers.http_place import LONGEST_BODY, App, HttpPlace, Receive, Scope, Send, is_host_of, list_hosts
from ace.text.sizes import format_size

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

    Refuse = Callable[[Request, "Refusal"], Response]
    """Makes the page of a refusal."""

_LONGEST_WASTE = 64_000_000  # bytes of a too large one that are read, so that a browser shows the answer
_MOST_FIELDS = 100
_MOST_SESSIONS = 1_000
COOKIE = "ace_session"
_SESSION = re.compile(r"[\w-]{43}")
_FORM_TYPE = "application/x-www-form-urlencoded"

_HEADERS = {
    "content-security-policy": "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "img-src 'self' data:; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "same-origin",  # with none at all, browsers hide the origin of a form too
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "cache-control": "no-store",
}


@dataclass(frozen=True, slots=True)
class Refusal:
    """Say why a request is not passed on."""

    status: HTTPStatus
    message: str

    form: Mapping[str, str] = field(default_factory=dict)
    """What was sent, where it came from a page of ours: it is shown, so that nothing is lost."""


class WebGuard:
    """Pass on the requests of one server's own pages, with the fields of their forms.

    What it passes on has in `scope["state"]`: `form`, the fields by name, and `csrf`, which a form must hold.
    """

    def __init__(self, app: App, place: HttpPlace, port: int, refuse: Refuse) -> None:
        """Guard an application that is reached at a port of a place."""
        self._app = app
        self._token = place.token.encode()
        self._hosts = frozenset(list_hosts(place.host, port, place.names))
        self._refuse = refuse
        self._secret = secrets.token_bytes(32)
        self._entered: dict[str, None] = {}  # sessions that have given the token, oldest first

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or pass it on."""
        from starlette.requests import Request
        from starlette.responses import RedirectResponse

        if scope["type"] != "http":
            if scope["type"] == "lifespan":
                await self._app(scope, receive, send)
            return
        request = Request(scope, receive)
        session = request.cookies.get(COOKIE, "")
        is_new = not _SESSION.fullmatch(session)
        if is_new:
            session = secrets.token_urlsafe(32)
        csrf = hmac.new(self._secret, session.encode(), "sha256").hexdigest()
        scope["state"] = {"form": {}, "csrf": csrf}

        refusal = self._check_source(request)
        if refusal is None and request.method == "POST":
            refusal = await self._read_form(request, csrf)
        answer: App = self._app
        path = request.url.path
        if refusal is not None:
            answer = self._refuse(request, refusal)
        elif self._token and path == "/login" and request.method == "POST":
            sent = request.state.form.get("token", "").encode()
            if hmac.compare_digest(sent, self._token):
                session, is_new = secrets.token_urlsafe(32), True
                self._entered[session] = None
                if len(self._entered) > _MOST_SESSIONS:
                    del self._entered[next(iter(self._entered))]
                answer = RedirectResponse("/", HTTPStatus.SEE_OTHER)
            else:
                answer = self._refuse(request, Refusal(HTTPStatus.UNAUTHORIZED, "That is not the token."))
        elif self._token and not path.startswith("/static/"):
            sent = request.headers.get("authorization", "").encode()
            if session not in self._entered and not hmac.compare_digest(sent, b"Bearer " + self._token):
                answer = self._refuse(request, Refusal(HTTPStatus.UNAUTHORIZED, "These pages need a token."))
        await answer(scope, receive, _add_headers(send, session if is_new else ""))

    def _check_source(self, request: Request) -> Refusal | None:
        """Return why a request is not from a page of ours; None where nothing says so."""
        host = request.headers.get("host", "").lower()
        if not is_host_of(host, self._hosts):
            message = (
                f"This server is not called {host!r:.80}. Start it with --allow-host to give it the name."
            )
            return Refusal(HTTPStatus.MISDIRECTED_REQUEST, message)
        if request.method in ("GET", "HEAD"):
            return None
        if request.method != "POST":
            return Refusal(HTTPStatus.METHOD_NOT_ALLOWED, f"There is nothing to {request.method:.20} here.")
        origin = request.headers.get("origin")
        is_foreign = request.headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none")
        if origin is not None:
            parts = urlsplit(origin)
            is_foreign = (
                is_foreign
                or parts.scheme not in ("http", "https")
                or not is_host_of(parts.netloc, self._hosts)
            )
        if is_foreign:
            return Refusal(HTTPStatus.FORBIDDEN, "This form comes from a page of another site.")
        return None

    async def _read_form(self, request: Request, csrf: str) -> Refusal | None:
        """Read the fields of a form into the state of its request, or return why they are refused."""
        size = 0
        body = bytearray()
        async for chunk in request.stream():
            size += len(chunk)
            if size <= LONGEST_BODY:
                body += chunk
            elif size > _LONGEST_WASTE:
                break
        if size > LONGEST_BODY:
            limit = f"The form is larger than {format_size(LONGEST_BODY)}."
            message = f"{limit} Nothing was written: go back, where it still stands, and send less."
            return Refusal(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, message)
        if request.headers.get("content-type", "").partition(";")[0].strip() != _FORM_TYPE:
            return Refusal(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, f"A form is sent as {_FORM_TYPE}.")
        try:
            fields = dict(parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=_MOST_FIELDS))
        except ValueError:
            return Refusal(HTTPStatus.BAD_REQUEST, "The form cannot be read.")
        form = {name: text.replace("\r\n", "\n") for name, text in fields.items()}
        request.state.form = form
        if not hmac.compare_digest(form.pop("csrf", "").encode(), csrf.encode()):
            message = "The page that this form was on is older than the server, or than its cookie."
            own_page = request.headers.get("origin") is not None
            return Refusal(HTTPStatus.FORBIDDEN, message, form if own_page else {})
        return None


def _add_headers(send: Send, session: str) -> Send:
    """Return a `send` that adds what browsers are told of every page, and the cookie of a new session."""
    headers = dict(_HEADERS)
    if session:
        headers["set-cookie"] = f"{COOKIE}={session}; Path=/; HttpOnly; SameSite=Lax"

    async def send_with_headers(message: Scope) -> None:
        """Send a message of the protocol."""
        if message["type"] == "http.response.start":
            present = list(message.get("headers", ()))
            names = {name for name, _ in present if name != b"set-cookie"}
            for name, value in headers.items():
                if name.encode() not in names:
                    present.append((name.encode(), value.encode()))
            message = {**message, "headers": present}
        await send(message)

    return send_with_headers
