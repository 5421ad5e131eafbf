"""Blacking out a text wherever a record holds it, without breaking what vouches for the record.

A row that was sound is sealed again; a row that was damaged stays damaged, so that nothing is covered up.
Where the history of the playbook itself holds the text, the hashes of its versions are made again from
there on. A match is the same words in the same order, whatever stands between them and however JSON escapes
them. Functions over a connection that is already inside a transaction.
"""

from __future__ import annotations

import json
import re
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from ace.store import checked_rows, versions
from ace.store.sqlite_text import to_json

# Columns that hold what somebody said: users, models, environments. Names, times, hashes and numbers do not.
CONTENT: dict[str, tuple[str, ...]] = {
    "runs": ("config", "report"),
    "steps": ("payload",),
    "episodes": (
        *("question", "answer", "detail", "error", "reply", "feedback", "expected", "subjects", "missing"),
        "uses",
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
_BETWEEN = r"(?:\\+[nrt]|\W|_)+"  # words; a line break may be escaped, more than once where JSON lies in JSON


def pattern_of(texts: Iterable[str]) -> re.Pattern[str]:
    """Finds any of the texts, the longest first. A text without a word finds nothing."""
    spelled = {_BETWEEN.join(map(_escaped, words)) for text in texts if (words := _WORD.findall(text))}
    longest = sorted(spelled, key=lambda text: (-len(text), text))
    return re.compile(rf"(?<![^\W_])(?:{'|'.join(longest) or '(?!)'})(?![^\W_])", re.IGNORECASE)


def _escaped(word: str) -> str:
    return "".join(c if c.isascii() else rf"(?:{re.escape(c)}|\\+u{ord(c):04x})" for c in word)


def redact(db: sqlite3.Connection, pattern: re.Pattern[str], marker: str) -> dict[str, int]:
    """Table -> how many of its rows held it."""
    db.execute("PRAGMA defer_foreign_keys = ON")  # a section has its name in two tables
    changed = {table: _table(db, table, columns, pattern, marker) for table, columns in CONTENT.items()}
    if changed["operations"] or changed["versions"]:  # what a version's hash covers
        _rechain(db)
        db.execute("DELETE FROM vectors")  # a vector tells what a text was about; they are computed again
    return {table: count for table, count in changed.items() if count}


def in_history(db: sqlite3.Connection, pattern: re.Pattern[str]) -> bool:
    """Whether what the versions' hashes cover holds it."""
    values = db.execute("SELECT operation FROM operations UNION ALL SELECT reason FROM versions")
    return any(pattern.search(text) for (text,) in values)


def without(text: str, pattern: re.Pattern[str], marker: str) -> str:
    """The text, or JSON with all texts in it, without what the pattern finds."""
    for form in (to_json, _canonical):
        value = _parsed(text, form)
        if value is not None:
            return form(_walk(value, pattern, marker))
    return pattern.sub(marker, text)


def _canonical(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"), allow_nan=False)


def _parsed(text: str, form: Callable[[Any], str]) -> Any:
    """None for what is not JSON in this form."""
    if text[:1] not in '{["':
        return None
    try:
        value = json.loads(text)
        return value if form(value) == text else None
    except (ValueError, RecursionError):
        return None


def _walk(value: Any, pattern: re.Pattern[str], marker: str) -> Any:
    if isinstance(value, str):
        return without(value, pattern, marker)
    if isinstance(value, list):
        return [_walk(item, pattern, marker) for item in value]
    if isinstance(value, dict):
        return {_walk(key, pattern, marker): _walk(item, pattern, marker) for key, item in value.items()}
    return value


def _table(
    db: sqlite3.Connection, table: str, columns: Sequence[str], pattern: re.Pattern[str], marker: str
) -> int:
    keys = checked_rows.key_of(db, table)
    names = ", ".join(f'"{name}"' for name in (*keys, *columns))
    where = " AND ".join(f'"{key}" = ?' for key in keys)
    sets = ", ".join(f'"{column}" = ?' for column in columns)
    found = []
    for row in db.execute(f"SELECT {names} FROM {table}"):  # noqa: S608 (our own names)
        old = row[len(keys) :]
        new = [without(text, pattern, marker) if isinstance(text, str) else text for text in old]
        if new != list(old):
            found.append((row[: len(keys)], new))
    for key, new in found:
        sound = table not in checked_rows.SEALED or checked_rows.is_sound(db, table, where, key)
        db.execute(f"UPDATE {table} SET {sets} WHERE {where}", [*new, *key])  # noqa: S608
        if sound and table in checked_rows.SEALED:
            checked_rows.reseal(db, table, where, key)
    return len(found)


def _rechain(db: sqlite3.Connection) -> None:
    """Every version's hash again, from what it holds now."""
    hashes: dict[int, str] = {}
    sql = "SELECT number, parent, merged, hash, author, reason FROM versions ORDER BY number"
    for number, parent, merged, old, author, reason in db.execute(sql).fetchall():
        listed = "SELECT operation FROM operations WHERE version = ? ORDER BY position"
        text = versions.join(operation for (operation,) in db.execute(listed, [number]))
        parents = [hashes[at] for at in (parent, merged) if at is not None]
        hashes[number] = versions.version_hash(parents or [""], text, author, reason)
        if hashes[number] != old:
            sound = checked_rows.is_sound(db, "versions", "number = ?", [number])
            db.execute("UPDATE versions SET hash = ? WHERE number = ?", [hashes[number], number])
            if sound:
                checked_rows.reseal(db, "versions", "number = ?", [number])


def remaining(db: sqlite3.Connection, pattern: re.Pattern[str]) -> Iterator[tuple[str, str, int]]:
    """Table, column and number of rows that hold it still: other memories, documents, tables of others."""
    tables = """SELECT name FROM pragma_table_list WHERE schema = 'main' AND type = 'table'
        AND name NOT GLOB 'sqlite_*' ORDER BY name"""
    for (table,) in db.execute(tables).fetchall():
        sql = "SELECT name FROM pragma_table_info(?) WHERE type = 'TEXT' OR type = ''"
        for (column,) in db.execute(sql, [table]).fetchall():
            values = db.execute(f'SELECT "{column}" FROM "{table}"')  # noqa: S608 (names that SQLite gave)
            count = sum(bool(pattern.search(text)) for (text,) in values if isinstance(text, str))
            if count:
                yield table, column, count
