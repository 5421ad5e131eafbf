"""What a method is built with beside its models and settings: how tokens are counted, how texts are
compared.
"""

from __future__ import annotations

from dataclasses import dataclass

from ace.llm.embedding import Embedder
from ace.retrieval.bullets import HybridSelector
from ace.text import CountTokens, estimate_tokens


@dataclass(frozen=True, slots=True)
class Equipment:
    """`choose_bullets` picks bullets for a question when not all fit (None: the oldest stay)."""

    count_tokens: CountTokens = estimate_tokens
    choose_bullets: HybridSelector | None = None
    embedder: Embedder | None = None
