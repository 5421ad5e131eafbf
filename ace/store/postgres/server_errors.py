"""PostgreSQL's errors as ours, by their SQLSTATE: the one boundary where psycopg's exceptions end.

No message holds a password: psycopg's own do not, and the one that was given is taken out of every text.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from json import JSONDecodeError
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from ace.errors import FormatError, NotAPlaybook, StoreBusy, StoreError, StoreUnreachable, StoreUnwritable
from ace.store.store_database import ServerAddress

if TYPE_CHECKING:
    import psycopg

DAMAGED = "`ace playbook pull FILE` saves what can still be read."
_RIGHTS = (
    "To make one, ask for `CREATE SCHEMA {schema} AUTHORIZATION {user}`; to write to one that is there, for"
    " `GRANT USAGE ON SCHEMA {schema} TO {user}` and"
    " `GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA {schema} TO {user}`."
)
_TABLES = "Somebody has changed its tables. " + DAMAGED
_ROOM = "Free some space on the server: everything acknowledged so far is kept."
_AGAIN = "Try again when it is done: nothing was written."
_REACH = (
    "Check the address, the name and the password (PGPASSWORD or ~/.pgpass), that the server runs,"
    " and that it has the database (`createdb` makes one)."
)
_GIVE_ONE = "Set PGPASSWORD, or put it into ~/.pgpass (chmod 600)."
_ROW = "An episode id or a step number may be used once in a run, and no value may be missing."

# Beginning of a SQLSTATE -> the error to raise, what happened (after the address), and what to do.
_KINDS: dict[str, tuple[type[StoreError], str, str]] = {
    "08": (StoreUnreachable, "does not answer, or does not let this user in", _REACH),
    "22": (StoreError, "cannot hold this value", "A text or a number is none that PostgreSQL can store."),
    "23": (StoreError, "cannot take this row", _ROW),
    "25006": (StoreUnwritable, "is read-only", "Give the address of the server that takes writes."),
    "25P03": (StoreUnreachable, "closed a connection that did nothing for too long", _AGAIN),
    "28": (StoreUnwritable, "does not let this user in", _REACH),
    "3D": (StoreError, "does not have this database", "Make it with `createdb`, or give another address."),
    "40": (StoreBusy, "has another writer at the same rows", _AGAIN),
    "42501": (StoreUnwritable, "does not give this user the rights that are needed", _RIGHTS),
    "42": (NotAPlaybook, "does not have the tables of a playbook", _TABLES),
    "53100": (StoreUnwritable, "could not grow: the disk is full", _ROOM),
    "53": (StoreUnwritable, "has no room for more", "Try again later, or raise the server's limits."),
    "55P03": (StoreBusy, "is locked by another process", _AGAIN),
    "57014": (StoreBusy, "ended a statement that took too long", _AGAIN),
    "57P05": (StoreUnreachable, "closed a connection that did nothing for too long", _AGAIN),
    "57P": (StoreUnreachable, "shuts down or starts", _AGAIN),
    "58": (StoreUnwritable, "could not read or write its files", "Check the server's disk."),
    "XX00": (NotAPlaybook, "is damaged", DAMAGED),
}
_OTHER = (StoreError, "failed", "A store serves the thread that opened it, until it is closed: open another.")


@contextmanager
def typed_errors(address: ServerAddress) -> Iterator[None]:
    """Convert every error of psycopg that leaves the block to one of ours, which names the address.

    JSON in a column that cannot be read is damage, too: NotAPlaybook.
    """
    import psycopg

    try:
        yield
    except psycopg.Error as error:
        raise convert_error(error, address) from None  # its context can hold the connection, and the password
    except (FormatError, JSONDecodeError, UnicodeDecodeError) as error:
        raise NotAPlaybook(f"{address} holds a row that cannot be read ({error}).", hint=DAMAGED) from error


def convert_error(error: psycopg.Error, address: ServerAddress) -> StoreError:
    """Return our error for one of psycopg's."""
    import psycopg

    state = error.sqlstate or ""
    kind = _OTHER
    if isinstance(error, psycopg.OperationalError) and not state:  # of the connection itself
        kind = _KINDS["08"]
    for length in (5, 4, 3, 2):
        if state[:length] in _KINDS:
            kind = _KINDS[state[:length]]
            break
    error_type, problem, hint = kind
    if error.pgconn is not None and error.pgconn.needs_password:
        problem, hint = "wants a password, and none was given", _GIVE_ONE
    elif error.pgconn is not None and error.pgconn.used_password:
        problem = "does not let this user in"
    if hint is _RIGHTS:
        hint = spell_rights(address)
    return error_type(f"{address} {problem} ({describe(error, address)}).", hint=hint, path=str(address))


def spell_rights(address: ServerAddress, user: str = "") -> str:
    """Return what to ask for, in SQL, so that a user may make and write the playbook at an address."""
    user = user or urlsplit(address.url).username or "USER"
    return _RIGHTS.format(schema=address.schema, user=user)


def describe(error: Exception, address: ServerAddress) -> str:
    """Return an error's words as one line without the password."""
    words = " ".join(str(error).split())
    if address.secret:
        words = words.replace(address.secret, "***")
    return words


def is_lost(error: BaseException) -> bool:
    """Return whether an error says that the connection is gone, or that it must be made again."""
    import psycopg

    if not isinstance(error, psycopg.OperationalError):
        return False
    state = error.sqlstate or ""
    return not state or state.startswith(("08", "57P")) or state == "25P03"
