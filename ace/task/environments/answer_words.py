"""The words of an answer, as scorers compare them: in every script, with the signs that are part of a name.

"C++", "C#", ".NET", "A-", "< 5", "-5", "a == b" and "x^2" keep their signs; any other punctuation only
separates words.
"""

from __future__ import annotations

import re
import tomllib
import unicodedata
from collections.abc import Iterable
from functools import cache
from pathlib import Path

from ace.task.environments.written_number import plain_signs
from ace.text.unicode import HIDDEN

_KEPT = frozenset("+#-<>=!&|*.^~\u00b1\u2032\u266d")  # signs that may be part of a word, or be one
_WORD = r"[^\s+#\-<>=!&|*.~\u00b1]"  # a character of a word that is none of these, but for "^"
_TOKEN = re.compile(
    rf"""</?[^\W\d_]\w*[ ]?/?>                       # a tag
      | (?:[<>]=?|!=|\u00b1)[ ]?(?=[-+]?\d)[-+]?{_WORD}+(?:\.(?=\d){_WORD}+)*  # "< 5", which is not 5
      | [-=]> | <[-=]+ | [!=]=+ | [<>]=? | && | \|\|  # an arrow, or a comparison
      | (?<!\w)!(?=\w) | (?<=\w)\*\*?(?=\w) | (?<=\w)[ ]?\+[ ]?(?=\w)  # an operation
      | (?<![^\s<>=]) (?:[^\W\d_]{{1,2}}\d*|\d+)-(?!{_WORD})  # a grade or an ion, as "A-" and "Cl-"
      | (?<!\S) (?:--?|[.#])(?=[^\W\d_]){_WORD}+     # ".NET", "#tag", "--force"
      | (?:(?<![^\s<>=]) -(?=\.?\d))?{_WORD}+(?:(?<=\d)\.(?=\d){_WORD}+)*(?:[+#]+(?!{_WORD}))?  # "C++", "-5"
    """,
    re.VERBOSE,
)
# Letters, digits and underscores of ASCII, and space: nothing to take out.
_ORDINARY = re.compile(r"[\w\s]*", re.ASCII)
_SQUARE = re.compile(r"(?<=\d)( ?(?:[kdcm]?m|ft|in|yd))([23])(?!\w)")  # "5 m2"
_UNSEEN = re.compile("[\u200c\u200d\ufe00-\ufe0f]")
_UNSPACED = "[\u0e00-\u0eff\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]"


def split_answer(text: str, *, case: bool = False) -> list[str]:
    """Return the words of a text, folded to lower case unless `case` counts. Never raises.

    An underscore is part of a word. Other signs than those of _KEPT only separate words. In scripts without
    spaces a copula separates words, too.
    """
    text = _SQUARE.sub(r"\1^\2", normalize_answer(text, case=case))
    if not _ORDINARY.fullmatch(text):
        characters: list[str] = []
        for character in text:
            # Marks above and below letters are part of them: the pattern \w leaves them out.
            is_mark = unicodedata.category(character)[0] == "M"
            if character.isalnum() or character in _KEPT or character == "_" or is_mark:
                characters.append(character)
            elif (
                not character.isascii()
                and unicodedata.category(character) in ("Sm", "So")
                and character != "\u00b0"
            ):
                characters.append(f" {character} ")  # an arrow, an operation, an emoji
            else:
                characters.append(" ")
        text = _read_words()[1].sub(" ", "".join(characters))
    return [re.sub(r"(?<=[<>=\u00b1]) | (?=\+)|(?<=\+) ", "", token) for token in _TOKEN.findall(text)]


def holds_words(text: list[str], words: list[str]) -> bool:
    """Return whether the words stand in the text one after another; not so for no words at all.

    Behind a negation they do not count: "not allowed" does not hold "allowed".
    """
    if not words:
        return False
    negations = _read_words()[0]
    for start, word in enumerate(text):
        if word == words[0] and text[start : start + len(words)] == words:
            before = [other for other in text[max(0, start - 3) : start] if other not in ("a", "an", "the")]
            if not before or before[-1] not in negations or before[-1] in words:
                return True
    return False


def fold_answer(text: str, *, case: bool = False) -> str:
    """Return the text without what an exact comparison ignores: case, unless it counts, and further spaces.

    Letters with marks are composed (NFC), so that two ways to write "\u00e9" are one; so are other forms of
    the same characters, as full-width ones, ligatures, quotes and dashes.
    """
    return " ".join(normalize_answer(text, case=case).split())


def normalize_answer(text: str, *, case: bool = False) -> str:
    """Return the text in plain signs and one form of each character, without those that nobody sees."""
    if not text.isascii():
        text = _UNSEEN.sub("", HIDDEN.sub(lambda match: " " if match[0].isspace() else "", text))
    text = unicodedata.normalize("NFKC", plain_signs(text))
    return text if case else unicodedata.normalize("NFC", text.casefold())


def find_currencies(words: Iterable[str]) -> dict[str, str]:
    """Return the signs of the currencies that words name: {"euros": "\u20ac"}."""
    signs = _read_words()[2]
    return {word: signs[word] for word in words if word in signs}


@cache
def _read_words() -> tuple[frozenset[str], re.Pattern[str], dict[str, str]]:
    """Return the words that negate what follows, copulas between or behind other letters, and currencies."""
    words = tomllib.loads(Path(__file__).with_name("answer_words.toml").read_text("utf-8"))
    inside, behind = ("|".join(words[key].split()) for key in ("inside", "behind"))
    pattern = f"(?<={_UNSPACED})(?:(?:{inside})(?={_UNSPACED})|(?:{behind})(?!{_UNSPACED}))"
    signs = {word: sign for sign, row in words["currencies"].items() for word in row.split()}
    return frozenset(words["negations"].split()), re.compile(pattern), signs
