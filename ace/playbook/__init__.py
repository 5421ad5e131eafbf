"""Playbooks: an immutable value, the operations that change it, and its written forms.

Needs no model, database or network.

    model            bullets, playbooks and operations as values
    delta            a delta applied, found, or taken back
    three_way_merge  two playbooks that grew from one
    codec            canonical JSON, and the hashes made of it
    markdown         the form for people
    arrange          bullets of a file in their order
    formats          the forms of other tools
    exchange         what importing a file does
    export           what a format can hold
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
