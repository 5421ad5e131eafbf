"""Handles SQL as text: finds it in a reply, and tells the little that must be known without running it.

Knows SQLite's lexical rules (comments, quotes), not its grammar, and opens no database.
"""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from ace.text.thoughts import split_thoughts

_TOKEN = re.compile(
    r"""(?P<comment> --[^\n]* | /\*.*?(?:\*/|\Z) )
      | (?P<quoted>  '[^']*+(?:''[^']*+)*+(?:'|\Z) | "[^"]*+(?:""[^"]*+)*+(?:"|\Z)
                   | `[^`]*+(?:`|\Z) | \[[^\]]*+(?:\]|\Z) )
      | (?P<word>    \w+ )
      | (?P<space>   \s+ )
      | (?P<other>   . )""",
    re.VERBOSE | re.DOTALL,
)
# A fence of Markdown, not one in quotes; the end of the text closes one that is open.
_FENCE = re.compile(r"(?<!['\"`~])(`{3,}|~{3,})(.*?)(?:(?<!['\"`~])\1|\Z)", re.DOTALL)
_FENCE_MARK = re.compile(r"(?<!['\"])(?:```|~~~)")
_SPACE = r"(?:\s|--[^\n]*+\n|/\*(?:[^*]|\*(?!/))*+\*/)"  # comments, too
_NAME = r'(?:\w++|"[^"]*+"|\[[^\]]*+\]|`[^`]*+`)'
# English sentences start with "with" and "update" too, so every head but SELECT must look like SQL.
_HEAD = rf"""(?: select\b
  | with {_SPACE}++ (?:recursive{_SPACE}++)?+ {_NAME} {_SPACE}*+ (?:\([^()]*+\){_SPACE}*+)?+
    as {_SPACE}*+ (?:(?:not{_SPACE}++)?+materialized{_SPACE}*+)?+ \(
  | (?:insert|replace) \s+ (?:or\s+\w+\s+)? into\b | update \s+ \S+ \s+ set\b | delete \s+ from\b
  | (?:create|drop|alter) \s+ (?:temp\w*\s+|unique\s+)? (?:table|view|index|trigger)\b
  | (?:attach|detach|pragma|vacuum|explain) \s+ \S )"""
_STATEMENT = re.compile(rf"\s*{_HEAD}", re.VERBOSE | re.IGNORECASE)
# A statement that opens a line, or stands behind a colon: "The query: SELECT ...".
_AT_START = re.compile(rf"(?:^|:\s)[ \t]*(?P<sql>{_HEAD})", re.VERBOSE | re.IGNORECASE | re.MULTILINE)
_CAPITALS = re.compile(r"\b(?P<sql>SELECT)\b")
_WORDS = tomllib.loads(Path(__file__).with_name("sql_words.toml").read_text("utf-8"))
_GO_ON, _WANT_MORE, _AFTER_ALIAS, _IN_ROW = (
    frozenset(_WORDS[key].split()) for key in ("go_on", "want_more", "after_alias", "in_row")
)
# Signs that no statement has outside of quotes: marks around it, and of chats.
_STRANGE = re.compile(r"\*\*|</|<\||[{}]|\[/")
_TAG = re.compile(r"<[A-Za-z]\w*>")
_QUOTE = re.compile(r"(?:(?P<long>\"{3}|'{3})\s*|[\"'])\Z")
# Words one after another, as a statement never has them, and what ends a sentence.
_PLAIN_WORDS = re.compile(r"(?<![\w'\u2019])[^\W\d][\w'\u2019]*+(?: [^\W\d][\w'\u2019]*+){2,}")
_SENTENCE_ENDS = tuple(".:!?\u2026\u3002\uff01\uff1a\uff1f\u0964\u06d4")
_PARAGRAPH = 500  # characters that are looked at
_MOST = 20  # places where a statement may begin; also how often one is cut out of what was cut out
_MARKDOWN = "*_`) \t\r\n"
_ANYWHERE = re.compile(r"\b(?P<sql>select)\b", re.IGNORECASE)


def split_tokens(sql: str) -> Iterator[tuple[str, str]]:
    """Yield (kind, text) pairs; their texts joined give `sql` back.

    A kind is "comment", "quoted", "word", "space", or "other" for one character.
    """
    for match in _TOKEN.finditer(sql):
        yield match.lastgroup or "other", match.group()


def extract_sql(text: str) -> str:
    """Return the SQL in a reply: from the last code fence that holds a statement, else from the prose.

    What a model thought first does not count, nor what it says behind the statement. Several statements stay
    several, so that they are refused instead of half run. A text without SQL comes back stripped: the
    database then says what is wrong with it. Never raises; idempotent.
    """
    for _ in range(_MOST):  # what is left may read as prose or as a fence in its turn
        sql = _cut_out(text)
        if sql == text:
            break
        text = sql
    return text


def _cut_out(text: str) -> str:
    """Return the statement that a text seems to hold, without what stands around it."""
    if not _STATEMENT.match(text):
        _, text = split_thoughts(text)
    fenced: list[str] = [body for _, body in _FENCE.findall(text) if _find_start(body) is not None]
    # A block of another language may say "select", too.
    likely = [body for body in fenced if _AT_START.search(body) or _CAPITALS.search(body)]
    body = (likely or fenced or [text])[-1]
    start = _find_start(body)
    if start is None:
        return body.strip().rstrip("; \t\r\n")
    sql = _FENCE_MARK.split(body[start:])[0]
    if body[:start].endswith("`"):  # code within a sentence
        sql = sql.partition("`")[0]
    if quote := _QUOTE.search(body[:start]):
        sql = _find_quoted(sql, quote["long"] or quote[0])
    return sql[: _find_end(sql)].strip().rstrip("; \t\r\n")


