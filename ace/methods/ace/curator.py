"""The curator edits the bullets on one topic: it may propose every operation, not only Add."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Annotated, cast

from pydantic import BaseModel, Field

from ace.llm.client import Client, Request, Role, Subject
from ace.llm.prompts import messages, quote_text, render
from ace.methods.ace.proposals import add_lesson, merge_lessons, revise_lesson
from ace.playbook.delta import touched_ids
from ace.playbook.model import Add, Bullet, Delta, Merge, Operation, Quarantine, Remove, Revise
from ace.refine.lost_details import find_lost_facts
from ace.safety.injection import find_suspicion
from ace.settings import Profile

MAX_TOKENS = {Profile.SMALL: 400, Profile.FULL: 2_000}


# A schema's docstring goes into requests: to edit it makes recordings and unfinished runs useless.
class Curation(BaseModel):
    """Operations to apply in order."""

    operations: list[Annotated[Operation, Field(discriminator="op")]] = Field(max_length=8)


@dataclass(frozen=True, slots=True)
class Curator:
    """Ask a model which operations would make a few bullets better (ACE, arXiv 2510.04618, section 3)."""

    client: Client
    """The curator's model."""

    profile: Profile = Profile.SMALL
    """Bounds the length of its reply."""

    def __call__(
        self, bullets: Sequence[Bullet], *, failure: str = "", shorter: bool = False, seed: int = 0
    ) -> Delta:
        """Return the operations it proposes, as it put them; see `confine_delta` for what they may touch.

        With `shorter` it is asked to say the same in fewer words.

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
            messages=messages(render("ace.methods.ace", "curator.system", shorter=shorter), user),
            schema=Curation,
            seed=seed,
            max_tokens=MAX_TOKENS[self.profile],
            subject=Subject(bullets=tuple(bullet.content for bullet in bullets)),
        )
        reply = self.client.complete(request)
        parsed = cast(Curation, reply.parsed)  # what `schema` promises
        return tuple(parsed.operations)


def confine_delta(delta: Delta, bullets: Iterable[Bullet]) -> tuple[Delta, str]:
    """Return a curator's operations, confined to the bullets it was shown, and a note on what is ignored.

    New bullets get ids of ours. A merge may lose no number, name, unit or denial of what it merges; a
    revision may: it is how a lesson is corrected. A suspicious text stands in the note: no word of a model is
    lost.
    """
    by_id = {bullet.id: bullet for bullet in bullets}
    confined: list[Operation] = []
    ignored = []
    for operation in delta:
        accepted: Operation | None = None
        match operation:
            case Add(content=content, section=section):
                accepted = add_lesson(content.strip(), section)
            case Merge(into=into, sources=sources, content=content) if {into, *sources} <= by_id.keys():
                accepted = merge_lessons(into, sources, content.strip())
            case Revise(id=name, content=content) if name in by_id:
                accepted = revise_lesson(name, content.strip())
            case Remove(id=name) | Quarantine(id=name) if name in by_id:
                accepted = operation
        text = operation.content if isinstance(operation, Add | Revise | Merge) else ""
        objection = ""
        if flaw := find_suspicion(text):
            objection = f" ({flaw}: {text})"
        elif isinstance(operation, Merge) and isinstance(accepted, Merge | Revise):
            old = [by_id[name].content for name in touched_ids(operation)]
            lost = find_lost_facts(old, accepted.content)
            objection = f" (it loses {', '.join(lost)})" if lost else ""
        if accepted is None or objection:
            ignored.append(f"{operation.op} {', '.join(touched_ids(operation))}{objection}")
        else:
            confined.append(accepted)
    note = f"; ignored: {'; '.join(ignored)}" if ignored else ""
    return tuple(confined), note
