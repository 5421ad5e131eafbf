"""SQLite's dialect as PostgreSQL reads it: the few words of our statements that have another name there.

Translates the statements of `ace.store` and no others: each rule stands for a form that they use. Knows
nothing about connections.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache, partial
from itertools import count
from typing import Any

# A form of SQLite -> what PostgreSQL has for it. In this order.
_RULES = (
    # A column of memories; a keyword there, which would silently name whoever is connected.
    (re.compile(r"""(?<![:"'\w])user(?!["'\w])"""), '"user"'),
    # Bullets by a list: the index finds each one of an array; for a join the server reads the whole history.
    (re.compile(r"\bbullet IN \((SELECT value FROM json_each\(\?\))\)"), r"bullet = ANY (ARRAY(\1))"),
    # A list that is passed as one JSON text, and lists and values inside a column of JSON.
    (re.compile(r"json_each\((\?|:\w+)\)"), r"json_array_elements_text(as_json(\1)) AS list (value)"),
    (re.compile(r"json_each\(([a-z]+)\)"), r"json_array_elements_text(as_json(\1)) AS list (value)"),
    (
        re.compile(r"json_each\(([\w.]+), '\$\.(\w+)'\)"),
        r"json_array_elements_text(as_json(\1) -> '\2') AS list (value)",
    ),
    (re.compile(r"json_extract\((\w+), '\$\.(\w+)'\)"), r"(as_json(\1) ->> '\2')"),
    (re.compile(r"json_array_length\((\w+), '\$\.(\w+)'\)"), r"json_array_length(as_json(\1) -> '\2')"),
    (re.compile(r"\binstr\("), "strpos("),
    # -1 is no limit.
    (re.compile(r"\bLIMIT \?"), "LIMIT NULLIF(CAST(? AS BIGINT), -1)"),
    # SQLite takes the columns beside a max() from the row that has it.
    (
        re.compile(r"SELECT ((?:\w+, )+)max\(version\) FROM (.+) GROUP BY bullet ORDER BY bullet", re.DOTALL),
        r"SELECT DISTINCT ON (bullet) \1version FROM \2 ORDER BY bullet, version DESC",
    ),
)
_MARK = re.compile(r"\?|(?<![:\w]):(\w+)|'[^']*'")

# No character; with a digit behind it it stands for what a text of PostgreSQL cannot hold.
_ESCAPE = "\ufdd0"
_STORED = {"\0": f"{_ESCAPE}0", _ESCAPE: f"{_ESCAPE}1"}
_READ = {stored: plain for plain, stored in _STORED.items()}


@lru_cache(maxsize=1000)
def translate(sql: str) -> tuple[str, tuple[str, ...]]:
    """Return a statement of ours as PostgreSQL reads it: `$1`, `$2` and so on mark the values.

    Where values have names, those come with it, in the order of the numbers.
    """
    for form, replacement in _RULES:
        sql = form.sub(replacement, sql)
    names = list[str]()
    return _MARK.sub(partial(_number_mark, count(1), names), sql), tuple(names)


@lru_cache(maxsize=1000)
def join_inserts(statements: tuple[str, ...]) -> str:
    """Return inserts into different tables, of which none reads what another wrote, as one statement of ours.

    The last, which need not be an insert, stands at its end, the others before it, each under a name that
    nothing uses.
    """
    *first, last = statements
    if not first:
        return last
    parts = [f"part_{number} AS ({sql})" for number, sql in enumerate(first)]
    return f"WITH {', '.join(parts)} {last}"


def _number_mark(numbers: Iterator[int], names: list[str], mark: re.Match[str]) -> str:
    """Return what stands for a mark of a value, or the text that only looks like one. Take note of a name."""
    name = mark[1]
    if mark[0] == "?":
        return f"${next(numbers)}"
    if not name:
        return mark[0]
    if name not in names:
        names.append(name)
    return f"${names.index(name) + 1}"


def escape_value(value: Any) -> Any:
    """Return a value as PostgreSQL stores it: True as 1, as SQLite does, and a text without NUL.

    It cannot store a NUL; `restore_text` reads it back.
    """
    if isinstance(value, bool):
        return int(value)
    if isinstance(value, str) and ("\0" in value or _ESCAPE in value):
        return re.sub(f"[\0{_ESCAPE}]", lambda sign: _STORED[sign[0]], value)
    return value


def restore_text(text: str) -> str:
    """Return the text that `escape_value` was given."""
    if _ESCAPE in text:
        return re.sub(f"{_ESCAPE}[01]", lambda sign: _READ[sign[0]], text)
    return text
