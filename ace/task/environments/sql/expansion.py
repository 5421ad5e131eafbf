"""How large SQLite makes a statement before it runs it.

SQLite copies a common table expression wherever it is mentioned, before any limit on time or memory can
act: thirty short lines that each mention the previous one twice make a billion copies.
"""

from __future__ import annotations

from ace.task.environments.sql.sqltext import tokens

_MOST_DEFINITIONS = 100
_BEFORE = {"from", "join", "in", ",", "("}


def expanded_size(sql: str) -> float:
    """An upper bound, in tokens; infinite when there is too much to tell."""
    parts = [_plain(text) for kind, text in tokens(sql) if kind not in ("comment", "space")]
    bodies = _bodies(parts)
    if len(bodies) > _MOST_DEFINITIONS:
        return float("inf")
    sizes: dict[str, float] = {}

    def size(name: str) -> float:
        if name not in sizes:
            sizes[name] = float("inf")  # unless it turns out to be finite, without going round in circles
            others = (other for other in _mentions(bodies[name], bodies) if other != name)
            sizes[name] = len(bodies[name]) + sum(map(size, others))
        return sizes[name]

    return len(parts) + sum(map(size, _mentions(parts, bodies)))


def _plain(text: str) -> str:
    """A name without its quotes; never a parenthesis."""
    return text.strip("\"'`[]").replace("(", "_").replace(")", "_").lower() if len(text) > 1 else text.lower()


def _mentions(parts: list[str], bodies: dict[str, list[str]]) -> list[str]:
    """Names where a FROM has them; a column of the same name, alone after a comma, is counted too."""
    tables = zip(parts, parts[1:], [*parts[2:], ""], strict=False)
    return [name for before, name, after in tables if name in bodies and before in _BEFORE and after != "."]


def _bodies(parts: list[str]) -> dict[str, list[str]]:
    """The text of everything that looks like `name (columns) AS (...)`, by name."""
    closing = _parentheses(parts)
    opening = {close: start for start, close in closing.items()}
    bodies: dict[str, list[str]] = {}
    for place, part in enumerate(parts):
        if part == "as" and place:
            start = place + 1
            while start < len(parts) and parts[start] in ("not", "materialized"):
                start += 1
            name = parts[opening.get(place - 1, place) - 1]
            if start in closing:
                bodies.setdefault(name, []).extend(parts[start + 1 : closing[start]])
    return bodies


def _parentheses(parts: list[str]) -> dict[int, int]:
    """Where each one that opens is closed; at the end when it is not."""
    closing: dict[int, int] = {}
    waiting: list[int] = []
    for place, part in enumerate(parts):
        if part == "(":
            waiting.append(place)
        elif part == ")" and waiting:
            closing[waiting.pop()] = place
    return closing | dict.fromkeys(waiting, len(parts))
