"""Playbooks: an immutable value, the operations that change it, and its written forms.

Needs no model, database or network.
"""

from ace.playbook.codec import (
    chain_hash,
    content_hash,
    delta_from_json,
    delta_to_json,
    playbook_from_json,
    playbook_to_json,
)
from ace.playbook.delta import apply, diff, invert, touched_ids
from ace.playbook.markdown import from_markdown, to_markdown
from ace.playbook.model import (
    Add,
    Bullet,
    Delta,
    Merge,
    Move,
    Operation,
    Pin,
    Playbook,
    Promote,
    Quarantine,
    Rejection,
    Remove,
    Revise,
    Section,
    Status,
    Vote,
    bullet_id,
)
from ace.playbook.three_way_merge import Side, find_lost_votes, join

__all__ = [
    "Add",
    "Bullet",
    "Delta",
    "Merge",
    "Move",
    "Operation",
    "Pin",
    "Playbook",
    "Promote",
    "Quarantine",
    "Rejection",
    "Remove",
    "Revise",
    "Section",
    "Side",
    "Status",
    "Vote",
    "apply",
    "bullet_id",
    "chain_hash",
    "content_hash",
    "delta_from_json",
    "delta_to_json",
    "diff",
    "find_lost_votes",
    "from_markdown",
    "invert",
    "join",
    "playbook_from_json",
    "playbook_to_json",
    "to_markdown",
    "touched_ids",
]
