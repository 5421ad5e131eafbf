"""Handles SQL as text: finds it in a reply, and tells the little that must be known without running it.

Knows SQLite's lexical rules (comments, quotes), not its grammar, and opens no database.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

_TOKEN = re.compile(
    r"""(?P<comment> --[^\n]* | /\*.*?(?:\*/|\Z) )
      | (?P<quoted>  '[^']*+(?:''[^']*+)*+(?:'|\Z) | "[^"]*+(?:""[^"]*+)*+(?:"|\Z)
                   | `[^`]*+(?:`|\Z) | \[[^\]]*+(?:\]|\Z) )
      | (?P<word>    \w+ )
      | (?P<space>   \s+ )
      | (?P<other>   . )""",
    re.VERBOSE | re.DOTALL,
)
# A fence of Markdown; the end of the text closes one that is open.
_FENCE = re.compile(r"```(.*?)(?:```|\Z)", re.DOTALL)
# English sentences start with "with" and "update" too, so every head but SELECT must look like SQL.
_HEAD = r"""(?: select\b
  | with \s+ (?:recursive\s+)? [\w"\[\]]+ \s* (?:\([^()]*\)\s*)? as \s* (?:(?:not\s+)?materialized\s*)? \(
  | (?:insert|replace) \s+ (?:or\s+\w+\s+)? into\b | update \s+ \S+ \s+ set\b | delete \s+ from\b
  | (?:create|drop|alter) \s+ (?:temp\w*\s+|unique\s+)? (?:table|view|index|trigger)\b
  | (?:attach|detach|pragma|vacuum|explain) \s+ \S )"""
_STATEMENT = re.compile(rf"\s*{_HEAD}", re.VERBOSE | re.IGNORECASE)
# A statement that opens a line, or stands behind a colon: "The query: SELECT ...".
_AT_START = re.compile(rf"(?:^|:\s)[ \t]*(?P<sql>{_HEAD})", re.VERBOSE | re.IGNORECASE | re.MULTILINE)
_CAPITALS = re.compile(r"\b(?P<sql>SELECT)\b")
_ANYWHERE = re.compile(r"\b(?P<sql>select)\b", re.IGNORECASE)


def split_tokens(sql: str) -> Iterator[tuple[str, str]]:
    """Yield (kind, text) pairs; their texts joined give `sql` back.

    A kind is "comment", "quoted", "word", "space", or "other" for one character.
    """
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
    """Return where a statement begins, or None.

    Prefer one that opens a line, or is in capitals: prose says "select" too.
    """
    likely = [pattern.search(text) for pattern in (_AT_START, _CAPITALS)]
    starts = [match.start("sql") for match in likely if match]
    if starts:
        return min(starts)
    match = _ANYWHERE.search(text)
    return match.start("sql") if match else None


def is_query(sql: str) -> bool:
    """Return whether it starts like a SELECT. What it may touch is for the database to decide."""
    for kind, text in split_tokens(sql):
        if kind not in ("comment", "space"):
            return text.lower() in ("select", "with")
    return False


def is_ordered(sql: str) -> bool:
    """Return whether the outermost query has an ORDER BY: those of others sit in parentheses."""
    depth = 0  # of parentheses
    previous = ""  # the word before, if it is one
    for kind, text in split_tokens(sql):
        if kind in ("comment", "space"):
            continue
        if text == "(":
            depth += 1
        elif text == ")":
            depth -= 1
        word = text.lower() if kind == "word" else ""
        if depth == 0 and previous == "order" and word == "by":
            return True
        previous = word
    return False


def compact_sql(sql: str) -> str:
    """Return one line without comments; quoted text stays as it is.

    Space and comments become one space, and none behind "(" or before ")" and ",".
    """
    parts: list[str] = []
    for kind, text in split_tokens(sql):
        if kind not in ("comment", "space"):
            if text in (")", ",") and parts and parts[-1] == " ":
                parts.pop()
            parts.append(text)
        elif parts and parts[-1] not in (" ", "("):
            parts.append(" ")
    return "".join(parts).strip()
