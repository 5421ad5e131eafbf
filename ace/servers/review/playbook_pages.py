"""Pages of bullets: the playbook with the evidence behind every bullet, one bullet, search, one attempt."""

from __future__ import annotations

from starlette.responses import Response

from ace.errors import InputError, UnknownVersion
from ace.llm.embedding import connect_embedder
from ace.playbook.model import Bullet, Status
from ace.report.review_queue import Waiting, WaitKind, list_waiting, read_grounds
from ace.report.version_changes import BulletChange, trace_changes
from ace.retrieval.bullets import HybridSelector
from ace.runs.records import Touch
from ace.runs.trajectory_text import render_episode
from ace.servers.review.decisions import find_undecided, list_actions
from ace.servers.review.view import View
from ace.store.store import Store

PAGE_SIZE = 50
_MOST_FOUND = 30
_MOST_TOUCHES = 40
_MOST_EPISODES = 6  # of a bullet in a list
_LONGEST_QUERY = 2_000


def show_playbook(view: View) -> Response:
    """Return a page of live bullets, by section, each with what stands behind it."""
    section = view.request.query_params.get("section", "")
    status = view.request.query_params.get("status", "")
    with view.open() as store:
        playbook = store.checkout()
        bullets = [bullet for bullet in playbook.bullets.values() if not bullet.live]
        if status != Status.REMOVED:
            bullets = [bullet for bullet in playbook if status in ("", bullet.status)]
        if section:
            bullets = [bullet for bullet in bullets if bullet.section == section]
        page = view.read_number("page", 1)
        start = (page - 1) * PAGE_SIZE
        shown = bullets[start : start + PAGE_SIZE]
        proofs = store.proofs()
        cited = {name for bullet in shown for name in bullet.provenance[:_MOST_EPISODES]}
        episodes = {episode.id: episode for episode in store.episodes(ids=sorted(cited))}
        return view.render(
            "playbook.html.j2",
            store,
            bullets=shown,
            proofs=proofs,
            episodes=episodes,
            most=_MOST_EPISODES,
            sections=store.count_by_section(),
            section=section,
            status=status,
            total=len(bullets),
            page=page,
            size=PAGE_SIZE,
        )


def show_bullet(view: View) -> Response:
    """Return the page of one bullet: what can be done with it, what stands behind it, its history."""
    name = str(view.request.path_params["bullet"])
    with view.open() as store:
        bullet = store.checkout_part([name]).bullets.get(name)
        in_playbook = bullet is not None
        if bullet is None:
            bullet = find_undecided(store, name)
        queue = list_waiting(store, store.checkout_part([name]))
        entries = [entry for kind in WaitKind for entry in queue[kind] if entry.bullet and entry.name == name]
        entry = (
            entries[0] if entries else Waiting(kind=WaitKind.PROPOSED, bullet=bullet, in_playbook=in_playbook)
        )
        (grounds,) = read_grounds(store, [entry], most=40)
        steps = [touch for touch in grounds.touches if touch.operation.op != "vote"][-_MOST_TOUCHES:]
        return view.render(
            "bullet.html.j2",
            store,
            bullet=bullet,
            entry=entry,
            waits=bool(entries),
            in_playbook=in_playbook,
            grounds=grounds,
            steps=[(touch, _trace_touch(store, bullet, touch)) for touch in reversed(steps)],
            votes=len(grounds.touches) - len(steps),
            aliases=store.aliases(bullet=name),
            actions=list_actions(bullet) if in_playbook else [("promote", "Approve"), ("remove", "Retire")],
        )


def _trace_touch(store: Store, bullet: Bullet, touch: Touch) -> BulletChange | None:
    """Return what an operation made of a bullet; None where it was one of several that a merge took in."""
    changes = trace_changes(store, touch.version.parent or 0, (touch.operation,))
    after = changes[0].after
    return changes[0] if after and after.id == bullet.id else None


def show_search(view: View) -> Response:
    """Return the bullets that come nearest to some words, in every status, and the attempt of that id."""
    query = view.request.query_params.get("q", "").strip()
    if len(query) > _LONGEST_QUERY:
        message = f"The question has {len(query):,} characters, of at most {_LONGEST_QUERY:,}."
        raise InputError(message, hint="Give the words that matter.")
    found_bullets: list[Bullet] = []
    with view.open() as store:
        episodes = []
        if query:
            bullets = dict(store.checkout().bullets)
            order = HybridSelector(connect_embedder()).rank(bullets, query)[:_MOST_FOUND]
            begin = [name for name in bullets if name.startswith(query)][:_MOST_FOUND]
            found_bullets = [bullets[name] for name in dict.fromkeys([*begin, *order])]
            episodes = store.episodes(ids=[query])[:1]
        return view.render("search.html.j2", store, query=query, bullets=found_bullets, episodes=episodes)


def show_episode(view: View) -> Response:
    """Return one attempt with every step of it. Raises UnknownVersion for an id of none."""
    name = str(view.request.path_params["episode"])
    with view.open() as store:
        episodes = store.episodes(ids=[name])
        if not episodes:
            raise UnknownVersion(f"There is no attempt {name!r:.60} in this file.")
        return view.render("episode.html.j2", store, episode=episodes[-1], steps=render_episode(episodes[-1]))
