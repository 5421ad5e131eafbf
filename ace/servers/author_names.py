"""Whose word a version is: the name that a client or a person gives, made harmless."""

from __future__ import annotations

import re

from ace.safety.injection import find_suspicion

_LONGEST_NAME = 60


def name_author(kind: str, name: str, fallback: str) -> str:
    """Return `kind`, a colon and the name, or `fallback` where the name is empty or reads as an order.

    Only letters, digits and a few marks are left: an author stands in prompts. The caller has hidden secrets.
    """
    name = re.sub(r"[^\w.+ -]+", "-", name).strip(" -")[:_LONGEST_NAME]
    if not name or find_suspicion(name):
        name = fallback
    return f"{kind}:{name}"
