"""The tables of a playbook on a server: making them, and looking whether what is there is ours.

Knows nothing about what the rows mean.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING

from ace.errors import NewerSchema, NotAPlaybook, StoreError, StoreUnwritable
from ace.playbook.codec import chain_hash, delta_to_json
from ace.store import checked_rows, lineage, schema
from ace.store.integrity import seals
from ace.store.postgres.server_errors import spell_rights
from ace.store.sqlite_text import now

if TYPE_CHECKING:
    from ace.store.store_database import ServerAddress, Sql

APPLICATION = "ace playbook"
_OTHER_PLACE = "Name another schema of the database: postgresql://.../DATABASE?schema=NAME."
_FIND_SCHEMA = "SELECT has_schema_privilege(oid, 'USAGE') FROM pg_catalog.pg_namespace WHERE nspname = ?"
_FIND_OBJECTS = """SELECT count(*) FROM pg_catalog.pg_class
WHERE relnamespace = (SELECT oid FROM pg_catalog.pg_namespace WHERE nspname = ?)"""
_FIND_ABOUT = """SELECT count(*)
FROM pg_catalog.pg_attribute JOIN pg_catalog.pg_class ON pg_class.oid = attrelid
WHERE relnamespace = (SELECT oid FROM pg_catalog.pg_namespace WHERE nspname = ?) AND relname = 'about'
    AND relkind = 'r' AND attname IN ('application', 'version')"""

# What acts in our writes: triggers, rules, policies, and indexes that are unique or partial.
_LIST_ACTING = """
SELECT 'trigger', tgname, relname FROM pg_trigger JOIN pg_class ON pg_class.oid = tgrelid
    WHERE NOT tgisinternal AND relnamespace = :schema::regnamespace
UNION ALL SELECT 'rule', rulename, relname FROM pg_rewrite JOIN pg_class ON pg_class.oid = ev_class
    WHERE rulename <> '_RETURN' AND relnamespace = :schema::regnamespace
UNION ALL SELECT 'policy', polname, relname FROM pg_policy JOIN pg_class ON pg_class.oid = polrelid
    WHERE relnamespace = :schema::regnamespace
UNION ALL SELECT 'index', indexes.relname, tables.relname FROM pg_index
    JOIN pg_class AS indexes ON indexes.oid = indexrelid JOIN pg_class AS tables ON tables.oid = indrelid
    WHERE tables.relnamespace = :schema::regnamespace AND tables.relkind = 'r'
        AND (indisunique OR indpred IS NOT NULL OR indexprs IS NOT NULL) AND NOT indisprimary
