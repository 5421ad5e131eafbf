"""Join the filters of two queries that differ in nothing else. sqlglot is imported on first use."""

from __future__ import annotations

_LONGEST_QUERY = 10_000  # characters: parsing takes more than linear time
_KEPT = ("expressions", "from", "from_", "joins", "where")
"""The parts of a SELECT that may be there: what it selects, from where, and its filter."""


def join_filters(first: str, second: str) -> str | None:
    """Return the query that asks for what meets the conditions of both, the first ones first.

    None where that is not plain: one of them cannot be read, has no filter or has more than a filter (groups,
    order, limits, other queries within), they select something else, or their filters are the same.
    """
    from sqlglot import errors, exp, parse_one

    trees: list[tuple[exp.Select, exp.Expression]] = []
    for sql in (first, second):
        if len(sql) > _LONGEST_QUERY:
            return None
        try:
            tree = parse_one(sql.strip().rstrip(";"), read="sqlite")
        except (errors.SqlglotError, RecursionError):
            return None
        where = tree.args.get("where")
        if not isinstance(tree, exp.Select) or where is None or len(list(tree.find_all(exp.Select))) > 1:
            return None
        if any(value and name not in _KEPT for name, value in tree.args.items()):
            return None
        tree.set("where", None)
        trees.append((tree, where.this))
    (query, condition), (other, other_condition) = trees
    if query != other or condition == other_condition:
        return None
    return query.where(exp.and_(condition, other_condition)).sql(dialect="sqlite")
