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
    "episode_events": ("event",),
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
        for table in ("episodes", "episode_events", "proposals", "rejected_operations", "calls", "feedback")
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


def rewrite_text(text: str, change: Change, named: Change | None = None) -> str:
    """Return a text as `change` makes it; in JSON, all texts in it, in the same form.

    A value of a JSON object is hidden whole where `named` changes what stands for it as "name": "value".
    """
    if text[:1] in ("{", "[", '"'):
        for form in (to_json, _to_canonical_json):
            try:
                value = json.loads(text)
                if form(value) == text:
                    return form(_rewrite_value(value, change, named))
            except (ValueError, RecursionError):
                continue
    return change(text)


def _rewrite_value(value: Any, change: Change, named: Change | None) -> Any:
    """Return a JSON value with all of its texts and keys changed."""
    if isinstance(value, str):
        return rewrite_text(value, change, named)
    if isinstance(value, list):
        return [_rewrite_value(item, change, named) for item in value]
    if not isinstance(value, dict):
        return value
    rewritten = {}
    for key, item in value.items():
        changed = _rewrite_value(item, change, named)
        if named and isinstance(item, str) and item and changed == item:
            pair = f'"{key}": "{item}"'
            changed = item if named(pair) == pair else SECRET_MARK
        rewritten[rewrite_text(key, change, named)] = changed
    return rewritten
