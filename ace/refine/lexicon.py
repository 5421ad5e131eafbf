"""English words that the comparison of two lessons treats in a way of their own.

Reads `data/english.toml` on first use. Knows single words, not texts; a word that is not listed stands for
itself.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from typing import Any, NamedTuple

from ace.text.stems import stem_word

_NEGATIVE_PREFIX = re.compile(r"un(?!til|less|der|i[a-z]|to\b)(?=[a-z]{5})|non-?(?=[a-z]{4})")


class Side(NamedTuple):
    """Hold one side of a pair of opposites. `axis` names the pair, `name` the words of this side."""

    axis: str
    name: str


class Phrase(NamedTuple):
    """Hold several words that are replaced by one.

    `pattern` matches them, `replacement` is a template of `re.sub`. `pieces` are words of which every match
    holds at least one, so that most texts are passed over without a search.
    """

    pieces: tuple[str, ...]
    pattern: re.Pattern[str]
    replacement: str


class Word(NamedTuple):
    """Hold the meaning of one word for a comparison. An empty text means that the word has none."""

    head: str  # the stem that stands for the word and its synonyms
    side: Side | None
    unit: str  # the first name of a unit
    denied_head: str  # of "unrounded": the head of "rounded"


@dataclass(frozen=True, slots=True, kw_only=True)
class Lexicon:
    """Hold the tables of one language.

    `faint` and `types` hold heads, the other sets words.
    """

    light: frozenset[str]
    """Say nothing by themselves."""

    calendar: frozenset[str]
    """Names of days and months, which are facts as codes are."""

    negators: frozenset[str]
    """Deny what follows."""

    near_negators: frozenset[str]
    """Deny only the next word."""

    conditions: frozenset[str]
    """Say when a lesson holds."""

    clause_openers: frozenset[str]
    """Begin another clause."""

    either_way: frozenset[str]
    """Of these, what joins clauses whose order is free."""

    bending: frozenset[str]
    """Let their object stand on either side."""

    relations: frozenset[str]
    """Say which way the next word goes: "from", "to"."""

    not_arguments: frozenset[str]
    """End a relation, and are no object of it."""

    verbs: frozenset[str]
    """What stands before these is what a clause is about."""

    plain_capitals: frozenset[str]
    """Have capitals and are no names."""

    faint: frozenset[str]
    """May be missing in one of two lessons that say the same."""

    types: frozenset[str]
    """Say what a name is the name of."""

    numbers: Mapping[str, str]
    """From a number word to its digits."""

    units: Mapping[str, str]
    """To the first name of the same unit."""

    short_units: Mapping[str, str]
    """The same for names that count behind a number only."""

    heads: Mapping[str, str]
    """From the stem of a word to that of its first synonym."""

    sides: Mapping[str, Side]
    """From a word or stem to its side of a pair of opposites."""

    soft_axes: frozenset[str]
    """Pairs that are opposites only where both lessons take a side."""

    phrases: tuple[Phrase, ...]
    """Several words that are replaced by one."""

    _entries: dict[str, Word] = field(default_factory=dict, repr=False, compare=False)
    """The meanings of words that were looked up."""

    def look_up(self, word: str) -> Word:
        """Return the meaning of a word in lower case. Words that come again are remembered."""
        entry = self._entries.get(word)
        if entry is None:
            rest = ""
            prefix = _NEGATIVE_PREFIX.match(word)
            if prefix:
                rest = word[prefix.end() :]
            stem = stem_word(word)
            rest_stem = stem_word(rest)
            entry = Word(
                head=self.heads.get(stem, stem),
                side=self.sides.get(word) or self.sides.get(stem),
                unit=self.units.get(word, ""),
                denied_head=self.heads.get(rest_stem, rest_stem),
            )
            self._entries[word] = entry
        return entry


@cache
def read_tables() -> dict[str, Any]:
    """Return the tables of the data file as they stand there."""
    text = (files("ace.refine") / "data" / "english.toml").read_text(encoding="utf-8")
    return tomllib.loads(text)


@cache
def read_word_list(name: str) -> frozenset[str]:
    """Return the words of one list of the section `words`. Raises KeyError for a list that is not there."""
    return frozenset(read_tables()["words"][name].split())


@cache
def load_lexicon() -> Lexicon:
    """Build the lexicon from the data file, once in a process."""
    tables = read_tables()
    heads: dict[str, str] = {}
    for line in tables["synonyms"]["lines"]:
        first, *others = map(stem_word, line.split())
        for synonym in (first, *others):
            heads.setdefault(synonym, first)
    sides: dict[str, Side] = {}
    for line in (*tables["opposites"]["lines"], *tables["opposites"]["soft"]):
        for name in map(str.strip, line.split("|")):
            for word in name.split():
                sides.setdefault(word, Side(line, name))
                sides.setdefault(stem_word(word), Side(line, name))
    units: dict[str, str] = {}
    for line in tables["units"]["lines"]:
        units.update(dict.fromkeys(line.split(), line.split()[0]))
    month = "(" + "|".join(sorted(read_word_list("calendar"))) + ")"
    phrases = []
    for row in tables["phrases"]:
        pattern = row["pattern"].replace("<month>", month)
        # Pieces by which texts without a match are passed over quickly.
        pieces = re.findall(r"[a-z]{2,}", re.sub(r"\\[a-z]", " ", pattern))
        phrases.append(Phrase(tuple(pieces), re.compile(pattern, re.IGNORECASE), row["replacement"]))
    faint, types = (map(stem_word, read_word_list(name)) for name in ("faint", "types"))
    return Lexicon(
        light=read_word_list("light"),
        calendar=read_word_list("calendar"),
        negators=read_word_list("negators"),
        near_negators=read_word_list("near_negators"),
        conditions=read_word_list("conditions"),
        clause_openers=read_word_list("clause_openers"),
        either_way=read_word_list("either_way"),
        bending=read_word_list("bending"),
        relations=read_word_list("relations"),
        not_arguments=read_word_list("not_arguments"),
        verbs=read_word_list("verbs"),
        plain_capitals=read_word_list("plain_capitals"),
        faint=frozenset(heads.get(word, word) for word in faint),
        types=frozenset(heads.get(word, word) for word in types),
        numbers=tables["numbers"],
        units=units,
        short_units=tables["short_units"],
        heads=heads,
        sides=sides,
        soft_axes=frozenset(tables["opposites"]["soft"]),
        phrases=tuple(phrases),
    )


def share_root(first: str, second: str) -> bool:
    """Return whether one stem begins the other, as "approv" begins "approval".

    The shorter has 5 letters at least, and the longer no more than 4 others.
    """
    short, long = sorted((first, second), key=len)
    return len(short) >= 5 and long.startswith(short) and len(long) - len(short) <= 4
