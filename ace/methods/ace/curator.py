"""The curator edits the bullets on one subject: it may propose every operation, not only Add."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, cast

from pydantic import BaseModel, Field

from ace.llm.client import Client, Request, Role, Subject
from ace.llm.prompts import messages, quote_text, render
from ace.playbook.model import Bullet, Delta, Operation

MAX_TOKENS = 400


class Curation(BaseModel):
    """Operations to apply in order."""

    operations: list[Annotated[Operation, Field(discriminator="op")]] = Field(max_length=8)


@dataclass(frozen=True, slots=True)
class Curator:
    """Asks a model which operations would make a few bullets better."""

    client: Client

    def __call__(self, bullets: Sequence[Bullet], *, failure: str = "", seed: int = 0) -> Delta:
        """The operations it proposes, as it put them: the caller checks what they touch.

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
