"""What the store needs of a database: SQL in one dialect, transactions, and what each does its own way.

The modules of rows write SQL that SQLite runs as it is; `ace.store.postgres` translates the few words that
PostgreSQL has other words for. Nothing else of the store knows which of the two it has.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import quote, unquote, urlsplit

from ace.errors import InputError

if TYPE_CHECKING:
    from ace.store.lead_signs import Pulse

SCHEMES = ("postgresql://", "postgres://")
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]{0,40}://")


@dataclass(frozen=True, slots=True)
class ServerAddress:
    """Name the playbook on a server. Its text never holds a password: it may stand in any message.

    It stands in the place of a file's `Path`, and has what is asked of one wherever both may come.
    """

    url: str
    """As it was given, without the password."""

    schema: str
    """The schema of the database that holds the tables."""

    secret: str = field(default="", repr=False)
    """The password, if the URL had one; `repr` and `str` leave it out."""

    @property
    def stem(self) -> str:
        """Return the playbook's name: of its schema, or of the database where that is the usual one.

        Files and pages are named by it, so what no file's name should hold is a dash.
        """
        if self.schema != DEFAULT_SCHEMA:
            return self.schema
        database = re.sub(r"[^\w.+-]+", "-", unquote(urlsplit(self.url).path)).strip("-.")
        return database or DEFAULT_SCHEMA

    @property
    def conninfo(self) -> str:
        """Return the URL as libpq reads it: without the schema, which is ours, and without the password."""
        base, _, query = self.url.partition("?")
        options = [option for option in query.split("&") if option and not option.startswith("schema=")]
        return f"{base}?{'&'.join(options)}" if options else base

    def __str__(self) -> str:
        return self.url


DEFAULT_SCHEMA = "ace"
Place = Path | ServerAddress
"""Where a playbook is: a file, or a server."""


def parse_place(text: str | Path | ServerAddress) -> Place:
    """Return where a playbook is: the address of a server for `postgresql://...`, else the path of a file.

    `?schema=NAME` says which playbook of a database; all else after the question mark is libpq's. Raises
    InputError for a URL that cannot be read, or of another kind of server, without a word of it that may be a
    password; and for one as a `Path`, which has lost a slash of it.
    """
    if isinstance(text, ServerAddress):
        return text
    hint = "postgresql://USER@HOST:PORT/DATABASE, with the password in PGPASSWORD or ~/.pgpass."
    if isinstance(text, Path):
        if is_address(text):
            raise InputError("The address of a server is no Path.", hint=f"Give it as a text: {hint}")
        return text
    if not text.startswith(SCHEMES):
        if _SCHEME.match(text):
            kind = text.partition("://")[0]
            raise InputError(f"A playbook cannot be at a {kind}:// address.", hint=f"Give a file, or {hint}")
        return Path(text)
    try:
        parts = urlsplit(text)
        user, _, secret = parts.netloc.rpartition("@")[0].partition(":")
        # "#", "?" and "/" in a password that was not escaped end the part that it stands in.
        if parts.fragment or "@" in parts.path + parts.query:
            raise ValueError("a password that is not escaped")
    except ValueError:
        raise InputError("The address of the server cannot be read.", hint=hint) from None
    schema, options = DEFAULT_SCHEMA, []
    for option in filter(None, parts.query.split("&")):
        name, _, setting = option.partition("=")
        if name == "schema":
            schema = unquote(setting)
        elif name == "password":
            secret = setting
        else:
            options.append(option)
    is_name = schema.isascii() and schema.isidentifier() and schema.islower()
    if not is_name or schema.startswith("pg_") or len(schema) > 48:
        message = f"schema: {schema!r:.80} cannot name a playbook of a database."
        raise InputError(
            message, hint="Small letters, digits and _, at most 48, a letter first.", field="schema"
        )
    host = parts.netloc.rpartition("@")[2]
    if schema != DEFAULT_SCHEMA:
        options.append(f"schema={quote(schema)}")
    query = f"?{'&'.join(options)}" if options else ""
    url = f"postgresql://{user}{'@' if user else ''}{host}{parts.path}{query}"
    return ServerAddress(url, schema, unquote(secret))


def is_address(path: str | Path) -> bool:
    """Tell whether a text is the address of a server that can hold a playbook, or a `Path` was one."""
    if isinstance(path, Path):
        return f"{path.parts[0]}//" in SCHEMES if path.parts else False
    return path.startswith(SCHEMES)


def require_file(path: str | Path | ServerAddress, what: str) -> Path:
    """Return the path of what is always a file. `what` names it, as "A study", in the error.

    Raises InputError for the address of a server, without a word of it that may be a password.
    """
    if isinstance(path, ServerAddress) or is_address(path):
        raise InputError(f"{what} is a file, and nothing on a server.", hint="Give the path of a file.")
    return Path(path)


def name_beside(place: Place, ending: str) -> Path:
    """Return the path of a file that belongs to a playbook: beside its file, or here for one on a server."""
    if isinstance(place, Path):
        return place.with_name(f"{place.stem}{ending}")
    return Path(f"{place.stem}{ending}")


def locate_folder(place: Place, ending: str) -> Path:
    """Return the folder of what waits to be written into a playbook; whoever writes there makes it.

    It is beside a file, as "shop.db.sessions". For a playbook on a server it is among the user's own, named
    by the address, so that it is found again from any folder. Raises OSError where those cannot be made.
    """
    if isinstance(place, Path):
        return place.with_name(f"{place.name}{ending}")
    import platformdirs

    digest = hashlib.sha256(str(place).encode()).hexdigest()[:8]
    return platformdirs.user_state_path("ace", ensure_exists=True) / f"{place.stem}-{digest}{ending}"


Rows = Any
"""The result of a statement, as a cursor of `sqlite3` or psycopg has it: `fetchone`, `fetchall`, a loop over
it, `description`. The rows are tuples.
"""


class Sql(Protocol):
    """Run SQL: all that the modules of rows need, and a plain `sqlite3.Connection` in a migration has it."""

    def execute(self, sql: str, values: Sequence[Any] | Mapping[str, Any] = (), /) -> Rows:
        """Run a statement in SQLite's dialect, with `?` for values in order or `:name` for named ones."""

    def executemany(self, sql: str, rows: Sequence[Sequence[Any]], /) -> object:
        """Run a statement once for each row of values."""


