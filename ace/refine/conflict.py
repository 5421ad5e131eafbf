"""Whether two lessons say the same, contradict each other, or neither. Strict: in doubt, neither.

They say the same when every word of one has its like in the other and numbers, names, units, negations,
opposites and the order of operands are the same. They are in conflict when all but one of these is the same
("queue R7", "queue R9"; "use UTC", "do not use UTC") and that one is not what tells two subjects apart
("loans overdue: 3", "loans returned: 4"). Likeness of embeddings decides nothing here.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, NamedTuple

from ace.refine.lesson_reading import Reading, Token, read
from ace.refine.similar import topic
from ace.refine.words import Side, akin, faint, soft

Kind = Literal["same", "conflict", "different"]


@dataclass(frozen=True, slots=True)
class Conflict:
    """Two bullets, by id, that cannot both be right, and why."""

    one: str
    other: str
    why: str


@dataclass(frozen=True, slots=True)
class Likeness:
    """How two texts stand to each other, and why."""

    kind: Kind
    why: str = ""


def compare(one: str, other: str) -> Likeness:
    """Symmetric in its kind."""
    if plain(one) == plain(other):
        return Likeness("same", "the same words")
    if topic(one) != topic(other) and topic(one) and topic(other):
        return Likeness("different", "they explain different words")
    a, b = read(one), read(other)
    left, right = _unmatched(a, b), _unmatched(b, a)
    if (left and right) or not all(map(faint, left | right)):
        return Likeness("different", f"only one says: {', '.join(sorted(left | right))}")
    return next(_differences(a, b), Likeness("same", "other words, the same facts"))


def plain(text: str) -> str:
    """Equal for texts that differ in space, in case outside quotes, or in the stop at the end."""
    parts = " ".join(text.split()).rstrip(".! ").split("'")
    return "'".join(part if place % 2 else part.casefold() for place, part in enumerate(parts))


def _unmatched(a: Reading, b: Reading) -> frozenset[str]:
    """Words of `a` that `b` has not, in no form."""
    missing = a.words - b.said
    return frozenset(word for word in missing if not any(akin(word, other) for other in b.words))


def _differences(a: Reading, b: Reading) -> Iterator[Likeness]:
    """The first that there is decides."""
    yield from _facts(a, b)
    yield from _opposites(a, b)
    yield from _negations(a, b)
    yield from _orders(a, b)


def _facts(a: Reading, b: Reading) -> Iterator[Likeness]:
    kinds = (("number", a.numbers, b.numbers), ("name", a.names, b.names), ("unit", a.units, b.units))
    found = [(kind, one - b.said, other - a.said) for kind, one, other in kinds]
    found = [(kind, one, other) for kind, one, other in found if one or other]
    if not found:
        return
    (kind, one, other), *more = found
    what = f"{_listed(one)} against {_listed(other)}"
    if more or len(one) != 1 or len(other) != 1:
        yield Likeness("different", f"several facts differ: {what}")
    elif kind != "unit" and _scoped(a, one) and _scoped(b, other):
        yield Likeness("different", f"they are about different things: {what}")
    elif a.sides != b.sides or len(a.denied) != len(b.denied):
        yield Likeness("different", f"more than a {kind} differs: {what}")
    else:
        yield Likeness("conflict", f"{kind}: {what}")


def _scoped(reading: Reading, texts: frozenset[str]) -> bool:
    return all(token.scope for token in reading.tokens if token.text in texts)


def _opposites(a: Reading, b: Reading) -> Iterator[Likeness]:
    one, other = _sides(a, b), _sides(b, a)
    if not one and not other:
        return
    what = f"{_listed(name for _, name in one)} against {_listed(name for _, name in other)}"
    pair = len(one) == len(other) == 1 and {axis for axis, _ in one} == {axis for axis, _ in other}
    alike = len(a.denied) == len(b.denied)
    yield Likeness("conflict" if pair and alike else "different", f"opposites: {what}")


def _sides(a: Reading, b: Reading) -> frozenset[Side]:
    """Those that only `a` takes; soft ones only where `b` takes another."""
    axes = {axis for axis, _ in b.sides}
    return frozenset(each for each in a.sides - b.sides if not soft(each) or each[0] in axes)


def _negations(a: Reading, b: Reading) -> Iterator[Likeness]:
    if len(a.denied) != len(b.denied):
        odd = (len(a.denied) - len(b.denied)) % 2
        yield Likeness("conflict" if odd else "different", "negation: only one of them denies it")
    elif _apart(a, b):
        yield Likeness("different", "negation: they deny different things")


def _apart(a: Reading, b: Reading) -> bool:
    """Whether some denial has no counterpart that may be about the same."""
    left = list(b.denied)
    for scope in a.denied:
        match = next((other for other in left if _overlap(scope, other)), None)
        if match is None:
            return True
        left.remove(match)
    return False


def _overlap(one: frozenset[str], other: frozenset[str]) -> bool:
    return bool(one & other) or any(akin(x, y) for x in one for y in other)


def _orders(a: Reading, b: Reading) -> Iterator[Likeness]:
    if a.symbols != b.symbols:
        yield Likeness("different", "signs or operators differ")
    if a.formulas != b.formulas:
        operands = [sorted(part for _, *pair in each.formulas for part in pair) for each in (a, b)]
        kind: Kind = "conflict" if operands[0] == operands[1] else "different"
        yield Likeness(kind, "order: the operands of a formula differ")
    if swapped := _swapped_relation(a, b):
        yield Likeness("conflict", f"order: {swapped}")
    if bool(a.earlier) != bool(b.earlier):
        yield Likeness("different", "only one says what comes first")
    straight = len(a.earlier & b.earlier) + len(a.later & b.later)
    crossed = len(a.earlier & b.later) + len(a.later & b.earlier)
    if crossed > straight:
        yield Likeness("conflict", "order: what comes before the other")
    if swapped := _exchanged(a, b) or _turned(a, b):
        yield Likeness("conflict", f"order: {swapped}")
    if not _bound(a, b):
        yield Likeness("different", "order: what goes with what")


_DIRECTION = {"into": "to", "via": "by"}


def _swapped_relation(a: Reading, b: Reading) -> str:
    """ "From EUR" against "from USD", where both speak of both."""
    for relation in sorted({name for name, _ in a.relations} & {name for name, _ in b.relations}):
        one = {what for name, what in a.relations if name == relation}
        other = {what for name, what in b.relations if name == relation}
        if relation == "only" and a.earlier and b.earlier:
            continue  # "only after that"
        if not one & other and one <= b.said and other <= a.said:
            return f"{relation} {_listed(one)} against {relation} {_listed(other)}"
    for what in sorted({what for _, what in a.relations} & {what for _, what in b.relations}):
        one = {_DIRECTION.get(name, name) for name, word in a.relations if word == what}
        other = {_DIRECTION.get(name, name) for name, word in b.relations if word == what}
        if not one & other:
            return f"{_listed(one)} {what} against {_listed(other)} {what}"
    return ""


def _turned(a: Reading, b: Reading) -> str:
    """What stood before a word in one stands behind it in the other; no preposition explains it."""
    there = {around.token.text: around for around in _arounds(b)}
    for here in _arounds(a):
        found = there.get(here.token.text)
        if found is None or found.token.bent != here.token.bent:
            continue
        over, back = here.left & found.right, here.right & found.left
        straight = len(here.left & found.left) + len(here.right & found.right)
        if over and back and len(over) + len(back) > straight:
            return f"what {here.token.text} goes from, and to"
    return ""


class _Around(NamedTuple):
    """A word, and the words of its clause on either side."""

    token: Token
    left: frozenset[str]
    right: frozenset[str]


def _arounds(reading: Reading) -> Iterator[_Around]:
    for place, token in enumerate(reading.tokens):
        left = (t.text for t in reading.tokens[:place] if t.clause == token.clause)
        right = (t.text for t in reading.tokens[place + 1 :] if t.clause == token.clause)
        yield _Around(token, frozenset(left), frozenset(right))


def _exchanged(a: Reading, b: Reading) -> str:
    """The same words in the same order, but that two have changed places."""
    one, other = a.tokens, b.tokens
    if len(one) != len(other):
        return ""
    places = [n for n, (x, y) in enumerate(zip(one, other, strict=True)) if x.text != y.text]
    if len(places) != 2 or all(_free(tokens, *places) for tokens in (one, other)):
        return ""
    first, second = places
    if second - first == 2 and one[first + 1].bent != other[first + 1].bent:
        return ""
    same = one[first].text == other[second].text and one[second].text == other[first].text
    return f"{one[first].text} and {one[second].text} have changed places" if same else ""


def _free(tokens: tuple[Token, ...], first: int, second: int) -> bool:
    """Side by side in a list or in one clause: "never send passwords", "passwords are never sent"."""
    here, there = tokens[first], tokens[second]
    if here.kind != "word" and there.kind != "word" and not there.joined:
        return False
    return second - first == 1 and (there.joined or here.clause == there.clause)


def _bound(a: Reading, b: Reading) -> bool:
    """Whether words have kept their company: "1 is open, 2 is closed" against "1 is closed, 2 is open"."""
    for one, other in ((_beside(a), _beside(b)), (_segments(a), _segments(b))):
        shared = sorted(one.keys() & other.keys())
        for place, x in enumerate(shared):
            for y in shared[place + 1 :]:
                straight = len(one[x] & other[x] - {y}) + len(one[y] & other[y] - {x})
                over, back = one[x] & other[y], one[y] & other[x]
                if over and back and len(over) + len(back) > straight:
                    return False
    one, other = _segments(a), _segments(b)
    facts = [t.text for t in a.tokens if t.kind in ("number", "name", "unit") or _is_rank(t)]
    return not any(one[x] and other.get(x) and not one[x] & other[x] for x in facts)


def _is_rank(token: Token) -> bool:
    return token.opposite is not None and "first" in token.opposite[0].split()


def _beside(reading: Reading) -> dict[str, frozenset[str]]:
    """For each fact the words beside it."""
    texts = [token.text for token in reading.tokens]
    return {
        token.text: frozenset((*texts[max(0, place - 1) : place], *texts[place + 1 : place + 2]))
        for place, token in enumerate(reading.tokens)
        if token.kind not in ("word", "type")
    }


def _segments(reading: Reading) -> dict[str, frozenset[str]]:
    """For each word the others of its segment, its last one; "and" and clauses end segments."""
    segments: list[list[str]] = []
    clause = -1
    for token in reading.tokens:
        if token.clause != clause or token.joined:
            segments.append([])
        clause = token.clause
        segments[-1].append(token.text)
    return {text: frozenset(segment) - {text} for segment in segments for text in segment}


def _listed(texts: object) -> str:
    return ", ".join(sorted(texts)) or "nothing"  # type: ignore[call-overload]
