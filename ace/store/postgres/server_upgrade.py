"""Bring tables of an earlier release on a server up to date, as migrations do with those of a file.

Servers have had playbooks since schema 14. A step of the upgrade uses the statements of `tables.sql` for what
its release has added; where a later release changes one of those, the step gets its own text. An earlier
release that goes on writing knows nothing of the new tables, so none may be connected. Knows nothing about
what the rows mean.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from ace.errors import NotAPlaybook, StoreBusy
from ace.store import feedback_rows, schema
from ace.store.postgres.server_tables import list_statements
from ace.store.store_database import Database, ServerAddress

# Who has any playbook of the database open: which one, a session does not tell.
_OTHERS = """SELECT application_name FROM pg_stat_activity
WHERE datname = current_database() AND application_name LIKE 'ace %'
    AND application_name <> current_setting('application_name') ORDER BY backend_start"""
# Whoever was given rights on one table that rows come to and go from is given them on another.
_GRANTS = """SELECT privilege_type, CASE grantee WHEN 'PUBLIC' THEN grantee ELSE quote_ident(grantee) END
FROM information_schema.table_privileges
WHERE table_schema = current_schema() AND table_name = 'episode_events' AND grantee <> grantor"""


def upgrade_tables(db: Database, address: ServerAddress, version: int) -> None:
    """Bring tables with an earlier schema version to the latest. The caller holds the write lock.

    Raises StoreBusy while other processes are connected to the database, NotAPlaybook for a version that no
    release has put on a server.
    """
    db.execute("LOCK TABLE about IN ACCESS EXCLUSIVE MODE")  # whoever opens it now waits, and looks again
    others = [name for (name,) in db.execute(_OTHERS).fetchall()]
    if others:
        message = f"{address} has tables of an earlier release, and {', '.join(others)} may have it open."
        hint = (
            "Stop what uses a playbook of that database, then open this one again: it is brought up to date."
        )
        raise StoreBusy(message, hint=hint, path=str(address))
    for number in range(version + 1, schema.LATEST + 1):
        if number not in _STEPS:
            raise NotAPlaybook(f"{address} has schema {version}, which no release made.", path=str(address))
        _STEPS[number](db)
    db.execute("UPDATE about SET version = ?", [schema.LATEST])


def _add_waiting_feedback(db: Database) -> None:
    """Create the table of feedback that waits, and list what no step names."""
    for statement in list_statements():
        if re.match(r"CREATE (TABLE|INDEX) waiting_feedback", statement):
            db.execute(statement)
    for privilege, grantee in db.execute(_GRANTS).fetchall():
        db.execute(f"GRANT {privilege} ON waiting_feedback TO {grantee}")
    feedback_rows.list_again(db)


_STEPS: Mapping[int, Callable[[Database], None]] = {15: _add_waiting_feedback}
