"""A SQLite database that can only be read, by statements nobody trusts.

They run in worker processes, whose time and memory the operating system limits. Within such a process there
are four more fences, so that none has to be perfect: the file is opened read-only (a script's database is a
private copy in memory), `query_only` is on, an authorizer allows nothing but reading, and rows and bytes are
limited. Knows nothing about samples or gold answers.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from ace.errors import TaskError
from ace.task.environments.sql.same_rows import Row
from ace.task.environments.sql.sqltext import compact_sql, is_query, split_tokens
from ace.task.environments.sql.worker_pool import POOL, Source, SqlLimits
from ace.task.read_text import read_text

_LONGEST = 1_000_000  # characters of a statement
_SCRIPT_SECONDS = 2.0  # of computing that a script has at the least, however short those of a statement are


@dataclass(frozen=True, slots=True)
class Result:
    """Hold what a statement returned, or its error."""

    columns: tuple[str, ...] = ()
    """Their names, in the order of the values of a row."""

    rows: tuple[Row, ...] = ()
    """In the order in which they came, as many as may be returned."""

    truncated: bool = False
    """Whether there was more than may be returned."""

    error: str = ""
    """Why there are no rows, in SQLite's words or by the limit that was reached; "" for none."""

    reads: frozenset[str] = frozenset()
    """What the statement reads: "table" and "table.column", lower case; after an error its tables only."""


class Database:
    """One database, safe to use from several threads: each statement has a worker to itself.

    `tables` are the names of its tables and views, lower case. `schema` is how they are defined. `path` is
    the file that it was opened from.
    """

    def __init__(self, source: Source, limits: SqlLimits, path: Path | None = None) -> None:
        """Read the schema. Raises ValueError for what cannot be opened, in SQLite's words."""
        self.path = path
        self.source = source
        self.limits = limits
        reply = POOL.ask(source, None, limits)
        if reply.get("error") or reply["truncated"]:
            raise ValueError(limits.explain(reply.get("over", "")) or reply.get("error", "too much schema"))
        self.tables = frozenset(name.lower() for name, _ in reply["rows"])  # and views
        # In order of creation, one statement a line, without comments.
        self.schema = "\n".join(f"{compact_sql(sql)};" for _, sql in reply["rows"])

    @classmethod
    def open(
        cls, path: Path, *, time_limit: float = 2.0, row_limit: int = 1000, memory: int = 512
    ) -> Database:
        """Open a SQLite file, or a `.sql` script that is run once, into memory.

        `time_limit` is in seconds of computing, for one statement; `memory` in megabytes. A script has the
        same limits. Raises TaskError for a file that is no database, one without tables, and a script that
        fails.
        """
        limits = SqlLimits(time_limit, memory, row_limit)
        if path.suffix.lower() == ".sql":
            source = Source(image=_build_image(path, limits))
        else:
            source = Source(f"{path.resolve().as_uri()}?mode=ro")
        try:
            database = cls(source, limits, path)
        except ValueError as error:
            raise TaskError(f"Not a readable SQLite database ({error}).", file=str(path)) from error
        if not database.tables:
            raise TaskError("The database has no tables.", hint="Create some.", file=str(path))
        return database

    def run(self, sql: str) -> Result:
        """Run one SELECT. Never raises for what `sql` says or does.

        It returns at most `row_limit` rows, and 4 MB. What takes longer than `time_limit`, or more memory
        than a worker may have, is stopped.
        """
        if not sql.strip():
            return Result(error="no SQL")
        if len(sql) > _LONGEST:
            return Result(error=f"longer than {_LONGEST:,} characters")
        if not is_query(sql):
            return Result(error="only one SELECT statement is allowed")
        reply = POOL.ask(self.source, {"do": "run", "sql": sql, "rows": self.limits.rows}, self.limits)
        if reply.get("error"):
            words = {text.strip('"`[]').lower() for _, text in split_tokens(sql)}
            error = self.limits.explain(reply.get("over", "")) or reply["error"]
            return Result(error=error, reads=self.tables & words)
        reads = frozenset(name for name in reply["reads"] if name.partition(".")[0] in self.tables)
        rows = tuple(map(tuple, reply["rows"]))
        return Result(tuple(reply["columns"]), rows, reply["truncated"], reads=reads)


def _build_image(path: Path, limits: SqlLimits) -> bytes:
    """Run a script in a worker, statement by statement: only so an error has a line. Return the database.

    Raises TaskError, with that line, for a statement that fails or needs too much.
    """
    limits = replace(limits, seconds=max(limits.seconds, _SCRIPT_SECONDS))
    lines: list[int] = []
    statements: list[str] = []
    for line, statement in _split_statements(read_text(path)):
        lines.append(line)
        statements.append(statement)
    reply, image = POOL.build(statements, limits)
    if reply.get("error"):
        line = lines[reply["statement"]] if "statement" in reply else 0
        over = limits.explain(reply.get("over", ""))
        hint = "Raise time_limit or memory in [sql], or give a SQLite file." if over else ""
        message = f"The script {over}." if over else f"The script fails: {reply['error']}."
        raise TaskError(message, hint=hint, file=str(path), line=line or None)
    return image


def _split_statements(script: str) -> Iterator[tuple[int, str]]:
    """Yield (line, text) of each statement. A semicolon inside a trigger ends none: "; END;" does.

    The line is that on which the statement begins, from 1; comments before it do not count.
    """
    line = 1
    start = 1  # of the statement in `parts`
    parts: list[str] = []
    words: list[str] = []  # the same without comments and space, lower case
    for kind, text in split_tokens(script):
        if kind not in ("comment", "space"):
            start = start if parts else line
            words.append(text.lower())
        if words:
            parts.append(text)
        line += text.count("\n")
        is_trigger = "trigger" in words[:4] and words[0] in ("create", "explain")
        if text == ";" and (not is_trigger or words[-3:-1] == [";", "end"]):
            yield start, "".join(parts)
            parts, words = [], []
    if parts:
        yield start, "".join(parts)
