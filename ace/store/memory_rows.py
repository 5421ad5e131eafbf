"""Rows of memories, of what was proposed as one, and of what was forgotten.

A row of `memories` is closed, never changed otherwise, and taken away only by forgetting, which leaves a row
in `forgotten` with its number. Functions over a connection that is already inside a transaction.
"""

from __future__ import annotations

import sqlite3
import uuid
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from ace.errors import StoreError, UnknownMemory
from ace.memory.memory import Kind, Memory, Scope, overlaps, place
from ace.runs.records import MemoryProposal
from ace.store import checked_rows
from ace.store.integrity import seals
from ace.store.sqlite_text import to_json, to_text

if TYPE_CHECKING:
    from sqlite_utils import Database

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
_FOR = "(scope = 'everyone' OR (user = :user AND (scope = 'user' OR :session IS NULL OR session = :session)))"


def m010_memories(db: Database) -> None:
    """What is known of users."""
    for statement in TABLES:
        db.execute(statement)
    for table in ("memories", "memory_proposals", "forgotten", "memory_exports"):
        seals.begin(db.conn, table)


def add(db: sqlite3.Connection, memory: Memory) -> Memory:
    """The memory in its place in time, with its id. It closes the one that held before it."""
    placed = place((other for other in _of_owner(db, memory) if other.line == memory.line), memory)
    kept = replace(placed.memory, id=memory.id or f"m-{uuid.uuid4().hex[:12]}")
    used = "SELECT max(number) FROM (SELECT number FROM memories UNION ALL SELECT number FROM forgotten)"
    number = (db.execute(used).fetchone()[0] or 0) + 1
    checked_rows.insert(db, "memories", [_row(number, kept)])
    if placed.closed is not None:
        (found,) = db.execute("SELECT number FROM memories WHERE id = ?", [placed.closed.id]).fetchone()
        checked_rows.update(db, "memories", _row(found, placed.closed))
    return kept


def read(db: sqlite3.Connection, user: str | None, session: str | None) -> list[Memory]:
    """In the order in which they came to hold; None: of every user, of every session."""
    where, values = ("", {}) if user is None else (f"WHERE {_FOR}", {"user": user, "session": session})
    return [_memory(row) for row in db.execute(f"{_READ} {where} ORDER BY since, number", values)]


def by_id(db: sqlite3.Connection, ids: Sequence[str]) -> list[Memory]:
    """Raises UnknownMemory for an id that is not there."""
    found = []
    for identity in ids:
        row = db.execute(f"{_READ} WHERE id = ?", [identity]).fetchone()
        if row is None:
            gone = db.execute("SELECT 1 FROM forgotten WHERE memory = ?", [identity]).fetchone()
            what = f"Memory {identity} was forgotten." if gone else f"There is no memory {identity!r:.60}."
            raise UnknownMemory(what, hint="`ace memory list --all` shows their ids.")
        found.append(_memory(row))
    return found


def users(db: sqlite3.Connection) -> list[str]:
    return [
        user for (user,) in db.execute("SELECT DISTINCT user FROM memories WHERE user <> '' ORDER BY user")
    ]


def was_forgotten(db: sqlite3.Connection) -> set[str]:
    return {memory for (memory,) in db.execute("SELECT memory FROM forgotten")}


def remove(db: sqlite3.Connection, memory: Memory, author: str, at: str) -> None:
    """Take the row away, and note that it was there."""
    (number,) = db.execute("SELECT number FROM memories WHERE id = ?", [memory.id]).fetchone()
    checked_rows.delete(db, "memories", "number = ?", [number])
    checked_rows.insert(db, "forgotten", [(number, memory.id, "{}", 0, to_text(author), at)])


def note_redacted(db: sqlite3.Connection, ids: Sequence[str], redacted: dict[str, int]) -> None:
    for number, memory, _, scrubbed, author, created in _forgotten(db, ids):
        checked_rows.update(db, "forgotten", (number, memory, to_json(redacted), scrubbed, author, created))


def note_scrubbed(db: sqlite3.Connection) -> None:
    """Nothing of what was forgotten so far is left in the file."""
    for number, memory, redacted, scrubbed, author, created in _forgotten(db, None):
        if not scrubbed:
            checked_rows.update(db, "forgotten", (number, memory, redacted, 1, author, created))


def _forgotten(db: sqlite3.Connection, ids: Sequence[str] | None) -> list[tuple[Any, ...]]:
    found = db.execute("SELECT number, memory, redacted, scrubbed, author, created FROM forgotten").fetchall()
    return [row for row in found if ids is None or row[1] in ids]


