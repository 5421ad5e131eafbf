"""The lead of learners on a server: advisory locks that a session holds, and a count of those who led.

A run learns alone on its branch. Whoever learns from feedback leads one task on a branch, and shares the
branch with the leaders of other tasks, but not with such a run. A session that ends lets go of its locks,
however it ends; the session of a process that hangs is ended by the server or, where its timer does not run,
by whoever asks for the lead. Each leader of a task has a number, its term, one more than that of the leader
before. So a leader whose connection was lost can tell whether somebody has led since.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC

from ace.errors import LeadLost, StoreBusy
from ace.store.lead_signs import SILENCE
from ace.store.postgres.server_session import lock_key
from ace.store.store_database import ServerAddress, Sql

_HOLDERS = """FROM pg_locks JOIN pg_stat_activity USING (pid)
WHERE locktype = 'advisory' AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
    AND classid::bigint = ? AND objid::bigint = ? AND objsubid = 1 AND granted"""
_HOLDER = f"""SELECT coalesce(nullif(application_name, ''), 'Another program'),
    coalesce(host(client_addr), 'its machine'), backend_start, usename
{_HOLDERS} AND (mode = 'ExclusiveLock' OR CAST(? AS TEXT) = '')"""
# Only that counts in which the server waits for the other end; inside a pipeline it says that it is active.
# A process that is heard in another of its sessions is there.
_END_SILENT = f"""SELECT pg_terminate_backend(pid, 1000)
{_HOLDERS} AND (state <> 'active' OR wait_event_type = 'Client')
    AND clock_timestamp() - state_change > ? * INTERVAL '1 second'
    AND NOT EXISTS (SELECT 1 FROM pg_stat_activity AS beside
        WHERE beside.pid NOT IN (pg_stat_activity.pid, pg_backend_pid())
            AND beside.application_name = pg_stat_activity.application_name
            AND beside.client_addr IS NOT DISTINCT FROM pg_stat_activity.client_addr
            AND clock_timestamp() - beside.state_change <= ? * INTERVAL '1 second')"""  # noqa: S608 (our own text)
# The server's own timer, which runs outside of transactions only.
_BOUND_SILENCE = "SELECT set_config('idle_session_timeout', ?, FALSE)"
_MILLISECONDS = str(round(1000 * SILENCE))
_LONGER = 1.0  # seconds that the server's own timer gets before somebody else looks
_BEGIN_TERM = """INSERT INTO writers VALUES (?, 1, now())
ON CONFLICT (id) DO UPDATE SET number = writers.number + 1, seen = excluded.seen RETURNING number"""


@dataclass(frozen=True, slots=True)
class Lead:
    """Say what a session leads."""

    branch: str

    task: str
    """The task whose feedback it alone learns from; "" where it alone learns on the branch at all."""

    term: int = 0
    """Which of the leaders of the task it is; 0 without a task."""


def take_lead(db: Sql, address: ServerAddress, branch: str, task: str) -> Lead:
    """Take the locks of a lead, and return it. Raises StoreBusy, which says who has them.

    The server ends the session from now on where it gives no sign of life, until it leaves the lead.
    """
    lead = Lead(branch, task)
    _take_locks(db, address, lead)
    db.execute(_BOUND_SILENCE, [_MILLISECONDS])
    if not task:
        return lead
    (term,) = db.execute(_BEGIN_TERM, [_name_term(address, lead)]).fetchone()
    return replace(lead, term=int(term))


def resume_lead(db: Sql, address: ServerAddress, lead: Lead) -> None:
    """Take the locks of a lead again, on a new connection.

    Raises LeadLost where somebody else has them, or has begun a term in the meantime.
    """
    hint = "What was committed is kept, and what was reported waits for the next learner."
    try:
        _take_locks(db, address, lead)
    except StoreBusy as error:
        raise LeadLost(error.message, hint=hint, path=str(address)) from None
    db.execute(_BOUND_SILENCE, [_MILLISECONDS])
    if not lead.task:
        return
    sql = "SELECT number FROM writers WHERE id = ?"
    (term,) = db.execute(sql, [_name_term(address, lead)]).fetchone()
    if term != lead.term:
        message = (
            f"Another process has learned on branch {lead.branch} of {address} since the connection was lost."
        )
        raise LeadLost(message, hint=hint, path=str(address))


def leave_lead(db: Sql, address: ServerAddress, lead: Lead) -> None:
    """Let go of the locks of a lead, the only one of the session. It may be silent again."""
    branch_key, task_key = _find_keys(address, lead.branch, lead.task)
    if lead.task:
        db.execute("SELECT pg_advisory_unlock_shared(?)", [branch_key])
        db.execute("SELECT pg_advisory_unlock(?)", [task_key])
    else:
        db.execute("SELECT pg_advisory_unlock(?)", [branch_key])
    db.execute("RESET idle_session_timeout")


def find_leader(db: Sql, address: ServerAddress, branch: str, task: str) -> str:
    """Return who leads a task, or else who learns alone on the branch, for people; "" for nobody.

    Without a task it is anybody who learns on the branch.
    """
    for key in _find_keys(address, branch, task)[::-1]:
        row = db.execute(_HOLDER, [*_split_key(key), task]).fetchone()
        if row is None:
            continue
        program, machine, began, role = row
        if began is None:  # of another role a server tells no more than the names
            return f"{program} (as {role})"
        return f"{program} (from {machine}, since {began.astimezone(UTC):%Y-%m-%d %H:%M} UTC)"
    return ""


def _take_locks(db: Sql, address: ServerAddress, lead: Lead) -> None:
    """Take the locks of a lead, or none of them. Raises StoreBusy, which says who has them."""
    taken = _try_locks(db, address, lead)
    if taken is not None and end_silent(db, taken, SILENCE + _LONGER):
        taken = _try_locks(db, address, lead)
    if taken is None:
        return
    who = find_leader(db, address, lead.branch, lead.task) or "Somebody else"
    raise StoreBusy(
        f"{who} learns on branch {lead.branch} of {address} already.",
        hint="Wait until it is done, or learn on another branch. What was reported is kept for it.",
        path=str(address),
    )


def _try_locks(db: Sql, address: ServerAddress, lead: Lead) -> int | None:
    """Take the locks of a lead, or none of them; return the number of the first that somebody else has."""
    branch_key, task_key = _find_keys(address, lead.branch, lead.task)
    if lead.task:  # first: who waits for the lead of a task must not get in the way of a run
        (free,) = db.execute("SELECT pg_try_advisory_lock(?)", [task_key]).fetchone()
        if not free:
            return task_key
    shared = "_shared" if lead.task else ""
    (free,) = db.execute(f"SELECT pg_try_advisory_lock{shared}(?)", [branch_key]).fetchone()
    if free:
        return None
    if lead.task:
        db.execute("SELECT pg_advisory_unlock(?)", [task_key])
    return branch_key


def end_silent(db: Sql, key: int, seconds: float) -> bool:
    """End sessions with a lock whose process was silent for so many seconds; return whether there were any.

    Those of another role stay, if this one may not end them.
    """
    from psycopg import OperationalError
    from psycopg.errors import InsufficientPrivilege

    with suppress(InsufficientPrivilege, OperationalError):
        return bool(db.execute(_END_SILENT, [*_split_key(key), seconds, seconds]).fetchall())
    return False


def _split_key(key: int) -> tuple[int, int]:
    """Return the number of a lock in two halves, as the server lists it."""
    unsigned = key % (1 << 64)
    return unsigned >> 32, unsigned & 0xFFFFFFFF


def _find_keys(address: ServerAddress, branch: str, task: str) -> tuple[int, int]:
    """Return the numbers of the locks of a branch, and of a task on it."""
    branch_key = lock_key("learn", address.schema, branch)
    return branch_key, lock_key("feedback", address.schema, branch, task)


def _name_term(address: ServerAddress, lead: Lead) -> str:
    """Return the id of the row that counts the terms of a lead."""
    return f"lead {lock_key('feedback', address.schema, lead.branch, lead.task)}"
