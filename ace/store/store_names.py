"""Names of versions, as `Store` offers them: branches and tags. Every method is one transaction."""

from __future__ import annotations

from ace.runs.records import Branch, Tag
from ace.store import lineage
from ace.store.store_bullets import BulletStore, Ref


class NameStore(BulletStore):
    """Name versions. `Store` inherits it, and with it what reads bullets.

    Every method raises StoreBusy, StoreUnwritable and NotAPlaybook as those of `Store` do.
    """

    def find_version(self, version: Ref) -> int:
        """Return the number of a version, which is named by number, branch or tag. Raises UnknownVersion."""
        with self._reading() as db:
            return lineage.resolve(db, version)

    def branch(self, name: str, at: Ref | None = None) -> Branch:
        """Begin a branch at a version: the head by default. Call `switch` to work on it.

        Raises InputError for a name that a branch or tag has already, or that cannot name a version.
        """
        with self._writing() as db:
            return lineage.add_branch(db, name, self._resolve(db, at))

    def branches(self) -> list[Branch]:
        """Return all branches: main first, then by age."""
        with self._reading() as db:
            return lineage.read_branches(db)

    def tag(self, name: str, version: Ref | None = None) -> Tag:
        """Name a version, the head by default. An existing tag moves; where it stood stays on record.

        Raises InputError for the name of a branch, or a name that cannot name a version.
        """
        with self._writing() as db:
            lineage.set_tag(db, name, self._resolve(db, version))
            return next(tag for tag in lineage.read_tags(db) if tag.name == name)

    def untag(self, name: str) -> None:
        """Take a tag away. The version stays. Raises UnknownVersion for a tag that is not there."""
        with self._writing() as db:
            lineage.set_tag(db, name, None)

    def tags(self) -> list[Tag]:
        """Return all tags by name."""
        with self._reading() as db:
            return lineage.read_tags(db)
