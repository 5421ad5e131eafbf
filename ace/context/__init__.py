"""What a model sees: items, packed under one token budget, and rendered. Pure, given the items."""

from ace.context.acceptance import Proposal
from ace.context.assemble import DEFAULT_SHARE, Assembled, Fill, Found, Frame, Limit, Placed, assemble
from ace.context.conversation import Conversation, Turn, conversation_of
from ace.context.item import Item, Source, Trust
from ace.context.memory import Kind, Memory, Scope
from ace.context.pack import LeftOut, Packed, pack
from ace.context.render import Rendered, defused, neutralise, render_playbook
from ace.context.source import CallableSource, as_source
from ace.context.tokens import CountTokens, estimate_tokens

__all__ = [
    "DEFAULT_SHARE",
    "Assembled",
    "CallableSource",
    "Conversation",
    "CountTokens",
    "Fill",
    "Found",
    "Frame",
    "Item",
    "Kind",
    "LeftOut",
    "Limit",
    "Memory",
    "Packed",
    "Placed",
    "Proposal",
    "Rendered",
    "Scope",
    "Source",
    "Trust",
    "Turn",
    "as_source",
    "assemble",
    "conversation_of",
    "defused",
    "estimate_tokens",
    "neutralise",
    "pack",
    "render_playbook",
]
