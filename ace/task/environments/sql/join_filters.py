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

    trees = []
    for sql in (first, second):
        if len(sql) > _LONGEST_QUERY:
            return None
        try:
            tree = parse_one(sql.strip().rstrip(";"), read="sqlite")
        except (errors.SqlglotError, RecursionError):
            return None
        where = tree.args.get("where")
        parts = {name for name, value in tree.args.items() if value and name not in _KEPT}
        is_plain = isinstance(tree, exp.Select) and where is not None and not parts
        if not is_plain or len(list(tree.find_all(exp.Select))) > 1:
            return None
        trees.append((tree, where))
    (tree, where), (other, other_where) = trees
    filters = [where.this.copy(), other_where.this.copy()]
    tree.set("where", None)
    other.set("where", None)
    if tree != other or filters[0] == filters[1]:
        return None
    return str(tree.where(exp.and_(*filters)).sql(dialect="sqlite"))
