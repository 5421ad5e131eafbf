"""What every page needs: the file and the branch that it is about, its links, its templates, its errors."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import cache
from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, unquote, urlencode

from ace.errors import (
    AceError,
    InputError,
    StoreBusy,
    StoreConflict,
    StoreUnwritable,
    UnknownVersion,
)
from ace.llm.faults import hide
from ace.playbook.model import Status
from ace.report.html_page import open_templates
from ace.report.review_queue import WaitKind
from ace.safety.secrets import hide_secrets
from ace.servers.author_names import name_author
from ace.servers.review.library import Library
from ace.servers.review.web_guard import Refusal
from ace.store.hand_edits import PERSON, find_bullet_suspicion
from ace.store.store import Store
from ace.text.unicode import reveal_hidden
from ace.text.word_diff import Change, diff_words

if TYPE_CHECKING:
    from jinja2 import Environment
    from starlette.requests import Request
    from starlette.responses import Response

    Handler = Callable[["View"], Response]

_LOG = logging.getLogger(__name__)
_LONGEST_REASON = 500
_LONGEST_NAME = 200
NAME_COOKIE = "ace_name"
_NOTE_COOKIE = "ace_note"

_STATUS = (
    (UnknownVersion, HTTPStatus.NOT_FOUND),
    (StoreConflict, HTTPStatus.CONFLICT),
    (StoreBusy, HTTPStatus.SERVICE_UNAVAILABLE),
    (StoreUnwritable, HTTPStatus.FORBIDDEN),
    (InputError, HTTPStatus.BAD_REQUEST),
)


@dataclass(frozen=True, slots=True)
class View:
    """Hold one request for a page about a playbook."""

    request: Request
    library: Library

    book: str = ""
    """The name of the playbook; "" for pages that are about none."""

    branch: str = "main"
    """The branch that is looked at."""

    @property
    def form(self) -> Mapping[str, str]:
        """Return the fields of the form that was sent, by name; empty for a page that is only read."""
        fields: Mapping[str, str] = self.request.state.form
        return fields

    @property
    def author(self) -> str:
        """Return the author of what is decided here: a person, with the name that was given last, if any."""
        name = self.form.get("name", self.person).strip()
        return name_author(PERSON, hide_secrets(name[:_LONGEST_NAME]), "somebody") if name else PERSON

    @property
    def person(self) -> str:
        """Return the name that somebody gave last in this browser; "" where nobody did."""
        return unquote(self.request.cookies.get(NAME_COOKIE, ""))

    @property
    def here(self) -> str:
        """Return the address of this page, with its query."""
        query = self.request.url.query
        return self.request.url.path + (f"?{query}" if query else "")

    def open(self, *, write: bool = False) -> AbstractContextManager[Store]:
        """Open the playbook on the branch, to read unless `write`. Raises StoreError and UnknownVersion."""
        return self.library.open(self.book, self.branch, write=write)

    def link(self, *parts: object, **query: object) -> str:
        """Return the address of a page of this playbook and branch; what is "" in a query is left out."""
        path = "/".join(quote(str(part), safe=":") for part in ("", "p", self.book, *parts))
        values = {name: value for name, value in query.items() if value not in ("", None)}
        if self.branch != "main":
            values.setdefault("branch", self.branch)
        return f"{path}?{urlencode(values)}" if values else path

    def read_number(self, name: str, default: int, least: int = 1) -> int:
        """Return a number of the query or the form. Raises InputError for anything else."""
        text = self.form.get(name) or self.request.query_params.get(name, "")
        try:
            number = int(text or default)
        except ValueError:
            number = least - 1
        if not least <= number < 10**15:
            raise InputError(f"{name} is {text!r:.60}.", hint=f"Give a number from {least} on.")
        return number

    def read_reason(self, default: str) -> str:
        """Return the reason that was given, or `default`. Raises InputError for an endless one."""
        reason = self.form.get("reason", "").strip() or default
        if len(reason) > _LONGEST_REASON:
            message = f"The reason has {len(reason):,} characters, of at most {_LONGEST_REASON}."
            raise InputError(message, hint="Say it shorter.")
        return reason

    def render(
        self, template: str, store: Store | None, status: int = HTTPStatus.OK, **values: Any
    ) -> Response:
        """Return a page of a template, which may use this view and the state of the file."""
        from starlette.responses import HTMLResponse

        if store is not None:
            values |= {"head": store.head(), "branches": store.branches()}
        else:
            values |= {"head": None, "branches": []}
        note = self.request.cookies.get(_NOTE_COOKIE, "")
        values |= {"view": self, "books": list(self.library.books.list_paths()), "note": unquote(note)}
        text = load_templates().get_template(template).render(Status=Status, WaitKind=WaitKind, **values)
        answer = HTMLResponse(text.encode("utf-8", "backslashreplace"), status)
        if note:
            answer.delete_cookie(_NOTE_COOKIE)
        return answer

    def go_back(self, *, made: int | None = None, note: str = "") -> Response:
        """Return to the page that a form was on, which then tells of the version that was made, or a note."""
        from starlette.responses import RedirectResponse

        back = self.form.get("back", "")
        path = back.partition("#")[0].partition("?")[0]
        if not path.startswith(f"/p/{quote(self.book)}/") or "\\" in back or not back.isprintable():
            back = self.link("queue")
        if made is not None:
            back = f"{back}{'&' if '?' in back else '?'}made={made}"
        answer = RedirectResponse(back, HTTPStatus.SEE_OTHER)
        if note:  # in a cookie, so that no link can put words on a page
            answer.set_cookie(_NOTE_COOKIE, quote(note[:300]), max_age=30, httponly=True, samesite="lax")
        if "name" in self.form:
            answer.set_cookie(NAME_COOKIE, quote(self.form["name"][:60]), httponly=True, samesite="lax")
        return answer


def answer_safely(handler: Handler, view: View) -> Response:
    """Return what a handler returns, or a page of what went wrong, with everything that was sent."""
    try:
        return handler(view)
    except AceError as error:
        status = next((code for kind, code in _STATUS if isinstance(error, kind)), None)
        message = hide(str(error))
        if status is None:
            status = HTTPStatus.INTERNAL_SERVER_ERROR
    except Exception as error:
        _LOG.error("%s", hide(f"{type(error).__name__}: {error} at {view.request.url.path}"))
        status = HTTPStatus.INTERNAL_SERVER_ERROR
        message = "The server has a fault, which is in its log."
    return show_problem(view, status, message, view.form)


def show_problem(view: View, status: HTTPStatus, message: str, form: Mapping[str, str]) -> Response:
    """Return a page of what went wrong; a form that was sent can be sent again from it."""
    return view.render("problem.html.j2", None, status, failure=status, message=message, sent=form)


def show_refusal(library: Library, request: Request, refusal: Refusal) -> Response:
    """Return the page of a request that the guard did not pass on; it asks for a missing token."""
    view = View(request, library)
    if refusal.status is HTTPStatus.UNAUTHORIZED:
        return view.render("login.html.j2", None, refusal.status, message=refusal.message)
    return show_problem(view, refusal.status, refusal.message, refusal.form)


@cache
def load_templates() -> Environment:
    """Return the templates of these pages, with what they may call."""
    templates = open_templates("ace.servers.review")
    templates.globals.update(
        diff_words=diff_words, Change=Change, find_bullet_suspicion=find_bullet_suspicion
    )
    templates.tests["hiding"] = lambda text: reveal_hidden(str(text)) != str(text)
    return templates
