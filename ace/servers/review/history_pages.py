"""Pages of the history: the versions as a timeline, one version, two compared, branches and tags."""

from __future__ import annotations

from starlette.responses import Response

from ace.report.version_changes import trace_changes
from ace.servers.review.view import View

PAGE_SIZE = 30
_MOST_OPERATIONS = 3  # of a version in the timeline
_MOST_CHANGES = 50


def show_history(view: View) -> Response:
    """Return versions, newest first, each with its first changes, its tags and the branches at it."""
    every = view.request.query_params.get("all", "") == "yes"
    page = view.read_number("page", 1)
    with view.open() as store:
        versions = store.log(page * PAGE_SIZE + 1, every_branch=every)
        shown = versions[(page - 1) * PAGE_SIZE : page * PAGE_SIZE]
        changes = {}
        for version in shown:
            delta = store.operations(version.number, _MOST_OPERATIONS)
            changes[version.number] = trace_changes(store, version.parent or 0, delta)
        return view.render(
            "history.html.j2",
            store,
            versions=shown,
            changes=changes,
            tags=store.tags(),
            every=every,
            page=page,
            has_more=len(versions) > page * PAGE_SIZE,
        )


def show_version(view: View) -> Response:
    """Return one version: who made it and why, and what it changed, with texts before and after."""
    page = view.read_number("page", 1)
    with view.open() as store:
        number = store.find_version(str(view.request.path_params["version"]))
        (version,) = store.log(1, version=number)
        start = (page - 1) * _MOST_CHANGES
        delta = store.operations(number, start + _MOST_CHANGES)
        return view.render(
            "version.html.j2",
            store,
            version=version,
            changes=trace_changes(store, version.parent or 0, delta, start, _MOST_CHANGES),
            total=version.operations,
            page=page,
            size=_MOST_CHANGES,
            tags=store.tags(),
        )


def show_comparison(view: View) -> Response:
    """Return what leads from one version to another."""
    query = view.request.query_params
    page = view.read_number("page", 1)
    with view.open() as store:
        first = store.find_version(query.get("a", "").strip() or 0)
        second = store.find_version(query.get("b", "").strip() or store.head().number)
        delta = store.diff(first, second)
        start = (page - 1) * _MOST_CHANGES
        return view.render(
            "compare.html.j2",
            store,
            first=first,
            second=second,
            changes=trace_changes(store, first, delta, start, _MOST_CHANGES),
            total=len(delta),
            page=page,
            size=_MOST_CHANGES,
        )


def show_names(view: View) -> Response:
    """Return the branches and tags, with the forms that make them."""
    with view.open() as store:
        return view.render("names.html.j2", store, tags=store.tags())
