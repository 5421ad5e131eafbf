"""Texts as such: tokens, words, Unicode. Knows no playbook, no task and no model."""

from __future__ import annotations

from ace.text.tokens import CountTokens, estimate_tokens

__all__ = ["CountTokens", "estimate_tokens"]
