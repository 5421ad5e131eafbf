"""Comparison of two lessons: they say the same, contradict each other, or neither. In doubt, neither.

They say the same when every word of one has its like in the other and numbers, names, units, negations,
opposites and the order of operands are the same. They are in conflict when all but one of these is the same
("queue R7", "queue R9"; "use UTC", "do not use UTC") and that one is not what tells two subjects apart
("loans overdue: 3", "loans returned: 4"). Likeness of embeddings decides nothing here.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum

from ace.refine.lesson_reading import Reading, Token, read_lesson
from ace.refine.lexicon import Side, load_lexicon, share_root
from ace.text import word_key


class Kind(StrEnum):
    """Say how two lessons stand to each other."""

    SAME = "same"  # one of them can go
    CONFLICT = "conflict"  # they cannot both be right
    DIFFERENT = "different"  # neither: also where nobody can tell


@dataclass(frozen=True, slots=True)
class Conflict:
    """Name two bullets that cannot both be right."""

    one: str
    """The id of a bullet."""

    other: str
    """The id of the other."""

    why: str
    """A sentence for people."""


@dataclass(frozen=True, slots=True)
class Likeness:
    """Say how two lessons stand to each other."""

    kind: Kind
    """Whether they say the same, contradict each other, or neither."""

    why: str = ""
    """A sentence for people."""


def compare(first: str, second: str) -> Likeness:
    """Compare two lessons. The kind does not depend on which of them comes first.

    Lessons that explain different words (before the colon) are different, whatever else they say. What is
    compared then is, in this order: words, numbers and names and units, opposites, negations, order.
    """
    if plain_text(first) == plain_text(second):
        return Likeness(Kind.SAME, "the same words")
    topics = []
    for text in (first, second):
        head, colon, _ = text.partition(":")
        if colon:
            topics.append(word_key(head))
    if len(topics) == 2 and all(topics) and topics[0] != topics[1]:
        return Likeness(Kind.DIFFERENT, "they explain different words")
    a, b = read_lesson(first), read_lesson(second)
    missing_in_b = _missing_words(a, b)
    missing_in_a = _missing_words(b, a)
    missing = missing_in_a | missing_in_b
    if (missing_in_a and missing_in_b) or not missing <= load_lexicon().faint:
        return Likeness(Kind.DIFFERENT, f"only one says: {', '.join(sorted(missing))}")
    for find_difference in (_compare_facts, _compare_opposites, _compare_negations, _compare_order):
        difference = find_difference(a, b)
        if difference is not None:
            return difference
    return Likeness(Kind.SAME, "other words, the same facts")


def plain_text(text: str) -> str:
    """Return the text without differences in space, in case outside quotes, or in the stop at the end."""
    parts = " ".join(text.split()).rstrip(".! ").split("'")
    parts[::2] = map(str.casefold, parts[::2])  # the others are quoted
    return "'".join(parts)


def _missing_words(a: Reading, b: Reading) -> frozenset[str]:
    """Return the words of `a` that `b` has in no form."""
    missing = set()
    for word in a.words - b.vocabulary:
        if not any(share_root(word, candidate) for candidate in b.words):
            missing.add(word)
    return frozenset(missing)


def _compare_facts(a: Reading, b: Reading) -> Likeness | None:
    """Return how numbers, names and units differ; None where they do not."""
    kinds = (
        ("number", a.numbers, b.numbers),
        ("name", a.names, b.names),
        ("unit", a.units, b.units),
    )
    differences = []
    for kind, in_a, in_b in kinds:
        only_a = in_a - b.vocabulary
        only_b = in_b - a.vocabulary
        if only_a or only_b:
            differences.append((kind, only_a, only_b))
    if not differences:
        return None
    kind, only_a, only_b = differences[0]
    what = f"{_join_sorted(only_a)} against {_join_sorted(only_b)}"
    if len(differences) > 1 or len(only_a) != 1 or len(only_b) != 1:
        return Likeness(Kind.DIFFERENT, f"several facts differ: {what}")
    scopes = [token.scope for token in a.tokens if token.text in only_a]
    scopes += [token.scope for token in b.tokens if token.text in only_b]
    if kind != "unit" and all(scopes):
        return Likeness(Kind.DIFFERENT, f"they are about different things: {what}")
    if a.sides != b.sides or len(a.denials) != len(b.denials):
        return Likeness(Kind.DIFFERENT, f"more than a {kind} differs: {what}")
    return Likeness(Kind.CONFLICT, f"{kind}: {what}")


def _compare_opposites(a: Reading, b: Reading) -> Likeness | None:
    """Return how the sides taken of pairs of opposites differ; None where they do not."""
    only_a = _sides_of_one(a, b)
    only_b = _sides_of_one(b, a)
    if not only_a and not only_b:
        return None
    names_a = _join_sorted(side.name for side in only_a)
    names_b = _join_sorted(side.name for side in only_b)
    axes = {side.axis for side in only_a | only_b}
    is_pair = len(only_a) == len(only_b) == len(axes) == 1
    contradicts = is_pair and len(a.denials) == len(b.denials)
    kind = Kind.CONFLICT if contradicts else Kind.DIFFERENT
    return Likeness(kind, f"opposites: {names_a} against {names_b}")


def _sides_of_one(a: Reading, b: Reading) -> frozenset[Side]:
    """Return the sides that only `a` takes; soft ones only where `b` takes another side of the pair."""
    optional = load_lexicon().soft_axes - {side.axis for side in b.sides}
    return frozenset(side for side in a.sides - b.sides if side.axis not in optional)


def _compare_negations(a: Reading, b: Reading) -> Likeness | None:
    """Return how denials differ in number or in what they are about; None where they do not."""
    if len(a.denials) != len(b.denials):
        odd = (len(a.denials) - len(b.denials)) % 2
        kind = Kind.CONFLICT if odd else Kind.DIFFERENT
        return Likeness(kind, "negation: only one of them denies it")
    unmatched = list(b.denials)
    for words in a.denials:
        for denial in unmatched:
            if words & denial or any(share_root(x, y) for x in words for y in denial):
                unmatched.remove(denial)
                break
        else:
            return Likeness(Kind.DIFFERENT, "negation: they deny different things")
    return None


def _compare_order(a: Reading, b: Reading) -> Likeness | None:
    """Return how operators, directions and the order of words differ; None where they do not."""
    if a.symbols != b.symbols:
        return Likeness(Kind.DIFFERENT, "signs or operators differ")
    if a.formulas != b.formulas:
        operands_a = sorted(operand for _, *pair in a.formulas for operand in pair)
        operands_b = sorted(operand for _, *pair in b.formulas for operand in pair)
        kind = Kind.CONFLICT if operands_a == operands_b else Kind.DIFFERENT
        return Likeness(kind, "order: the operands of a formula differ")
    swapped = _find_swapped_relation(a, b)
    if swapped:
        return Likeness(Kind.CONFLICT, f"order: {swapped}")
    if bool(a.earlier) != bool(b.earlier):
        return Likeness(Kind.DIFFERENT, "only one says what comes first")
    straight = len(a.earlier & b.earlier) + len(a.later & b.later)
    crossed = len(a.earlier & b.later) + len(a.later & b.earlier)
    if crossed > straight:
        return Likeness(Kind.CONFLICT, "order: what comes before the other")
    swapped = _find_exchanged(a, b) or _find_turned(a, b)
    if swapped:
        return Likeness(Kind.CONFLICT, f"order: {swapped}")
    if not _keeps_company(a, b):
        return Likeness(Kind.DIFFERENT, "order: what goes with what")
    return None


_DIRECTION = {"into": "to", "via": "by"}


def _find_swapped_relation(a: Reading, b: Reading) -> str:
    """Describe a relation to another word, "from EUR" against "from USD", where both speak of both.

    Also a word that stands in another relation: "from EUR" against "to EUR". Empty where there is none.
    """
    objects_a = _group_pairs(a.relations)
    objects_b = _group_pairs(b.relations)
    for relation in sorted(objects_a.keys() & objects_b.keys()):
        in_a = objects_a[relation]
        in_b = objects_b[relation]
        if relation == "only" and a.earlier and b.earlier:
            continue  # "only after that"
        if not in_a & in_b and in_a <= b.vocabulary and in_b <= a.vocabulary:
            return f"{relation} {_join_sorted(in_a)} against {relation} {_join_sorted(in_b)}"
    ways_a = _group_pairs((word, _DIRECTION.get(name, name)) for name, word in a.relations)
    ways_b = _group_pairs((word, _DIRECTION.get(name, name)) for name, word in b.relations)
    for word in sorted(ways_a.keys() & ways_b.keys()):
        in_a, in_b = ways_a[word], ways_b[word]
        if not in_a & in_b:
            return f"{_join_sorted(in_a)} {word} against {_join_sorted(in_b)} {word}"
    return ""


def _group_pairs(pairs: Iterable[tuple[str, str]]) -> dict[str, set[str]]:
    """Return the second members of the pairs by their first."""
    groups: dict[str, set[str]] = {}
    for key, value in pairs:
        groups.setdefault(key, set()).add(value)
    return groups


def _find_turned(a: Reading, b: Reading) -> str:
    """Describe a word whose sides have changed places, unless a preposition explains it.

    What one lesson has before the word, within its clause, the other has behind it, and the reverse. Empty
    where no word is like that.
    """
    contexts_b = {token.text: (token, before, behind) for token, before, behind in _contexts(b)}
    for token, before_a, behind_a in _contexts(a):
        if token.text not in contexts_b:
            continue
        twin, before_b, behind_b = contexts_b[token.text]
        if twin.bent != token.bent:
            continue
        to_behind = before_a & behind_b
        to_before = behind_a & before_b
        straight = len(before_a & before_b) + len(behind_a & behind_b)
        if to_behind and to_before and len(to_behind) + len(to_before) > straight:
            return f"what {token.text} goes from, and to"
    return ""


def _contexts(reading: Reading) -> Iterator[tuple[Token, set[str], set[str]]]:
    """Yield each token with the words of its clause before it, and those behind it."""
    for place, token in enumerate(reading.tokens):
        before, behind = set[str](), set[str]()
        for neighbour_place, neighbour in enumerate(reading.tokens):
            if neighbour.clause != token.clause:
                continue
            if neighbour_place < place:
                before.add(neighbour.text)
            elif neighbour_place > place:
                behind.add(neighbour.text)
        yield token, before, behind


def _find_exchanged(a: Reading, b: Reading) -> str:
    """Describe the two words that have changed places, where nothing else differs.

    Empty where there are none, or where their order is free (`_may_exchange`).
    """
    if len(a.tokens) != len(b.tokens):
        return ""
    places = []
    for place, (in_a, in_b) in enumerate(zip(a.tokens, b.tokens, strict=True)):
        if in_a.text != in_b.text:
            places.append(place)
    if len(places) != 2:
        return ""
    first, second = places
    if _may_exchange(a.tokens, first, second) and _may_exchange(b.tokens, first, second):
        return ""
    between_a = a.tokens[first + 1]
    between_b = b.tokens[first + 1]
    if second - first == 2 and between_a.bent != between_b.bent:
        return ""
    texts_a = a.tokens[first].text, a.tokens[second].text
    if texts_a != (b.tokens[second].text, b.tokens[first].text):
        return ""
    return f"{texts_a[0]} and {texts_a[1]} have changed places"


def _may_exchange(tokens: tuple[Token, ...], first: int, second: int) -> bool:
    """Return whether two tokens stand side by side in a list or a clause, where order is free.

    As in "never send passwords", "passwords are never sent".
    """
    here, there = tokens[first], tokens[second]
    if here.kind != "word" and there.kind != "word" and not there.joined:
        return False
    return second - first == 1 and (there.joined or here.clause == there.clause)


def _keeps_company(a: Reading, b: Reading) -> bool:
    """Return whether words keep their company.

    They do not in "1 is open, 2 is closed" against "1 is closed, 2 is open". Two words have exchanged their
    company if each stands with more of the other's than of its own. A fact must keep some of its own.
    """
    segments_a = _segments(a)
    segments_b = _segments(b)
    for in_a, in_b in ((_neighbours(a), _neighbours(b)), (segments_a, segments_b)):
        shared = sorted(in_a.keys() & in_b.keys())
        for place, x in enumerate(shared):
            for y in shared[place + 1 :]:
                straight = len(in_a[x] & in_b[x] - {y}) + len(in_a[y] & in_b[y] - {x})
                over = in_a[x] & in_b[y]
                back = in_a[y] & in_b[x]
                if over and back and len(over) + len(back) > straight:
                    return False
    for token in a.tokens:
        is_rank = token.opposite is not None and "first" in token.opposite.axis.split()
        if is_rank or token.kind in ("number", "name", "unit"):
            company_a = segments_a[token.text]
            company_b = segments_b.get(token.text)
            if company_a and company_b and not company_a & company_b:
                return False
    return True


def _neighbours(reading: Reading) -> dict[str, frozenset[str]]:
    """Return the words beside each fact: the one before it, and the one behind it."""
    texts = [token.text for token in reading.tokens]
    neighbours = {}
    for place, token in enumerate(reading.tokens):
        if token.kind not in ("word", "type"):
            beside = texts[max(0, place - 1) : place] + texts[place + 1 : place + 2]
            neighbours[token.text] = frozenset(beside)
    return neighbours


def _segments(reading: Reading) -> dict[str, frozenset[str]]:
    """Return for each word the others of its last segment; "and" and clauses end segments."""
    segments: list[list[str]] = []
    clause = -1
    for token in reading.tokens:
        if token.clause != clause or token.joined:
            segments.append([])
        clause = token.clause
        segments[-1].append(token.text)
    others: dict[str, frozenset[str]] = {}
    for segment in segments:
        for text in segment:
            others[text] = frozenset(segment) - {text}
    return others


def _join_sorted(texts: Iterable[str]) -> str:
    """Return texts in the order of the alphabet as one, so that it is the same every time."""
    return ", ".join(sorted(texts)) or "nothing"
