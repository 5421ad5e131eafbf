"""Reading a lesson as facts and words, by which two lessons are compared. Pure; recent ones are remembered.

Numbers, names (identifiers, codes, quoted text, proper names), units, negations and opposites are facts.
The other words are stems of their meaning. Knows English as `lexicon` does and no grammar beyond clauses.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Literal, NamedTuple

from ace.refine.lexicon import Lexicon, Side, Word, load_lexicon

TokenKind = Literal["name", "number", "side", "type", "unit", "word"]

_QUOTED = r"""`[^`\n]+`|"[^"\n]+"|(?<!\w)'[^'\n]+'(?!\w)"""
_TOKEN = re.compile(
    rf"""(?P<quoted>{_QUOTED})
    |(?P<date>\d{{4}}-\d{{2}}-\d{{2}})
    |(?P<number>(?<![\w.])[-+]?(?:\d{{1,3}}(?:,\d{{3}})+|\d+)(?:\.\d+)?(?![A-Za-z_\d]))
    |(?P<measure>(?<![\w.])\d+(?:\.\d+)?(?:[kmgt]?b|ms|[shgk]|kg|km|cm|mm|min)\b)
    |(?P<name>[A-Za-z_$][\w$]{{0,80}}(?:[./:][\w$*{{}}-]+)+(?:\(\))?|(?:/[\w{{}}.-]+)+|\w*_\w*
        |[A-Za-z]\w*(?==[\w'"])|\w*\d\w*[A-Za-z]\w*|[A-Za-z]+\d\w*)
    |(?P<money>[$€£¥%])
    |(?P<word>[^\W\d_]+(?:['\u2019](?:s|re|ll|ve|d)\b)?)
    |(?P<stop>[.;:!?,()\[\]{{}}\u2014])""",
    re.VERBOSE | re.IGNORECASE,
)
_SYMBOL = re.compile(r"""[^\w\s.,;:!?'"`()\[\]{}%$€£¥\u2014\u2013\u2026\u2019\u2018\u201c\u201d-]|-(?=\d)""")
_OPERAND = r"([\w.$'\"()]*[\w)'\"])"
_FORMULA = re.compile(
    rf"(?:(?<=\s)|^)(?={_OPERAND}(?:\s*(<=|>=|!=|<>|==|->|=>|[=<>])\s*|\s([+*/-])\s){_OPERAND})"
)
_REVERSED = {"<": ">", "<=": ">="}
_SYMMETRIC = frozenset(("=", "==", "!=", "<>", "+", "*"))
_CAMEL = re.compile(r"[a-z][A-Z]|[A-Z]{2}")
_BEFORE_A_SENTENCE = frozenset(("", ".", ";", ":", "!", "?", "[", "]", "{", "}", "\u2014"))
_REACH = 4  # words that a negation may be about


@dataclass(frozen=True, slots=True)
class Token:
    """Hold one word or fact of a text."""

    kind: TokenKind

    text: str
    """In comparable form: a stem, a normal number, a name in lower case."""

    clause: int
    """Counts stops, commas and words that open a clause, from 0."""

    sentence: int
    """Counts only what ends a sentence, from 0."""

    scope: bool = False
    """Part of what the lesson is about, or of when it holds."""

    bent: bool = False
    """Beside a preposition: its object may stand on either side of it."""

    joined: bool = False
    """Right behind "and", "or" or a comma."""

    opposite: Side | None = None
    """The side of a pair of opposites that it takes; None for most."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """Hold a text in comparable form."""

    tokens: tuple[Token, ...]
    """All of them, in order."""

    numbers: frozenset[str]
    names: frozenset[str]
    units: frozenset[str]
    words: frozenset[str]
    """The texts of the tokens of that kind."""

    sides: frozenset[Side]
    """The sides that it takes of pairs of opposites."""

    denials: tuple[frozenset[str], ...]
    """For each negation, in order, the words that it may be about."""

    relations: frozenset[tuple[str, str]]
    """Prepositions, each with its object: ("from", "eur")."""

    formulas: frozenset[tuple[str, str, str]]
    """Comparisons and calculations, the operator first: (">", "a", "b")."""

    vocabulary: frozenset[str]
    """Everything it speaks of: comparable, as written, and stems of names."""

    symbols: frozenset[str]
    """Signs and operators."""

    earlier: frozenset[str]
    later: frozenset[str]
    """What is done first, and what after it, as "before" and "after" say."""


@lru_cache(maxsize=16_384)
def read_lesson(text: str) -> Reading:
    """Return the comparable form of a text. Takes any text; the last 16,384 are remembered."""
    lexicon = load_lexicon()
    scanner = _Scanner(lexicon)
    for match in _TOKEN.finditer(_replace_phrases(text, lexicon)):
        spelling = match[0]
        if match.lastgroup == "stop":
            scanner.end_clause(spelling)
        elif match.lastgroup == "word":
            stripped = re.split("['\u2019]", spelling)[0]  # "it's" is "it"
            word = stripped.lower()
            scanner.open_clause(word)
            scanner.add_word(stripped, lexicon.look_up(word))
            scanner.mark_neighbours(word)
        else:
            scanner.add_fact(match.lastgroup or "", spelling)
        scanner.previous = spelling
    return _build_reading(text, scanner)


def _build_reading(text: str, scanner: _Scanner) -> Reading:
    """Gather what was scanned into sets."""
    tokens = _mark_types(scanner.tokens, scanner.lexicon.types)
    texts: dict[str, set[str]] = defaultdict(set)
    vocabulary = set(re.findall(r"\w+", text.lower()))
    sides = set()
    for token in tokens:
        texts[token.kind].add(token.text)
        vocabulary.add(token.text)
        if token.kind == "name" and token.text.isalpha():
            vocabulary.add(scanner.lexicon.look_up(token.text.lower()).head)
        if token.opposite:
            sides.add(token.opposite)
    relations = set()
    for relation, place in scanner.relations:
        if place < len(tokens):
            relations.add((relation, tokens[place].text))
    earlier, later = _split_by_time(tokens, scanner.orders)
    soft_axes = scanner.lexicon.soft_axes
    return Reading(
        tokens=tokens,
        numbers=frozenset(texts["number"]),
        names=frozenset(texts["name"]),
        units=frozenset(texts["unit"]),
        words=frozenset(texts["word"]),
        sides=frozenset(sides),
        denials=tuple(_find_denied(tokens, negation, soft_axes) for negation in scanner.negations),
        relations=frozenset(relations),
        formulas=frozenset(_find_formulas(text)),
        vocabulary=frozenset(vocabulary),
        symbols=frozenset(_SYMBOL.findall(text)),
        earlier=earlier,
        later=later,
    )


class _Negation(NamedTuple):
    """Hold a negator that stands before token number `place` and may be about `reach` words."""

    place: int
    reach: int


class _Order(NamedTuple):
    """Hold the word "before" or "after" in front of token number `place`."""

    word: str
    place: int
    sentence: int
    opens_clause: bool


class _Scanner:
    """Collect the tokens of a text, and what stands before which of them. Places are numbers of tokens.

    `relations` holds a preposition with the place of its object, which may turn out not to be there.
    """

    def __init__(self, lexicon: Lexicon) -> None:
        self.lexicon = lexicon
        self.tokens: list[Token] = []
        self.negations: list[_Negation] = []
        self.relations: list[tuple[str, int]] = []
        self.orders: list[_Order] = []
        self.previous = ""  # the spelling of the match before
        self._clause = self._sentence = 0
        self._scope = self._bent = self._joined = False  # what the next token will be

    def end_clause(self, stop: str) -> None:
        """Count a punctuation mark. Any ends a clause, and what a condition covers; some end a sentence."""
        self._clause += 1
        self._sentence += stop in ".;!?"
        self._scope = False
        self._joined = stop == ","

    def add_fact(self, group: str, spelling: str) -> None:
        """Add what is no word, by the group of `_TOKEN` that matched."""
        match group:
            case "quoted":
                self._add("name", spelling[1:-1].strip())
            case "number":
                self._add("number", _normalize_number(spelling))
            case "date":
                self._add("number", spelling)
            case "money":
                self._add("unit", self.lexicon.units.get(spelling, ""))
            case "measure":  # "5MB", "30s"
                number = spelling.rstrip("bBkKmMgGtTsShHnNiIcC")
                short = spelling[len(number) :].lower()
                unit = self.lexicon.units.get(short) or self.lexicon.short_units.get(short, short)
                self._add("number", _normalize_number(number))
                self._add("unit", unit)
            case "name":
                self._add("name", spelling.lower().removesuffix("()"))

    def open_clause(self, word: str) -> None:
        """Begin a new clause, or end a relation, where the word that comes next does so."""
        if word in self.lexicon.clause_openers:
            if not self._at_clause_start():
                self._clause += 1
                self._scope = False
            self._joined = word in self.lexicon.either_way
        dangling = bool(self.relations) and self.relations[-1][1] == len(self.tokens)
        if dangling and word in self.lexicon.not_arguments:
            self.relations.pop()

    def add_word(self, spelling: str, meaning: Word) -> None:
        """Add a word as what it is: of several possibilities the first that fits."""
        lexicon = self.lexicon
        word = spelling.lower()
        place = len(self.tokens)
        if self.previous[-1:].isdigit() and word in lexicon.short_units:
            self._add("unit", lexicon.short_units[word])
        elif word in lexicon.negators and spelling != "None":
            reach = 1 if word in lexicon.near_negators else _REACH
            self.negations.append(_Negation(place, reach))
        elif word in ("before", "after"):
            self.orders.append(_Order(word, place, self._sentence, self._at_clause_start()))
        elif word in lexicon.relations:
            self.relations.append((word, place))
        elif word in lexicon.numbers:
            self._add("number", lexicon.numbers[word])
        elif meaning.unit:
            self._add("unit", meaning.unit)
        elif self._is_proper_name(spelling):
            code = _CAMEL.search(spelling)
            self._add("name", word if code else meaning.head)
        elif meaning.side:
            self._add("side", meaning.head, meaning.side)
        elif meaning.denied_head:
            self.negations.append(_Negation(place, 1))
            self._add("word", meaning.denied_head)
        elif len(word) == 1 and word.isascii() and word not in ("a", "i"):
            self._add("name", word)
        elif word not in lexicon.light:
            if word == "only":
                self.relations.append((word, place + 1))
            self._add("word", meaning.head)

    def mark_neighbours(self, word: str) -> None:
        """Mark the token before a word, and the one that comes next, by what the word says of them."""
        lexicon = self.lexicon
        at_start = self._at_clause_start()
        if word in lexicon.conditions and (at_start or word not in ("in", "on", "at")):
            self._scope = True
        bends = word in ("by", "of", "in")
        is_verb = word in lexicon.verbs
        if (bends or is_verb) and not at_start:
            last = self.tokens[-1]  # what stands before a verb is what the clause is about
            self.tokens[-1] = replace(last, bent=last.bent or bends, scope=last.scope or is_verb)
        self._bent = self._bent or word in lexicon.bending
        self._joined = self._joined or word in ("and", "or")

    def _at_clause_start(self) -> bool:
        """Return whether no token of this clause has come yet."""
        return not self.tokens or self.tokens[-1].clause != self._clause

    def _is_proper_name(self, spelling: str) -> bool:
        """Return whether capitals make it a code or a name; the first word of a sentence has one anyway."""
        if spelling in self.lexicon.plain_capitals:
            return False
        if _CAMEL.search(spelling) or spelling.lower() in self.lexicon.calendar:
            return True
        return spelling[0].isupper() and spelling != "I" and self.previous not in _BEFORE_A_SENTENCE

    def _add(self, kind: TokenKind, text: str, opposite: Side | None = None) -> None:
        """Add a token with what is known of its place; the first one is what the lesson is about."""
        token = Token(
            kind=kind,
            text=text,
            clause=self._clause,
            sentence=self._sentence,
            scope=self._scope or not self.previous,
            bent=self._bent,
            joined=self._joined,
            opposite=opposite,
        )
        self.tokens.append(token)
        self._bent = self._joined = False


def _replace_phrases(text: str, lexicon: Lexicon) -> str:
    """Return the text with phrases as one word each. Quoted parts stay as they are."""
    parts = re.split(f"({_QUOTED})", text)
    for place in range(0, len(parts), 2):
        lower = parts[place].lower()
        for pieces, pattern, replacement in lexicon.phrases:
            if not pieces or any(piece in lower for piece in pieces):
                parts[place] = pattern.sub(replacement, parts[place])
                lower = parts[place].lower()
    return "".join(parts)


def _normalize_number(number: str) -> str:
    """Return a number without separators, plus sign and final zeros."""
    digits = number.replace(",", "").lstrip("+")
    if "." in digits:
        digits = digits.rstrip("0").rstrip(".")
    return digits


def _mark_types(tokens: list[Token], types: frozenset[str]) -> tuple[Token, ...]:
    """Turn words into types where they stand beside a name, as "table" in "the table orders"."""
    marked = []
    for place, token in enumerate(tokens):
        if token.kind == "word" and token.text in types:
            neighbours = tokens[max(0, place - 1) : place + 2]
            if any(neighbour.kind == "name" for neighbour in neighbours):
                token = replace(token, kind="type")
        marked.append(token)
    return tuple(marked)


def _find_denied(tokens: tuple[Token, ...], negation: _Negation, soft_axes: frozenset[str]) -> frozenset[str]:
    """Return the next words of the clause, as many as the negation reaches. Soft opposites do not count."""
    denied: list[Token] = []
    for token in tokens[negation.place :]:
        if len(denied) == negation.reach:
            break
        if token.opposite is None or token.opposite.axis not in soft_axes:
            denied.append(token)
    texts = set[str]()
    for token in denied:
        if token.clause == denied[0].clause:  # it reaches no further than the clause of the first
            texts.add(token.text)
    return frozenset(texts)


def _find_formulas(text: str) -> Iterator[tuple[str, str, str]]:
    """Find comparisons and calculations that are written out, "b < a" as "a > b"."""
    for match in _FORMULA.finditer(text):
        written = [part.lower() for part in match.groups() if part]
        first, operator, second = written
        if operator in _REVERSED:
            first, operator, second = second, _REVERSED[operator], first
        if operator in _SYMMETRIC:
            first, second = sorted((first, second))
        yield operator, first, second


def _split_by_time(
    tokens: tuple[Token, ...], orders: Iterable[_Order]
) -> tuple[frozenset[str], frozenset[str]]:
    """Return what is done earlier, and what later, as "before" and "after" say."""
    earlier, later = set[str](), set[str]()
    for order in orders:
        argument, rest = set[str](), set[str]()
        behind = [token for token in tokens[order.place :] if token.sentence == order.sentence]
        for place, token in enumerate(tokens):
            if token.sentence != order.sentence:
                continue
            if order.opens_clause and behind:  # "Before B, A": A is what comes behind the comma
                is_argument = place >= order.place and token.clause == behind[0].clause
                is_rest = token.clause != behind[0].clause
            else:
                is_argument = place >= order.place
                is_rest = place < order.place
            if is_argument:
                argument.add(token.text)
            elif is_rest:
                rest.add(token.text)
        if order.word == "before":
            argument, rest = rest, argument
        earlier |= argument
        later |= rest
    return frozenset(earlier), frozenset(later)
