"""Forgetting memories: their rows, their texts in other records, files they were written to, and the bytes.

Knows which texts of a memory tell it apart. One as short as "blue" is not hunted for elsewhere, where it
would be somebody else's word; `also` says what is.
"""

from __future__ import annotations

import json
import os
import re
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from io import StringIO
from pathlib import Path

from ace.errors import StoreBusy, StoreError
from ace.memory.memory import Memory
from ace.store import memory_rows
from ace.store.connection import typed_errors
from ace.store.integrity import redact, verify
from ace.store.schema import now
from ace.store.sqlite_text import to_text

MARKER = "[forgotten]"
_DIGITS, _WORDS, _LETTERS = 5, 2, 8  # a text with so many digits, or words and letters, is nobody else's


@dataclass(frozen=True, slots=True)
class FromTables:
    """`pattern` finds what was to go; `remaining` names where it is still."""

    pattern: re.Pattern[str]
    redacted: dict[str, int]
    remaining: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class FromExports:
    written: tuple[str, ...]
    failed: tuple[str, ...]


def texts_of(memory: Memory) -> Iterator[str]:
    """The wordings of a memory that are looked for in other records."""
    yield from filter(is_distinctive, (memory.text, memory.quote, memory.value))


def is_distinctive(text: str) -> bool:
    letters = sum(c.isalpha() for c in text)
    return sum(c.isdigit() for c in text) >= _DIGITS or (len(text.split()) >= _WORDS and letters >= _LETTERS)


def from_tables(
    db: sqlite3.Connection, found: Sequence[Memory], also: Sequence[str], author: str
) -> FromTables:
    """Inside a transaction. Raises StoreError, and nothing is changed, if the history would break."""
    at = now()
    for memory in found:
        memory_rows.remove(db, memory, author, at)
    blanked = memory_rows.blank_proposals_of(db, [memory.id for memory in found], MARKER)
    pattern = redact.pattern_of([*(text for memory in found for text in texts_of(memory)), *also])
    chained = redact.in_history(db, pattern)
    before = _count_problems(db) if chained else 0
    redacted = redact.redact(db, pattern, MARKER)
    if blanked:
        redacted["memory_proposals"] = redacted.get("memory_proposals", 0) + blanked
    if chained and _count_problems(db) > before:
        raise StoreError(
            "The history of the playbook holds this text, and would not be whole without it.",
            hint="Give the bullet that holds it other words, or leave the text out of --also.",
        )
    memory_rows.note_redacted(db, [memory.id for memory in found], redacted)
    left = [f"{table}.{column}: {count}" for table, column, count in redact.remaining(db, pattern)]
    return FromTables(pattern, redacted, tuple(left))


def from_exports(files: Iterable[Path], found: Sequence[Memory], pattern: re.Pattern[str]) -> FromExports:
    """Files that memories were written to and that are still there, written again without them."""
    ids = {memory.id for memory in found}
    written, failed = list[str](), list[str]()
    for file in files:
        try:
            old = file.read_bytes().decode("utf-8")  # line ends as they are
            new = "".join(_kept(line, ids, pattern) for line in StringIO(old, newline="\n"))
            if new != old:
                _overwrite(file, new)
                written.append(str(file))
        except FileNotFoundError:
            continue
        except (OSError, UnicodeDecodeError) as error:
            failed.append(f"{file}: {error}")
    return FromExports(tuple(written), tuple(failed))


def _kept(line: str, ids: set[str], pattern: re.Pattern[str]) -> str:
    """A line of an export as it is, but for the memories and their words in others' quotes.

    What is no row of ours loses their words wherever they stand: somebody may have laid a row out anew.
    """
    try:
        row = json.loads(line)
    except (ValueError, RecursionError):
        row = None
    if not isinstance(row, dict):
        return pattern.sub(MARKER, line)
    if isinstance(row.get("id"), str) and row["id"] in ids:
        return ""
    if isinstance(row.get("quote"), str) and pattern.search(row["quote"]):
        row["quote"] = pattern.sub(MARKER, row["quote"])
        return to_text(json.dumps(row, ensure_ascii=False)) + "\n"
    return line


def _overwrite(file: Path, text: str) -> None:
    """In place, zeros first: a new file under the old name would leave the old bytes on the disk."""
    with file.open("r+b") as out:
        for data in (bytes(file.stat().st_size), text.encode()):
            out.seek(0)
            out.write(data)
            out.flush()
            os.fsync(out.fileno())
        out.truncate()


def in_copies(path: Path, pattern: re.Pattern[str]) -> tuple[str, ...]:
    """Files that restoring a backup has set aside, if they hold it. They are whole playbooks: not touched."""
    found = []
    for copy in sorted(path.parent.glob(f"{path.name}.before-*")):
        with suppress(OSError):
            if pattern.search(copy.read_bytes().decode("utf-8", "replace")):
                found.append(str(copy))
    return tuple(found)


def scrub(db: sqlite3.Connection, path: Path) -> bool:
    """Write the file anew without what was deleted, and empty its log. False while others read it."""
    try:
        with typed_errors(path):
            db.execute("PRAGMA secure_delete = ON")
            db.execute("PRAGMA temp_store = MEMORY")  # the copy that VACUUM makes must not stay on a disk
            db.execute("VACUUM")
            busy, _, _ = db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    except StoreBusy:
        return False
    return not busy


def _count_problems(db: sqlite3.Connection) -> int:
    return sum(1 for _ in verify.problems(db))
