"""Rows of memories, of proposed memories, and of forgotten ones.

A row of `memories` changes once, when a newer memory closes it. Only forgetting deletes one, and leaves a row
with its number in `forgotten`. Functions over a connection that is already inside a transaction.
"""

from __future__ import annotations

import ast
import re
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from ace.errors import StoreError, UnknownMemory
from ace.memory import Kind, Memory, Scope, find_overlaps, place_memory
from ace.memory.acceptance import MemoryProposal, MemoryRule
from ace.store import checked_rows
from ace.store.integrity import seals
from ace.store.sqlite_text import read_column, to_json, to_text
from ace.store.store_database import Database

if TYPE_CHECKING:
    from sqlite_utils import Database as SqliteUtils

TABLES = (
    """CREATE TABLE memories (             -- what is known of users, and from when until when
    number INTEGER PRIMARY KEY,        -- numbers that are missing are in forgotten
    id TEXT NOT NULL UNIQUE,
    scope TEXT NOT NULL,               -- user, session or everyone
    user TEXT NOT NULL,                -- empty for everyone
    session TEXT NOT NULL,             -- empty unless for a session
    kind TEXT NOT NULL,                -- fact, preference or feedback
    subject TEXT NOT NULL,
    attribute TEXT NOT NULL,
    value TEXT NOT NULL,
    since TEXT NOT NULL,               -- from when it holds, ISO 8601, UTC
    until TEXT,                        -- where a newer memory took its place
    expires TEXT,
    conversation TEXT NOT NULL,        -- where it was said
    turn INTEGER,                      -- from 1
    quote TEXT NOT NULL,               -- what was said there
    author TEXT NOT NULL,
    created TEXT NOT NULL,
    checksum TEXT NOT NULL
) STRICT""",
    "CREATE INDEX memories_user ON memories (user, scope, session)",
    """CREATE TABLE memory_proposals (     -- what a model thought should be remembered
    id INTEGER PRIMARY KEY,
    user TEXT NOT NULL,
    session TEXT NOT NULL,
    conversation TEXT NOT NULL,
    proposal TEXT NOT NULL,            -- JSON; secrets and what was forgotten are blacked out
    outcome TEXT NOT NULL,             -- accepted or rejected
    why TEXT NOT NULL,
    memory TEXT NOT NULL,              -- what it became, if it was accepted
    author TEXT NOT NULL,
    created TEXT NOT NULL,
    checksum TEXT NOT NULL
) STRICT""",
    """CREATE TABLE forgotten (            -- that there was a memory; nothing of what it said
    number INTEGER PRIMARY KEY,        -- of the memory
    memory TEXT NOT NULL UNIQUE,
    redacted TEXT NOT NULL,            -- JSON: table -> rows in which its text was blacked out
    scrubbed INTEGER NOT NULL,         -- 1: and no byte of it is left in the file
    author TEXT NOT NULL,
    created TEXT NOT NULL,
    checksum TEXT NOT NULL
) STRICT""",
    """CREATE TABLE memory_exports (       -- files with memories: forgetting looks there, too
    id INTEGER PRIMARY KEY,
    path TEXT NOT NULL,
    created TEXT NOT NULL,
    checksum TEXT NOT NULL
) STRICT""",
)
_COLUMNS = checked_rows.SEALED["memories"]
_READ = f"SELECT {', '.join(_COLUMNS[1:])} FROM memories"  # noqa: S608 (our own names)
# By the index on users, whose memories for everyone have none: else every memory would be looked at.
_FOR = """user IN ('', :user) AND (scope = 'everyone' OR (user = :user
    AND (scope = 'user' OR CAST(:session AS TEXT) IS NULL OR session = :session)))"""
_HOLDING = "since <= :at AND (until IS NULL OR until > :at) AND (expires IS NULL OR expires > :at)"
_READ_NUMBER = "SELECT number FROM memories WHERE id = ?"
_READ_FORGOTTEN = "SELECT number, memory, redacted, scrubbed, author, created FROM forgotten"
RULES = {rule.value: rule for rule in MemoryRule}

# Column of memory_proposals -> its definition, of migration 12. Released: never edit it.
RULE_COLUMNS = (
    "rule TEXT NOT NULL DEFAULT '' /* that refused it; empty where it was accepted */",
    "same_as TEXT NOT NULL DEFAULT '' /* the memory that a duplicate repeats */",
)
_REFUSAL = re.compile(r"(?P<rule>[^:]+)(?:: (?P<same_as>'.+'|\".+\") says the same)?")


