"""Estimates how large SQLite makes a statement before it runs it.

SQLite copies a common table expression wherever it is mentioned, before any limit on time or memory can
act: thirty short lines that each mention the previous one twice make a billion copies.
"""

from __future__ import annotations

from ace.task.environments.sql.sqltext import split_tokens

_MOST_DEFINITIONS = 100
_BEFORE = {"from", "join", "in", ",", "("}


def estimate_expansion(sql: str) -> float:
    """Return an upper bound in tokens; infinite where there are too many definitions to tell."""
    parts = [_normalize_name(text) for kind, text in split_tokens(sql) if kind not in ("comment", "space")]
    bodies = _find_bodies(parts)
    if len(bodies) > _MOST_DEFINITIONS:
        return float("inf")
    sizes: dict[str, float] = {}

    def measure(name: str) -> float:
        if name not in sizes:
            sizes[name] = float("inf")  # unless it turns out to be finite, without going round in circles
            mentions = [mention for mention in _find_mentions(bodies[name], bodies) if mention != name]
            sizes[name] = len(bodies[name]) + sum(map(measure, mentions))
        return sizes[name]

    return len(parts) + sum(map(measure, _find_mentions(parts, bodies)))


def _normalize_name(text: str) -> str:
    """Return a name without its quotes; never a parenthesis."""
    return text.strip("\"'`[]").replace("(", "_").replace(")", "_").lower() if len(text) > 1 else text.lower()


def _find_mentions(parts: list[str], bodies: dict[str, list[str]]) -> list[str]:
    """Return names where a FROM has them; a column of the same name, alone after a comma, is counted too."""
    tables = zip(parts, parts[1:], [*parts[2:], ""], strict=False)
    return [name for before, name, after in tables if name in bodies and before in _BEFORE and after != "."]


def _find_bodies(parts: list[str]) -> dict[str, list[str]]:
    """Return the tokens of everything that looks like `name (columns) AS (...)`, by name."""
    closing = _match_parentheses(parts)
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


def _match_parentheses(parts: list[str]) -> dict[int, int]:
    """Return where each one that opens is closed: at the end when it is not."""
    closing: dict[int, int] = {}
    waiting: list[int] = []
    for place, part in enumerate(parts):
        if part == "(":
            waiting.append(place)
        elif part == ")" and waiting:
            closing[waiting.pop()] = place
    return closing | dict.fromkeys(waiting, len(parts))
