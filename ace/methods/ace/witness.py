"""Recognise an answer key: a lesson that holds the right answer to its own sample. Knows texts only."""

from __future__ import annotations

from contextlib import suppress

from ace.text import find_figures, normalize_figure, split_words


def holds_answer(content: str, expected: str, question: str) -> bool:
    """Return whether a text holds the right answer, word by word or as a number, and the question does not.

    Such a lesson makes its own sample right whatever else it says, so another sample must speak for it.
    """
    words = split_words(expected)
    if _holds_words(content, words) and not _holds_words(question, words):
        return True
    numbers = _read_numbers(expected)
    if len(numbers) != 1 or len(words) > 3:
        return False
    return numbers <= _read_numbers(content) and not numbers <= _read_numbers(question)


def _holds_words(text: str, words: list[str]) -> bool:
    """Return whether a text has these words, one behind the other."""
    if not words:
        return False
    all_words, size = split_words(text), len(words)
    starts = range(len(all_words) - size + 1)
    return any(all_words[start : start + size] == words for start in starts)


def _read_numbers(text: str) -> set[float]:
    """Return the figures of a text by their values, so that 1,000 is 1000 and 5% is 5."""
    numbers = set()
    for match in find_figures(text):
        with suppress(ValueError):  # a time of day, or a number in another country's form
            numbers.add(float(normalize_figure(match[0]).rstrip("%")))
    return numbers