def m010_memories(db: SqliteUtils) -> None:
    """Create the tables of memories."""
    for statement in TABLES:
        db.execute(statement)
    for table in ("memories", "memory_proposals", "forgotten", "memory_exports"):
        seals.seal_table(db.conn, table)


def m012_rules(db: SqliteUtils) -> None:
    """Add to proposed memories the rule that refused them, and fill it from the sentence in `why`."""
    for definition in RULE_COLUMNS:
        checked_rows.add_column(db.conn, "memory_proposals", definition)
    refused = "SELECT id, why FROM memory_proposals WHERE outcome = 'rejected' AND why <> ''"
    for number, why in db.conn.execute(refused).fetchall():
        rule, same_as = parse_refusal(why)
        columns = {"rule": rule.value, "same_as": same_as}
        checked_rows.update(db.conn, "memory_proposals", columns, "id = ?", [number])


def parse_refusal(why: str) -> tuple[MemoryRule, str]:
    """Return the rule that a stored sentence begins with, and the id of the repeated memory.

    For files from before the columns; nothing else reads such a sentence.
    """
    sentence = _REFUSAL.match(why)
    if sentence is None:
        return MemoryRule.NONE, ""
    try:
        same_as = str(ast.literal_eval(sentence["same_as"] or "''"))
    except (SyntaxError, ValueError):  # a damaged sentence must not keep an older file from being opened
        same_as = ""
    return RULES.get(sentence["rule"], MemoryRule.UNKNOWN), same_as


def add(db: Database, memory: Memory) -> Memory:
    """Store a memory in its place in time, close the one that it replaces, and return it with its id.

    It replaces the one of the same owner, subject and attribute that holds at that time. A memory that is
    told late, about an earlier time, is closed itself when the next one begins.
    """
    owner = [memory.scope.value, to_text(memory.user), to_text(memory.session)]
    same_owner = db.execute(f"{_READ} WHERE scope = ? AND user = ? AND session = ?", owner)
    same_line = [old for old in map(_from_row, same_owner) if old.line == memory.line]
    placed = place_memory(same_line, memory)
    stored = replace(placed.memory, id=memory.id or f"m-{uuid.uuid4().hex[:12]}")
    used = "SELECT (SELECT max(number) FROM memories), (SELECT max(number) FROM forgotten)"
    last = max(number or 0 for number in db.execute(used).fetchone())
    checked_rows.insert(db, "memories", [_to_row(last + 1, stored)])
    if placed.closed is not None:
        (number,) = read_column(db, _READ_NUMBER, [placed.closed.id])
        checked_rows.insert(db, "memories", [_to_row(number, placed.closed)], key="number")
    return stored


def read(db: Database, user: str | None, session: str | None, *, at: str | None = None) -> list[Memory]:
    """Return memories by the time from which they hold, closed and expired ones included.

    Those of a user include what is known for everyone. None stands for every user, or every session. With
    `at`, an instant, only those that hold then are read.
    """
    conditions, values = ["1 = 1"], dict[str, str | None]()
    if user is not None:
        conditions.append(_FOR)
        values = {"user": user, "session": session}
    if at is not None:
        conditions.append(_HOLDING)
        values["at"] = at
    sql = f"{_READ} WHERE {' AND '.join(conditions)} ORDER BY since, number"
    return [_from_row(row) for row in db.execute(sql, values)]


def find(db: Database, ids: Sequence[str]) -> list[Memory]:
    """Return the memories with these ids, in their order.

    Raises UnknownMemory for an id that is not in the file, which says whether it was forgotten.
    """
    memories = []
    for identity in ids:
        row = db.execute(f"{_READ} WHERE id = ?", [identity]).fetchone()
        if row is None:
            problem = f"There is no memory {identity!r:.60}."
            if identity in read_forgotten(db):
                problem = f"Memory {identity} was forgotten."
            raise UnknownMemory(problem, hint="`ace memory list --all` shows their ids.")
        memories.append(_from_row(row))
    return memories


def read_forgotten(db: Database) -> set[str]:
    """Return the ids of all forgotten memories."""
    return set(read_column(db, "SELECT memory FROM forgotten"))


