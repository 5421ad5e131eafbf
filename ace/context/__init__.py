"""What a model sees: items, packed under one token budget, and rendered. Pure, given the items."""

from ace.context.pack import Item, LeftOut, Packed, pack
from ace.context.render import Rendered, neutralise, render_playbook
from ace.context.tokens import CountTokens, estimate_tokens

__all__ = [
    "CountTokens",
    "Item",
    "LeftOut",
    "Packed",
    "Rendered",
    "estimate_tokens",
    "neutralise",
    "pack",
    "render_playbook",
]
