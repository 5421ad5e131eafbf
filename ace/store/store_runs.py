"""Runs of a playbook file, as `Store` offers them: journal, episodes, proposals, feedback and model calls.

Every method is one transaction. `Store.commit` writes steps, episodes and proposals, because they belong to
the transaction of their version.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ace.runs.records import AnswerFeedback, Proposal, Run, RunStatus, Step
from ace.store import call_rows, episode_rows, feedback_rows, run_rows
from ace.store.call_journal import CallJournal
from ace.store.open_file import OpenFile
from ace.task.types import Episode

if TYPE_CHECKING:
    from ace.llm.journal import Call


class RunStore(OpenFile):
    """Store runs and what happened in them. `Store` inherits it."""

    branch_name: str

    def start_run(self, kind: str, task: str, config: dict[str, Any]) -> int:
        """Begin a run, and return its number.

        `kind` is learn, online or eval; `config` must be JSON, and holds the options of the run.
        """
        with self._writing() as db:
            return run_rows.start(db, kind, task, config)

    def finish_run(self, run: int, status: RunStatus, report: dict[str, Any] | None) -> None:
        """Write down a run's end: its status, its report (JSON) and the time.

        Raises UnknownVersion for a run that is not in the file.
        """
        with self._writing() as db:
            run_rows.finish(db, run, status, report)

    def runs(self) -> list[Run]:
        """Return all runs, oldest first."""
        with self._reading() as db:
            return run_rows.read_all(db)

    def run(self, run: int) -> Run:
        """Return a run by its number. Raises UnknownVersion where there is none."""
        with self._reading() as db:
            return run_rows.read(db, run)

    def versions_of(self, run: int) -> int:
        """Count the versions that a run committed."""
        with self._reading() as db:
            return run_rows.count_versions(db, run)

    def last_unfinished(self, kind: str, task: str) -> Run | None:
        """Return the latest run of this kind and task on the branch, or None if it is done.

        An earlier run that was never finished does not count: the later one closes it.
        """
        with self._reading() as db:
            return run_rows.last_unfinished(db, kind, task, self.branch_name)

    def steps(self, run: int) -> list[Step]:
        """Return the journal of a run, in order. Raises UnknownVersion for an unknown run."""
        with self._reading() as db:
            return run_rows.read_steps(db, run)

    def episodes(self, *, run: int | None = None, ids: Sequence[str] | None = None) -> list[Episode]:
        """Return episodes in the order they were stored: all, those of a run, or those with these ids.

        An id is unique within a run only. Ids that are not in the file are left out.
        """
        with self._reading() as db:
            return episode_rows.read_episodes(db, run, ids)

    def proposals(self, run: int | None = None) -> list[Proposal]:
        """Return proposals in the order they were stored: all, or those of a run."""
        with self._reading() as db:
            return episode_rows.read_proposals(db, run)

    def add_feedback(self, feedback: AnswerFeedback) -> AnswerFeedback:
        """Store feedback on an answer, and return it with its number, time and run.

        Raises UnknownVersion for an episode that is not in the file.
        """
        with self._writing() as db:
            return feedback_rows.add(db, feedback)

    def feedback(
        self, task: str | None = None, *, after: int = 0, unlearned: bool = False
    ) -> list[AnswerFeedback]:
        """Return feedback on answers, oldest first: of a task, or of all.

        `after` leaves out what is numbered up to it; `unlearned` leaves out what a run has learned from.
        """
        with self._reading() as db:
            return feedback_rows.read(db, task, after, unlearned=unlearned)

    def calls(self, run: int) -> list[Call]:
        """Return a run's model calls in the order they ended, those of steps that were cut off included.

        The replies are left out: `text` is empty, or None where the request failed.
        """
        with self._reading() as db:
            return call_rows.read_calls(db, run)

    def call_journal(self, run: int) -> CallJournal:
        """Open the journal that stores a run's calls and finds those of a step that was cut off.

        The caller closes it. It may be used from any thread.
        """
        with self._reading() as db:
            return CallJournal.open(db, self.path, run)
