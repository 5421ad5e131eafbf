"""Pages of bullets: the playbook with the evidence behind every bullet, one bullet, search, one attempt."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING

from ace.errors import InputError, UnknownVersion
from ace.playbook.model import Bullet, Status
from ace.report.review_queue import Waiting, WaitKind, list_waiting, read_grounds
from ace.report.version_changes import BulletChange, trace_changes
from ace.runs.records import Version
from ace.runs.trajectory_text import render_episode
from ace.servers.review.decisions import find_undecided, list_actions
from ace.servers.review.view import View

if TYPE_CHECKING:
    from starlette.responses import Response

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
        playbook, live = view.library.checkout(store)
        if status == Status.REMOVED:
            bullets = [bullet for bullet in playbook.bullets.values() if not bullet.live]
        else:
            bullets = [bullet for bullet in live if status in ("", bullet.status)]
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
            wanted_status=status,
            total=len(bullets),
            page=page,
            size=PAGE_SIZE,
        )


def show_bullet(view: View) -> Response:
    """Return the page of one bullet: what can be done with it, what stands behind it, its history."""
    name = str(view.request.path_params["bullet"])
    with view.open() as store:
        playbook = store.checkout_part([name])
        bullet = playbook.bullets.get(name)
        in_playbook = bullet is not None
        if bullet is None:
            bullet = find_undecided(store, name)
        proofs = store.proofs()
        queue = list_waiting(store, playbook, proofs)
        entries = [entry for kind in WaitKind for entry in queue[kind] if entry.bullet and entry.name == name]
        entry = Waiting(kind=WaitKind.PROPOSED, bullet=bullet, in_playbook=in_playbook)
        if entries:
            entry = entries[0]
        (grounds,) = read_grounds(store, [entry], proofs, most=40)
        edits = [touch for touch in grounds.touches if touch.operation.op != "vote"][-_MOST_TOUCHES:]
        steps: list[tuple[Version, list[BulletChange]]] = []  # a version, and what it changed of the bullet
        for version, group in groupby(edits, lambda edit: edit.version):
            delta = tuple(touch.operation for touch in group)
            steps.append((version, trace_changes(store, version.parent or 0, delta)))
        return view.render(
            "bullet.html.j2",
            store,
            bullet=bullet,
            entry=entry,
            waits=bool(entries),
            in_playbook=in_playbook,
            grounds=grounds,
            steps=steps[::-1],
            votes=len(grounds.touches) - len(edits),
            aliases=store.aliases(bullet=name),
            actions=list_actions(bullet) if in_playbook else [("promote", "Approve"), ("remove", "Retire")],
        )


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
            playbook, _ = view.library.checkout(store)
            bullets = playbook.bullets
            order = view.library.search(store, query, _MOST_FOUND)
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
