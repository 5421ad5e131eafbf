"""Remembering a conversation: a model proposes, rules decide, the store keeps both."""

from __future__ import annotations

from ace.llm.client import Client
from ace.memory.conversation import Conversation
from ace.memory.rememberer import NAME, Rememberer
from ace.store import MemoryProposal, Store


def remember(
    store: Store, client: Client, conversation: Conversation, *, seed: int = 0
) -> list[MemoryProposal]:
    """Return what a model proposed to remember of a conversation, and what became of it. One model call.

    Proposals that the rules refuse are returned as well, with the reason. A conversation that was read before
    is read again; what it says is known then, and nothing is kept twice. `seed` is that of the call. Raises
    ModelError as the client does; then nothing is kept.
    """
    memories = store.memories(conversation.user, session=conversation.session, at=conversation.time)
    proposed = Rememberer(client)(conversation, memories, seed=seed)
    return store.consider(conversation, proposed, author=NAME)
