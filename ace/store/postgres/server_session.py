"""The session of a connection to a server: how it is set up, what is refused, the numbers of its locks."""

from __future__ import annotations

import hashlib
import os
import platform
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from ace.errors import InputError, StoreError, StoreUnwritable
from ace.store.postgres import server_tables
from ace.store.postgres.dialect import restore_text, translate
from ace.store.postgres.server_errors import describe, spell_rights
from ace.store.store_database import ServerAddress, Sql

if TYPE_CHECKING:
    import psycopg

OLDEST = 14  # the first version of PostgreSQL that is known to do
_CLOCK = 300.0  # seconds by which two machines' clocks may differ
IDLE = 300.0
"""Seconds: a client that stops inside a transaction keeps others out for so long."""

# Both sides ask after a silence whether the other is there, and give up after some 6 seconds: else a machine
# that is gone would keep its locks for hours.
_SILENCE = {"keepalives_idle": 3, "keepalives_interval": 1, "keepalives_count": 3, "tcp_user_timeout": 6_000}
_SESSION = """SELECT set_config('search_path', '"' || ? || '"', FALSE),
    set_config('lock_timeout', ?, FALSE), set_config('idle_in_transaction_session_timeout', ?, FALSE),
    set_config('tcp_keepalives_idle', ?, FALSE), set_config('tcp_keepalives_interval', ?, FALSE),
    set_config('tcp_keepalives_count', ?, FALSE), set_config('tcp_user_timeout', ?, FALSE),
    set_config('synchronous_commit', 'off', FALSE)"""
_RIGHTS = """SELECT current_user, bool_and(
    has_table_privilege(oid, 'SELECT') AND has_table_privilege(oid, 'INSERT')
    AND (relname NOT IN ('branches', 'runs', 'seals', 'bullets', 'writers')
        OR has_table_privilege(oid, 'UPDATE'))
    AND (relname NOT IN ('episode_events', 'waiting_feedback') OR has_table_privilege(oid, 'DELETE'))
) FROM pg_class WHERE relkind = 'r' AND relnamespace = (SELECT oid FROM pg_namespace WHERE nspname = ?)"""


def open_session(address: ServerAddress, timeout: float) -> tuple[psycopg.Connection[Any], str]:
    """Make a connection and set up its session; return it, and how the server makes commits durable.

    `timeout`: seconds to wait for the server, and in each transaction for a lock. Raises psycopg's
    errors, and InputError for an address with options that libpq does not know.
    """
    from psycopg import ProgrammingError, RawCursor
    from psycopg import connect as connect_to
    from psycopg.conninfo import conninfo_to_dict
    from psycopg.types.numeric import IntLoader

    try:
        wanted = conninfo_to_dict(address.conninfo)
    except ProgrammingError as error:
        hint = "Behind the question mark stand options of libpq, as sslmode=require, and schema=NAME."
        message = f"The address {address} cannot be read: {describe(error, address)}."
        raise InputError(message, hint=hint) from None
    options: dict[str, Any] = {
        "application_name": f"ace {platform.node()[:48]} {os.getpid()}",
        "client_encoding": "utf8",
        "connect_timeout": max(2, round(timeout)),
        **{name: length for name, length in _SILENCE.items() if name not in wanted},
    }
    if address.secret:
        options["password"] = address.secret
    raw = connect_to(
        address.conninfo, autocommit=True, row_factory=make_rows, cursor_factory=RawCursor, **options
    )
    raw.prepare_threshold = 1  # what a first transaction sends comes again with the next
    raw.adapters.register_loader("numeric", IntLoader)  # no column has it: it is a sum of integers
    try:
        (durable,) = raw.execute("SHOW synchronous_commit").fetchone() or ("on",)
        milliseconds = str(max(1, round(1000 * timeout)))
        silence = map(str, _SILENCE.values())
        raw.execute(translate(_SESSION)[0], [address.schema, milliseconds, str(round(1000 * IDLE)), *silence])
    except BaseException:
        raw.close()
        raise
    return raw, "on" if durable == "off" else durable


def check_server(raw: psycopg.Connection[Any], address: ServerAddress) -> None:
    """Raise StoreError for a server that is too old or whose database does not hold UTF-8."""
    version = raw.info.server_version
    if version < 10_000 * OLDEST:
        found = f"{version // 10_000}.{version % 10_000}"
        raise StoreError(
            f"{address} is PostgreSQL {found}; a playbook needs version {OLDEST} or later.",
            hint="Give the address of a newer server.",
            path=str(address),
        )
    encoding = raw.info.parameter_status("server_encoding")
    if encoding != "UTF8":
        raise StoreError(
            f"The database at {address} holds texts in {encoding}, and cannot hold every text.",
            hint="Make one with `createdb --encoding=UTF8 --template=template0 NAME`.",
            path=str(address),
        )


def check_writable(db: Sql, address: ServerAddress) -> None:
    """Raise StoreUnwritable where this user may not write, or something foreign would act in our writes.

    The clocks of this machine and of the server must agree, because history tells times.
    """
    behind = measure_clock(db)
    if abs(behind) > _CLOCK:
        direction = "behind" if behind > 0 else "ahead of"
        raise StoreUnwritable(
            f"The clock of this machine is {abs(behind) / 60:.0f} minutes {direction} that of"
            f" {address}: history would tell wrong times.",
            hint="Set the clock, as with NTP. Until then the playbook can be read.",
            path=str(address),
        )
    user, may_write = db.execute(_RIGHTS, [address.schema]).fetchone()
    if not may_write:
        message = f"{address} does not let user {user} write to the playbook."
        raise StoreUnwritable(message, hint=spell_rights(address, user), path=str(address))
    for problem in server_tables.find_foreign(db, address):
        hint = "Look at it, and remove it with psql: it would take part in every write."
        raise StoreUnwritable(f"{address} can only be read: {problem}", hint=hint, path=str(address))


def measure_clock(db: Sql) -> float:
    """Return by how many seconds this machine's clock is behind the server's; negative ahead of it.

    The half of what the question takes is as much as it may be wrong.
    """
    began = time.time()
    (server_clock,) = db.execute("SELECT extract(epoch FROM clock_timestamp())::float8").fetchone()
    return float(server_clock) - (began + time.time()) / 2


def lock_key(*words: str) -> int:
    """Return the number of an advisory lock, one for each purpose, schema and branch."""
    digest = hashlib.sha256(" ".join(["ace", *words]).encode()).digest()
    return int.from_bytes(digest[:8], signed=True)


def make_rows(cursor: psycopg.Cursor[Any]) -> Callable[[Sequence[Any]], tuple[Any, ...]]:
    """Return what makes tuples of a cursor's rows, with texts as they were before `escape_value`."""
    return lambda values: tuple(restore_text(value) if isinstance(value, str) else value for value in values)
