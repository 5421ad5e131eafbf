"""What a model sees: items, packed under one token budget, and rendered. Pure, given the items."""

from ace.context.assemble import DEFAULT_SHARE, Assembled, Fill, Found, Frame, Limit, Placed, assemble
from ace.context.item import Item, Source, Trust
from ace.context.pack import LeftOut, Packed, pack
from ace.context.render import Rendered, render_playbook
from ace.context.source import CallableSource, as_source

__all__ = [
    "DEFAULT_SHARE",
    "Assembled",
    "CallableSource",
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
    "pack",
    "render_playbook",
]
