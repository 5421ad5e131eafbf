"""What a model sees: items, packed under one token budget, and rendered. Pure, given the items."""

from ace.context.assemble import DEFAULT_SHARE, Assembled, Fill, Found, Frame, Limit, Placed, assemble
from ace.context.item import Item, Source, Trust
from ace.context.pack import LeftOut, Packed, pack
from ace.context.render import Rendered, defused, neutralise, render_playbook
from ace.context.source import CallableSource, as_source
from ace.context.tokens import CountTokens, estimate_tokens

__all__ = [
    "DEFAULT_SHARE",
    "Assembled",
    "CallableSource",
    "CountTokens",
    "Fill",
    "Found",
    "Frame",
    "Item",
    "LeftOut",
    "Limit",
    "Packed",
    "Placed",
    "Rendered",
    "Source",
    "Trust",
    "as_source",
    "assemble",
    "defused",
    "estimate_tokens",
    "neutralise",
    "pack",
    "render_playbook",
]
