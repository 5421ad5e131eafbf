"""Single bullets of a playbook file, as `Store` offers them: read without the rest of the playbook.

Every method is one transaction, and costs what it returns, or one pass over a table in SQLite. Knows nothing
about runs.
"""

from __future__ import annotations

import time
from collections.abc import Iterable

from ace.playbook.alias import Alias
from ace.playbook.codec import delta_from_json
from ace.playbook.model import Bullet, Delta, Playbook, Status
from ace.runs.records import Touch, Version
from ace.store import bullet_history, lineage, versions
from ace.store.connection import OpenFile
from ace.store.sqlite_text import to_json
from ace.store.store_database import Database

Ref = int | str
"""A version: its number, or the name of a branch or tag."""


class KnownIds:
    """Tell of an id whether any bullet on the line of a version has it. The version is there."""

    def __init__(self, store: BulletStore, version: int) -> None:
        self._store = store
        self._version = version

    def __contains__(self, name: object) -> bool:
        return str(name) in self._store.checkout_part([str(name)], self._version).bullets


class BulletStore(OpenFile):
    """Read bullets by id, beginning, text or alias. `Store` inherits it.

    `version` is the head of the branch by default. Every method raises UnknownVersion for a version that is
    not there, and StoreBusy and NotAPlaybook as those of `Store` do.
    """

    branch_name: str
    _seen: int | None = None  # the head's number when this store last looked
    _followed = 0  # lost connections that `wait_for_head` has taken note of

    def wait_for_head(self, after: int, *, seconds: float) -> Version | None:
        """Wait until the branch has a version newer than `after`, and return it; None when the time is up.

        The first time after a lost connection the head is returned at once, whatever its number: a server
        that crashed may have lost version `after`, and given its number to another.
        """
        deadline = time.monotonic() + seconds
        while True:
            with self._reading() as db:
                head = versions.read(db, self._resolve(db, None))
            left = deadline - time.monotonic()
            if head.number > after or self._losses != self._followed:
                self._followed = self._losses
                return head
            if left <= 0:
                return None
            self._db.wait_for_change(left)

    def checkout_part(self, ids: Iterable[str], version: Ref | None = None) -> Playbook:
        """Return the part of a playbook that holds these bullets and all section names.

        Removed bullets are in it, as in every playbook; ids that never were are left out.
        """
        with self._reading() as db:
            return bullet_history.read_part(db, self._resolve(db, version), ids)

    def operations(self, version: Ref, most: int = -1) -> Delta:
        """Return the operations that a version applied, in order; version 0 applied none.

        `most` bounds their number; -1 is no bound.
        """
        with self._reading() as db:
            return delta_from_json(versions.read_delta_json(db, lineage.resolve(db, version), most))

    def list_ids(self, beginning: str = "", version: Ref | None = None) -> dict[str, Status]:
        """Return the ids that begin so, removed ones too, in their order, with the status of each."""
        with self._reading() as db:
            return bullet_history.list_ids(db, self._resolve(db, version), beginning)

    def known_ids(self, version: int) -> KnownIds:
        """Return the ids in use at a version, which are looked up when asked for."""
        return KnownIds(self, version)

    def find_text(self, content: str, version: Ref | None = None) -> Bullet | None:
        """Return the live bullet with exactly this content, if there is one."""
        with self._reading() as db:
            return bullet_history.find_text(db, self._resolve(db, version), content)

    def count_by_section(self, version: Ref | None = None) -> dict[str, int]:
        """Return the number of live bullets in each section that has any."""
        with self._reading() as db:
            return bullet_history.count_by_section(db, self._resolve(db, version))

    def blame(self, bullet_id: str) -> list[Touch]:
        """Return every operation that touched a bullet, on any branch, oldest first.

        Each comes with its version and the episodes that justified it: those that it cites, then those that
        proved it. Raises UnknownVersion for a bullet that never was.
        """
        with self._reading() as db:
            return versions.blame(db, bullet_id)

    def bullet_texts(self, bullets: Iterable[str]) -> dict[str, list[tuple[str, str]]]:
        """Return, by bullet id, the sections and texts it has had on this branch, oldest first.

        Ids that are not on this branch are left out.
        """
        texts: dict[str, list[tuple[str, str]]] = {}
        with self._reading() as db:
            line = lineage.trace_line(db, self._resolve(db, None))
            condition, values = lineage.line_condition(line)
            sql = f"""SELECT bullet, section, content FROM bullet_history
                WHERE bullet IN (SELECT value FROM json_each(?)) AND {condition} ORDER BY version"""  # noqa: S608
            for bullet, section, content in db.execute(sql, [to_json(list(bullets)), *values]):
                earlier = texts.setdefault(bullet, [])
                if not earlier or earlier[-1] != (section, content):  # a vote changes neither
                    earlier.append((section, content))
        return texts

    def aliases(self, *, alias: str | None = None, bullet: str | None = None) -> list[Alias]:
        """Return the ids that bullets have in files they were imported from, in the order of import.

        `alias` and `bullet` choose those with this id there, and of this bullet.
        """
        sql = """SELECT source, alias, bullet, section, content_hash, helpful, harmful FROM aliases
            WHERE alias = coalesce(:alias, alias) AND bullet = coalesce(:bullet, bullet) ORDER BY rowid"""
        with self._reading() as db:
            return [Alias(*row) for row in db.execute(sql, {"alias": alias, "bullet": bullet})]

    def _resolve(self, db: Database, version: Ref | None) -> int:
        """Return the number of a version; the head by default, which counts as seen then."""
        if version is not None:
            return lineage.resolve(db, version)
        self._seen = lineage.read_branch(db, self.branch_name).version
        return self._seen