def remove(db: Database, memory: Memory, author: str, at: str) -> None:
    """Delete a memory's row, and note in `forgotten` that it existed. `at` is the time in ISO 8601, UTC."""
    (number,) = read_column(db, _READ_NUMBER, [memory.id])
    checked_rows.delete(db, "memories", "number = ?", [number])
    checked_rows.insert(db, "forgotten", [(number, memory.id, "{}", 0, to_text(author), at)])


def note_forgotten(
    db: Database,
    *,
    ids: Sequence[str] = (),
    redacted: Mapping[str, int] | None = None,
    scrubbed: bool = False,
) -> None:
    """Write down what became of forgotten memories.

    `redacted` is table -> number of rows, for those with these `ids`. `scrubbed` says of all of them that no
    byte is left in the file.
    """
    for number, memory, counts, was_scrubbed, author, created in db.execute(_READ_FORGOTTEN).fetchall():
        new_counts, is_scrubbed = counts, was_scrubbed
        if memory in ids:
            new_counts = to_json(redacted)
        if scrubbed:
            is_scrubbed = 1
        if (new_counts, is_scrubbed) != (counts, was_scrubbed):
            row = (number, memory, new_counts, is_scrubbed, author, created)
            checked_rows.insert(db, "forgotten", [row], key="number")


def add_proposals(db: Database, proposals: Iterable[MemoryProposal], at: str) -> None:
    """Append proposed memories; `at` is the time in ISO 8601."""
    (last,) = db.execute("SELECT coalesce(max(id), 0) FROM memory_proposals").fetchone()
    rows = []
    for number, proposal in enumerate(proposals, start=last + 1):
        row = (
            number,
            to_text(proposal.user),
            to_text(proposal.session),
            to_text(proposal.conversation),
            to_json(proposal.proposal),
            proposal.outcome,
            to_text(proposal.why),
            proposal.memory,
            to_text(proposal.author),
            at,
            proposal.rule.value,
            to_text(proposal.same_as),
        )
        rows.append(row)
    checked_rows.insert(db, "memory_proposals", rows)


def blank_proposals(
    db: Database, marker: str, *, user: str | None = None, memories: Iterable[str] = ()
) -> int:
    """Black out proposals, and return the number of rows. The rule that refused one stays.

    They are those of a user, whose name is blacked out, too, or those that became one of the memories (ids)
    or repeat it.
    """
    sql = """SELECT id, rule FROM memory_proposals
        WHERE user = :user
        OR memory IN (SELECT value FROM json_each(:ids))
        OR same_as IN (SELECT value FROM json_each(:ids))"""
    rows = db.execute(sql, {"user": user, "ids": to_json(list(memories))}).fetchall()
    blank = {"proposal": to_json({"value": marker})}
    if user is not None:
        blank |= {"user": marker, "session": marker, "conversation": marker}
    for number, rule in rows:
        checked_rows.update(db, "memory_proposals", {**blank, "why": rule}, "id = ?", [number])
    return len(rows)


def find_problems(db: Database) -> Iterator[str]:
    """Yield what is wrong beyond single rows: a number used twice, or two memories that hold at once.

    Missing rows are reported by the seals.
    """
    used = "SELECT number FROM memories UNION ALL SELECT number FROM forgotten"
    (missing,) = db.execute(f"SELECT coalesce(max(number), 0) - count(*) FROM ({used}) AS used").fetchone()  # noqa: S608
    if missing < 0:
        yield "A memory is kept twice."
    for first, second in find_overlaps(read(db, None, None)):
        yield f"Memories {first.id} and {second.id} hold at the same time for the same thing."


def _to_row(number: int, memory: Memory) -> tuple[Any, ...]:
    """Return a memory's values in the order of `_COLUMNS`."""
    return (
        number,
        memory.id,
        memory.scope.value,
        to_text(memory.user),
        to_text(memory.session),
        memory.kind.value,
        to_text(memory.subject),
        to_text(memory.attribute),
        to_text(memory.value),
        memory.since,
        memory.until,
        memory.expires,
        to_text(memory.conversation),
        memory.turn,
        to_text(memory.quote),
        to_text(memory.author),
        memory.created,
    )


def _from_row(row: tuple[Any, ...]) -> Memory:
    """Read a row of `_READ`. Raises StoreError for values that no memory has."""
    values = dict(zip(_COLUMNS[1:], row, strict=True))
    try:
        values["scope"] = Scope(values["scope"])
        values["kind"] = Kind(values["kind"])
        return Memory(**values)
    except ValueError as error:
        raise StoreError(f"Memory {values['id']} cannot be read: {error}.") from error
