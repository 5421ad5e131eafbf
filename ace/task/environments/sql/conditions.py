"""Finds what a query says about joins, codes and constants, and what of it another query lacks.

A hint is a fragment of the gold SQL, so it is derived from a label: only feedback with labels may show it.
sqlglot takes 0.1 s to import, so it is imported on first use.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import TYPE_CHECKING

from ace.task.types import Fact, Topic

if TYPE_CHECKING:
    from sqlglot import exp

_LONGEST = 120  # characters of a condition: a longer one is a subquery, and no lesson
_LONGEST_QUERY = 10_000  # characters: parsing takes more than linear time
# "orders.status": a column behind its table.
_COLUMN = re.compile(r"(?<!\w)[^\W\d]\w*+(?:\.\w++)+")


@lru_cache(maxsize=256)
def find_conditions(sql: str, columns: frozenset[str]) -> tuple[Fact, ...]:
    """Return what a query pairs with a column: a literal or another column, as "orders.status = 3".

    Conditions come in order of appearance, each once, with table names instead of aliases; their topics are
    the columns that they mention. Those of more than 120 characters are left out, and those that stand within
    a longer one. `columns` are those the gold reads, as "table.column": they resolve bare names.
    Empty when the query cannot be parsed, or has more than 10,000 characters. Results are cached.
    """
    from sqlglot import errors, exp, parse_one

    if len(sql) > _LONGEST_QUERY:
        return ()
    try:
        tree = parse_one(sql, read="sqlite")
    except (errors.SqlglotError, RecursionError):
        return ()
    owners: dict[str, list[str]] = {}  # column -> the tables that have one of that name
    for name in sorted(columns):
        table, dot, column = name.partition(".")
        if dot:
            owners.setdefault(column, []).append(table)
    for bare in list(tree.find_all(exp.Column)):
        is_text = bare.this.quoted and not bare.table and bare.name.lower() not in owners
        if is_text:  # SQLite reads "text" that names no column as a literal
            bare.replace(exp.Literal.string(bare.name))
    tables: dict[str, str] = {}  # alias -> table
    for table_node in tree.find_all(exp.Table):
        tables[table_node.alias_or_name.lower()] = table_node.name
    short: list[str] = []
    for node in _iterate_conditions(tree):
        text = _render_condition(node, tables, owners)
        if len(text) <= _LONGEST and text not in short:
            short.append(text)
    facts = []
    for text in short:
        is_within_another = any(text in longer and text != longer for longer in short)
        if not is_within_another:
            topics = frozenset(Topic(name.lower()) for name in _COLUMN.findall(text))
            facts.append(Fact(text, topics))
    return tuple(facts)


def find_missing(facts: Iterable[Fact], sql: str, columns: frozenset[str]) -> tuple[Fact, ...]:
    """Return those of the gold's conditions `facts` that a query has not, in their order.

    Neither capitals count nor from which side a join is written. `columns` are as for `find_conditions`.
    """
    present = {_normalize_condition(fact.text) for fact in find_conditions(sql, columns)}
    missing: list[Fact] = []
    for fact in facts:
        if _normalize_condition(fact.text) not in present:
            missing.append(fact)
    return tuple(missing)


def _normalize_condition(text: str) -> tuple[str, ...]:
    """Return a key that is equal for a join and the same join from its other side."""
    words = text.lower().split()
    if "join" in words:
        words.sort()
    return tuple(words)


def _iterate_conditions(tree: exp.Expr) -> Iterator[exp.Expr]:
    """Yield joins, and around each literal the smallest comparison or call that holds a column.

    NULL counts as a literal. A NOT in front belongs to the comparison. What stands outside of comparisons, as
    the number of a LIMIT, yields nothing.
    """
    from sqlglot import exp

    for comparison in tree.find_all(exp.EQ, bfs=False):
        if _is_join(comparison):
            yield comparison
    visited: set[int] = set()
    for literal in tree.find_all(exp.Literal, exp.Null, bfs=False):
        node = literal.parent
        while node is not None and not isinstance(node, exp.Query | exp.Connector | exp.Case | exp.If):
            if isinstance(node, exp.Binary | exp.Predicate | exp.Func) and node.find(exp.Column):
                node = node.parent if isinstance(node.parent, exp.Not) else node
                if id(node) not in visited:
                    visited.add(id(node))
                    yield node
                break
            node = node.parent


def _is_join(node: exp.Expr) -> bool:
    """Return whether an expression sets one column equal to another."""
    from sqlglot import exp

    if not isinstance(node, exp.EQ):
        return False
    return all(isinstance(side, exp.Column) for side in node.iter_expressions())


def _render_condition(node: exp.Expr, tables: dict[str, str], owners: dict[str, list[str]]) -> str:
    """Return a condition as SQL with each column behind its table, as far as that can be told.

    `tables` maps aliases to tables, `owners` columns to the tables that have one of that name.
    """
    from sqlglot import exp

    copy = node.copy()
    for column in copy.find_all(exp.Column):
        qualifier = column.table.lower()
        table = tables.get(qualifier, qualifier)
        homes = owners.get(column.name.lower(), [])
        if not table and len(homes) == 1:
            table = homes[0]
        column.set("table", exp.to_identifier(table) if table else None)
    if _is_join(copy):  # as "orders JOIN customers ON orders.customer = customers.id"
        first, second = copy.find_all(exp.Column, bfs=False)
        condition = f"{first.sql(dialect='sqlite')} = {second.sql(dialect='sqlite')}"
        if first.table and second.table:
            return f"{first.table} JOIN {second.table} ON {condition}"
        return condition
    return copy.sql(dialect="sqlite")
