"""Names for versions, and how they descend: branches, tags, the line of versions behind one, merge bases.

Functions over a connection that is already inside a transaction; knows nothing about bullets.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterable
from itertools import chain

from ace.errors import InputError, StoreConflict, UnknownVersion
from ace.runs.records import Branch, Tag
from ace.store import checked_rows
from ace.store.schema import damaged, now

MAIN = "main"
Line = tuple[tuple[str, int], ...]
"""The line of versions behind one, newest part first: (branch, its last version that belongs to the line)."""

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9._/-]{0,99}")
_TAGS = """SELECT name, version, created FROM tags
WHERE id IN (SELECT max(id) FROM tags GROUP BY name) AND version IS NOT NULL"""
_NAMED = f"""SELECT version FROM branches WHERE name = :name
UNION ALL SELECT version FROM ({_TAGS}) WHERE name = :name"""  # noqa: S608 (our own text)
_ANCESTORS = """WITH RECURSIVE
    parents (child, number) AS (
        SELECT number, parent FROM versions UNION ALL SELECT number, merged FROM versions),
    a (number) AS (VALUES (?) UNION SELECT parents.number FROM a JOIN parents ON child = a.number),
    b (number) AS (VALUES (?) UNION SELECT parents.number FROM b JOIN parents ON child = b.number)
SELECT max(number) FROM a JOIN b USING (number)"""


def branch(db: sqlite3.Connection, name: str) -> Branch:
    row = db.execute("SELECT name, version, base, created FROM branches WHERE name = ?", [name]).fetchone()
    if row is None:
        if name == MAIN:
            raise damaged("The playbook's branch main is missing.")
        raise UnknownVersion(f"There is no branch {name!r}.", hint=f"Branches here: {_names(branches(db))}.")
    return Branch(*row)


def branches(db: sqlite3.Connection) -> list[Branch]:
    """`main` first, then by age."""
    sql = "SELECT name, version, base, created FROM branches ORDER BY base IS NOT NULL, created, name"
    return [Branch(*row) for row in db.execute(sql)]


def tags(db: sqlite3.Connection) -> list[Tag]:
    return [Tag(*row) for row in db.execute(f"{_TAGS} ORDER BY name")]


def add_branch(db: sqlite3.Connection, name: str, base: int) -> Branch:
    _check_name(name, {tag.name for tag in tags(db)}, "tag")
    if name in {known.name for known in branches(db)}:
        raise InputError(f"There is a branch {name} already.", hint="Choose another name.")
    made = Branch(name, base, base, now())
    checked_rows.insert(db, "branches", [(made.name, made.version, made.base, made.created)])
    return made


def set_tag(db: sqlite3.Connection, name: str, version: int | None) -> None:
    """Name a version, or take the name away. Where a tag pointed before stays on record."""
    _check_name(name, {known.name for known in branches(db)}, "branch")
    if version is None and name not in {tag.name for tag in tags(db)}:
        raise UnknownVersion(f"There is no tag {name!r}.", hint=f"Tags here: {_names(tags(db))}.")
    (number,) = db.execute("SELECT coalesce(max(id), 0) + 1 FROM tags").fetchone()
    checked_rows.insert(db, "tags", [(number, name, version, now())])


def resolve(db: sqlite3.Connection, wanted: int | str) -> int:
    """The number of a version that is given as number, branch or tag."""
    text = str(wanted).strip()
    if re.fullmatch(r"-?[0-9]{1,18}", text):
        found = db.execute("SELECT number FROM versions WHERE number = ?", [int(text)]).fetchone()
    else:
        found = db.execute(_NAMED, {"name": text}).fetchone()
    if found is None:
        (newest,) = db.execute("SELECT max(number) FROM versions").fetchone()
        names = _names(chain(branches(db), tags(db)))
        hint = f"The versions here are 0 to {newest}; branches and tags: {names}."
        raise UnknownVersion(f"There is no version {text}.", hint=hint)
    return int(found[0])


def line(db: sqlite3.Connection, number: int) -> Line:
    parts: list[tuple[str, int]] = []
    at: int | None = number
    sql = """SELECT branch, base FROM versions JOIN branches ON branches.name = versions.branch
        WHERE versions.number = ?"""
    while at is not None:
        row = db.execute(sql, [at]).fetchone()
        if row is None or (row[1] is not None and row[1] >= at):
            raise damaged(f"Version {at} is missing, or on no branch.")
        parts.append((row[0], at))
        at = row[1]
    return tuple(parts)


def parting(a: Line, b: Line) -> int:
    """The last version that two lines share. All share version 0."""
    ends = dict(a)
    return next((min(ends[name], last) for name, last in b if name in ends), 0)


def within(line: Line, column: str = "version") -> tuple[str, list[str | int]]:
    """SQL that is true for the rows of a line, and its values. `column` holds the version's number."""
    tests = " OR ".join(f"(branch = ? AND {column} <= ?)" for _ in line)
    return f"({tests})", [value for part in line for value in part]


def check_behind(db: sqlite3.Connection, base: int, head: int) -> None:
    """`base` must be on the line behind `head`: only then can what was decided on it be carried over."""
    behind = line(db, head)
    if parting(line(db, base), behind) != base:
        raise StoreConflict(
            f"Version {base} is not behind version {head} of branch {behind[0][0]}.",
            hint="Decide on a version of this branch, or merge the other branch.",
            expected=base,
            found=head,
            bullets=(),
        )


def merge_base(db: sqlite3.Connection, a: int, b: int) -> int:
    """The newest version that both have taken in, merges included."""
    return int(db.execute(_ANCESTORS, [a, b]).fetchone()[0])


def _check_name(name: str, others: set[str], kind: str) -> None:
    if not _NAME.fullmatch(name):
        hint = "A letter first, then letters, digits and any of . _ / -, at most 100."
        raise InputError(f"{name!r:.120} cannot name a version.", hint=hint)
    if name in others:
        raise InputError(f"There is a {kind} {name} already.", hint="Choose another name.")


def _names(found: Iterable[Branch | Tag]) -> str:
    return ", ".join(each.name for each in found) or "none"
