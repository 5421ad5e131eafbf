"""Playbooks: an immutable value, the operations that change it, and its written forms.

Needs no model, database or network.

    model            bullets, playbooks and operations as values
    ancestry         which playbook another was made from, and what differs
    delta            a delta applied, found, or taken back
    three_way_merge  two playbooks that grew from one
    alias            the id of a bullet in a file it was imported from
    codec            canonical JSON, and the hashes made of it
    markdown         the form for people
    arrange          bullets of a file in their order
    formats          the forms of other tools
    exchange         what importing a file does
    import_plan      what an import will do, before it is done
    export           what a format can hold
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ace.lazy import import_lazily

if TYPE_CHECKING:
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

_HOMES = {
    "ace.playbook.codec": (
        "chain_hash",
        "content_hash",
        "delta_from_json",
        "delta_to_json",
        "playbook_from_json",
        "playbook_to_json",
    ),
    "ace.playbook.delta": (
        "apply",
        "diff",
        "invert",
        "touched_ids",
    ),
    "ace.playbook.markdown": (
        "from_markdown",
        "to_markdown",
    ),
    "ace.playbook.model": (
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
        "Status",
        "Vote",
        "bullet_id",
    ),
    "ace.playbook.three_way_merge": (
        "Side",
        "find_lost_votes",
        "join",
    ),
}
if not TYPE_CHECKING:  # a checker that saw this would let every name pass
    __getattr__ = import_lazily(__name__, _HOMES)
