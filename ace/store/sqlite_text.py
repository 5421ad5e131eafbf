"""Text, JSON and times in the form SQLite can hold.

A model can emit half of a surrogate pair, which UTF-8 has no bytes for. It is stored as its escape, which
in JSON reads back unchanged. NaN is not JSON and is refused, so that every JSON reader can read the file.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from ace.errors import FormatError
from ace.store.store_database import Sql
from ace.text.character_pairs import list_query_terms


def to_text(text: str) -> str:
    """Replace lone surrogates by their escapes, so that SQLite can store the text."""
    return text.encode("utf-8", "backslashreplace").decode()


def to_json(value: object) -> str:
    """Return a value as JSON that SQLite can store. Raises ValueError for NaN and infinities."""
    return to_text(json.dumps(value, ensure_ascii=False, allow_nan=False))


def parse_strings(text: str) -> tuple[str, ...]:
    """Parse a JSON list of texts, such as episode ids.

    Raises FormatError for other JSON, and ValueError for what is no JSON; a transaction makes both damage.
    """
    values = json.loads(text)
    if not isinstance(values, list):
        raise FormatError(f"{text!r:.60} is not a list.")
    return tuple(values)


def read_column(db: Sql, sql: str, values: Sequence[Any] | Mapping[str, Any] = ()) -> list[Any]:
    """Return the values of a query with one column, in order. Raises ValueError for one with several."""
    return [value for (value,) in db.execute(sql, values)]


def now() -> str:
    """Return the present time as the tables hold it: ISO 8601, UTC, milliseconds."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def build_word_query(question: str, most: int = 64) -> str:
    """Return an FTS5 query for texts with any of a question's first `most` terms; empty if it has none.

    Terms are words in lower case, and pairs of characters where words have no spaces between them. The
    question itself is not a valid FTS5 query: its marks are operators there.
    """
    terms = list_query_terms(replace_lone_surrogates(question))
    return " OR ".join(f'"{term}"' for term in terms[:most])


def replace_lone_surrogates(text: str) -> str:
    """Replace lone surrogates by question marks, in text that is searched and never read back."""
    return text.encode("utf-8", "replace").decode()
