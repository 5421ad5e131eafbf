"""Find sentences of a lesson that repeat a text nobody vouches for, instead of what labels show. Pure.

A lesson in the form "words people use: what stands for them" takes its words from the question; that is what
they are for. It repeats a text when more than that comes from there: five words in a row outside such a
head, seven of the question or four of another text inside it, or, where nothing in it comes from a label
alone, most of its words.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import chain

from ace.text.lookalike import normalize_lookalikes
from ace.text.splitting import SENTENCE_ENDS, split_sentences, split_words
from ace.text.stems import stem_word
from ace.text.unfold import fold_text
from ace.text.word_lists import CLOSED_CLASSES, stop_words

_RUN = 5  # words in a row
_HEAD_RUN = 7  # in a row, of the question that a lesson is about
_FOREIGN_RUN = 4  # and of any other text
_FEW = 3  # words of a sentence: fewer may be alike by chance
_LONGEST_VALUE = 8  # words: what is longer is a text, not a value
_MOST = 0.6  # of the words of a sentence
# Letters. A lesson can be in any language, and a prefix joins more forms than a stem: the rule stays strict.
_PREFIX = 5
_CLAIM = re.compile(
    r"\b(?:must|should|shall|always|never|needs? no|need not|instead|allowed|exempt|free of)\b", re.IGNORECASE
)

_COMPOUND = re.compile(r"(?<![\w-])[^\W\d_]+(?:-[^\W\d_]+){1,2}(?![\w-])")

Run = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Sources:
    """Hold what a lesson may have copied from, and what it may say."""

    head_runs: set[Run]
    """Runs of words that may not stand in a head."""

    runs: set[Run]
    """Runs of words that may not stand anywhere else."""

    words: set[str]
    """Stems of anybody's words."""

    label_words: set[str]
    """Stems that only labels have."""

    labels: Sequence[list[str]]
    """The words of each label."""


def makes_claim(text: str) -> bool:
    """Return whether a text says what must, may or need not be done."""
    return _CLAIM.search(text) is not None


def find_copied_sentence(
    lesson: str, question: str, others: Iterable[str] = (), vouched: Iterable[str] = ()
) -> str:
    """Return the first sentence of a lesson that repeats the question or one of the `others`, or "".

    `others` are texts that the attempt has seen, such as documents. `vouched` is what labels and the
    environment's own names say: what stands there is not repeated. Sentences of fewer than three words may be
    alike by chance, and pass.
    """
    asked = _split(question)
    foreign = [_split(text) for text in others]
    labels = [_split(text) for text in vouched]
    words = _stem_all(chain(asked, *foreign))
    foreign_runs = _list_runs(foreign, _FOREIGN_RUN) - _list_runs([asked], _FOREIGN_RUN)
    sources = _Sources(
        head_runs=_list_runs([asked], _HEAD_RUN) | foreign_runs,
        runs=_list_runs([asked, *foreign], _RUN) - _list_runs(labels, _RUN),
        words=words,
        label_words=_stem_all(chain(*labels)) - words,
        labels=labels,
    )
    # An abbreviation would join two sentences, and hide the second among the words of the first.
    for sentence in split_sentences(lesson, ends=f"{SENTENCE_ENDS};", abbreviations=False):
        if _repeats(sentence, sources):
            return sentence
    return ""


def holds_private(lesson: str, private: Iterable[str]) -> bool:
    """Return whether a lesson holds one of the texts of a user, or the value of one: "Address: 8 Elm Street".

    Of a longer text a run of a few words is enough. How it is written does not count.
    """
    lesson_words = split_words(fold_text(normalize_lookalikes(lesson)))
    squeezed, known = "".join(lesson_words), set(lesson_words)
    lesson_runs = _list_runs([lesson_words], _FOREIGN_RUN)
    for text in private:
        value = text.rpartition(": ")[2]
        words = split_words(fold_text(normalize_lookalikes(value)))
        telling = set(words) - stop_words()
        if len(words) > _LONGEST_VALUE:
            if _list_runs([words], _FOREIGN_RUN) & lesson_runs:
                return True
        elif (telling and telling <= known) or (
            "".join(words) in squeezed and len("".join(words)) >= _PREFIX
        ):
            return True
    return False


def _repeats(sentence: str, sources: _Sources) -> bool:
    """Return whether a sentence takes more from a text than the words that it explains."""
    words = _split(sentence)
    if not words or tuple(words) in _list_runs(sources.labels, len(words)):
        return False

    head, colon, meaning = sentence.partition(":")
    claim = _split(meaning) if colon else words
    from_label = not sources.label_words.isdisjoint(_stem_all(claim))
    if claim and not from_label:
        from_label = tuple(claim) in _list_runs(sources.labels, len(claim))
    if colon and not _CLAIM.search(head):
        head_runs = _list_runs([_split(head)], _HEAD_RUN, _FOREIGN_RUN)
        if head_runs & sources.head_runs or _list_runs([claim], _RUN) & sources.runs:
            return True
        if from_label:
            return False
    elif _list_runs([words], _RUN) & sources.runs:
        return True
    small_words = stop_words("english", *CLOSED_CLASSES)
    stems = _stem_all(word for word in words if word not in small_words)
    return not from_label and len(stems & sources.words) >= max(_FEW, _MOST * len(stems))


def _split(text: str) -> list[str]:
    """Return the words of a text; a short compound, as "debt-to-equity", is one word."""
    return split_words(_COMPOUND.sub(lambda match: match[0].replace("-", "_"), text), whole_names=True)


def _list_runs(texts: Iterable[Sequence[str]], *sizes: int) -> set[Run]:
    """Return the runs of words of these lengths in any of the texts."""
    runs = set[Run]()
    for text in texts:
        for size in sizes:
            runs.update(tuple(text[start : start + size]) for start in range(len(text) - size + 1))
    return runs


def _stem_all(words: Iterable[str]) -> set[str]:
    """Return the stems of words, cut to their first letters: that joins more forms than a stem does."""
    return {stem_word(word, prefix=_PREFIX) for word in words}
