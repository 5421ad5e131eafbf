"""User memory: memories, the rules for keeping them, and the roles that read conversations."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ace.lazy import import_lazily

if TYPE_CHECKING:
    from ace.memory.acceptance import Proposal
    from ace.memory.conversation import Conversation, Turn, parse_conversation
    from ace.memory.memory_value import Kind, Memory, Scope, check_memory, normalize_name, parse_instant
    from ace.memory.timeline import Placement, find_overlaps, place_memory, select_holding

__all__ = [
    "Conversation",
    "Kind",
    "Memory",
    "Placement",
    "Proposal",
    "Scope",
    "Turn",
    "check_memory",
    "find_overlaps",
    "normalize_name",
    "parse_conversation",
    "parse_instant",
    "place_memory",
    "select_holding",
]

_HOMES = {
    "ace.memory.acceptance": ("Proposal",),
    "ace.memory.conversation": (
        "Conversation",
        "Turn",
        "parse_conversation",
    ),
    "ace.memory.memory_value": (
        "Kind",
        "Memory",
        "Scope",
        "check_memory",
        "normalize_name",
        "parse_instant",
    ),
    "ace.memory.timeline": (
        "Placement",
        "find_overlaps",
        "place_memory",
        "select_holding",
    ),
}
if not TYPE_CHECKING:  # a checker that saw this would let every name pass
    __getattr__ = import_lazily(__name__, _HOMES)
