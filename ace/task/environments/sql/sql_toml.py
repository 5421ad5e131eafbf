"""The [sql] table of task.toml: one database, or all that match a pattern, and the limits of a statement."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated

from pydantic import Field

from ace.task.environments.sql.database import Database
from ace.task.environments.sql.sql_environment import SqlEnvironment
from ace.task.toml_models import TomlModel
from ace.task.toml_table import TomlTable


class SqlTable(TomlModel):
    """Name one database, or several by a pattern, and limit every statement."""

    folder: str = ""
    """Where the databases lie; "" for the task folder. One outside of it has to be trusted."""

    database: str | None = None
    """The path of a SQLite file or a script, from that folder."""

    databases: str | None = None
    """A pattern of such paths. Rows name one of the databases by its file's stem."""

    time_limit: Annotated[float, Field(gt=0)] = 2.0
    """Seconds of computing."""

    row_limit: Annotated[int, Field(gt=0)] = 1000

    memory: Annotated[int, Field(ge=64)] = 512
    """Megabytes of address space."""


def load_sql_environment(table: TomlTable) -> SqlEnvironment:
    """Open the databases of the table.

    Raises TaskError where it names none, or both a database and a pattern, and for a file that is no
    database.
    """
    settings = table.validate(SqlTable)
    if settings.folder:
        root = table.file.parent / settings.folder
        if not root.is_dir():
            hint = "Where the data was moved, say where it is now, or make the task anew."
            raise table.problem("folder", f"No such folder: {settings.folder!r}.", hint)
        table = replace(table, root=root)
    if settings.databases is not None:
        if settings.database is not None:
            raise table.problem("database", "Both a database and a pattern.", "Remove one of the two keys.")
        paths = _match_databases(table, settings.databases)
    elif settings.database is not None:
        paths = [table.resolve_path("database", settings.database)]
    else:
        raise table.problem("database", "Missing; expected text.", "Name a SQLite file or a script.")
    databases: dict[str, Database] = {}
    for path in paths:
        databases[path.stem] = Database.open(
            path, time_limit=settings.time_limit, row_limit=settings.row_limit, memory=settings.memory
        )
    return SqlEnvironment(databases)


def _match_databases(table: TomlTable, pattern: str) -> list[Path]:
    """Return the files that match, in order of their names, each with a stem of its own.

    Raises TaskError where none matches, two have the same stem, or the pattern leads out of the folder.
    """
    root = table.root or table.file.parent
    place = str(table.root or "the task folder")
    problem = table.problem("databases", f"Expected a pattern inside {place}, found {pattern!r}.")
    if Path(pattern).anchor:
        raise problem
    try:
        names = [str(path.relative_to(root)) for path in sorted(root.glob(pattern))]
    except ValueError as error:  # an empty pattern, or one that leads out of the folder
        raise problem from error
    if not names:
        raise table.problem("databases", f"No file matches {pattern!r}.")
    paths = [table.resolve_path("databases", name) for name in names]
    if len({path.stem for path in paths}) < len(paths):
        message = "Two files have the same name without its ending; rows could not tell them apart."
        raise table.problem("databases", message, "Rename one of them.")
    return paths
