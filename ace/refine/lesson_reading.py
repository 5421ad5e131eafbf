"""One lesson as facts and words: what two lessons are compared by. Pure, and kept for texts that come again.

Numbers, names (identifiers, codes, quoted text, proper names), units, negations and opposites are facts;
the other words are stems of what they say. Knows English as `lexicon` does and no grammar beyond clauses.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import lru_cache

from ace.refine import lexicon, meanings
from ace.refine.words import Side, head, is_type, side, soft, unit, without_prefix

_QUOTED = r"""`[^`\n]+`|"[^"\n]+"|(?<!\w)'[^'\n]+'(?!\w)"""
_TOKEN = re.compile(
    rf"""(?P<quoted>{_QUOTED})
    |(?P<date>\d{{4}}-\d{{2}}-\d{{2}})
    |(?P<number>(?<![\w.])[-+]?(?:\d{{1,3}}(?:,\d{{3}})+|\d+)(?:\.\d+)?(?![A-Za-z_\d]))
    |(?P<measure>(?<![\w.])\d+(?:\.\d+)?(?:[kmgt]?b|ms|[shgk]|kg|km|cm|mm|min)\b)
    |(?P<name>[A-Za-z_$][\w$]*(?:[./:][\w$*{{}}-]+)+(?:\(\))?|(?:/[\w{{}}.-]+)+|\w*_\w*
        |[A-Za-z]\w*(?==[\w'"])|\w*\d\w*[A-Za-z]\w*|[A-Za-z]+\d\w*)
    |(?P<money>[$€£¥%])
    |(?P<word>[^\W\d_]+(?:['\u2019](?:s|re|ll|ve|d)\b)?)
    |(?P<stop>[.;:!?,()\[\]{{}}\u2014])""",
    re.VERBOSE | re.IGNORECASE,
)
_SYMBOL = re.compile(r"""[^\w\s.,;:!?'"`()\[\]{}%$€£¥\u2014\u2013\u2026\u2019\u2018\u201c\u201d-]|-(?=\d)""")
_PHRASES = tuple(
    # a phrase is looked for where one of its pieces is, which is several times faster
    (re.findall(r"[a-z]{2,}", re.sub(r"\\[a-z]", " ", pattern)), re.compile(pattern, re.IGNORECASE), plain)
    for pattern, plain in lexicon.PHRASES
)
_CAMEL = re.compile(r"[a-z][A-Z]|[A-Z]{2}")
_RELATIONS = frozenset(("from", "to", "into", "by", "insteadof", "than", "over", "per", "minus", "via"))
_ORDER = frozenset(("before", "after"))
_REACH = 4  # words that a negation may be about


@dataclass(frozen=True, slots=True)
class Token:
    """One word or fact of a text. `clause` counts stops and commas, `sentence` only full stops."""

    kind: str
    text: str  # comparable: a stem, a normal number, a name in lower case
    clause: int
    sentence: int
    scope: bool = False  # it says what the lesson is about, or when, and not what is so
    bent: bool = False  # a preposition beside it: what it does, or is done to it, may be on either side
    joined: bool = False  # "and", "or" or a comma is right before it
    opposite: Side | None = None


@dataclass(frozen=True, slots=True)
class Reading:
    """What `compare` needs to know of a text. Sets, but for `tokens`, which are in order."""

    text: str
    tokens: tuple[Token, ...]
    numbers: frozenset[str]
    names: frozenset[str]
    units: frozenset[str]
    words: frozenset[str]
    sides: frozenset[Side]
    denied: tuple[frozenset[str], ...]  # for each negation, the words that it may be about
    relations: frozenset[tuple[str, str]]  # (from, "eur")
    formulas: frozenset[tuple[str, str, str]]  # (">", "a", "b")
    said: frozenset[str]  # everything it speaks of: comparable, as written, and stems of names
    symbols: frozenset[str]  # signs and operators
    earlier: frozenset[str] = frozenset()
    later: frozenset[str] = frozenset()

    @property
    def facts(self) -> frozenset[str]:
        """Numbers, names and units: what must not get lost."""
        return self.numbers | self.names | self.units


@lru_cache(maxsize=16_384)
def read(text: str) -> Reading:
    found = _Reader(text)
    tokens = tuple(_without_types(found.tokens))
    of = {
        kind: frozenset(t.text for t in tokens if t.kind == kind)
        for kind in ("number", "name", "unit", "word")
    }
    earlier, later = _ordered(found)
    return Reading(
        text,
        tokens,
        of["number"],
        of["name"],
        of["unit"],
        of["word"],
        frozenset(t.opposite for t in tokens if t.opposite),
        tuple(_denied(tokens, *each) for each in found.negations),
        frozenset(_related(tokens, found.relations)),
        frozenset(_formulas(text)),
        _said(text, tokens),
        frozenset(_SYMBOL.findall(text)),
        earlier,
        later,
    )


def _said(text: str, tokens: tuple[Token, ...]) -> frozenset[str]:
    written = re.findall(r"\w+", text.lower())
    names = (head(t.text) for t in tokens if t.kind == "name" and t.text.isalpha())
    return frozenset((*(t.text for t in tokens), *written, *names))


class _Reader:
    """Goes over the tokens once. Positions are numbers of tokens that follow."""

    def __init__(self, text: str) -> None:
        self.tokens: list[Token] = []
        self.negations: list[tuple[int, int]] = []  # (place, how many words it may be about)
        self.relations: list[tuple[str, int]] = []
        self.order: list[tuple[str, int, int, bool]] = []  # (word, place, sentence, at the start of a clause)
        self._clause = self._sentence = 0
        self._fresh, self._scope, self._bent, self._joined = True, False, False, False
        self._before = ""
        for match in _TOKEN.finditer(_spelled(text)):
            kind, said = match.lastgroup or "", match[0]
            self._take(kind, said)
            self._fresh = kind == "stop" and said not in ",()"
            self._before = said.lower()

    def _take(self, kind: str, said: str) -> None:
        match kind:
            case "stop":
                self._clause += 1
                self._sentence += said in ".;!?"
                self._scope = False
                self._joined = said == ","
            case "quoted":
                self._add("name", said[1:-1].strip())
            case "number":
                self._add("number", _normal(said))
            case "date":
                self._add("number", said)
            case "money":
                self._add("unit", unit(said))
            case "measure":
                self._measure(said)
            case "name":
                self._add("name", said.lower().removesuffix("()"))
            case "word":
                self._word(re.split("['\u2019]", said)[0])

    def _measure(self, said: str) -> None:
        """ "5MB", "30s"."""
        number = said.rstrip("bBkKmMgGtTsShHnNiIcC")
        short = said[len(number) :]
        self._add("number", _normal(number))
        self._add("unit", unit(short) or meanings.SHORT_UNITS.get(short.lower(), short.lower()))

    def _word(self, said: str) -> None:
        word = said.lower()
        if word in lexicon.NEW_CLAUSE and not self._opens():
            self._clause += 1
            self._scope = False
        if word in lexicon.NEW_CLAUSE:
            self._joined = word in lexicon.EITHER_WAY
        if word in lexicon.NOT_ARGUMENTS and self.relations and self.relations[-1][1] == len(self.tokens):
            self.relations.pop()
        self._sort(said, word)
        if word in lexicon.CONDITIONS and (word not in ("in", "on", "at") or self._opens()):
            self._scope = True
        if word in ("by", "of", "in"):
            self._change(bent=True)
        if word in lexicon.VERBS:
            self._change(scope=True)  # what stands before a verb is what the clause is about
        self._bent = self._bent or word in lexicon.BENDING_BEFORE
        self._joined = self._joined or word in ("and", "or")

    def _sort(self, said: str, word: str) -> None:
        """What kind of word it is; the first that fits."""
        if self._before[-1:].isdigit() and word in meanings.SHORT_UNITS:
            self._add("unit", meanings.SHORT_UNITS[word])
        elif word in lexicon.NEGATORS and said != "None":
            self.negations.append((len(self.tokens), 1 if word in lexicon.NEAR else _REACH))
        elif word in _ORDER:
            self.order.append((word, len(self.tokens), self._sentence, self._opens()))
        elif word in _RELATIONS:
            self.relations.append((word, len(self.tokens)))
        elif word in lexicon.NUMBERS:
            self._add("number", lexicon.NUMBERS[word])
        elif unit(word):
            self._add("unit", unit(word))
        elif self._proper(said):
            self._add("name", word if _CAMEL.search(said) else head(word))
        elif found := side(word):
            self._add("side", head(word), found)
        elif rest := without_prefix(word):
            self.negations.append((len(self.tokens), 1))
            self._add("word", head(rest))
        elif len(word) == 1 and word.isascii() and word not in ("a", "i"):
            self._add("name", word)
        elif word not in lexicon.LIGHT:
            self.relations += [(word, len(self.tokens) + 1)] * (word == "only")
            self._add("word", head(word))

    def _change(self, *, bent: bool = False, scope: bool = False) -> None:
        """What is only known of a word when the next one is read."""
        if self.tokens and self.tokens[-1].clause == self._clause:
            last = self.tokens[-1]
            self.tokens[-1] = replace(last, bent=last.bent or bent, scope=last.scope or scope)

    def _opens(self) -> bool:
        return not self.tokens or self.tokens[-1].clause != self._clause

    def _proper(self, said: str) -> bool:
        """A code or a name by its capitals; the first word of a sentence has one anyway."""
        if said in lexicon.PLAIN_CAPITALS:
            return False
        if _CAMEL.search(said) or said.lower() in lexicon.CALENDAR:
            return True
        return said[0].isupper() and not self._fresh and said != "I"

    def _add(self, kind: str, text: str, opposite: Side | None = None) -> None:
        scope = self._scope or not self._before
        self.tokens.append(
            Token(kind, text, self._clause, self._sentence, scope, self._bent, self._joined, opposite)
        )
        self._bent = self._joined = False


def _without_types(tokens: list[Token]) -> list[Token]:
    """ "The table orders": what a name is called beside it says nothing that the name does not."""
    named = [token.kind == "name" for token in tokens]
    near = [any(named[max(0, place - 1) : place + 2]) for place in range(len(tokens))]
    return [
        replace(token, kind="type") if beside and token.kind == "word" and is_type(token.text) else token
        for token, beside in zip(tokens, near, strict=True)
    ]


def _spelled(text: str) -> str:
    """Phrases as one word each. What is quoted stays as it is."""
    parts = re.split(f"({_QUOTED})", text)
    for place in range(0, len(parts), 2):
        lower = parts[place].lower()
        for pieces, pattern, plain in _PHRASES:
            if not pieces or any(piece in lower for piece in pieces):
                parts[place] = pattern.sub(plain, parts[place])
                lower = parts[place].lower()
    return "".join(parts)


def _normal(number: str) -> str:
    plain = number.replace(",", "").lstrip("+")
    return plain.rstrip("0").rstrip(".") if "." in plain else plain


def _denied(tokens: tuple[Token, ...], start: int, reach: int) -> frozenset[str]:
    """The next few words of the clause."""
    found = [t for t in tokens[start:] if not (t.opposite and soft(t.opposite))][:reach]
    return frozenset(t.text for t in found if t.clause == found[0].clause)


def _related(tokens: tuple[Token, ...], relations: list[tuple[str, int]]) -> Iterator[tuple[str, str]]:
    for word, place in relations:
        if place < len(tokens):
            yield word, tokens[place].text


_OPERAND = r"([\w.$'\"()]*[\w)'\"])"
_FORMULA = re.compile(
    rf"(?:(?<=\s)|^)(?={_OPERAND}(?:\s*(<=|>=|!=|<>|==|->|=>|[=<>])\s*|\s([+*/-])\s){_OPERAND})"
)
_TURNED = {"<": ">", "<=": ">="}
_SYMMETRIC = {"=", "==", "!=", "<>", "+", "*"}


def _formulas(text: str) -> Iterator[tuple[str, str, str]]:
    """Comparisons and calculations that are written out, "b < a" as "a > b"."""
    for match in _FORMULA.finditer(text):
        one, operator, other = (part.lower() for part in match.groups() if part)
        if operator in _TURNED:
            one, operator, other = other, _TURNED[operator], one
        if operator in _SYMMETRIC:
            one, other = sorted((one, other))
        yield operator, one, other


def _ordered(found: _Reader) -> tuple[frozenset[str], frozenset[str]]:
    """What is done earlier, and what later, as "before" and "after" say."""
    earlier, later = set[str](), set[str]()
    for word, place, sentence, opens in found.order:
        near = [(n, t) for n, t in enumerate(found.tokens) if t.sentence == sentence]
        behind = [(n, t) for n, t in near if n >= place]
        if opens and behind:  # "Before B, A": A is what comes behind the comma
            clause = behind[0][1].clause
            argument = {t.text for _, t in behind if t.clause == clause}
            others = {t.text for n, t in near if t.clause != clause}
        else:
            argument = {t.text for _, t in behind}
            others = {t.text for n, t in near if n < place}
        earlier |= others if word == "before" else argument
        later |= argument if word == "before" else others
    return frozenset(earlier), frozenset(later)
