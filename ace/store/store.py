"""The playbook file: one transaction for each delta, versions that never change, a head that only moves on.

Every public method is one transaction; `head`, `versions` and `runs` hold what happens inside.
Knows nothing about models, tasks or how lessons are made. A store belongs to the thread that opened it.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from ace.playbook.delta import diff
from ace.playbook.exchange import Alias
from ace.playbook.model import Delta, Operation, Playbook
from ace.store import aliases as alias_rows
from ace.store import calls, evidence, head, runs, verify, versions
from ace.store.connection import connect, transaction, typed_errors
from ace.store.journal import CallJournal
from ace.store.records import Commit, Proposal, Run, RunStatus, Step, Version
from ace.task.types import Episode

if TYPE_CHECKING:
    from ace.llm.journal import Call


class Store:
    """A playbook with its history. Use as a context manager, or call `close()`."""

    def __init__(self, db: sqlite3.Connection, path: Path) -> None:
        self.path = path
        self._db = db
        self._seen: tuple[Version, Playbook] | None = None  # the head when this store last looked

    @classmethod
    def open(
        cls, path: str | Path, *, create: bool = True, read_only: bool = False, timeout: float = 5.0
    ) -> Store:
        """Open `path`, making it if need be. `timeout`: seconds to wait for another process's write."""
        path = Path(path)
        return cls(connect(path, create=create, read_only=read_only, timeout=timeout), path)

    def close(self) -> None:
        with typed_errors(self.path):
            self._db.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    # Playbook and history

    def head(self) -> Version:
        """The newest version, whoever committed it. Version 0 is the empty playbook."""
        with self._reading() as db:
            return self._look(db)[0]

    def playbook(self, version: int | None = None) -> Playbook:
        """The playbook at a version; at the head by default."""
        with self._reading() as db:
            return self._checkout(db, version)

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
        it. When the head has moved on, the delta is applied to the new head if the two changed
        different bullets; otherwise StoreConflict, and nothing is written. A delta of which nothing
        applies makes no version, but the rest is still written.
        """
        with self._writing() as db:
            base = self._base(expect)
            at, before = self._look(db)
            versions.check_rebase(db, at.number if base is None else base, at.number, delta)
            if run is not None:
                runs.read(db, run)
            done = versions.append(db, at, before, delta, author, reason, run)
            number = done.version.number
            evidence.add_rejections(db, run, author, done.rejections, number)
            evidence.add_episodes(db, run, episodes)
            evidence.add_proposals(db, run, proposals, number)
            alias_rows.add(db, [alias for alias in aliases if alias.bullet in done.playbook.bullets])
            if step is not None:
                runs.add_step(db, run, step, number)
        return self._moved(done)

    def revert(self, to: int, *, author: str, reason: str) -> Commit:
        """A new version whose live bullets are those of version `to`."""
        with self._writing() as db:
            at, before = self._look(db)
            delta = diff(before, self._checkout(db, to))
            done = versions.append(db, at, before, delta, author, reason, None)
        return self._moved(done)

    def log(self, limit: int | None = None) -> list[Version]:
        """Versions, newest first."""
        with self._reading() as db:
            return versions.log(db, limit)

    def operations(self, version: int) -> Delta:
        """What a version changed: the operations that applied."""
        with self._reading() as db:
            versions.read(db, version)
            return next(versions.deltas(db, version - 1, version), ())

    def diff(self, a: int, b: int) -> Delta:
        """A delta that leads from version `a` to version `b`."""
        with self._reading() as db:
            return diff(self._checkout(db, a), self._checkout(db, b))

    def blame(self, bullet_id: str) -> list[tuple[Version, Operation]]:
        """Every operation that touched a bullet, oldest first."""
        with self._reading() as db:
            return versions.blame(db, bullet_id)

    def aliases(self) -> list[Alias]:
        """The ids bullets have in files they were imported from, in the order they came."""
        with self._reading() as db:
            return alias_rows.read(db)

    def verify(self) -> list[str]:
        """What is wrong with the file, found by deriving everything again. Empty: nothing is."""
        with self._reading() as db:
            return list(verify.problems(db))

    # Runs

    def start_run(self, kind: str, task: str, config: dict[str, Any]) -> int:
        with self._writing() as db:
            return runs.start(db, kind, task, config)

    def finish_run(self, run: int, status: RunStatus, report: dict[str, Any] | None) -> None:
        with self._writing() as db:
            runs.finish(db, run, status, report)

    def runs(self) -> list[Run]:
        """Runs, oldest first."""
        with self._reading() as db:
            return runs.listing(db)

    def run(self, run: int) -> Run:
        with self._reading() as db:
            return runs.read(db, run)

    def last_unfinished(self, kind: str, task: str) -> Run | None:
        """The latest run of this kind and task, if something of it is left to do."""
        with self._reading() as db:
            return runs.last_unfinished(db, kind, task)

    def steps(self, run: int) -> list[Step]:
        """The journal of a run, in order."""
        with self._reading() as db:
            return runs.steps(db, run)

    def episodes(self, *, run: int | None = None, ids: Sequence[str] | None = None) -> list[Episode]:
        """Episodes in the order they were stored: all, those of a run, or those with these ids."""
        with self._reading() as db:
            return evidence.episodes(db, run, ids)

    def proposals(self, run: int | None = None) -> list[Proposal]:
        """Proposals in the order they were stored: all, or those of a run."""
        with self._reading() as db:
            return evidence.proposals(db, run)

    def calls(self, run: int) -> list[Call]:
        """The model calls of a run in the order they ended, those of steps that were cut off included.

        Without what was said: `text` is empty, or None where the request failed.
        """
        with self._reading() as db:
            return calls.of_run(db, run)

    def call_journal(self, run: int) -> CallJournal:
        """Where the calls of a run are kept as they end, and those of a step that was cut off are found."""
        with self._reading() as db:
            return CallJournal.open(db, self.path, run)

    # Inside

    def _reading(self) -> AbstractContextManager[sqlite3.Connection]:
        return transaction(self._db, self.path, write=False)

    def _writing(self) -> AbstractContextManager[sqlite3.Connection]:
        return transaction(self._db, self.path, write=True)

    def _look(self, db: sqlite3.Connection) -> tuple[Version, Playbook]:
        """The head as it is now. What others committed since is folded onto the playbook in memory."""
        now = head.number(db)
        if self._seen is None:
            self._seen = versions.read(db, now), head.load(db)
        elif self._seen[0].number != now:
            version, playbook = self._seen
            self._seen = versions.read(db, now), versions.fold(db, playbook, version.number, now)
        return self._seen

    def _base(self, expect: int | None) -> int | None:
        if expect is not None:
            return expect
        return self._seen[0].number if self._seen else None

    def _checkout(self, db: sqlite3.Connection, version: int | None) -> Playbook:
        newest, playbook = self._look(db)
        return playbook if version in (None, newest.number) else versions.checkout(db, version)

    def _moved(self, commit: Commit) -> Commit:
        """Only now, after COMMIT, is the new head what this store has seen."""
        self._seen = commit.version, commit.playbook
        return commit
