"""Writes the lessons of a playbook as a coding agent reads them at a session's start."""

from __future__ import annotations

import json
from math import ceil

from ace.context import render_playbook
from ace.hooks.coding_agent import EVENTS, CodingAgent, Moment
from ace.store import Store
from ace.store.store_database import Place
from ace.text import estimate_tokens

HEADING = "# Lessons\n\nWhat was learned in earlier work. Use the lessons that apply.\n\n"
_WAIT = 2.0  # seconds for a playbook that somebody else is writing to: a person waits for the session


def read_lessons(playbook: Place, agent: CodingAgent, budget: int) -> tuple[str, int]:
    """Return what an agent prints for a session's start, and the playbook's version; "" without lessons.

    The lessons count at most `budget` tokens, and never more bytes than the agent shows. Raises StoreError.
    """
    with Store.open(playbook, create=False, read_only=True, timeout=_WAIT) as store:
        value, version = store.checkout(), store.head().number

    def count(text: str) -> int:
        """Count tokens, or as many as the part of the bytes stands for, if that is more."""
        share = len(text.encode()) / agent.most_bytes
        return max(estimate_tokens(text), ceil(share * budget))

    rendered = render_playbook(value, budget - count(HEADING), count)
    if not rendered.text:
        return "", version
    output = {"hookEventName": EVENTS[Moment.START], "additionalContext": HEADING + rendered.text}
    return json.dumps({"hookSpecificOutput": output}), version
