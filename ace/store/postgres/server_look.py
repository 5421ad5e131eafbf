"""What is to be known of a server before a playbook is trusted to it: `ace doctor` says it.

Reads only, and goes on as far as this user may look: what is in the way is part of the result.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass, replace
from statistics import median

from ace.errors import StoreError
from ace.store.postgres import server_lead, server_session, server_tables
from ace.store.postgres.server_connection import ServerConnection, require_psycopg
from ace.store.postgres.server_errors import typed_errors
from ace.store.store_database import DEFAULT_SCHEMA, ServerAddress
from ace.store.table_sizes import TableSize

_TRIPS = 7  # of which the median is taken
_ABOUT = """SELECT current_user, current_database(), pg_is_in_recovery(),
    (SELECT sum(numbackends) FROM pg_stat_database),
    current_setting('max_connections')::int, pg_database_size(current_database())"""
_MAY_CREATE = """SELECT coalesce(
    (SELECT has_schema_privilege(oid, 'CREATE') FROM pg_namespace WHERE nspname = ?),
    has_database_privilege(current_database(), 'CREATE'))"""
_LIST_ABOUT = """SELECT nspname FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace
WHERE relname = 'about' AND relkind = 'r' AND has_schema_privilege(relnamespace, 'USAGE')
    AND has_table_privilege(pg_class.oid, 'SELECT')
    AND nspname ~ '^[a-z_][a-z0-9_]*$'  -- as names of playbooks are: others' may hold quotes
    AND EXISTS (SELECT FROM pg_attribute WHERE attrelid = pg_class.oid AND attname = 'application')
ORDER BY nspname"""
_SIZES = """SELECT relname, pg_total_relation_size(oid) FROM pg_class
WHERE relkind = 'r' AND relnamespace = (SELECT oid FROM pg_namespace WHERE nspname = ?)
    AND relname ~ '^[a-z_][a-z0-9_]*$'
ORDER BY 2 DESC, 1"""


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerSizes:
    """Hold the sizes of a playbook on a server, the largest tables first."""

    tables: tuple[TableSize, ...]

    playbook: int
    """The bytes of its tables with their indexes."""

    database: int
    """The bytes of the database, whatever else is in it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerLook:
    """Hold what a look at a server shows."""

    version: str
    """Of PostgreSQL, as "15.10"."""

    user: str
    """Who is connected."""

    host: str
    """Where, as libpq found it: a name, an address, or the folder of a socket of this machine."""

    database: str
    connect_seconds: float
    """For the connection and its session."""

    trip_seconds: float
    """For a question and its answer."""

    clock_ahead: float
    """Seconds by which the clock of this machine is ahead of the server's; negative behind it."""

    is_encrypted: bool
    is_standby: bool
    """Whether it follows another server, and takes no writes."""

    connections: int
    most_connections: int

    is_missing: bool
    """Whether there is no playbook yet."""

    may_create: bool
    """Whether this user may make one where there is none."""

    reading: StoreError | None
    """Why it cannot be read; None where it can."""

    writing: StoreError | None
    """Why it cannot be written; None where it can, or where it cannot be read either."""

    leaders: Mapping[str, str]
    """Who learns, from where and since when, by branch."""

    sizes: ServerSizes | None
    """None where it cannot be read."""


def look_at_server(address: ServerAddress, *, timeout: float = 10.0) -> ServerLook:
    """Connect, measure and read. Nothing is made or changed.

    Raises InputError where psycopg is not installed, and StoreError for a server that does not let us in.
    """
    require_psycopg()
    began = time.perf_counter()  # psycopg is imported by now
    with (
        typed_errors(address),
        closing(ServerConnection(address, timeout=timeout, read_only=True)) as db,
    ):
        connect_seconds = time.perf_counter() - began
        version = db.session.info.server_version
        trips = []
        for _ in range(_TRIPS):
            began = time.perf_counter()
            db.execute("SELECT 1").fetchone()
            trips.append(time.perf_counter() - began)
        user, database, is_standby, connections, most, size = db.execute(_ABOUT).fetchone()
        (may_create,) = db.execute(_MAY_CREATE, [address.schema]).fetchone()
        is_there = False
        leaders: dict[str, str] = {}
        sizes: ServerSizes | None = None
        reading = writing = None
        try:
            with typed_errors(address):
                server_session.check_server(db.session, address)
                is_there = server_tables.check_version(db, address)
                if is_there:
                    sizes = _read_sizes(db, address, size)
                    leaders = _list_leaders(db, address)
        except StoreError as error:
            reading = error
        if is_there and reading is None:
            try:
                with typed_errors(address):
                    server_session.check_writable(db, address)
            except StoreError as error:
                writing = error
        return ServerLook(
            version=f"{version // 10_000}.{version % 10_000}",
            user=user,
            host=db.session.info.host,
            database=database,
            connect_seconds=connect_seconds,
            trip_seconds=median(trips),
            clock_ahead=-server_session.measure_clock(db),
            is_encrypted=bool(db.session.pgconn.ssl_in_use),
            is_standby=is_standby,
            connections=connections,
            most_connections=most,
            is_missing=not is_there and reading is None,
            may_create=may_create,
            reading=reading,
            writing=writing,
            leaders=leaders,
            sizes=sizes,
        )


def list_playbooks(address: ServerAddress, *, timeout: float = 10.0) -> list[ServerAddress]:
    """Return the playbooks of a database that this user can see, by schema, whichever the address names.

    Raises as `look_at_server` does.
    """
    base = address.conninfo
    sign = "&" if "?" in base else "?"
    addresses = []
    with (
        typed_errors(address),
        closing(ServerConnection(address, timeout=timeout, read_only=True)) as db,
    ):
        for (name,) in db.execute(_LIST_ABOUT).fetchall():
            row = db.execute(f'SELECT application::text FROM "{name}".about').fetchone()  # noqa: S608
            if row is not None and row[0] == server_tables.APPLICATION:
                url = base if name == DEFAULT_SCHEMA else f"{base}{sign}schema={name}"
                addresses.append(replace(address, schema=name, url=url))
    return addresses


def _read_sizes(db: ServerConnection, address: ServerAddress, database: int) -> ServerSizes:
    """Return the rows and bytes of each table. Raises psycopg's errors."""
    tables = []
    for name, size in db.execute(_SIZES, [address.schema]).fetchall():
        (rows,) = db.execute(f'SELECT count(*) FROM "{name}"').fetchone()  # noqa: S608 (see _SIZES)
        tables.append(TableSize(name, rows, size))
    return ServerSizes(tables=tuple(tables), playbook=sum(table.bytes for table in tables), database=database)


def _list_leaders(db: ServerConnection, address: ServerAddress) -> dict[str, str]:
    """Return who learns on each branch that somebody learns on. Raises psycopg's errors."""
    leaders = {}
    for (branch,) in db.execute("SELECT name FROM branches ORDER BY name").fetchall():
        leader = server_lead.find_leader(db, address, branch, "")
        if leader:
            leaders[branch] = leader
    return leaders
