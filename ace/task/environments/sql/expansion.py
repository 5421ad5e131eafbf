"""Estimates how large SQLite makes a statement before it runs it.

SQLite copies a common table expression wherever it is mentioned, before any limit on time or memory can
act: thirty short lines that each mention the previous one twice make a billion copies.
"""

from __future__ import annotations

from ace.task.environments.sql.sqltext import split_tokens

_MOST_DEFINITIONS = 100
# What stands before a table that a query reads.
_BEFORE = {"from", "join", "in", ",", "("}


def estimate_expansion(sql: str) -> float:
    """Return an upper bound in tokens; infinite where there are too many definitions to tell.

    It is infinite, too, where definitions mention each other in a circle.
    """
    parts = []
    for kind, text in split_tokens(sql):
        if kind in ("comment", "space"):
            continue
        name = text.lower()
        if len(name) > 1:  # quoted, perhaps; a name that holds a parenthesis must not count as one
            name = name.strip("\"'`[]").replace("(", "_").replace(")", "_")
        parts.append(name)
    bodies = _find_bodies(parts)
    if len(bodies) > _MOST_DEFINITIONS:
        return float("inf")
    sizes: dict[str, float] = {}

    def measure(name: str) -> float:
        """Return the tokens of a definition with all that it mentions in place; itself does not count."""
        if name not in sizes:
            sizes[name] = float("inf")  # unless it turns out to be finite, without going round in circles
            mentions = [mention for mention in _find_mentions(bodies[name], bodies) if mention != name]
            sizes[name] = len(bodies[name]) + sum(map(measure, mentions))
        return sizes[name]

    return len(parts) + sum(map(measure, _find_mentions(parts, bodies)))


def _find_mentions(parts: list[str], bodies: dict[str, list[str]]) -> list[str]:
    """Return names where a FROM has them; a column of the same name, alone after a comma, is counted too."""
    mentions: list[str] = []
    for before, name, after in zip(parts, parts[1:], [*parts[2:], ""], strict=False):
        if name in bodies and before in _BEFORE and after != ".":
            mentions.append(name)
    return mentions


def _find_bodies(parts: list[str]) -> dict[str, list[str]]:
    """Return the tokens of everything that looks like `name (columns) AS (...)`, by name.

    The columns may be missing. Several definitions of one name count together.
    """
    closing: dict[int, int] = {}  # the place of "(" -> that of its ")"
    unclosed: list[int] = []
    for place, part in enumerate(parts):
        if part == "(":
            unclosed.append(place)
        elif part == ")" and unclosed:
            closing[unclosed.pop()] = place
    closing |= dict.fromkeys(unclosed, len(parts))

    opening = {close: start for start, close in closing.items()}
    bodies: dict[str, list[str]] = {}
    for place, part in enumerate(parts):
        if part != "as" or not place:
            continue
        start = place + 1
        while start < len(parts) and parts[start] in ("not", "materialized"):
            start += 1
        # Behind the name its columns may stand, in parentheses.
        before_columns = opening.get(place - 1, place)
        name = parts[before_columns - 1]
        if start in closing:
            body = parts[start + 1 : closing[start]]
            bodies.setdefault(name, []).extend(body)
    return bodies