def _find_quoted(sql: str, quote: str) -> str:
    """Return the statement in a string of another language, up to the quote that ends it.

    That is one which a sign of such a language follows, or the end of the line. Escapes are read where the
    string has any.
    """
    end = re.search(rf"(?<!\\){quote}(?=\s*(?:[,;)}}\]]|\n|\Z))", sql)
    sql = sql[: end.start()] if end else sql
    if "\\" in sql and len(quote) == 1:
        try:
            return str(json.loads(f'"{sql}"', strict=False))
        except ValueError:
            return sql
    return sql


def _find_end(sql: str) -> int:
    """Return where prose begins behind a statement: behind a semicolon, on a later line, or with a full stop.

    The length of the text where there is none.
    """
    place, depth = 0, 0  # of parentheses
    breaks, is_apart = 0, False  # line breaks since the last token; two spaces or more
    previous, before = "", 0  # the last token that is no comment, and where it ends
    for kind, part in split_tokens(sql):
        if kind == "space":
            breaks, is_apart = breaks + part.count("\n"), len(part) > 1
        elif kind != "comment":
            word = part.lower()
            goes_on = depth > 0 or previous in _WANT_MORE
            next_word = "".join(sql[place + 1 :].split(maxsplit=1)[:1]).lower() if part == ")" else ""
            is_over = part == ")" and depth == 0 and next_word not in _GO_ON
            if is_over or _STRANGE.match(sql, place) or (breaks and _TAG.match(sql, place)):
                return before or place
            is_open = (breaks or is_apart) and not goes_on and _is_prose(sql, place, after_blank=breaks > 1)
            # A blank line may have become spaces.
            if is_open and (breaks or _is_sentence(sql[place : place + _PARAGRAPH])):
                return before
            if part == ";":
                is_statement = _STATEMENT.match(sql, place + 1) is not None
                # A sentence may begin with "Select", too.
                if not is_statement or _is_sentence(sql[place + 1 : place + _PARAGRAPH]):
                    return place
            if part == "." and not depth and _is_full_stop(sql, place):
                return place
            depth = max(0, depth + (part == "(") - (part == ")"))
            previous, before, breaks, is_apart = word, place + len(part), 0, False
        place += len(part)
    return len(sql)


def _is_full_stop(sql: str, place: int) -> bool:
    """Return whether a point ends a sentence: nothing stands behind it on its line, or another sentence."""
    line = sql[place + 1 : place + _PARAGRAPH].partition("\n")[0]
    words = line.split()[:3]
    if len(words) < 3 or not line[0].isspace():
        return not words
    return all(word.isalpha() and word.lower() not in _GO_ON for word in words[:2])


def _is_prose(sql: str, place: int, *, after_blank: bool) -> bool:
    """Return whether the line that begins here, perhaps after a blank one, is not part of the statement."""
    text = sql[place : place + _PARAGRAPH]
    line = text.partition("\n")[0]
    word, *others = line.split(maxsplit=2)
    name = word.lower().strip("*_`(\"',.:;")
    if not word[0].isascii() or line.startswith(("#", "**", "__")):
        return not word[0].isalpha() or after_blank or _is_sentence(line) or bool(others)
    if not word[0].isalnum() and word[0] != "_":
        return after_blank and word[0] != ")" and name not in _GO_ON
    if line.rstrip().endswith(":"):
        return True
    if name in _GO_ON:  # words of SQL begin with one capital in sentences only
        is_title = word[:1].isupper() and word[1:2].islower() and not sql.lstrip()[:2].istitle()
        return is_title or _is_sentence(text) or _has_phrase(line)
    is_alias = not others or others[0].lower().strip("(,;") in _AFTER_ALIAS or word.endswith(",")
    return after_blank or not is_alias or _is_sentence(line)


def _is_sentence(text: str) -> bool:
    """Return whether the first paragraph of a text ends as sentences do, and has words as they have."""
    paragraph = text.lstrip().partition("\n\n")[0].rstrip(_MARKDOWN)
    if not paragraph.endswith(_SENTENCE_ENDS):
        return False
    words = {word for match in _PLAIN_WORDS.findall(paragraph) for word in match.lower().split()}
    return not paragraph.isascii() or len(words - _GO_ON) > 2


def _has_phrase(line: str) -> bool:
    """Return whether a line has three words in a row of which none is one of SQL, as no statement has."""
    for match in _PLAIN_WORDS.finditer(line):
        count = 0
        for word in match[0].lower().split():
            count = 0 if word in _GO_ON or word in _WANT_MORE or word in _IN_ROW else count + 1
            if count > 2:
                return True
    return False


def _find_start(text: str) -> int | None:
    """Return where a statement begins, or None.

    Prefer one that opens a line, or is in capitals: prose says "select" too.
    """
    likely = [match for pattern in (_AT_START, _CAPITALS) for match in islice(pattern.finditer(text), _MOST)]
    starts = sorted({match.start("sql") for match in likely})
    for start in starts:  # a sentence may begin with "Select", too
        line = text[start : start + _PARAGRAPH].partition("\n")[0].partition(":")
        is_strict = line[0][:6].lower() != "select"
        if is_strict or not (_has_phrase(line[0]) or (line[1] and not line[2].strip())):
            return start
    if starts:
        return starts[0]
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
