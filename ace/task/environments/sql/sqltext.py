"""Handles SQL as text: finds it in a reply, and tells the little that must be known without running it.

Knows SQLite's lexical rules (comments, quotes), not its grammar, and opens no database.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

_TOKEN = re.compile(
    r"""(?P<comment> --[^\n]* | /\*.*?(?:\*/|\Z) )
      | (?P<quoted>  '(?:[^']|'')*(?:'|\Z) | "(?:[^"]|"")*(?:"|\Z) | `[^`]*(?:`|\Z) | \[[^\]]*(?:\]|\Z) )
      | (?P<word>    \w+ )
      | (?P<space>   \s+ )
      | (?P<other>   . )""",
    re.VERBOSE | re.DOTALL,
)
_FENCE = re.compile(r"```(.*?)(?:```|\Z)", re.DOTALL)
# English sentences start with "with" and "update" too, so every head but SELECT must look like SQL.
_HEAD = r"""(?: select\b
  | with \s+ (?:recursive\s+)? [\w"\[\]]+ \s* (?:\([^()]*\)\s*)? as \s* (?:(?:not\s+)?materialized\s*)? \(
  | (?:insert|replace) \s+ (?:or\s+\w+\s+)? into\b | update \s+ \S+ \s+ set\b | delete \s+ from\b
  | (?:create|drop|alter) \s+ (?:temp\w*\s+|unique\s+)? (?:table|view|index|trigger)\b
  | (?:attach|detach|pragma|vacuum|explain) \s+ \S )"""
_STATEMENT = re.compile(rf"\s*{_HEAD}", re.VERBOSE | re.IGNORECASE)
_AT_START = re.compile(rf"(?:^|:\s)[ \t]*(?P<sql>{_HEAD})", re.VERBOSE | re.IGNORECASE | re.MULTILINE)
_CAPITALS = re.compile(r"\b(?P<sql>SELECT)\b")
_ANYWHERE = re.compile(r"\b(?P<sql>select)\b", re.IGNORECASE)


def split_tokens(sql: str) -> Iterator[tuple[str, str]]:
    """Yield (kind, text) pairs; their texts joined give `sql` back."""
    for match in _TOKEN.finditer(sql):
        yield match.lastgroup or "other", match.group()


def extract_sql(text: str) -> str:
    """Return the SQL in a reply: from the last code fence that holds a statement, else from the prose.

    Several statements stay several, so that they are refused instead of half run. A text without SQL
    comes back stripped: the database then says what is wrong with it. Never raises; idempotent.
    """
    fenced = [body for body in _FENCE.findall(text) if _find_start(body) is not None]
    body = fenced[-1] if fenced else text
    start = _find_start(body)
    if start is None:
        return body.strip().rstrip("; \t\r\n")

    sql, place = body[start:].partition("```")[0], 0
    for kind, part in split_tokens(sql):
        if kind == "other" and part == ";" and not _STATEMENT.match(sql, place + 1):
            sql = sql[:place]  # what follows is prose
            break
        place += len(part)
    return sql.strip().rstrip("; \t\r\n")


def _find_start(text: str) -> int | None:
    """Prefer a statement that opens a line, or is in capitals: prose says "select" too."""
    likely = [match.start("sql") for pattern in (_AT_START, _CAPITALS) if (match := pattern.search(text))]
    if likely:
        return min(likely)
    match = _ANYWHERE.search(text)
    return match.start("sql") if match else None


def is_query(sql: str) -> bool:
    """Return whether it starts like a SELECT. What it may touch is for the database to decide."""
    first = next((text for kind, text in split_tokens(sql) if kind not in ("comment", "space")), "")
    return first.lower() in ("select", "with")


def is_ordered(sql: str) -> bool:
    """Return whether the outermost query has an ORDER BY: those of others sit in parentheses."""
    depth, previous = 0, ""
    for kind, text in split_tokens(sql):
        if kind in ("comment", "space"):
            continue
        depth += (text == "(") - (text == ")")
        if depth == 0 and kind == "word" and (previous, text.lower()) == ("order", "by"):
            return True
        previous = text.lower() if kind == "word" else ""
    return False


def compact_sql(sql: str) -> str:
    """Return one line without comments; quoted text stays as it is."""
    parts: list[str] = []
    for kind, text in split_tokens(sql):
        if kind not in ("comment", "space"):
            if text in (")", ",") and parts and parts[-1] == " ":
                parts.pop()
            parts.append(text)
        elif parts and parts[-1] not in (" ", "("):
            parts.append(" ")
    return "".join(parts).strip()
