"""Redaction: blacking out a text in every record, without breaking the record's checksum.

A sound row is sealed again; a damaged row stays damaged, so that nothing is covered up. Where the history of
the playbook holds the text, the hashes of its versions are computed anew from there on. A match is the same
letters and digits in the same order, whatever stands between them and however they are escaped. Functions
over a connection that is already inside a transaction.
"""

from __future__ import annotations

import re
import tomllib
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from ace.playbook.codec import chain_hash
from ace.store import checked_rows, versions
from ace.store.content import CONTENT, rewrite_text
from ace.store.store_database import Database
from ace.text.splitting import is_unspaced
from ace.text.unfold import fold_text, list_base64, unfold

_SIGNS = re.compile(r"[\W_]+")
_LONG_NUMBER = 8  # digits: so many in a row are found inside longer numbers
_LONG = 12  # letters and digits: so many in a row are found inside longer words, too
_DIGRAPH = re.compile("([aou])e", re.IGNORECASE)
_LONG_WORD = re.compile(r"\w{6,}")  # in which "ue" may be "ü": that makes no other word of "does"
_NAME_WORDS = 4
# Table without checksums -> its key.
_KEYS = {
    "operations": ["version", "position"],
    "bullet_history": ["version", "bullet"],
    "bullets": ["id"],
    "sections": ["branch", "place"],
}
_NAME_SIGNS = re.compile("[-.,'\u2019]")

Show = Callable[[int, int], None]
"""Is told how many steps are done, and how many there are: tables that were looked through, or others."""


def show_nothing(done: int, total: int) -> None:
    """Show nothing."""


@dataclass(frozen=True, slots=True)
class TextMatcher:
    """Find any of a few texts in another, however it is written there.

    A text is found in any case, with or without accents, signs and spaces between its words, in full width,
    in percent-encoding, base64 and hexadecimal digits, as entities, and as JSON escapes it. It is found with
    "ue" for "ü", and with its last word first where it is a name. Where words are written apart, it must
    begin and end with a word, unless it is so long that it is nobody else's.
    """

    keys: tuple[str, ...]
    """Their letters and digits without signs, in each spelling; the longest first."""

    def finds(self, text: str) -> bool:
        """Return whether a text holds any of them."""
        return any(self._find(text))

    def black_out(self, marker: str, text: str) -> str:
        """Return a text with the marker in the place of each of them."""
        parts, position = list[str](), 0
        for start, end in sorted(self._find(text), key=lambda span: (span[0], -span[1])):
            if start >= position:
                parts += [text[position:start], marker]
            elif end > position:
                parts.append("")
            position = max(position, end)
        return "".join([*parts, text[position:]])

    def _find(self, text: str) -> Iterator[tuple[int, int]]:
        """Yield where they stand. An escape may be none, as in a path: so the text is read both ways."""
        for escapes in (True, False) if "\\" in text or "%" in text or "&" in text else (False,):
            squeezed = _SIGNS.sub("", fold_text(text, escapes=escapes))
            keys = [key for key in self.keys if key in squeezed]
            if not keys:
                continue
            view = unfold(text, escapes=escapes)
            places = [place for place, character in enumerate(view.text) if character.isalnum()]
            letters = "".join(view.text[place] for place in places)
            for key in keys:
                start = letters.find(key)
                while start >= 0:
                    first, last = places[start], places[start + len(key) - 1]
                    is_long = len(key) >= (_LONG_NUMBER if key.isdigit() else _LONG)
                    if is_long or _stands_alone(view.text, first, last):
                        begin, end = view.locate(first, last + 1)
                        while unicodedata.combining(text[end : end + 1] or " "):
                            end += 1
                        yield begin, end
                    start = letters.find(key, start + 1)


def _stands_alone(text: str, first: int, last: int) -> bool:
    """Return whether a word begins at `first` and ends at `last`; one of a script without spaces does."""
    before, after = text[first - 1 : first], text[last + 1 : last + 2]
    begins = not before.isalnum() or is_unspaced(text[first]) or is_unspaced(before)
    ends = not after.isalnum() or is_unspaced(text[last]) or is_unspaced(after)
    return begins and ends


def compile_matcher(texts: Iterable[str]) -> TextMatcher:
    """Return what finds any of the texts, the longest first. A text without a word matches nothing."""
    keys = set[str]()
    for text in texts:
        data = text.encode("utf-8", "surrogatepass")
        encoded = (*list_base64(text), data.hex())
        # The second is what a text becomes whose bytes were read as Latin-1.
        forms = [text, data.decode("latin-1"), *(form for form in encoded if len(form) >= _LONG)]
        forms += _list_spellings(text)
        keys.update(_SIGNS.sub("", fold_text(form, escapes=False)) for form in forms)
    keys.discard("")
    # A number for the telephone loses its first zeros where that of a country stands before it.
    keys |= {key.lstrip("0") for key in keys if key.isdigit() and len(key.lstrip("0")) >= _LONG_NUMBER}
    return TextMatcher(tuple(sorted(keys, key=lambda key: (-len(key), key))))