ORDER BY 1, 2, 3"""
_LIST_COLUMNS = """SELECT relname, attname, format_type(atttypid, NULL), attnotnull
FROM pg_attribute JOIN pg_class ON pg_class.oid = attrelid
WHERE relnamespace = :schema::regnamespace AND relkind = 'r' AND attnum > 0 AND NOT attisdropped"""
_LIST_FUNCTIONS = "SELECT proname, prosrc FROM pg_proc WHERE pronamespace = :schema::regnamespace"


def check_version(db: Sql, address: ServerAddress) -> bool:
    """Return whether there are tables of this release; False where there are none yet.

    Raises NotAPlaybook for a schema that holds something else, or tables that no release has made;
    NewerSchema for those of a later release, StoreUnwritable for a schema that this user may not look into.
    """
    row = db.execute(_FIND_SCHEMA, [address.schema]).fetchone()
    if row is None:
        return False
    if not row[0]:
        message = f"{address} does not let this user look into schema {address.schema}."
        raise StoreUnwritable(message, hint=spell_rights(address), path=str(address))
    (objects,) = db.execute(_FIND_OBJECTS, [address.schema]).fetchone()
    if not objects:
        return False
    (columns,) = db.execute(_FIND_ABOUT, [address.schema]).fetchone()
    row = db.execute("SELECT application, version FROM about").fetchone() if columns == 2 else None
    if row is None or row[0] != APPLICATION:
        message = f"Schema {address.schema} of {address} is not a playbook, but holds something else."
        raise NotAPlaybook(message, hint=_OTHER_PLACE, path=str(address))
    message = f"{address} has schema {row[1]}; this release knows {schema.LATEST}."
    if row[1] > schema.LATEST:
        raise NewerSchema(message, hint="Upgrade the package.", path=str(address))
    if row[1] < schema.LATEST:
        hint = "No release made it. `ace playbook pull` of the code that did brings it into a file."
        raise NotAPlaybook(message, hint=hint, path=str(address))
    return True


def create_tables(db: Sql, address: ServerAddress) -> None:
    """Make the tables and version 0, the empty playbook. The caller holds the write lock."""
    if db.execute(_FIND_SCHEMA, [address.schema]).fetchone() is None:
        db.execute(f'CREATE SCHEMA "{address.schema}"')
    for statement in list_statements():
        db.execute(statement)
    db.execute("INSERT INTO about VALUES (?, ?)", [APPLICATION, schema.LATEST])
    empty = bytes(32)
    for table in checked_rows.SEALED:
        if table != "seals":
            digest = seals.checksum([empty, table, 0])  # in the order of the columns' names
            db.execute("INSERT INTO seals VALUES (?, 0, ?, ?)", [table, empty, digest])
    author, reason, created = "ace", "the empty playbook", now()
    root = chain_hash("", delta_to_json(()), author, reason)
    checked_rows.insert(db, "branches", [(lineage.MAIN, 0, None, created)])
    version = (0, None, None, lineage.MAIN, root, author, reason, None, created, 0)
    checked_rows.insert(db, "versions", [version])


@cache
def list_statements() -> tuple[str, ...]:
    """Return the statements that make the tables, in order."""
    text = files("ace.store.postgres").joinpath("tables.sql").read_text(encoding="utf-8")
    text = re.sub(r"\n{2,}", "\n", re.sub(r"(?<![ \t])[ \t]*--.*", "", text))
    statements = []
    for part in re.split(r";\n(?=CREATE|ALTER|$)", text):
        part = re.sub(r"\bTEXT\b(?!\))", 'TEXT COLLATE "C"', part)
        if part.startswith("CREATE FUNCTION"):
            part = part.replace('TEXT COLLATE "C"', "TEXT")
        if part.strip():
            statements.append(part.strip())
    return tuple(statements)


def find_foreign(db: Sql, address: ServerAddress) -> Iterator[str]:
    """Yield a sentence for each thing in the schema that acts in our writes, or is not as we made it."""
    made = "\n".join(list_statements())
    values = {"schema": address.schema}
    ours = set(re.findall(r"CREATE (?:UNIQUE )?(?:TRIGGER|INDEX) (\w+)", made))
    ours |= {"memories_id_key", "forgotten_memory_key"}  # of columns that are UNIQUE
    present = set()
    for kind, name, table in db.execute(_LIST_ACTING, values).fetchall():
        present.add(name)
        if name not in ours:
            yield f"{kind} {name} on {table} is not of ace, and would act in its writes."
    triggers = set(re.findall(r"CREATE TRIGGER (\w+)", made))
    for name in sorted(triggers - present):
        yield f"trigger {name} is missing: history could be rewritten."
    expected = {name: set(columns) for name, columns in checked_rows.SEALED.items()}
    columns: dict[str, set[str]] = {}
    for table, column, _, _ in db.execute(_LIST_COLUMNS, values).fetchall():
        columns.setdefault(table, set()).add(column)
    for table in re.findall(r"CREATE TABLE (\w+)", made):
        if table not in columns:
            yield f"table {table} is missing."
        elif not expected.get(table, set()) <= columns[table] <= _columns_in_text(table):
            yield f"table {table} does not have the columns that this release makes."
    for name, source in db.execute(_LIST_FUNCTIONS, values).fetchall():
        if name in ("keep_history", "json_valid", "as_json") and source.strip() not in made:
            yield f"function {name} is not what this release makes."


@cache
def _columns_in_text(table: str) -> set[str]:
    """Return the columns that a table of ours is made with."""
    for statement in list_statements():
        if statement.startswith(f"CREATE TABLE {table} ("):
            return set(re.findall(r'^    "?([a-z_]+)"? (?=[A-Z])', statement, re.MULTILINE))
    raise StoreError(f"There is no table {table}.")


def list_tables() -> list[str]:
    """Return the names of our tables, in the order in which they are made."""
    return re.findall(r"CREATE TABLE (\w+)", "\n".join(list_statements()))
