"""The playbook file: one transaction for each delta, versions that never change, heads that only move on.

Every public method is one transaction; the modules of rows, `versions`, `lineage` and `bullet_history` hold
what happens inside. Knows nothing about models, tasks or how lessons are made. A store belongs to the thread
that opened it and works on one branch; any number of stores, threads and processes may share the file.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import astuple, replace
from functools import partial
from typing import Any

from ace.errors import MergeConflict, StoreConflict, StoreError
from ace.playbook.alias import Alias
from ace.playbook.delta import diff
from ace.playbook.model import Add, Delta, Merge, Playbook, Remove, Revise
from ace.playbook.three_way_merge import Side, find_lost_votes, join
from ace.runs.records import Commit, Proposal, Version
from ace.safety.secrets import hide_secrets
from ace.store import bullet_history, checked_rows, episode_rows, lineage, rebase, versions
from ace.store.bullet_history import move
from ace.store.connection import connect, do_again
from ace.store.integrity.redact import Show, TextMatcher, show_nothing
from ace.store.store_bullets import Ref
from ace.store.store_database import Database, Place, Rows, parse_place
from ace.store.store_memories import MemoryStore
from ace.store.store_names import NameStore
from ace.store.store_runs import RunStore, add_step, read_run
from ace.store.store_transfer import TransferStore
from ace.store.versions import Head
from ace.task.types import Episode

_ENDLESS = 2**62  # more versions than there will be
_CACHED = 4  # playbooks of past versions in memory: moving from one to the next costs what changed between


class Store(NameStore, MemoryStore, RunStore, TransferStore):
    """Keep a playbook with its history. Use as a context manager, or call `close()`.

    `path` is its file. Every method raises StoreBusy where another
    process holds the write lock for longer than the time-out, StoreUnwritable where the file or the disk
    cannot be written, and NotAPlaybook where the file is damaged. A version, branch, tag, run or bullet that
    is not there raises UnknownVersion.
    """

    def __init__(self, db: Database, path: Place, branch: str = lineage.MAIN) -> None:
        """Take over an open connection. `Store.open` makes one."""
        super().__init__(db, path)
        self.branch_name = branch
        """The branch that it works on."""
        self._head: Head | None = None  # the newest that was read whole
        self._past: dict[int, Playbook] = {}
        self._is_shared = False  # others had written when this store last did

    def _repr_html_(self) -> str:
        """Return the live bullets at the head as a table for a notebook; every text is escaped.

        Of a store that is closed or cannot be read it is the reason.
        """
        from ace.runs.run_table import tabulate_bullets
        from ace.runs.text_tables import render_html

        try:
            head = self.head()
        except StoreError as error:
            return render_html([], str(error))
        bullets = [bullet for bullet in self.checkout(head.number) if bullet.live]
        title = f"{self.path}, {self.branch_name}: version {head.number}, {len(bullets)} bullets"
        return render_html([tabulate_bullets("Playbook", bullets)], title)

    @classmethod
    def open(
        cls,
        path: str | Place,
        *,
        create: bool = True,
        read_only: bool = False,
        timeout: float = 10.0,
        branch: str = lineage.MAIN,
        shared: bool = False,
    ) -> Store:
        """Open `path`, creating it if need be. `timeout`: seconds to wait for another process's write.

        `path` is a file, or `postgresql://USER@HOST/DATABASE`, with `?schema=NAME` for one of a name.

        With `shared` any thread may use it, one at a time: the caller sees to that.
        `branch` is the one that `head`, `commit`, `revert` and `merge` work on; a new file has only main.
        A file of an older release is migrated; with `read_only` it is read as if it were. Raises NotAPlaybook
        for any other file, NewerSchema for a file of a later release, UnknownVersion for an unknown branch.
        """
        place, create = parse_place(path), create and branch == lineage.MAIN
        db = connect(place, create=create, read_only=read_only, timeout=timeout, shared=shared)
        store = cls(db, place, branch)
        try:
            if branch != lineage.MAIN:
                store.head()  # a branch that is not there is refused now, not after an hour
        except BaseException:
            store.close()
            raise
        return store

    # Playbook and history

    def head(self) -> Version:
        """Return the newest version of the branch, whoever committed it. Version 0 is the empty playbook."""
        with self._reading() as db:
            return versions.read(db, self._resolve(db, None))

    def checkout(self, version: Ref | None = None) -> Playbook:
        """Return the playbook at a version: its number, a branch or a tag; the head by default.

        A version near one that was read before costs what changed between the two. Raises UnknownVersion.
        """
        with self._reading() as db:
            if version is None:
                return self._read_head(db).playbook
            return self._checkout(db, lineage.resolve(db, version))

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
        whole: bool = True,
    ) -> Commit:
        """Append a version, and in the same transaction the journal step, episodes, proposals and aliases.

        `expect` is the version the delta was decided on: by default the head as this store last saw
        it. When the head has moved on, the delta is applied to the new head (`store.rebase`) if the two
        edited different bullets; otherwise StoreConflict, and nothing is written. Votes are no edits. A
        delta of which nothing applies makes no version, but the rest is still written.

        `step` is number, phase and payload (JSON) of a row in the journal of `run`. An alias of a bullet
        that is not in the playbook is left out. Raises StoreError for a step without a run, and for an
        episode id or step number that the run has used before.

        Without `whole` only the bullets that the delta touches are read, and the result's playbook holds no
        others: for a single change of a large playbook. Secrets in contents and in the reason are hidden.
        """
        expect = self._seen if expect is None else expect
        reason = hide_secrets(reason)
        delta = tuple(
            replace(operation, content=hide_secrets(operation.content))
            if isinstance(operation, Add | Revise | Merge)
            else operation
            for operation in delta
        )
        with self._writing() as db:
            ids = versions.touched_by(delta).union(alias.bullet for alias in aliases)
            head, is_whole, since = self._choose_head(db, ids, whole, expect)
            base = head.version.number if expect is None else expect
            delta = rebase.rebase_delta(db, base, head, delta, since)
            if run is not None and not db.execute("SELECT 1 FROM runs WHERE id = ?", [run]).fetchone():
                read_run(db, run)  # raises
            head, rejections = versions.append(db, head, delta, author=author, reason=reason, run=run)
            number = head.version.number

            # What led to the version stands in the same transaction.
            episode_rows.add_rejections(db, run, author, rejections, number)
            episode_rows.add_episodes(db, run, episodes)
            episode_rows.add_proposals(db, run, proposals, number)
            present = [astuple(alias) for alias in aliases if alias.bullet in head.playbook.bullets]
            checked_rows.insert(db, "aliases", present, key="source, alias")
            if step is not None:
                add_step(db, run, step, number)
        self._seen = number  # after COMMIT: a transaction that fails must not move it
        if whole:
            if not is_whole:
                head = do_again(partial(self._catch_up, head))
            self._head, self._seen = head, number  # again: reading drops both where the connection was lost
        return Commit(head.version, head.playbook, rejections)

    def revert(self, to: Ref, *, author: str, reason: str, expect: int | None = None) -> Commit:
        """Append a version whose live bullets are those of version `to`.

        The versions in between stay in the history. Nothing is appended if the bullets are the same already.
        Votes are those of `to` again. `expect` is the head that it was decided on: where another version has
        come since, it raises StoreConflict. Raises UnknownVersion.
        """
        reason = hide_secrets(reason)
        with self._writing() as db:
            head = self._read_head(db)
            at = head.version.number
            if expect not in (None, at):
                message = f"The playbook moved from version {expect} to {at} in the meantime."
                hint = "Look at what came since, and decide again."
                raise StoreConflict(message, hint=hint, expected=expect, found=at, bullets=())
            delta = diff(head.playbook, self._checkout(db, lineage.resolve(db, to)))
            head, rejections = versions.append(db, head, delta, author=author, reason=reason)
        self._head, self._seen = head, head.version.number
        return Commit(head.version, head.playbook, rejections)

    def merge(
        self,
        other: Ref,
        *,
        author: str,
        reason: str | None = None,
        prefer: Side | None = None,
        show: Show = show_nothing,
    ) -> Commit:
        """Append a version with what another branch changed since the two last met, bullet by bullet.

        Votes add up; those on a bullet that this branch has removed are recorded as rejected. A bullet
        that both edited, to different ends, raises MergeConflict with their names, and nothing is
        written; `prefer` says whose bullet to take instead. Where this branch has taken in all of `other`
        already, nothing is appended. `show` is called with the steps done and all of them. Raises
        UnknownVersion.
        """
        with self._writing() as db:
            show(0, 4)
            head = self._read_head(db)
            ours = head.version
            theirs = versions.read(db, lineage.resolve(db, other))
            base = lineage.merge_base(db, ours.number, theirs.number)
            if base == theirs.number:  # this branch has taken all of it in already
                return Commit(ours, head.playbook, ())
            show(1, 4)
            their_playbook = self._checkout(db, theirs.number)
            show(2, 4)
            joined, conflicts = join(self._checkout(db, base), head.playbook, their_playbook, prefer)
            if conflicts:
                names = ", ".join(conflicts)
                raise MergeConflict(
                    f"Versions {ours.number} and {theirs.number} both edited {names} since version {base}.",
                    hint="Make one of them like the other, or say which to prefer: ours or theirs.",
                    base=base,
                    ours=ours.number,
                    theirs=theirs.number,
                    bullets=conflicts,
                )
            delta = (*find_lost_votes(head.playbook, joined), *diff(head.playbook, joined))
            if reason is None:
                reason = f"merge of {other}"
            show(3, 4)
            head, rejections = versions.append(db, head, delta, author=author, reason=reason, merged=theirs)
            episode_rows.add_rejections(db, None, author, rejections, head.version.number)
        show(4, 4)
        self._head, self._seen = head, head.version.number
        return Commit(head.version, head.playbook, rejections)

    def log(
        self, limit: int | None = None, *, version: Ref | None = None, every_branch: bool = False
    ) -> list[Version]:
        """Return versions, newest first: those behind one (the head by default), or those of every branch.

        `limit` bounds their number. What a merge took in stands on the other branch's line, not on this one.
        """
        with self._reading() as db:
            if every_branch:
                return versions.read_log(db, None, limit)
            line = lineage.trace_line(db, self._resolve(db, version))
            return versions.read_log(db, line, limit)

    def diff(self, a: Ref, b: Ref) -> Delta:
        """Return a delta that leads from version `a` to version `b`, on whatever branches they are."""
        with self._reading() as db:
            first = lineage.resolve(db, a)
            second = lineage.resolve(db, b)
            return diff(self._checkout(db, first), self._checkout(db, second))

    def switch(self, branch: str) -> Version:
        """Work on another branch from now on, and return its head. Raises UnknownVersion."""
        with self._reading() as db:
            lineage.read_branch(db, branch)
            if self._head is not None:
                self._cache(self._head.version.number, self._head.playbook)
            self.branch_name, self._head = branch, None
            return versions.read(db, self._resolve(db, None))

    # Inside

    def _look_again(self, db: Database) -> None:
        """Drop what is in memory. Raises StoreConflict where the head that was seen is gone.

        A server that crashes loses commits that nobody was told are kept; this store may have read one.
        """
        super()._look_again(db)
        head = self._head
        self._drop_cache()
        if head is not None:
            sql = "SELECT hash FROM versions WHERE number = ?"
            if db.execute(sql, [head.version.number]).fetchone() != (head.version.hash,):
                raise StoreConflict(
                    f"{self.path} has lost version {head.version.number} in a crash, before it was kept.",
                    hint="Read the playbook again, decide again, and commit that.",
                    expected=head.version.number,
                    found=lineage.read_branch(db, self.branch_name).version,
                    bullets=(),
                )

    def _remove_bullets(self, matcher: TextMatcher, author: str) -> None:
        """Remove bullets that hold a forgotten text, on every branch: without it they would say nothing."""
        own_branch = self.branch_name
        for branch in self.branches():
            self.switch(branch.name)
            bullets = [bullet for bullet in self.checkout() if matcher.finds(bullet.content)]
            if bullets:
                self.commit(tuple(Remove(bullet.id) for bullet in bullets), author=author, reason="forgotten")
        self.switch(own_branch)

    def _drop_cache(self) -> None:
        """Forget the head and all playbooks: the next method reads them from the file."""
        self._head = self._seen = None
        self._past.clear()

    def _cache(self, number: int, playbook: Playbook) -> None:
        """Keep a playbook in memory, in the place of the one that was added longest ago."""
        self._past.pop(number, None)
        self._past[number] = playbook
        if len(self._past) > _CACHED:
            del self._past[next(iter(self._past))]

    def _choose_head(
        self, db: Database, ids: Collection[str], whole: bool, base: int | None
    ) -> tuple[Head, bool, Rows | None]:
        """Return the head that a commit goes on from, whether it is whole, and what came after `base`.

        It is whole where that is wanted and in memory. Otherwise others have written, or nothing was read
        yet: then only bullets with these ids are read, and of main all at once, because others wait.
        """
        known = self._head
        since, part = None, None
        asked = versions.ask_head(db, self.branch_name)
        if self.branch_name == lineage.MAIN and (not whole or known is None or self._is_shared):
            line = ((lineage.MAIN, _ENDLESS),)  # while this one writes, main ends with its head
            if base is not None and self._is_shared:
                since = rebase.ask_since(db, base, line, ids)
            part = bullet_history.ask_part(db, line, ids)
        head = versions.read_head(db, self.branch_name, asked)
        self._is_shared = self._seen not in (None, head.version.number)
        if whole and known is not None and known.version.number == head.version.number:
            return replace(head, playbook=known.playbook), True, since
        if part is None:
            playbook = bullet_history.read_part(db, head.version.number, ids, head.branch)
        else:
            playbook = bullet_history.read_asked(part, head.playbook.next_position)
        return replace(head, playbook=playbook), False, since

    def _catch_up(self, head: Head) -> Head:
        """Return the head that this store has just committed with its whole playbook. Harmless twice."""
        known = self._head
        with self._reading() as db:
            if known is not None and known.branch.name == head.branch.name and head.branch.base is None:
                here, there = known.version.number, head.version.number
                return replace(head, playbook=move(db, known.playbook, here, there, head.branch))
            return replace(head, playbook=self._checkout(db, head.version.number))

    def _read_head(self, db: Database) -> Head:
        """Return the head as it is now. Carry over what others committed since to the playbook in memory."""
        head, known = versions.read_head(db, self.branch_name), self._head
        if known is None or known.version.number != head.version.number:
            playbook = self._checkout(db, head.version.number)
        else:
            playbook = known.playbook
        self._head = head = replace(head, playbook=playbook)
        self._seen = head.version.number
        return head

    def _checkout(self, db: Database, number: int) -> Playbook:
        """Return a version from memory. Or move to it from the nearest one that is there.

        Main's table is another place to start from, where that is cheaper.
        """
        playbooks = {0: Playbook(), **self._past}
        if self._head is not None:
            playbooks[self._head.version.number] = self._head.playbook
        if number in playbooks:
            return playbooks[number]

        costs = {}  # version in memory -> about as many versions, or new bullets, as lie on the way from it
        for start in playbooks:
            costs[start] = max(start, number) - lineage.last_common(db, start, number)
        position = bullet_history.next_position(db, number)  # a version may add many bullets
        for start, playbook in playbooks.items():
            costs[start] = max(costs[start], abs(position - playbook.next_position))
        nearest = min(costs, key=costs.__getitem__)
        main = lineage.read_branch(db, lineage.MAIN).version
        if main not in playbooks:
            distance = max(main, number) - lineage.last_common(db, main, number)
            if bullet_history.next_position(db, main) + distance <= costs[nearest]:
                nearest = main
                playbooks[main] = bullet_history.read_main(db, main)
                self._cache(main, playbooks[main])
        playbook = move(db, playbooks[nearest], nearest, number)
        self._cache(number, playbook)
        return playbook