class Database(Sql, Protocol):
    """Keep a playbook. `PlaybookConnection` (SQLite) and `ServerConnection` (PostgreSQL) implement it.

    A connection serves one thread at a time. Errors of the database leave `reading` and `writing` as ours.
    """

    unsettled: dict[str, tuple[list[str], list[str]]] | None
    """Of a transaction that writes: table -> checksums of rows that came and went, for its seal."""

    losses: int
    """How often the connection was lost and made again: what is in memory may have to be read anew."""

    def close(self) -> None:
        """Close the connection. Closing twice is harmless."""

    def reading(self, place: Any) -> AbstractContextManager[Database]:
        """Begin a transaction that sees one moment, whatever others write meanwhile."""

    def writing(self, place: Any) -> AbstractContextManager[Database]:
        """Begin a transaction that writes all or nothing, and lets in no other writer until it ends.

        Raises StoreBusy where another writes for longer than the time-out, and StoreUnwritable where nothing
        can be written.
        """

    def typed_errors(self, place: Any) -> AbstractContextManager[None]:
        """Convert every error of the database that leaves the block to one of ours, which names the place."""

    def find_damage(self) -> Iterator[str]:
        """Yield what the database itself finds wrong, and what stands in the schema that is not ours."""

    def text_columns(self) -> list[tuple[str, str]]:
        """Return all columns (table, column) that may hold text, of tables of others beside ours, too."""

    def allow_rewriting(self) -> None:
        """Let rows that are only ever added be changed until the transaction ends: for forgetting."""

    def scrub(self) -> bool:
        """Write the tables anew without deleted text; return whether no byte of it can be left."""

    def wait_for_change(self, seconds: float) -> bool:
        """Wait until another connection has committed, and return whether one has."""

    def lead(self, place: Any, branch: str, task: str, pulse: Pulse) -> AbstractContextManager[None]:
        """Be the only one that learns from the feedback on a task, on a branch, until the block ends.

        Without a task, be the only learner on the branch at all, if the database has such a lock. Signs of
        life are given while `pulse` beats. Raises StoreBusy where there is one that gives signs of life. What
        is done inside the block raises LeadLost where another has taken the lead meanwhile.
        """

    def find_leader(self, place: Any, branch: str, task: str) -> str:
        """Return who learns from the feedback on a task, for people; "" for nobody."""

    def copy_to(self, target: Path) -> None:
        """Write a copy of one moment of the whole playbook to a file that does not exist."""