def add_proposals(db: sqlite3.Connection, proposals: Iterable[MemoryProposal], at: str) -> None:
    (last,) = db.execute("SELECT coalesce(max(id), 0) FROM memory_proposals").fetchone()
    checked_rows.insert(
        db, "memory_proposals", [_proposal_row(last + n, p, at) for n, p in enumerate(proposals, 1)]
    )


def proposals(db: sqlite3.Connection, user: str | None) -> list[MemoryProposal]:
    import json

    sql = """SELECT user, session, conversation, proposal, outcome, why, memory, author FROM memory_proposals
        WHERE :user IS NULL OR user = :user ORDER BY id"""
    return [
        MemoryProposal(user, session, conversation, json.loads(proposal), outcome, why, memory, author)
        for user, session, conversation, proposal, outcome, why, memory, author in db.execute(
            sql, {"user": user}
        )
    ]


def blank_proposals(db: sqlite3.Connection, user: str, marker: str) -> int:
    """Of a user, whether they became memories or not; only the rules that spoke stay. How many there were."""
    found = db.execute("SELECT id, why FROM memory_proposals WHERE user = ?", [user]).fetchall()
    for number, why in found:
        _blank(db, number, why, marker, ("user", "session", "conversation"))
    return len(found)


def blank_proposals_of(db: sqlite3.Connection, ids: Iterable[str], marker: str) -> int:
    """Those that became one of these memories, or were refused for saying the same. How many there were."""
    gone = set(ids)
    again = tuple(f"duplicate: {memory!r} " for memory in gone)
    listed = db.execute("SELECT id, why, memory FROM memory_proposals").fetchall()
    found = [(number, why) for number, why, memory in listed if memory in gone or why.startswith(again)]
    for number, why in found:
        _blank(db, number, why, marker)
    return len(found)


def _blank(db: sqlite3.Connection, number: int, why: str, marker: str, names: Sequence[str] = ()) -> None:
    """Only the rule that spoke stays of a proposal, and of a damaged row that it is damaged."""
    new = dict.fromkeys(names, marker) | {
        "proposal": to_json({"value": marker}),
        "why": why.partition(":")[0],
    }
    sound = checked_rows.is_sound(db, "memory_proposals", "id = ?", [number])
    sets = ", ".join(f"{column} = ?" for column in new)
    db.execute(f"UPDATE memory_proposals SET {sets} WHERE id = ?", [*new.values(), number])  # noqa: S608
    if sound:
        checked_rows.reseal(db, "memory_proposals", "id = ?", [number])


def add_export(db: sqlite3.Connection, path: str, at: str) -> None:
    (last,) = db.execute("SELECT coalesce(max(id), 0) FROM memory_exports").fetchone()
    checked_rows.insert(db, "memory_exports", [(last + 1, to_text(path), at)])


def exports(db: sqlite3.Connection) -> list[str]:
    return [path for (path,) in db.execute("SELECT path FROM memory_exports GROUP BY path ORDER BY min(id)")]


def problems(db: sqlite3.Connection) -> Iterator[str]:
    """What is wrong with these tables beyond single rows: numbers that are gone, two that hold at once."""
    used = "SELECT number FROM memories UNION ALL SELECT number FROM forgotten"
    (missing,) = db.execute(f"SELECT coalesce(max(number), 0) - count(*) FROM ({used})").fetchone()  # noqa: S608
    if missing < 0:
        yield "A memory is kept twice."
    for one, other in overlaps(read(db, None, None)):
        yield f"Memories {one.id} and {other.id} hold at the same time for the same thing."


def _of_owner(db: sqlite3.Connection, memory: Memory) -> list[Memory]:
    sql = f"{_READ} WHERE scope = ? AND user = ? AND session = ?"
    owner = [memory.scope.value, to_text(memory.user), to_text(memory.session)]
    return [_memory(row) for row in db.execute(sql, owner)]


def _row(number: int, m: Memory) -> tuple[Any, ...]:
    owner = m.scope.value, to_text(m.user), to_text(m.session)
    said = m.kind.value, to_text(m.subject), to_text(m.attribute), to_text(m.value)
    origin = to_text(m.conversation), m.turn, to_text(m.quote), to_text(m.author), m.created
    return (number, m.id, *owner, *said, m.since, m.until, m.expires, *origin)


def _memory(row: tuple[Any, ...]) -> Memory:
    values = dict(zip(_COLUMNS[1:], row, strict=True))
    try:
        return Memory(**(values | {"scope": Scope(values["scope"]), "kind": Kind(values["kind"])}))
    except ValueError as error:
        raise StoreError(f"Memory {values['id']} cannot be read: {error}.") from error


def _proposal_row(number: int, p: MemoryProposal, at: str) -> tuple[Any, ...]:
    where = to_text(p.user), to_text(p.session), to_text(p.conversation)
    return (number, *where, to_json(p.proposal), p.outcome, to_text(p.why), p.memory, to_text(p.author), at)
