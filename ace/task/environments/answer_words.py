"""The words of an answer, as scorers compare them: in every script, with the signs that are part of a name.

"C++", "C#", ".NET", "A-", "< 5", "-5", "a == b" and "x^2" keep their signs; any other punctuation only
separates words.
"""

from __future__ import annotations

import re
import tomllib
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from ace.task.environments.written_number import plain_signs
from ace.text.unicode import HIDDEN

_KEPT = frozenset("+#-<>=!&|*.^~\u00b1\u2032\u266d")  # signs that may be part of a word, or be one
_SEPARATING = frozenset("`\u00b0")  # signs by category, which are none in an answer; so is a degree
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
            elif unicodedata.category(character) in ("Sm", "So") and character not in _SEPARATING:
                characters.append(f" {character} ")  # an arrow, an operation, an emoji
            else:
                characters.append(" ")
        text = _read_words().copulas.sub(" ", "".join(characters))
    return [re.sub(r"(?<=[<>=\u00b1]) | (?=\+)|(?<=\+) ", "", token) for token in _TOKEN.findall(text)]


def holds_words(text: list[str], words: list[str]) -> bool:
    """Return whether the words stand in the text one after another; not so for no words at all.

    Behind a negation they do not count: "not allowed" does not hold "allowed".
    """
    if not words:
        return False
    for start, word in enumerate(text):
        if word == words[0] and text[start : start + len(words)] == words:
            negation = _find_negation(text, start)
            if not negation or negation in words:
                return True
    return False


def denies_number(words: list[str]) -> bool:
    """Return whether a negation stands before a number: "not 5"."""
    return any(
        word.lstrip("-.")[:1].isdigit() and _find_negation(words, place) for place, word in enumerate(words)
    )


def _find_negation(words: list[str], place: int) -> str:
    """Return the word before a place that makes what follows wrong, or ""; articles may stand between."""
    known = _read_words()
    for word in reversed(words[max(0, place - 3) : place]):
        if word.casefold() not in known.between:
            return word if word.casefold() in known.negations else ""
    return ""


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


def find_currencies(text: str, *, named: bool) -> set[str]:
    """Return the signs of the currencies in a text: those that stand there, and with `named` those in words.

    "5 euros" has the sign "\u20ac".
    """
    signs = {sign for sign in fold_answer(text) if unicodedata.category(sign) == "Sc"}
    known = _read_words().currencies
    return signs | {known[word] for word in split_answer(text) if named and word in known}


def drop_currencies(words: Iterable[str]) -> list[str]:
    """Return the words without those that name a currency."""
    known = _read_words().currencies
    return [word for word in words if word.casefold() not in known]


@dataclass(frozen=True, slots=True)
class _Words:
    """Hold what the data file says."""

    negations: frozenset[str]
    """Words that make what follows wrong, folded."""

    between: frozenset[str]
    """Words that may stand between a negation and what it denies, folded."""

    copulas: re.Pattern[str]
    """Finds copulas between or behind letters of unspaced scripts."""

    currencies: dict[str, str]
    """The sign of each currency, by its names."""


@cache
def _read_words() -> _Words:
    """Read the data file of words that decide about an answer."""
    words = tomllib.loads(Path(__file__).with_name("answer_words.toml").read_text("utf-8"))
    inside, behind = ("|".join(words[key].split()) for key in ("inside", "behind"))
    return _Words(
        frozenset(words["negations"].split()),
        frozenset(words["between"].split()),
        re.compile(f"(?<={_UNSPACED})(?:(?:{inside})(?={_UNSPACED})|(?:{behind})(?!{_UNSPACED}))"),
        {word: sign for sign, row in words["currencies"].items() for word in row.split()},
    )
