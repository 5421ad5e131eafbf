"""What a model sees: items, packed under one token budget, and rendered. Pure, given the items."""

from ace.context.acceptance import Proposal
from ace.context.conversation import Conversation, Turn, conversation_of
from ace.context.item import Item, Source, Trust
from ace.context.memory import Kind, Memory, Scope
from ace.context.pack import LeftOut, Packed, pack
from ace.context.render import Rendered, neutralise, render_playbook
from ace.context.tokens import CountTokens, estimate_tokens

__all__ = [
    "Conversation",
    "CountTokens",
    "Item",
    "Kind",
    "LeftOut",
    "Memory",
    "Packed",
    "Proposal",
    "Rendered",
    "Scope",
    "Source",
    "Trust",
    "Turn",
    "conversation_of",
    "estimate_tokens",
    "neutralise",
    "pack",
    "render_playbook",
]
