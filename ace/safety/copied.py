"""Find sentences of a lesson that repeat a text nobody vouches for, instead of what labels show. Pure.

A lesson in the form "words people use: what stands for them" takes its words from the question; that is what
they are for. It repeats a text when more than that comes from there: five words in a row outside such a
head, seven of the question or four of another text inside it, or, where nothing in it comes from a label
alone, most of its words.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain

from ace.text.splitting import SENTENCE_ENDS, split_sentences, split_words
from ace.text.stems import stem_word
from ace.text.word_lists import CLOSED_CLASSES, stop_words

_RUN = 5  # words in a row
_HEAD_RUN = 7  # in a row, of the question that a lesson is about
_FOREIGN_RUN = 4  # and of any other text
_FEW = 3  # words of a sentence: fewer may be alike by chance
_MOST = 0.6  # of the words of a sentence
# Letters. A lesson can be in any language, and a prefix joins more forms than a stem: the rule stays strict.
_PREFIX = 5
_CLAIM = re.compile(
    r"\b(?:must|should|shall|always|never|needs? no|need not|instead|allowed|exempt|free of)\b", re.IGNORECASE
)

Gram = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Sources:
    """Hold what a lesson may have copied from, and what it may say.

    `head_runs` may not stand in a head, `runs` nowhere else. `words` are stems of anybody's words,
    `label_words` stems that only labels have, `labels` the words of each label.
    """

    head_runs: set[Gram]
    runs: set[Gram]
    words: set[str]
    label_words: set[str]
    labels: Sequence[list[str]]


def find_copied_sentence(
    lesson: str, question: str, others: Iterable[str] = (), vouched: Iterable[str] = ()
) -> str:
    """Return the first sentence of a lesson that repeats the question or one of the `others`, or "".

    `vouched` is what labels and the environment's own names say: what stands there is not repeated.
    """
    sources = _collect_sources(
        _split_into_tokens(question),
        list(map(_split_into_tokens, others)),
        list(map(_split_into_tokens, vouched)),
    )
    # An abbreviation would join two sentences, and hide the second among the words of the first.
    for sentence in split_sentences(lesson, ends=f"{SENTENCE_ENDS};", abbreviations=False):
        if _repeats(sentence, sources):
            return sentence
    return ""


def _collect_sources(
    question: list[str], others: Sequence[list[str]], labels: Sequence[list[str]]
) -> _Sources:
    heard = [question, *others]
    words = _stem_all(chain.from_iterable(heard))
    label_words = _stem_all(chain.from_iterable(labels))
    foreign_runs = set(_list_grams(others, _FOREIGN_RUN)) - set(_list_grams([question], _FOREIGN_RUN))
    return _Sources(
        head_runs=set(_list_grams([question], _HEAD_RUN)) | foreign_runs,
        runs=set(_list_grams(heard, _RUN)) - set(_list_grams(labels, _RUN)),
        words=words,
        label_words=label_words - words,
        labels=labels,
    )


def _repeats(sentence: str, sources: _Sources) -> bool:
    words = _split_into_tokens(sentence)
    if _is_part_of(words, sources.labels):
        return False
    head, colon, meaning = sentence.partition(":")
    claim = _split_into_tokens(meaning) if colon else words
    from_label = bool(_stem_all(claim) & sources.label_words) or _is_part_of(claim, sources.labels)
    if colon and from_label and not _CLAIM.search(head):
        head_words = _split_into_tokens(head)
        return _has_run(head_words, sources.head_runs) or _has_run(claim, sources.runs)
    if _has_run(words, sources.runs):
        return True
    small_words = stop_words("english", *CLOSED_CLASSES)
    stems = _stem_all(word for word in words if word not in small_words)
    return not from_label and len(stems & sources.words) >= max(_FEW, _MOST * len(stems))


def _has_run(words: list[str], runs: set[Gram]) -> bool:
    sizes = {len(run) for run in runs}
    return any(gram in runs for size in sizes for gram in _list_grams([words], size))


def _is_part_of(words: list[str], texts: Iterable[list[str]]) -> bool:
    """Return whether words stand, in a row, in one of the texts."""
    return bool(words) and any(tuple(words) in set(_list_grams([text], len(words))) for text in texts)


def _list_grams(texts: Iterable[Sequence[str]], size: int) -> Iterator[Gram]:
    for text in texts:
        for start in range(len(text) - size + 1):
            yield tuple(text[start : start + size])


def _split_into_tokens(text: str) -> list[str]:
    return split_words(text, whole_names=True)


def _stem_all(words: Iterable[str]) -> set[str]:
    return {stem_word(word, prefix=_PREFIX) for word in words}
