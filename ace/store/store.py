"""The playbook file: one transaction for each delta, versions that never change, heads that only move on.

Every public method is one transaction; `versions`, `past`, `lineage` and `runs` hold what happens inside.
Knows nothing about models, tasks or how lessons are made. A store belongs to the thread that opened it
and works on one branch; any number of stores, threads and processes may share the file.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ace.errors import MergeConflict
from ace.playbook.delta import diff
from ace.playbook.exchange import Alias
from ace.playbook.model import Delta, Playbook
from ace.playbook.three_way_merge import Side, join, lost_votes
from ace.runs.records import Branch, Commit, Problem, Proposal, Run, RunStatus, Step, Tag, Touch, Version
from ace.store import aliases as alias_rows
from ace.store import bullet_history, call_rows, episode_rows, lineage, run_rows, versions
from ace.store import feedback_rows as feedback_rows
from ace.store.call_journal import CallJournal
from ace.store.connection import connect
from ace.store.integrity import backup, verify
from ace.store.store_memories import Remembering
from ace.store.versions import Head, Note
from ace.task.types import Episode

if TYPE_CHECKING:
    from ace.llm.journal import Call

_KEPT = 4  # playbooks of past versions in memory: moving from one to the next costs what changed between

Ref = int | str
"""A version: its number, or the name of a branch or tag."""


class Store(Remembering):
    """A playbook with its history. Use as a context manager, or call `close()`."""

    def __init__(self, db: sqlite3.Connection, path: Path, branch: str = lineage.MAIN) -> None:
        super().__init__(db, path)
        self.branch_name = branch
        self._seen: Head | None = None  # the head when this store last looked
        self._past: dict[int, Playbook] = {}

    @classmethod
    def open(
        cls,
        path: str | Path,
        *,
        create: bool = True,
        read_only: bool = False,
        timeout: float = 10.0,
        branch: str = lineage.MAIN,
    ) -> Store:
        """Open `path`, making it if need be. `timeout`: seconds to wait for another process's write.

        `branch` is the one that `head`, `commit`, `revert` and `merge` work on; a new file has only main.
        """
        path, create = Path(path), create and branch == lineage.MAIN
        store = cls(connect(path, create=create, read_only=read_only, timeout=timeout), path, branch)
        try:
            if branch != lineage.MAIN:
                store.head()  # a branch that is not there is refused now, not after an hour
        except BaseException:
            store.close()
            raise
        return store

    # Playbook and history

    def head(self) -> Version:
        """The newest version of the branch, whoever committed it. Version 0 is the empty playbook."""
        with self._reading() as db:
            return self._look(db).version

    def checkout(self, version: Ref | None = None) -> Playbook:
        """The playbook at a version: its number, a branch or a tag; the head by default."""
        with self._reading() as db:
            return self._checkout(db, version)

    def resolve(self, version: Ref) -> int:
        """The number of a version that is given by number, branch or tag."""
        with self._reading() as db:
            return lineage.resolve(db, version)

    def commit(
        self,
        delta: Delta,
        *,
        author: str,
        reason: str,
        expect: int | None = None,
        run: int | None = None,
        step: tuple[int, str, dict[str, Any]] | None = None,
        episodes: Sequence[Episode] = (),
        proposals: Sequence[Proposal] = (),
        aliases: Sequence[Alias] = (),
    ) -> Commit:
        """Append a version, and in the same transaction the journal step, episodes, proposals and aliases.

        `expect` is the version the delta was decided on: by default the head as this store last saw
        it. When the head has moved on, the delta is applied to the new head if the two edited
        different bullets; otherwise StoreConflict, and nothing is written. Votes are no edits and
        add up. A delta of which nothing applies makes no version, but the rest is still written.
        """
        with self._writing() as db:
            base = self._base(expect)
            head = self._look(db)
            at = head.version.number
            versions.check_rebase(db, at if base is None else base, at, delta)
            if run is not None:
                run_rows.read(db, run)
            head, rejections = versions.append(db, head, delta, Note(author, reason, run))
            number = head.version.number
            episode_rows.add_rejections(db, run, author, rejections, number)
            episode_rows.add_episodes(db, run, episodes)
            episode_rows.add_proposals(db, run, proposals, number)
            alias_rows.add(db, [alias for alias in aliases if alias.bullet in head.playbook.bullets])
            if step is not None:
                run_rows.add_step(db, run, step, number)
        return self._moved(head, rejections)

    def revert(self, to: Ref, *, author: str, reason: str) -> Commit:
        """A new version whose live bullets are those of version `to`."""
        with self._writing() as db:
            head = self._look(db)
            delta = diff(head.playbook, self._checkout(db, to))
            head, rejections = versions.append(db, head, delta, Note(author, reason))
        return self._moved(head, rejections)

    def merge(
        self, other: Ref, *, author: str, reason: str | None = None, prefer: Side | None = None
    ) -> Commit:
        """A new version with what another branch changed since the two last met, bullet by bullet.

        Votes add up; those on a bullet that this branch has removed are recorded as rejected. A bullet
        that both edited, to different ends, raises MergeConflict with their names, and nothing is
        written; `prefer` says whose bullet to take instead.
        """
        with self._writing() as db:
            head = self._look(db)
            theirs = versions.read(db, lineage.resolve(db, other))
            base = lineage.merge_base(db, head.version.number, theirs.number)
            if base == theirs.number:  # nothing that this branch has not taken in already
                return versions.committed(head, ())
            then, others = self._checkout(db, base), self._checkout(db, theirs.number)
            joined, conflicts = join(then, head.playbook, others, prefer)
            if conflicts:
                raise _conflict(base, head, theirs, conflicts)
            delta = (*lost_votes(head.playbook, joined), *diff(head.playbook, joined))
            note = Note(author, f"merge of {other}" if reason is None else reason, merged=theirs)
            head, rejections = versions.append(db, head, delta, note)
            episode_rows.add_rejections(db, None, author, rejections, head.version.number)
        return self._moved(head, rejections)

    def log(
        self, limit: int | None = None, *, version: Ref | None = None, every_branch: bool = False
    ) -> list[Version]:
        """Versions, newest first: the line behind one (the head by default), or those of every branch."""
        with self._reading() as db:
            if every_branch:
                return versions.log(db, None, limit)
            wanted = self._look(db).version.number if version is None else lineage.resolve(db, version)
            return versions.log(db, lineage.line(db, wanted), limit)

    def operations(self, version: Ref) -> Delta:
        """What a version changed: the operations that applied."""
        with self._reading() as db:
            return versions.operations(db, lineage.resolve(db, version))

    def diff(self, a: Ref, b: Ref) -> Delta:
        """A delta that leads from version `a` to version `b`."""
        with self._reading() as db:
            return diff(self._checkout(db, a), self._checkout(db, b))

    def blame(self, bullet_id: str) -> list[Touch]:
        """Every operation that touched a bullet, on any branch, oldest first."""
        with self._reading() as db:
            return versions.blame(db, bullet_id)

    # Names

    def branch(self, name: str, at: Ref | None = None) -> Branch:
        """A new branch that begins at a version: the head by default. `switch` to work on it."""
        with self._writing() as db:
            base = self._look(db).version.number if at is None else lineage.resolve(db, at)
            return lineage.add_branch(db, name, base)

    def switch(self, branch: str) -> Version:
        """Work on another branch from now on; its head."""
        with self._reading() as db:
            lineage.branch(db, branch)
            if self._seen is not None:
                self._keep(self._seen.version.number, self._seen.playbook)
            self.branch_name, self._seen = branch, None
            return self._look(db).version

    def branches(self) -> list[Branch]:
        with self._reading() as db:
            return lineage.branches(db)

    def tag(self, name: str, version: Ref | None = None) -> Tag:
        """Give a name to a version, the head by default. A tag that is there moves."""
        with self._writing() as db:
            number = self._look(db).version.number if version is None else lineage.resolve(db, version)
            lineage.set_tag(db, name, number)
            return next(tag for tag in lineage.tags(db) if tag.name == name)

    def untag(self, name: str) -> None:
        with self._writing() as db:
            lineage.set_tag(db, name, None)

    def tags(self) -> list[Tag]:
        with self._reading() as db:
            return lineage.tags(db)

    def aliases(self) -> list[Alias]:
        """The ids bullets have in files they were imported from, in the order they came."""
        with self._reading() as db:
            return alias_rows.read(db)

    def told(self, bullets: Iterable[str]) -> dict[str, list[tuple[str, str]]]:
        """Of each bullet the sections and texts it has had on this branch, oldest first."""
        with self._reading() as db:
            return bullet_history.told(db, self._look(db).version.number, bullets)

    # Keeping it whole

    def verify(self) -> list[Problem]:
        """What is wrong with the file, found by deriving everything again. Empty: nothing is."""
        with self._reading() as db:
            return list(verify.problems(db))

    def backup(self, target: str | Path) -> Path:
        """Copy the file as it is at this moment, while others go on writing. `target` must not exist."""
        return backup.write(self._db, Path(target))

    # Runs

    def start_run(self, kind: str, task: str, config: dict[str, Any]) -> int:
        with self._writing() as db:
            return run_rows.start(db, kind, task, config)

    def finish_run(self, run: int, status: RunStatus, report: dict[str, Any] | None) -> None:
        with self._writing() as db:
            run_rows.finish(db, run, status, report)

    def runs(self) -> list[Run]:
        """Runs, oldest first."""
        with self._reading() as db:
            return run_rows.listing(db)

    def run(self, run: int) -> Run:
        with self._reading() as db:
            return run_rows.read(db, run)

    def versions_of(self, run: int) -> int:
        """How many versions a run made."""
        with self._reading() as db:
            return run_rows.made(db, run)

    def last_unfinished(self, kind: str, task: str) -> Run | None:
        """The latest run of this kind and task, if something of it is left to do."""
        with self._reading() as db:
            return run_rows.last_unfinished(db, kind, task, self.branch_name)

    def steps(self, run: int) -> list[Step]:
        """The journal of a run, in order."""
        with self._reading() as db:
            return run_rows.steps(db, run)

    def episodes(self, *, run: int | None = None, ids: Sequence[str] | None = None) -> list[Episode]:
        """Episodes in the order they were stored: all, those of a run, or those with these ids."""
        with self._reading() as db:
            return episode_rows.episodes(db, run, ids)

    def add_feedback(self, said: feedback_rows.Said) -> feedback_rows.Said:
        """Keep what was said of an answer. UnknownVersion for an episode that is not in the file."""
        with self._writing() as db:
            return feedback_rows.add(db, said)

    def feedback(
        self, task: str | None = None, *, after: int = 0, unlearned: bool = False
    ) -> list[feedback_rows.Said]:
        """What was said of answers, in the order it came; `unlearned`: that no run has learned from."""
        with self._reading() as db:
            return feedback_rows.read(db, task, after, unlearned=unlearned)

    def proposals(self, run: int | None = None) -> list[Proposal]:
        """Proposals in the order they were stored: all, or those of a run."""
        with self._reading() as db:
            return episode_rows.proposals(db, run)

    def calls(self, run: int) -> list[Call]:
        """The model calls of a run in the order they ended, those of steps that were cut off included.

        Without what was said: `text` is empty, or None where the request failed.
        """
        with self._reading() as db:
            return call_rows.of_run(db, run)

    def call_journal(self, run: int) -> CallJournal:
        """Where the calls of a run are kept as they end, and those of a step that was cut off are found."""
        with self._reading() as db:
            return CallJournal.open(db, self.path, run)

    # Inside

    def _look_again(self) -> None:
        self._seen = None
        self._past.clear()

    def _look(self, db: sqlite3.Connection) -> Head:
        """The head as it is now. What others committed since is moved over onto the playbook in memory."""
        branch, seen = lineage.branch(db, self.branch_name), self._seen
        if seen is None or seen.version.number != branch.version:
            playbook = self._derive(db, branch.version)
            self._seen = seen = Head(branch, versions.read(db, branch.version), playbook)
        return seen

    def _derive(self, db: sqlite3.Connection, wanted: int) -> Playbook:
        """From the nearest version in memory, or from main's table where reading all of it is cheaper."""
        known = {0: Playbook(), **self._past}
        if self._seen is not None:
            known[self._seen.version.number] = self._seen.playbook
        costs = {at: bullet_history.distance(db, at, wanted) for at in known}
        costs[0] = max(costs[0], bullet_history.end(db, wanted))  # a version may add many bullets at once
        near = min(costs, key=costs.__getitem__)
        main = lineage.branch(db, lineage.MAIN).version
        if (
            main not in known
            and bullet_history.end(db, main) + bullet_history.distance(db, main, wanted) <= costs[near]
        ):
            near, known[main] = main, bullet_history.main(db, main)
            self._keep(near, known[near])
        return bullet_history.move(db, known[near], near, wanted)

    def _checkout(self, db: sqlite3.Connection, version: Ref | None) -> Playbook:
        head = self._seen
        if version is None:
            return self._look(db).playbook
        number = lineage.resolve(db, version)
        if head is not None and head.version.number == number:
            return head.playbook
        playbook = self._derive(db, number)
        self._keep(number, playbook)
        return playbook

    def _keep(self, number: int, playbook: Playbook) -> None:
        self._past.pop(number, None)
        self._past[number] = playbook
        if len(self._past) > _KEPT:
            del self._past[next(iter(self._past))]

    def _base(self, expect: int | None) -> int | None:
        if expect is not None:
            return expect
        return self._seen.version.number if self._seen else None

    def _moved(self, head: Head, rejections: Any) -> Commit:
        """Only now, after COMMIT, is the new head what this store has seen."""
        self._seen = head
        return versions.committed(head, rejections)


def _conflict(base: int, head: Head, theirs: Version, bullets: tuple[str, ...]) -> MergeConflict:
    ours = head.version.number
    return MergeConflict(
        f"Versions {ours} and {theirs.number} both edited {', '.join(bullets)} since version {base}.",
        hint="Make one of them like the other, or say which to prefer: ours or theirs.",
        base=base,
        ours=ours,
        theirs=theirs.number,
        bullets=bullets,
    )
