"""One SQLite file for each playbook: its versions and branches, and the runs that made them."""

from ace.memory.acceptance import MemoryProposal, MemoryRule
from ace.runs.records import (
    AnswerFeedback,
    Branch,
    Commit,
    Forgotten,
    Imported,
    Problem,
    Proposal,
    Reason,
    Run,
    Step,
    Tag,
    Touch,
    Version,
)
from ace.store.integrity.backup import restore
from ace.store.store import Ref, Store

__all__ = [
    "AnswerFeedback",
    "Branch",
    "Commit",
    "Forgotten",
    "Imported",
    "MemoryProposal",
    "MemoryRule",
    "Problem",
    "Proposal",
    "Reason",
    "Ref",
    "Run",
    "Step",
    "Store",
    "Tag",
    "Touch",
    "Version",
    "restore",
]
