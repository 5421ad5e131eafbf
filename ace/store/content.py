"""Know which columns hold text of users, models and environments, and rewrite such a text. Pure."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from typing import Any

from ace.safety.secrets import SECRET_MARK, hide_secrets
from ace.store.sqlite_text import to_json

# Table -> the columns with text of users, models and environments; not names, times, hashes and numbers.
CONTENT: dict[str, tuple[str, ...]] = {
    "runs": ("config", "report"),
    "steps": ("payload",),
    "episodes": (
        *("question", "answer", "detail", "error", "reply", "feedback", "expected", "subjects", "missing"),
        *("uses", "reasoning", "turns", "artifacts", "expected_kind", "label_error", "parts", "fact_topics"),
    ),
    "proposals": ("delta", "why", "attempts"),
    "rejected_operations": ("operation", "why"),
    "calls": ("reply", "error", "faults"),
    "feedback": ("expected", "text"),
    "memories": ("quote",),
    "memory_proposals": ("proposal", "why"),
    "aliases": ("section",),
    "versions": ("reason",),
    "operations": ("operation",),
    "bullet_history": ("section", "content"),
    "bullets": ("section", "content"),
    "sections": ("name",),
}
# The same, for those whose secrets are hidden before they are written. The others are covered by hashes,
# compared when a run is resumed, or hold what was looked through already.
HIDDEN: dict[str, tuple[str, ...]] = {
    **{
        table: CONTENT[table]
        for table in ("episodes", "proposals", "rejected_operations", "calls", "feedback")
    },
    "runs": ("report",),
    "steps": ("payload",),
}
_to_canonical_json = partial(
    json.dumps, ensure_ascii=False, sort_keys=True, separators=(",", ":"), allow_nan=False
)

Change = Callable[[str], str]


def hide_in_steps(text: str) -> str:
    """Hide secrets in a text of a step. One word alone may be an id, by which it is read again: it stays."""
    return hide_secrets(text) if " " in text else text


HIDE: dict[str, Change] = {"steps": hide_in_steps}
"""How secrets are hidden in a table, where that is not by `hide_secrets`."""


def rewrite_text(text: str, change: Change) -> str:
    """Return a text as `change` makes it; in JSON, all texts in it, in the same form."""
    if text[:1] in ("{", "[", '"'):
        for form in (to_json, _to_canonical_json):
            try:
                value = json.loads(text)
                if form(value) == text:
                    return form(_rewrite_value(value, change))
            except (ValueError, RecursionError):
                continue
    return change(text)


def _rewrite_value(value: Any, change: Change) -> Any:
    """Return a JSON value with all of its texts and keys changed."""
    if isinstance(value, str):
        return rewrite_text(value, change)
    if isinstance(value, list):
        return [_rewrite_value(item, change) for item in value]
    if isinstance(value, dict):
        return {rewrite_text(key, change): _rewrite_entry(key, item, change) for key, item in value.items()}
    return value


def _rewrite_entry(key: str, value: Any, change: Change) -> Any:
    """Return the value of a JSON object changed; where its name gives it away, all of it is hidden."""
    changed = _rewrite_value(value, change)
    if isinstance(value, str) and changed == value and value and change is hide_secrets:
        pair = f'"{key}": "{value}"'
        return changed if change(pair) == pair else SECRET_MARK
    return changed
