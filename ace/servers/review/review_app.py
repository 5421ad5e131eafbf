"""The application of the review pages: which address is answered by what."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

from ace.errors import UnknownVersion
from ace.report.html_page import read_style
from ace.servers.books import Books
from ace.servers.http_place import App, HttpPlace, serve_app
from ace.servers.review import decisions, history_pages, playbook_pages, queue_pages, run_pages
from ace.servers.review.library import Library
from ace.servers.review.view import View, answer_safely, load_templates, show_refusal
from ace.servers.review.web_guard import WebGuard
from ace.servers.transports import log_to_stderr
from ace.store import Store

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.routing import Route

    from ace.servers.review.view import Handler

TOKEN_VARIABLE = "ACE_UI_TOKEN"  # noqa: S105 (the name of a variable)

_READ: dict[str, Handler] = {
    "queue": queue_pages.show_queue,
    "playbook": playbook_pages.show_playbook,
    "bullet/{bullet:path}": playbook_pages.show_bullet,
    "episode/{episode:path}": playbook_pages.show_episode,
    "search": playbook_pages.show_search,
    "history": history_pages.show_history,
    "version/{version:path}": history_pages.show_version,
    "compare": history_pages.show_comparison,
    "names": history_pages.show_names,
    "runs": run_pages.list_runs,
    "run/{run:int}": run_pages.show_run,
    "run/{run:int}/report": run_pages.show_report,
    "accuracy": run_pages.show_accuracy,
}
_WRITE: dict[str, Handler] = {
    "decide": decisions.decide,
    "rollback": decisions.roll_back,
    "label": decisions.judge_label,
    "names": decisions.name_version,
}


def serve_review(books: Books, place: HttpPlace, announce: Callable[[str], None]) -> None:
    """Serve the pages until a signal ends it. `announce` is called with their address.

    Raises InputError where nobody can listen there, and StoreError for a playbook on a server that cannot be
    read. What is wrong with a file is said on its pages.
    """
    log_to_stderr()
    for playbook in books.places:
        if not isinstance(playbook, Path):
            Store.open(playbook, create=False, read_only=True).close()
    serve_app(partial(make_review_app, books, place), place.host, place.port, announce)


def make_review_app(books: Books, place: HttpPlace, port: int) -> App:
    """Return the pages of some playbooks, guarded as the place asks for."""
    from starlette.applications import Starlette
    from starlette.routing import Route

    library = Library(books)
    templates = load_templates()
    for name in templates.list_templates(extensions=["j2"]):
        templates.get_template(name)  # compiled now, and not while somebody waits
    routes = [
        Route("/", partial(_show_books, library), methods=["GET"]),
        Route("/static/{name}", _send_static, methods=["GET"]),
    ]
    routes += [_make_route(library, path, handler, "GET") for path, handler in _READ.items()]
    routes += [_make_route(library, path, handler, "POST") for path, handler in _WRITE.items()]
    app = Starlette(routes=routes, exception_handlers={404: partial(_show_missing, library)})
    return WebGuard(app, place, port, partial(show_refusal, library))


def _make_route(library: Library, path: str, handler: Handler, method: str) -> Route:
    """Return the route of a page about a playbook; its work is done in a thread."""
    from starlette.concurrency import run_in_threadpool
    from starlette.routing import Route

    async def answer(request: Request) -> Response:
        """Answer one request."""
        branch = request.query_params.get("branch") or "main"
        view = View(request, library, request.path_params["book"], branch)
        return await run_in_threadpool(answer_safely, handler, view)

    return Route(f"/p/{{book}}/{path}", answer, methods=[method])


def _show_books(library: Library, request: Request) -> Response:
    """Return the list of playbooks, or lead to the only one."""
    from starlette.responses import RedirectResponse

    names = list(library.books.list_paths())
    if len(names) == 1:
        return RedirectResponse(View(request, library, names[0]).link("queue"))
    return answer_safely(lambda view: view.render("books.html.j2", None), View(request, library))


def _show_missing(library: Library, request: Request, error: Exception) -> Response:
    """Return the page of an address that there is not."""

    def raise_missing(view: View) -> Response:
        """Raise what the page says."""
        raise UnknownVersion(f"There is no page {request.url.path!r:.120}.", hint="Begin at the first one.")

    return answer_safely(raise_missing, View(request, library))


def _send_static(request: Request) -> Response:
    """Return the style or the script, which are all that pages load."""
    from starlette.responses import Response

    folder = files("ace.servers.review")
    name = request.path_params["name"]
    kept = {"cache-control": "max-age=3600"}
    if name == "style.css":
        own = folder.joinpath("review.css").read_text("utf-8")
        return Response(f"{read_style()}\n{own}", media_type="text/css", headers=kept)
    if name == "htmx.min.js":
        script = folder.joinpath("htmx.min.js").read_bytes()
        return Response(script, media_type="text/javascript", headers=kept)
    return Response("There is no such file.", 404)
