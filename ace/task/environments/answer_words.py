"""The words of an answer, as scorers compare them: in every script, with the signs that are part of a name.

"C++", "C#", "A-", "< 5" and "-5" keep their signs; any other punctuation only separates words.
"""

from __future__ import annotations

import re
import unicodedata

from ace.task.environments.written_number import plain_signs

_KEPT = frozenset("+#-<>=")
_WORD = r"[^\s+#\-<>=]"
_TOKEN = re.compile(
    rf"[<>]=?|(?<![^\s<>=])[^\W\d_]-(?!{_WORD})|(?:(?<![^\s<>=])-(?=\d))?{_WORD}+[+#]*"
)  # a comparison; a grade, as "A-"; a word, or a number with its minus
_ORDINARY = re.compile(r"[\w\s]*", re.ASCII)


def split_answer(text: str) -> list[str]:
    """Return the words of a text, folded to lower case. Never raises."""
    text = unicodedata.normalize("NFC", plain_signs(text)).casefold()
    if not _ORDINARY.fullmatch(text):
        # Marks above and below letters are part of them: the pattern \w leaves them out.
        text = "".join(
            character
            if character.isalnum() or character in _KEPT or unicodedata.category(character)[0] == "M"
            else "_"
            if character == "_"
            else " "
            for character in text
        )
    return _TOKEN.findall(text)


def holds_words(text: list[str], words: list[str]) -> bool:
    """Return whether the words stand in the text one after another."""
    if not words:
        return False
    places = [at for at, word in enumerate(text) if word == words[0]]
    return any(text[at : at + len(words)] == words for at in places)


def fold_answer(text: str) -> str:
    """Return the text without what an exact comparison ignores: case, and how many spaces there are."""
    return " ".join(unicodedata.normalize("NFC", text.casefold()).split())
