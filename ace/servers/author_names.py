"""Whose word a version is: the name that a client or a person gives, made harmless."""

from __future__ import annotations

import re

from ace.safety.injection import find_suspicion
from ace.safety.secrets import hide_secrets

_LONGEST_READ = 200  # characters of a name that are looked at
_LONGEST_NAME = 60


def name_author(kind: str, name: str, fallback: str) -> str:
    """Return `kind`, a colon and the name, or `fallback` where the name is empty or reads as an order.

    Secrets are hidden, and only letters, digits and a few marks are left: an author stands in prompts.
    """
    name = hide_secrets(name[:_LONGEST_READ])
    name = re.sub(r"[^\w.+ -]+", "-", name).strip(" -")[:_LONGEST_NAME]
    if not name or find_suspicion(name):
        name = fallback
    return f"{kind}:{name}"
