"""Names and descent of versions: branches, tags, the line of versions behind one, merge bases.

Functions over a connection that is already inside a transaction; knows nothing about bullets.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import astuple

from ace.errors import InputError, UnknownVersion
from ace.runs.records import Branch, Tag
from ace.store import checked_rows
from ace.store.schema import damage_error
from ace.store.sqlite_text import now
from ace.store.store_database import Database

MAIN = "main"
Line = tuple[tuple[str, int], ...]
"""The line of versions behind one, newest part first: (branch, its last version that belongs to the line)."""

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9._/-]{0,99}")
_TAGS = """SELECT name, version, created FROM tags
WHERE id IN (SELECT max(id) FROM tags GROUP BY name) AND version IS NOT NULL"""
_NAMED = f"""SELECT version FROM branches WHERE name = :name
UNION ALL SELECT version FROM ({_TAGS}) AS current WHERE name = :name"""  # noqa: S608 (our own text)
_ANCESTORS = """WITH RECURSIVE
    parents (child, number) AS (
        SELECT number, parent FROM versions UNION ALL SELECT number, merged FROM versions),
    a (number) AS (
        VALUES (CAST(? AS BIGINT)) UNION SELECT parents.number FROM a JOIN parents ON child = a.number),
    b (number) AS (
        VALUES (CAST(? AS BIGINT)) UNION SELECT parents.number FROM b JOIN parents ON child = b.number)
SELECT max(number) FROM a JOIN b USING (number)"""


def read_branch(db: Database, name: str) -> Branch:
    """Return a branch. Raises UnknownVersion where there is none of this name."""
    row = db.execute("SELECT name, version, base, created FROM branches WHERE name = ?", [name]).fetchone()
    if row is None:
        if name == MAIN:
            raise damage_error("The playbook's branch main is missing.")
        hint = f"Branches here: {_list_names(read_branches(db))}."
        raise UnknownVersion(f"There is no branch {name!r}.", hint=hint)
    return Branch(*row)


def read_branches(db: Database) -> list[Branch]:
    """Return all branches: `main` first, then by age."""
    sql = "SELECT name, version, base, created FROM branches ORDER BY base IS NOT NULL, created, name"
    return [Branch(*row) for row in db.execute(sql)]


def read_tags(db: Database) -> list[Tag]:
    """Return all tags by name."""
    return [Tag(*row) for row in db.execute(f"{_TAGS} ORDER BY name")]


def add_branch(db: Database, name: str, base: int) -> Branch:
    """Begin a branch at a version. Raises InputError for a name that is taken or cannot be one."""
    _check_name(name, taken=read_tags(db), kind="tag")
    _check_name(name, taken=read_branches(db), kind="branch")
    branch = Branch(name, version=base, base=base, created=now())
    checked_rows.insert(db, "branches", [astuple(branch)])
    return branch


def set_tag(db: Database, name: str, version: int | None) -> None:
    """Name a version, or take the name away (None). Earlier places of a tag stay on record.

    Raises InputError for a name that is a branch or cannot be one, UnknownVersion for a tag to take away that
    is not there.
    """
    _check_name(name, taken=read_branches(db), kind="branch")
    tags = read_tags(db)
    if version is None and name not in [tag.name for tag in tags]:
        hint = f"Tags here: {_list_names(tags)}."
        raise UnknownVersion(f"There is no tag {name!r}.", hint=hint)
    (number,) = db.execute("SELECT coalesce(max(id), 0) + 1 FROM tags").fetchone()
    checked_rows.insert(db, "tags", [(number, name, version, now())])


def resolve(db: Database, wanted: int | str) -> int:
    """Return the number of a version, which is named by number, branch or tag.

    Raises UnknownVersion, which lists what there is.
    """
    text = str(wanted).strip()
    if re.fullmatch(r"-?[0-9]{1,18}", text):
        row = db.execute("SELECT number FROM versions WHERE number = ?", [int(text)]).fetchone()
    else:
        row = db.execute(_NAMED, {"name": text}).fetchone()
    if row is None:
        (newest,) = db.execute("SELECT max(number) FROM versions").fetchone()
        names = _list_names([*read_branches(db), *read_tags(db)])
        hint = f"The versions here are 0 to {newest}; branches and tags: {names}."
        raise UnknownVersion(f"There is no version {text}.", hint=hint)
    return int(row[0])


def trace_line(db: Database, number: int, head: Branch | None = None) -> Line:
    """Return the line of versions behind a version, itself included, back to version 0.

    `head` is its branch, where it is known that the version is the newest there: main's needs no look. Merges
    are not followed. Raises NotAPlaybook where the line is broken.
    """
    if head is not None and head.base is None:
        return ((head.name, number),)
    parts: list[tuple[str, int]] = []
    at: int | None = number
    sql = """SELECT branch, base FROM versions JOIN branches ON branches.name = versions.branch
        WHERE versions.number = ?"""
    while at is not None:
        row = db.execute(sql, [at]).fetchone()
        if row is None or (row[1] is not None and row[1] >= at):
            raise damage_error(f"Version {at} is missing, or on no branch.")
        branch, base = row
        parts.append((branch, at))
        at = base
    return tuple(parts)


def last_common(db: Database, first: int, second: int) -> int:
    """Return the last version that the lines behind two versions share. All lines share version 0."""
    ends = dict(trace_line(db, first))
    for branch, last in trace_line(db, second):
        if branch in ends:
            return min(ends[branch], last)
    return 0


def line_condition(line: Line, column: str = "version") -> tuple[str, list[str | int]]:
    """Return an SQL condition that is true for the rows of a line, and its values.

    `column` holds the version's number.
    """
    tests: list[str] = []
    values: list[str | int] = []
    for branch, last in line:
        tests.append(f"(branch = ? AND {column} <= ?)")
        values += (branch, last)
    return f"({' OR '.join(tests)})", values


def merge_base(db: Database, first: int, second: int) -> int:
    """Return the newest version that both have taken in, merges included: where a three-way merge begins."""
    (number,) = db.execute(_ANCESTORS, [first, second]).fetchone()
    return int(number)


def _check_name(name: str, *, taken: Iterable[Branch | Tag], kind: str) -> None:
    """Raise InputError for a name that cannot name a version, or that one of `taken` has, a `kind`."""
    if not _NAME.fullmatch(name):
        hint = "A letter first, then letters, digits and any of . _ / -, at most 100."
        raise InputError(f"{name!r:.120} cannot name a version.", hint=hint)
    if name in [namesake.name for namesake in taken]:
        raise InputError(f"There is a {kind} {name} already.", hint="Choose another name.")


def _list_names(named: Iterable[Branch | Tag]) -> str:
    """Return the names for a hint."""
    return ", ".join(item.name for item in named) or "none"
