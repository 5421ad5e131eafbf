"""The curator edits the bullets on one topic: it may propose every operation, not only Add."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, cast

from pydantic import BaseModel, Field

from ace.llm.client import Client, Request, Role, Subject
from ace.llm.prompts import messages, quote_text, render
from ace.methods.ace.consider import add_lesson
from ace.playbook.delta import touched_ids
from ace.playbook.model import Add, Bullet, Delta, Merge, Operation, Quarantine, Remove, Revise
from ace.refine.lost_details import find_lost_facts
from ace.safety.injection import find_suspicion

MAX_TOKENS = 400


class Curation(BaseModel):
    """List operations to apply in order."""

    operations: list[Annotated[Operation, Field(discriminator="op")]] = Field(max_length=8)


@dataclass(frozen=True, slots=True)
class Curator:
    """Ask a model which operations would make a few bullets better."""

    client: Client

    def __call__(self, bullets: Sequence[Bullet], *, failure: str = "", seed: int = 0) -> Delta:
        """Return the operations it proposes, as it put them; see `confine_delta` for what they may touch.

        Raises MalformedReply when there is no valid list of operations, ModelError as the client does.
        """
        user = render(
            "ace.methods.ace",
            "curator.user",
            bullets=[(b.id, quote_text(b.content)) for b in bullets],
            failure=quote_text(failure),
        )
        request = Request(
            role=Role.CURATOR,
            messages=messages(render("ace.methods.ace", "curator.system"), user),
            schema=Curation,
            seed=seed,
            max_tokens=MAX_TOKENS,
            subject=Subject(bullets=tuple(bullet.content for bullet in bullets)),
        )
        reply = self.client.complete(request)
        parsed = cast(Curation, reply.parsed)  # what `schema` promises
        return tuple(parsed.operations)


def confine_delta(delta: Delta, bullets: Iterable[Bullet]) -> Delta:
    """Return a curator's operations, confined to the bullets it was shown; new bullets get ids of ours.

    Left out is also a merge that loses a number, a name, a unit or a denial of what it merges.
    """
    by_id = {bullet.id: bullet for bullet in bullets}
    confined = (_confine(operation, by_id) for operation in delta)
    return tuple(operation for operation in confined if operation is not None)


def describe_ignored(delta: Delta, bullets: Iterable[Bullet]) -> str:
    """Return what `confine_delta` leaves out, for the record."""
    by_id = {bullet.id: bullet for bullet in bullets}
    ignored = []
    for operation in delta:
        if _confine(operation, by_id) is None:
            names = ", ".join(touched_ids(operation))
            ignored.append(f"{operation.op} {names}{_find_objection(operation, by_id)}")
    return f"; ignored: {'; '.join(ignored)}" if ignored else ""


def _find_objection(operation: Operation, bullets: Mapping[str, Bullet]) -> str:
    """Return what speaks against an operation, with a suspicious text itself: no word of a model is lost.

    A merge may lose no fact. A revision may: it is how a lesson is corrected.
    """
    content = operation.content if isinstance(operation, Add | Revise | Merge) else ""
    if flaw := find_suspicion(content):
        return f" ({flaw}: {content})"
    if not isinstance(operation, Merge):
        return ""
    old = [bullets[name].content for name in touched_ids(operation) if name in bullets]
    lost = find_lost_facts(old, content)
    return f" (it loses {', '.join(lost)})" if lost else ""


def _confine(operation: Operation, bullets: Mapping[str, Bullet]) -> Operation | None:
    if _find_objection(operation, bullets):
        return None
    match operation:
        case Add(content=content):
            return add_lesson(" ".join(content.split()))
        case Merge(into=into, sources=sources, content=content) if {into, *sources} <= bullets.keys():
            others = tuple(dict.fromkeys(source for source in sources if source != into))
            line = " ".join(content.split())
            return Merge(into, others, line) if others else Revise(into, line)
        case Revise(id=name, content=content) if name in bullets:
            return Revise(name, " ".join(content.split()))
        case Remove(id=name) | Quarantine(id=name) if name in bullets:
            return operation
        case _:
            return None
