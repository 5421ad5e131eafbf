"""Forgetting memories: their rows, their texts in other records, their export files, and the bytes.

Knows which texts identify a memory. One as short as "blue" is not searched for in other records, where it
would be somebody else's word; `also` adds texts to search for.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from io import StringIO
from pathlib import Path

from ace.errors import StoreError
from ace.memory import Memory
from ace.store import memory_rows
from ace.store.integrity import redact, verify
from ace.store.integrity.redact import Show, TextMatcher, compile_matcher
from ace.store.sqlite_text import now, read_column, to_text
from ace.store.store_database import Database
from ace.text.splitting import is_unspaced, split_words

MARKER = "[forgotten]"
# A text with so many digits, or so many words and letters, is nobody else's.
_DIGITS, _WORDS, _LETTERS, _UNSPACED = 5, 2, 8, 5


@dataclass(frozen=True, slots=True)
class TableResult:
    """Report on the tables."""

    matcher: TextMatcher
    """Finds the forgotten texts."""

    redacted: dict[str, int]
    """Table -> number of rows."""

    remaining: tuple[str, ...]
    """Columns that still hold a match, with the number of rows."""


def is_distinctive(text: str) -> bool:
    """Return whether a text is long enough to identify its memory in other records.

    Words count however they are joined, as in an address for mail. In a script without spaces, which has no
    words to count, letters do.
    """
    digits = sum(character.isdigit() for character in text)
    letters = sum(character.isalpha() for character in text)
    unspaced = sum(map(is_unspaced, text))
    words = len(split_words(text)) - unspaced
    return digits >= _DIGITS or unspaced >= _UNSPACED or (words >= _WORDS and letters >= _LETTERS)


def list_texts(memories: Iterable[Memory], also: Iterable[str] = ()) -> list[str]:
    """Return the texts by which memories are found elsewhere, and `also`.

    Of an address for mail the name alone counts, too. What is not distinctive is left out.
    """
    texts = list(also)
    for memory in memories:
        names = [word.partition("@")[0] for word in memory.value.split() if "@" in word]
        texts += filter(is_distinctive, (memory.text, memory.quote, memory.value, *names))
    return texts


def forget_in_tables(
    db: Database, memories: Sequence[Memory], texts: Sequence[str], author: str, show: Show
) -> TableResult:
    """Delete memories and black out `texts` (see `list_texts`) in all tables; `show` is that of `redact`.

    The caller has begun a transaction. Raises StoreError, and changes nothing, if the history of the playbook
    would no longer verify.
    """
    ids, at = list[str](), now()
    for memory in memories:
        memory_rows.remove(db, memory, author, at)
        ids.append(memory.id)
    blanked = memory_rows.blank_proposals(db, MARKER, memories=ids)
    matcher = compile_matcher(texts)
    hashed = read_column(db, "SELECT operation FROM operations UNION ALL SELECT reason FROM versions")
    rewrites_history = any(map(matcher.finds, hashed))
    problems = 0
    if rewrites_history:
        problems = len(list(verify.find_problems(db)))
    redacted = redact.redact(db, matcher, MARKER, show)
    if blanked:
        redacted["memory_proposals"] = redacted.get("memory_proposals", 0) + blanked
    if rewrites_history and len(list(verify.find_problems(db))) > problems:
        raise StoreError(
            "The history of the playbook holds this text, and would not be whole without it.",
            hint="Give the bullet that holds it other words, or leave the text out of --also.",
        )
    remaining = [f"{table}.{column}: {count}" for table, column, count in redact.find_remaining(db, matcher)]
    return TableResult(matcher, redacted, tuple(remaining))


def forget_in_exports(
    files: Iterable[Path], memories: Sequence[Memory], matcher: TextMatcher
) -> tuple[list[str], list[str]]:
    """Rewrite the export files that are still there without the memories and their texts.

    Return the paths of those that were rewritten, and of those that could not be, each with the error.
    """
    ids = {memory.id for memory in memories}
    written, failed = list[str](), list[str]()
    for file in files:
        try:
            old = file.read_bytes().decode("utf-8")  # line ends as they are
            new = "".join(_redact_line(line, ids, matcher) for line in StringIO(old, newline="\n"))
            if new != old:
                _overwrite(file, new)
                written.append(str(file))
        except FileNotFoundError:
            continue
        except (OSError, UnicodeDecodeError) as error:
            failed.append(f"{file}: {error}")
    return written, failed


def _redact_line(line: str, ids: set[str], matcher: TextMatcher) -> str:
    """Return a line of an export without the memories (an empty text) and their words in others' quotes.

    A line that is not a row of an export loses their words wherever they stand: somebody may have laid a row
    out anew.
    """
    try:
        row = json.loads(line)
    except (ValueError, RecursionError):
        row = None
    if not isinstance(row, dict):
        return matcher.black_out(MARKER, line)
    identity = row.get("id")
    quote = row.get("quote")
    if isinstance(identity, str) and identity in ids:
        return ""
    if isinstance(quote, str) and matcher.finds(quote):
        row["quote"] = matcher.black_out(MARKER, quote)
        return to_text(json.dumps(row, ensure_ascii=False)) + "\n"
    return line


def _overwrite(file: Path, text: str) -> None:
    """Write a file in place, zeros first: a new file of the same name would leave the bytes on the disk."""
    with file.open("r+b") as out:
        for data in (bytes(file.stat().st_size), text.encode()):
            out.seek(0)
            out.write(data)
            out.flush()
            os.fsync(out.fileno())
        out.truncate()


def find_in_copies(path: Path, matcher: TextMatcher) -> tuple[str, ...]:
    """Return the files that restoring a backup has set aside and that hold a match.

    They are whole playbooks, and stay as they are.
    """
    copies = []
    for copy in sorted(path.parent.glob(f"{path.name}.before-*")):
        with suppress(OSError):
            if matcher.finds(copy.read_bytes().decode("utf-8", "replace")):
                copies.append(str(copy))
    return tuple(copies)
