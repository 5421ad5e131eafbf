"""What one query says about joins, codes and constants that another does not.

A hint is a fragment of the gold SQL, so it is derived from a label: only feedback with labels may show it.
sqlglot takes 0.1 s to import, so it is imported on first use.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sqlglot import exp

_LONGEST = 120
_COLUMN = re.compile(r"[^\W\d]\w*(?:\.\w+)+")


def conditions(sql: str, columns: Collection[str]) -> tuple[str, ...]:
    """What a query pairs with a column: a literal or another column, as "orders.status = 3".

    `columns` are those the gold reads, as "table.column": they resolve bare names. Empty when the query
    cannot be parsed.
    """
    return _fragments(sql, frozenset(name for name in columns if "." in name))


def missing(uses: Iterable[str], sql: str, columns: Collection[str]) -> tuple[str, ...]:
    """Those of the gold's conditions `uses` that a query has not."""
    present = {_either_way(fragment) for fragment in conditions(sql, columns)}
    return tuple(part for part in uses if _either_way(part) not in present)


def columns_of(fragment: str) -> frozenset[str]:
    """Return the columns that a condition mentions, as "table.column" in lower case."""
    return frozenset(name.lower() for name in _COLUMN.findall(fragment))


def _either_way(fragment: str) -> tuple[str, ...]:
    """A key that is equal for a fragment and, if it is a join, for the same one from its other side."""
    words = fragment.lower().split()
    return tuple(sorted(words) if "join" in words else words)


@lru_cache(maxsize=256)
def _fragments(sql: str, columns: frozenset[str]) -> tuple[str, ...]:
    """In order of appearance, each once, with aliases replaced by table names."""
    from sqlglot import errors, exp, parse_one

    try:
        tree = parse_one(sql, read="sqlite")
    except (errors.SqlglotError, RecursionError):
        return ()
    owners: dict[str, list[str]] = {}
    for name in sorted(columns):
        table, _, column = name.partition(".")
        owners.setdefault(column, []).append(table)
    for bare in list(tree.find_all(exp.Column)):
        if bare.this.quoted and not bare.table and bare.name.lower() not in owners:
            bare.replace(exp.Literal.string(bare.name))  # as SQLite reads "text" that names no column
    tables = {table.alias_or_name.lower(): table.name for table in tree.find_all(exp.Table)}
    found = dict.fromkeys(_render(node, tables, owners) for node in _pairs(tree))
    short = [text for text in found if len(text) <= _LONGEST]
    return tuple(text for text in short if not any(text in other and text != other for other in short))


def _pairs(tree: exp.Expr) -> Iterator[exp.Expr]:
    """Joins, and the smallest comparison, calculation or call around each literal that holds a column."""
    from sqlglot import exp

    yield from (node for node in tree.find_all(exp.EQ, bfs=False) if _is_join(node))
    seen: set[int] = set()
    for literal in tree.find_all(exp.Literal, exp.Null, bfs=False):
        node = literal.parent
        while node is not None and not isinstance(node, exp.Query | exp.Connector | exp.Case | exp.If):
            if isinstance(node, exp.Binary | exp.Predicate | exp.Func) and node.find(exp.Column):
                node = node.parent if isinstance(node.parent, exp.Not) else node
                if id(node) not in seen:
                    seen.add(id(node))
                    yield node
                break
            node = node.parent


def _is_join(node: exp.Expr) -> bool:
    from sqlglot import exp

    return isinstance(node, exp.EQ) and all(isinstance(side, exp.Column) for side in node.iter_expressions())


def _render(node: exp.Expr, tables: dict[str, str], owners: dict[str, list[str]]) -> str:
    from sqlglot import exp

    copy = node.copy()
    for column in copy.find_all(exp.Column):
        qualifier = column.table.lower()
        homes = owners.get(column.name.lower(), [])
        table = tables.get(qualifier, qualifier) or (homes[0] if len(homes) == 1 else "")
        column.set("table", exp.to_identifier(table) if table else None)
    if _is_join(copy):
        one, other = copy.find_all(exp.Column, bfs=False)
        both = f"{one.sql(dialect='sqlite')} = {other.sql(dialect='sqlite')}"
        return f"{one.table} JOIN {other.table} ON {both}" if one.table and other.table else both
    return copy.sql(dialect="sqlite")
