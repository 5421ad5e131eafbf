"""The page of what waits: one list for each kind, each entry with its text, its grounds and its buttons."""

from __future__ import annotations

from starlette.responses import Response

from ace.errors import InputError
from ace.report.review_queue import WaitKind, list_waiting, read_grounds
from ace.servers.review.decisions import list_actions
from ace.servers.review.view import View

PAGE_SIZE = 10


def show_queue(view: View) -> Response:
    """Return a page of what waits: of one kind, by default the first that has anything."""
    wanted = view.request.query_params.get("kind", "")
    if wanted and wanted not in frozenset(WaitKind):
        raise InputError(f"Nothing waits as {wanted!r:.40}.", hint=f"Kinds: {', '.join(WaitKind)}.")
    with view.open() as store:
        head = store.head()
        playbook, _ = view.library.checkout(store)
        conflicts = view.library.conflicts.find(head.hash, playbook, begin=wanted == WaitKind.CONFLICT)
        proofs = store.proofs()
        queue = list_waiting(store, playbook, proofs, conflicts or ())
        filled = [kind for kind in WaitKind if queue[kind]]
        kind = WaitKind(wanted) if wanted else next(iter(filled), WaitKind.PROPOSED)
        entries = queue[kind]
        page = view.read_number("page", 1)
        start = (page - 1) * PAGE_SIZE
        shown = entries[start : start + PAGE_SIZE]
        counts = {each_kind: str(len(queue[each_kind])) for each_kind in WaitKind}
        if conflicts is None:
            counts[WaitKind.CONFLICT] = "?"
        return view.render(
            "queue.html.j2",
            store,
            kind=kind,
            counts=counts,
            entries=list(zip(shown, read_grounds(store, shown, proofs), strict=True)),
            total=len(entries),
            page=page,
            size=PAGE_SIZE,
            is_searching=conflicts is None and kind is WaitKind.CONFLICT,
            list_actions=list_actions,
        )
