"""Redaction: blacking out a text in every record, without breaking the record's checksum.

A sound row is sealed again; a damaged row stays damaged, so that nothing is covered up. Where the history of
the playbook holds the text, the hashes of its versions are computed anew from there on. A match is the same
words in the same order, whatever stands between them and however JSON escapes them. Functions over a
connection that is already inside a transaction.
"""

from __future__ import annotations

import json
import re
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from typing import Any

from ace.playbook.codec import chain_hash
from ace.store import checked_rows, versions
from ace.store.sqlite_text import read_column, to_json

# Table -> the columns with text of users, models and environments; not names, times, hashes and numbers.
CONTENT: dict[str, tuple[str, ...]] = {
    "runs": ("config", "report"),
    "steps": ("payload",),
    "episodes": (
        *("question", "answer", "detail", "error", "reply", "feedback", "expected", "subjects", "missing"),
        *("uses", "reasoning", "turns", "artifacts", "expected_kind", "label_error", "parts", "fact_topics"),
    ),
    "proposals": ("delta", "why", "attempts"),
    "rejected_operations": ("operation", "why"),
    "calls": ("reply", "error", "faults"),
    "feedback": ("expected", "text"),
    "memories": ("quote",),
    "memory_proposals": ("proposal", "why"),
    "aliases": ("section",),
    "versions": ("reason",),
    "operations": ("operation",),
    "bullet_history": ("section", "content"),
    "bullets": ("section", "content"),
    "sections": ("name",),
}
_WORD = re.compile(r"[^\W_]+")
_to_canonical_json = partial(
    json.dumps, ensure_ascii=False, sort_keys=True, separators=(",", ":"), allow_nan=False
)
_BETWEEN = r"(?:\\+[nrt]|\W|_)+"  # words; a line break may be escaped, more than once where JSON lies in JSON


def compile_pattern(texts: Iterable[str]) -> re.Pattern[str]:
    """Return a pattern for any of the texts, the longest first. A text without a word matches nothing."""
    spellings = set()
    for text in texts:
        words = []
        for word in _WORD.findall(text):
            letters = []
            for letter in word:
                if letter.isascii():
                    letters.append(letter)
                else:  # in JSON it may stand as its escape
                    letters.append(rf"(?:{re.escape(letter)}|\\+u{ord(letter):04x})")
            words.append("".join(letters))
        if words:
            spellings.add(_BETWEEN.join(words))
    longest_first = sorted(spellings, key=lambda spelling: (-len(spelling), spelling))
    any_of = "|".join(longest_first) or "(?!)"
    return re.compile(rf"(?<![^\W_])(?:{any_of})(?![^\W_])", re.IGNORECASE)


def redact(db: sqlite3.Connection, pattern: re.Pattern[str], marker: str) -> dict[str, int]:
    """Replace every match by the marker, and return table -> number of rows that changed.

    Versions get new hashes from the first one on that held a match, and vectors are deleted. The caller has
    begun a transaction.
    """
    db.execute("PRAGMA defer_foreign_keys = ON")  # a section has its name in two tables
    counts = {}
    for table, columns in CONTENT.items():
        changed = _redact_table(db, table, columns, pattern, marker)
        if changed:
            counts[table] = changed
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


def redact_text(text: str, pattern: re.Pattern[str], marker: str) -> str:
    """Return a text with every match replaced by the marker; in JSON, all texts in it, in the same form."""
    if text[:1] in ("{", "[", '"'):
        for form in (to_json, _to_canonical_json):
            try:
                value = json.loads(text)
                if form(value) == text:
                    return form(_redact_value(value, pattern, marker))
            except (ValueError, RecursionError):
                continue
    return pattern.sub(marker, text)


def _redact_value(value: Any, pattern: re.Pattern[str], marker: str) -> Any:
    """Return a JSON value with every match in its texts and keys replaced."""
    if isinstance(value, str):
        return redact_text(value, pattern, marker)
    if isinstance(value, list):
        return [_redact_value(item, pattern, marker) for item in value]
    if isinstance(value, dict):
        entries = [(redact_text(key, pattern, marker), item) for key, item in value.items()]
        return {key: _redact_value(item, pattern, marker) for key, item in entries}
    return value


def _redact_table(
    db: sqlite3.Connection, table: str, columns: Sequence[str], pattern: re.Pattern[str], marker: str
) -> int:
    """Replace every match in these columns of a table, and return the number of rows that changed."""
    primary_key = "SELECT name FROM pragma_table_info(?) WHERE pk > 0 ORDER BY pk"
    keys = read_column(db, primary_key, [table]) or ["rowid"]
    names = ", ".join(f'"{name}"' for name in (*keys, *columns))
    where = " AND ".join(f'"{key}" = ?' for key in keys)
    changes = []
    for row in db.execute(f"SELECT {names} FROM {table}"):  # noqa: S608 (our own names)
        key, old = row[: len(keys)], row[len(keys) :]
        new = []
        for value in old:
            if isinstance(value, str):
                value = redact_text(value, pattern, marker)
            new.append(value)
        if new != list(old):
            changes.append((key, new))
    for key, new in changes:
        checked_rows.update(db, table, dict(zip(columns, new, strict=True)), where, key)
    return len(changes)


def find_remaining(db: sqlite3.Connection, pattern: re.Pattern[str]) -> Iterator[tuple[str, str, int]]:
    """Yield table, column and number of rows that still match: other memories, documents, others' tables."""
    tables = """SELECT name FROM pragma_table_list WHERE schema = 'main' AND type = 'table'
        AND name NOT GLOB 'sqlite_*' ORDER BY name"""
    for (table,) in db.execute(tables).fetchall():
        sql = "SELECT name FROM pragma_table_info(?) WHERE type = 'TEXT' OR type = ''"
        for (column,) in db.execute(sql, [table]).fetchall():
            count = 0
            for (value,) in db.execute(f'SELECT "{column}" FROM "{table}"'):  # noqa: S608 (names that SQLite gave)
                if isinstance(value, str) and pattern.search(value):
                    count += 1
            if count:
                yield table, column, count
