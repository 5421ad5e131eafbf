"""What a model sees: items, packed under one token budget, and rendered. Pure, given the items."""

from ace.context.item import Item, Source, Trust
from ace.context.pack import LeftOut, Packed, pack
from ace.context.render import Rendered, defused, neutralise, render_playbook
from ace.context.tokens import CountTokens, estimate_tokens

__all__ = [
    "CountTokens",
    "Item",
    "LeftOut",
    "Packed",
    "Rendered",
    "Source",
    "Trust",
    "defused",
    "estimate_tokens",
    "neutralise",
    "pack",
    "render_playbook",
]