@cache
def _read_letters() -> dict[int, str]:
    """Map letters to how they are written without them, from the data file."""
    rows = tomllib.loads(Path(__file__).with_name("spellings.toml").read_text("utf-8"))["letters"]
    letters = dict[str, str]()
    for written, row in rows.items():
        for letter in row:
            letters[letter] = written
            letters[letter.upper()] = written.title()
    return str.maketrans(letters)


def _list_spellings(text: str) -> list[str]:
    """Return how a name may be written besides: Zuerich for Zürich, Zürich for Zuerich, and "Lee, Ann"."""
    text = unicodedata.normalize("NFC", text)
    orders, words = [text], text.replace(",", " ").split()
    is_name = 2 <= len(words) <= _NAME_WORDS and all(map(str.isalpha, _NAME_SIGNS.sub("", text).split()))
    if is_name and not words[0][0].islower() and not words[-1][0].islower():
        orders += [" ".join([words[-1], *words[:-1]]), " ".join([*words[1:], words[0]])]
    spellings = orders[1:]
    for order in orders:
        spellings.append(order.translate(_read_letters()))
        spellings.append(_LONG_WORD.sub(lambda word: _DIGRAPH.sub(r"\1", word[0]), order))
    return spellings


def redact(db: Database, matcher: TextMatcher, marker: str, show: Show = show_nothing) -> dict[str, int]:
    """Replace every match by the marker, and return table -> number of rows that changed.

    Versions get new hashes from the first one on that held a match, and vectors are deleted. The caller has
    begun a transaction.
    """
    db.allow_rewriting()
    counts = {}
    for number, (table, columns) in enumerate(CONTENT.items()):
        show(number, len(CONTENT))
        changed = _redact_table(db, table, columns, matcher, marker)
        if changed:
            counts[table] = changed
    show(len(CONTENT), len(CONTENT))
    if "operations" in counts or "versions" in counts:  # what a version's hash covers
        hashes: dict[int, str] = {}
        sql = "SELECT number, parent, merged, hash, author, reason FROM versions ORDER BY number"
        for number, parent, merged, old, author, reason in db.execute(sql).fetchall():
            parents = [hashes[at] for at in (parent, merged) if at is not None]
            delta = versions.read_delta_json(db, number)
            hashes[number] = chain_hash(" ".join(parents), delta, author, reason)
            if hashes[number] != old:
                checked_rows.update(db, "versions", {"hash": hashes[number]}, "number = ?", [number])
        db.execute("DELETE FROM vectors")  # a vector reveals what a text was about; they are computed again
    return counts


def redact_text(text: str, matcher: TextMatcher, marker: str) -> str:
    """Return a text with every match replaced by the marker; in JSON, all texts in it, in the same form."""
    return rewrite_text(text, lambda plain: matcher.black_out(marker, plain))


def _redact_table(db: Database, table: str, columns: Sequence[str], matcher: TextMatcher, marker: str) -> int:
    """Replace every match in these columns of a table, and return the number of rows that changed."""
    keys = _KEYS.get(table) or checked_rows.KEYS.get(table, "rowid").split(", ")
    names = ", ".join(f'"{name}"' for name in (*keys, *columns))
    where = " AND ".join(f'"{key}" = ?' for key in keys)
    changes = []
    for row in db.execute(f"SELECT {names} FROM {table}"):  # noqa: S608 (our own names)
        key, old = row[: len(keys)], row[len(keys) :]
        new = []
        for value in old:
            if isinstance(value, str):
                value = redact_text(value, matcher, marker)
            new.append(value)
        if new != list(old):
            changes.append((key, new))
    for key, new in changes:
        checked_rows.update(db, table, dict(zip(columns, new, strict=True)), where, key)
    return len(changes)


def find_remaining(db: Database, matcher: TextMatcher) -> Iterator[tuple[str, str, int]]:
    """Yield table, column and number of rows that still match: other memories, documents, others' tables."""
    for table, column in db.text_columns():
        count = 0
        for (value,) in db.execute(f'SELECT "{column}" FROM "{table}"'):  # noqa: S608 (names that the database gave)
            if isinstance(value, str) and matcher.finds(value):
                count += 1
        if count:
            yield table, column, count
