"""User memory: memories, the rules for keeping them, and the roles that read conversations."""

from __future__ import annotations

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
