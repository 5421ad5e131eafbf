"""One SQLite file for each playbook: its versions and branches, and the runs that made them."""

from ace.runs.records import (
    Branch,
    Commit,
    Forgotten,
    Imported,
    MemoryProposal,
    Problem,
    Proposal,
    Reason,
    Run,
    Said,
    Step,
    Tag,
    Touch,
    Version,
)
from ace.store.integrity.backup import restore
from ace.store.store import Ref, Store

__all__ = [
    "Branch",
    "Commit",
    "Forgotten",
    "Imported",
    "MemoryProposal",
    "Problem",
    "Proposal",
    "Reason",
    "Ref",
    "Run",
    "Said",
    "Step",
    "Store",
    "Tag",
    "Touch",
    "Version",
    "restore",
]
