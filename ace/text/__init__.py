"""Texts as such: size, words, stems, sentences, mentions, Unicode. Knows no playbook, task or model."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ace.lazy import import_lazily

if TYPE_CHECKING:
    from ace.text.keys import find_terms, weigh_shared_terms, word_key
    from ace.text.mentions import Mention, MentionKind, find_figures, find_mentions, normalize_figure
    from ace.text.splitting import split_sentences, split_words
    from ace.text.stems import singularize, stem_word
    from ace.text.tokens import CountTokens, estimate_tokens
    from ace.text.word_lists import stop_words, word_list

__all__ = [
    "CountTokens",
    "Mention",
    "MentionKind",
    "estimate_tokens",
    "find_figures",
    "find_mentions",
    "find_terms",
    "normalize_figure",
    "singularize",
    "split_sentences",
    "split_words",
    "stem_word",
    "stop_words",
    "weigh_shared_terms",
    "word_key",
    "word_list",
]

_HOMES = {
    "ace.text.keys": (
        "find_terms",
        "weigh_shared_terms",
        "word_key",
    ),
    "ace.text.mentions": (
        "Mention",
        "MentionKind",
        "find_figures",
        "find_mentions",
        "normalize_figure",
    ),
    "ace.text.splitting": (
        "split_sentences",
        "split_words",
    ),
    "ace.text.stems": (
        "singularize",
        "stem_word",
    ),
    "ace.text.tokens": (
        "CountTokens",
        "estimate_tokens",
    ),
    "ace.text.word_lists": (
        "stop_words",
        "word_list",
    ),
}
if not TYPE_CHECKING:  # a checker that saw this would let every name pass
    __getattr__ = import_lazily(__name__, _HOMES)
