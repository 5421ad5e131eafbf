"""A playbook with its history, in a file of SQLite or on a PostgreSQL server.

Where to begin reading: `store`, whose methods are one transaction each.

    store           the playbook: its versions
    store_names     their names: branches and tags
    store_bullets   its bullets one by one
    store_runs      its runs, episodes, proposals and feedback
    store_calls     the model calls of its runs
    store_memories  its memories
    store_transfer  what another store has, taken over: push and pull
    versions        rows of the history
    rebase          a delta, when others have committed since it was decided on
    lineage         branches, tags, the line of versions behind one
    bullet_history  the playbook at any version
    episode_rows    rows of episodes, proposals, and operations that could not apply
    feedback_rows   rows of feedback on answers, and which of them wait
    call_rows       rows of model calls
    episode_events  how episodes of somebody else's agent began, and what happened since
    event_journal   their events, as they come
    call_journal    the journal that writes them from any thread
    process_mark    which process works on a run, and whether it lives
    table_sizes     rows and bytes of each table
    memory_rows     rows of memories
    vector_rows     rows of vectors
    checked_rows    the checksum in every row
    content         the columns that hold text of others
    integrity       seals, verification, backup, redaction, forgetting
    hand_edits      what a person does with bullets, a version each
    store_database  what the store needs of a database; where a playbook is
    connection      opening a playbook, and what everything that has one open shares
    sqlite_connection  files: opening, transactions, errors
    sqlite_errors   SQLite's errors as ours, for all kinds of files
    file_lead       which process learns from feedback in a file
    lead_signs      signs of life of who leads
    setback_rows    where learning from feedback failed
    postgres        servers: the same, and the dialect
    schema          the tables, as migrations
    branch_tables   the third of these
    study_file      the file of a study, which is none of a playbook
    sqlite_text     text, JSON and times as SQLite can hold them
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ace.lazy import import_lazily

if TYPE_CHECKING:
    from ace.memory.acceptance import MemoryProposal, MemoryRule
    from ace.runs.records import (
        AnswerFeedback,
        Branch,
        Commit,
        EpisodeEnd,
        EpisodeEvent,
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
    from ace.store.event_journal import EpisodeJournal
    from ace.store.integrity.backup import restore
    from ace.store.store import Store
    from ace.store.store_bullets import Ref
    from ace.store.store_transfer import Transfer

__all__ = [
    "AnswerFeedback",
    "Branch",
    "Commit",
    "EpisodeEnd",
    "EpisodeEvent",
    "EpisodeJournal",
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
    "Transfer",
    "Version",
    "restore",
]

_HOMES = {
    "ace.memory.acceptance": (
        "MemoryProposal",
        "MemoryRule",
    ),
    "ace.runs.records": (
        "AnswerFeedback",
        "Branch",
        "Commit",
        "EpisodeEnd",
        "EpisodeEvent",
        "Forgotten",
        "Imported",
        "Problem",
        "Proposal",
        "Reason",
        "Run",
        "Step",
        "Tag",
        "Touch",
        "Version",
    ),
    "ace.store.event_journal": ("EpisodeJournal",),
    "ace.store.integrity.backup": ("restore",),
    "ace.store.store": ("Store",),
    "ace.store.store_bullets": ("Ref",),
    "ace.store.store_transfer": ("Transfer",),
}
if not TYPE_CHECKING:  # a checker that saw this would let every name pass
    __getattr__ = import_lazily(__name__, _HOMES)
