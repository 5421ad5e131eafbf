"""Contexts, which a model sees: items, packed under one token budget, and rendered. Pure, given the items."""

from ace.context.assemble import DEFAULT_SHARE, Assembled, Fill, Frame, Limit, assemble
from ace.context.item import Item, Source, SourceItems, Trust
from ace.context.pack import LeftOut, Packed, pack
from ace.context.render import Rendered, render_playbook
from ace.context.source import CallableSource, as_source
from ace.context.user_message import PlacedItem

__all__ = [
    "DEFAULT_SHARE",
    "Assembled",
    "CallableSource",
    "Fill",
    "Frame",
    "Item",
    "LeftOut",
    "Limit",
    "Packed",
    "PlacedItem",
    "Rendered",
    "Source",
    "SourceItems",
    "Trust",
    "as_source",
    "assemble",
    "pack",
    "render_playbook",
]
