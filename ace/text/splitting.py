"""Splitting a text into words and sentences. Every script; only the abbreviations are English."""

from __future__ import annotations

import re
from functools import cache
from itertools import pairwise

from ace.text.word_lists import stop_words, word_list

SENTENCE_ENDS = ".!?\u3002\uff01\uff1f"
# One character is a word in scripts that are written without spaces: kana, Han, Hangul, Thai.
UNSPACED = "[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af\u0e00-\u0e7f]"
_UNSPACED_LETTER = re.compile(UNSPACED)
_WORD = re.compile(f"{UNSPACED}|[^\\W_]+(?:['\u2019][^\\W_]+)*")
_WORD_OR_NAME = re.compile(f"{UNSPACED}|[^\\W_]+(?:[._'\u2019][^\\W_]+)*")
_POSSESSIVE = re.compile("['\u2019]s$", re.IGNORECASE)


def is_unspaced(character: str) -> bool:
    """Return whether a character is of a script that is written without spaces."""
    return _UNSPACED_LETTER.match(character) is not None


def split_words(text: str, *, whole_names: bool = False, keep_case: bool = False) -> list[str]:
    """Return the words and numbers of a text in order, folded to lower case, apostrophes as "'".

    A possessive "'s" is dropped. `whole_names` keeps "orders.status", "order_id" and "3.5" in one piece.
    `keep_case` leaves capitals as they are.
    """
    pattern = _WORD_OR_NAME if whole_names else _WORD
    words = (_POSSESSIVE.sub("", word).replace("\u2019", "'") for word in pattern.findall(text))
    return list(words) if keep_case else [word.casefold() for word in words]


def split_clauses(text: str) -> list[str]:
    """Return the clauses of a text with the signs and spaces behind them: joined, they are the text.

    A clause ends at a sign of punctuation before a space, at a line break, at brackets and dashes, and before
    a conjunction.
    """
    cuts = [match.start() for match in _compile_clause_start().finditer(text)]
    places = [0, *cuts, len(text)]
    return [text[start:end] for start, end in pairwise(places) if start < end]


@cache
def _compile_clause_start() -> re.Pattern[str]:
    """Compile the places where a clause begins."""
    conjunctions = "|".join(sorted(stop_words("english", "conjunctions")))
    return re.compile(
        rf"(?<=[,;.!?)\]}}]\s)(?=\S)|(?<=[\u3001\u3002\uff01\uff0c\uff1b\uff1f\n])(?=\S)"
        rf"|(?<=\s)(?=[(\[{{]|--?\s|[\u2013\u2014]|(?:{conjunctions})\b)|(?=[\u2013\u2014])(?<!^)",
        re.IGNORECASE,
    )


def split_sentences(text: str, *, ends: str = SENTENCE_ENDS, abbreviations: bool = True) -> list[str]:
    """Return the sentences of a text, stripped; a line break ends one, too.

    `ends` are the characters that end a sentence before a space. With `abbreviations`, no sentence ends after
    an initial, a title or "No." before a number, as in "J. Doe", "Mr. Finch" and "No. 12".
    """
    parts = (part.strip() for part in _compile_sentence_end(ends, abbreviations).split(text))
    return [part for part in parts if part]


@cache
def _compile_sentence_end(ends: str, abbreviations: bool) -> re.Pattern[str]:
    """Compile what stands between two sentences: space behind an end, or line breaks."""
    end = rf"(?<=[{re.escape(ends)}])\s+"
    if abbreviations:
        titles = "".join(rf"(?<!\b{title}\.)" for title in word_list("titles"))
        end = rf"(?<!\b[A-Z]\.){titles}(?!(?<=\bNo\.)\s+\d){end}"
    return re.compile(rf"{end}|\n+")
