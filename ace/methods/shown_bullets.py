"""Show some bullets of a playbook and no others: as a text, or those nearest to a question."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ace.context.item import Item
from ace.context.pack import LeftOut
from ace.context.render import Rendered, list_item, render_playbook
from ace.llm.embedding import Embedder
from ace.playbook.delta import apply
from ace.playbook.model import Bullet, Playbook, Remove
from ace.safety.secrets import hide_secrets
from ace.task.types import Sample
from ace.text import CountTokens


def question_line(sample: Sample) -> str:
    """Return the first line of a bullet that is about a sample, without secrets."""
    return hide_secrets(f"Question: {sample.question}") + "\n"


def list_others(playbook: Playbook, section: str, sample: Sample) -> list[Bullet]:
    """Return the bullets of a section that are not about a sample itself."""
    own = question_line(sample)
    return [b for b in playbook.active if b.section == section and not b.content.startswith(own)]


def show_bullets(
    bullets: Sequence[Bullet],
    playbook: Playbook,
    room: int,
    count: CountTokens,
    utility: Callable[[Bullet], float] | None = None,
    *,
    ids: bool = False,
) -> Rendered:
    """Return some bullets as text, with their `ids`.

    Where room is short those of more `utility` stay, else the older ones.
    """
    chosen = {bullet.id for bullet in bullets}
    others = tuple(Remove(bullet.id) for bullet in playbook.active if bullet.id not in chosen)
    return render_playbook(apply(playbook, others)[0], room, count, ids=ids, utility=utility)


def show_nearest(
    bullets: Sequence[Bullet],
    question: str,
    room: int,
    count: CountTokens,
    *,
    embedder: Embedder,
    most: int | None = None,
) -> Rendered:
    """Return the bullets nearest to a question as items, the nearest first, `most` of them as room allows.

    Near is the cosine: the embedder's vectors have unit length.
    """
    if not bullets:
        return Rendered("", 0, (), ())
    items, left_out, tokens = [], [], 0
    for bullet in rank_nearest(bullets, question, embedder)[:most]:
        cost = count(list_item(bullet.content))
        if tokens + cost > room:
            left_out.append(LeftOut(bullet.id, cost, f"needs {cost} tokens, {room - tokens} are left"))
            continue
        tokens += cost
        items.append(Item(bullet.content, cost, bullet.id, bullet.section, volatile=True))
    return Rendered("", 0, (), tuple(left_out), tuple(items))


def rank_nearest(bullets: Sequence[Bullet], question: str, embedder: Embedder) -> list[Bullet]:
    """Return bullets in the order of their nearness to a question, of equals the earlier first."""
    vectors = embedder([question, *(bullet.content for bullet in bullets)])
    nearness = vectors[1:] @ vectors[0]
    order = sorted(range(len(bullets)), key=lambda place: (-float(nearness[place]), place))
    return [bullets[place] for place in order]
