"""The rememberer reads a conversation and proposes what should be remembered of the user."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, cast

from pydantic import BaseModel, Field

from ace.llm.client import Client, Request, Role
from ace.llm.prompts import messages, quote_text, render
from ace.memory.acceptance import LONGEST, Proposal
from ace.memory.conversation import Conversation
from ace.memory.memory_value import Kind, Memory

NAME = "rememberer"
MAX_TOKENS = 400
_LONGEST_TURN = 4_000  # characters
_MOST_NAMES = 30  # of memories that are known already


# A schema's docstring goes into requests: to edit it makes recordings and unfinished runs useless.
class Note(BaseModel):
    """One thing about the user: what it is about, and what the user said of it."""

    about: str = Field(max_length=80)
    value: str = Field(max_length=LONGEST)
    kind: Literal["fact", "preference", "feedback"]


class Notes(BaseModel):
    """Flat and short, so that a small model can write it; whether it is true is for rules to check."""

    memories: list[Note] = Field(max_length=8)


@dataclass(frozen=True, slots=True)
class Rememberer:
    """Propose memories, with one model call a conversation; `ace.memory.acceptance` decides which to keep."""

    client: Client
    """Connects to the model that proposes."""

    def __call__(
        self, conversation: Conversation, memories: Sequence[Memory] = (), *, seed: int = 0
    ) -> tuple[Proposal, ...]:
        """Return what should be remembered, in the model's order: at most eight proposals.

        `memories` are known already, so that the same thing gets the same name. The model sees only
        the names: a small one would repeat the values.
        Raises MalformedReply when there is no usable reply, ModelError as the client does.
        """
        turns = [(turn.speaker, quote_text(turn.text, _LONGEST_TURN)) for turn in conversation.spoken]
        names = list(dict.fromkeys(quote_text(memory.attribute) for memory in memories[-_MOST_NAMES:]))
        user = render("ace.memory", f"{NAME}.user", turns=turns, names=names)
        request = Request(
            role=Role.REMEMBERER,
            messages=messages(render("ace.memory", f"{NAME}.system"), user),
            schema=Notes,
            seed=seed,
            max_tokens=MAX_TOKENS,
        )
        reply = self.client.complete(request)
        notes = cast(Notes, reply.parsed).memories  # what `schema` promises
        return tuple(Proposal(note.about, note.value, Kind(note.kind)) for note in notes)
