"""The words of an answer, as scorers compare them: in every script, with the signs that are part of a name.

"C++", "C#", "A-", "< 5" and "-5" keep their signs; any other punctuation only separates words.
"""

from __future__ import annotations

import re
import unicodedata

from ace.task.environments.written_number import plain_signs

_KEPT = frozenset("+#-<>=")  # signs that may be part of a word, or be one
_WORD = r"[^\s+#\-<>=]"  # a character of a word that is none of these
_TOKEN = re.compile(
    rf"""[<>]=?                                       # a comparison
      | (?<![^\s<>=]) [^\W\d_]- (?!{_WORD})           # a grade, as "A-"
      | (?: (?<![^\s<>=]) - (?=\d) )? {_WORD}+ [+#]*  # a word as "C++", or a number with its minus""",
    re.VERBOSE,
)
# Letters, digits and underscores of ASCII, and space: nothing to take out.
_ORDINARY = re.compile(r"[\w\s]*", re.ASCII)


def split_answer(text: str, *, case: bool = False) -> list[str]:
    """Return the words of a text, folded to lower case unless `case` counts. Never raises.

    An underscore is part of a word. Other signs than those of _KEPT only separate words.
    """
    text = plain_signs(text)
    text = unicodedata.normalize("NFC", text if case else text.casefold())
    if not _ORDINARY.fullmatch(text):
        characters: list[str] = []
        for character in text:
            # Marks above and below letters are part of them: the pattern \w leaves them out.
            is_mark = unicodedata.category(character)[0] == "M"
            if character.isalnum() or character in _KEPT or character == "_" or is_mark:
                characters.append(character)
            else:
                characters.append(" ")
        text = "".join(characters)
    return _TOKEN.findall(text)


def holds_words(text: list[str], words: list[str]) -> bool:
    """Return whether the words stand in the text one after another; not so for no words at all."""
    if not words:
        return False
    for start, word in enumerate(text):
        if word == words[0] and text[start : start + len(words)] == words:
            return True
    return False


def fold_answer(text: str, *, case: bool = False) -> str:
    """Return the text without what an exact comparison ignores: case, unless it counts, and further spaces.

    Letters with marks are composed (NFC), so that two ways to write "é" are one.
    """
    return " ".join(unicodedata.normalize("NFC", text if case else text.casefold()).split())
