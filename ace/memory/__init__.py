"""What is known of users: memories, the rules for keeping them, and the roles that read conversations."""

from __future__ import annotations

from ace.memory.acceptance import Proposal
from ace.memory.conversation import Conversation, Turn, conversation_of
from ace.memory.memory import Kind, Memory, Scope

__all__ = ["Conversation", "Kind", "Memory", "Proposal", "Scope", "Turn", "conversation_of"]
