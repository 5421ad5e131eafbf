"""Runs of a playbook file, as `Store` offers them: journal, episodes, proposals and feedback.

Every method is one transaction. `Store.commit` writes steps, episodes and proposals, because they belong to
the transaction of their version. Knows nothing about playbooks.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from ace.errors import InputError, StoreError, UnknownVersion
from ace.playbook.codec import delta_from_json
from ace.runs.records import (
    AnswerFeedback,
    EpisodeEnd,
    EpisodeEvent,
    Proposal,
    Reason,
    Run,
    RunStatus,
    RunSummary,
    Step,
)
from ace.runs.setbacks import Setback
from ace.store import checked_rows, episode_events, episode_rows, feedback_rows, setback_rows
from ace.store.integrity import prune
from ace.store.integrity.prune import Pruning
from ace.store.integrity.redact import Show, show_nothing
from ace.store.lead_signs import Pulse
from ace.store.sqlite_text import now, parse_strings, read_column, to_json
from ace.store.store_calls import CallStore
from ace.store.store_database import Database
from ace.task.types import Episode

_RUNS = "SELECT id, kind, task, config, status, started, ended, report FROM runs"
_PROPOSALS = "SELECT sample_id, author, delta, outcome, why, episodes, attempts, reason FROM proposals"
_REASONS = {reason.value: reason for reason in Reason}
_NO_RUN = 2**62  # more runs than there will be
_QUESTIONS = """SELECT sample_id, question FROM episodes
WHERE run = :run AND sample_id IN (SELECT value FROM json_each(:samples))"""


class RunStore(CallStore):
    """Store runs and what happened in them. `Store` inherits it.

    Every method raises StoreBusy, StoreUnwritable and NotAPlaybook as those of `Store` do.
    """

    branch_name: str

    def lead(self, task: str = "", pulse: Pulse | None = None) -> AbstractContextManager[None]:
        """Be the only one that learns from the feedback on a task, on the branch, until the block ends.

        Without a task, be the only learner on the branch of a server; a file on a machine is shared without
        it. Raises StoreBusy, which says who learns there. Inside the block, whatever needs the playbook
        raises LeadLost where somebody else leads in its place, or has led the task: because the connection
        was lost, or because this process gave no sign of life for some seconds. It gives them while `pulse`
        beats, which is as long as it runs where there is none.
        """
        return self._db.lead(self.path, self.branch_name, task, pulse or Pulse())

    def find_leader(self, task: str) -> str:
        """Return who learns from the feedback on a task on the branch, for people; "" for nobody."""
        return self._db.find_leader(self.path, self.branch_name, task)

    def start_run(self, kind: str, task: str, config: dict[str, Any]) -> int:
        """Begin a run, and return its number.

        `kind` is learn, online, eval or agent; `config` must be JSON, and holds the options of the run.
        """
        with self._writing() as db:
            return episode_events.begin_run(db, kind, task, config)

    def continue_run(self, run: int, config: Mapping[str, Any]) -> None:
        """Write down that a run goes on, and the keys of its configuration that are others by now (JSON).

        Raises UnknownVersion for a run that is not in the file.
        """
        with self._writing() as db:
            old = read_run(db, run).config
            columns = {"status": "running", "ended": None, "config": to_json({**old, **config})}
            checked_rows.update(db, "runs", columns, "id = ?", [run])

    def finish_run(self, run: int, status: RunStatus, report: dict[str, Any] | None) -> None:
        """Write down a run's end: its status, its report (JSON) and the time.

        Raises UnknownVersion for a run that is not in the file.
        """
        result = None
        if report is not None:
            result = to_json(report)
        with self._writing() as db:
            read_run(db, run)
            columns = {"status": status, "ended": now(), "report": result}
            checked_rows.update(db, "runs", columns, "id = ?", [run])

    def runs(self, limit: int | None = None) -> list[Run]:
        """Return runs, oldest first, on whatever branch they ran: all, or the newest `limit` of them."""
        with self._reading() as db:
            rows = db.execute(f"{_RUNS} ORDER BY id DESC LIMIT ?", [-1 if limit is None else limit])
            return [_row_to_run(row) for row in rows][::-1]

    def run_summaries(self, limit: int | None = None) -> list[RunSummary]:
        """Return runs in short, as `runs` does: no report is read, only the score in it."""
        sql = """SELECT id, kind, task, status, started, ended, json_extract(report, '$.after')
            FROM runs ORDER BY id DESC LIMIT ?"""
        summaries = []
        with self._reading() as db:
            for row in db.execute(sql, [-1 if limit is None else limit]):
                after = json.loads(row[-1]) if row[-1] else None
                summaries.append(replace(RunSummary(*row), after=after))
        return summaries[::-1]

    def run(self, run: int) -> Run:
        """Return a run by its number. Raises UnknownVersion where there is none."""
        with self._reading() as db:
            return read_run(db, run)

    def versions_of(self, run: int) -> int:
        """Count the versions that a run committed; steps that changed no bullet made none."""
        with self._reading() as db:
            (count,) = db.execute("SELECT count(*) FROM versions WHERE run = ?", [run]).fetchone()
        return int(count)

    def last_unfinished(self, kind: str, task: str) -> Run | None:
        """Return the latest run of this kind and task on the branch, or None if it is done.

        An earlier run that was never finished does not count: the later one closes it.
        """
        ours = "kind = ? AND task = ? AND coalesce(json_extract(config, '$.branch'), 'main') = ?"
        sql = f"{_RUNS} WHERE {ours} ORDER BY id DESC LIMIT 1"
        with self._reading() as db:
            row = db.execute(sql, [kind, task, self.branch_name]).fetchone()
            if row is None:
                return None
            run = _row_to_run(row)
        return run if run.status != "done" else None

    def steps(self, run: int, *, after: int = -1) -> list[Step]:
        """Return the journal of a run, in order: all of it, or the steps behind number `after`.

        Raises UnknownVersion for an unknown run.
        """
        sql = "SELECT number, phase, payload, version FROM steps WHERE run = ? AND number > ? ORDER BY number"
        steps = []
        with self._reading() as db:
            read_run(db, run)
            for number, phase, payload, version in db.execute(sql, [run, after]):
                step = Step(run=run, number=number, phase=phase, payload=json.loads(payload), version=version)
                steps.append(step)
        return steps

    def episodes(self, *, run: int | None = None, ids: Sequence[str] | None = None) -> list[Episode]:
        """Return episodes in the order they were stored: all, those of a run, or those with these ids.

        An id is unique within a run only. Ids that are not in the file are left out.
        """
        with self._reading() as db:
            return episode_rows.read_episodes(db, run, ids)

    def count_episodes(self, run: int, detail: str) -> int:
        """Count the episodes of a run whose verdict has this detail."""
        sql = "SELECT count(*) FROM episodes WHERE run = ? AND detail = ?"
        with self._reading() as db:
            (count,) = db.execute(sql, [run, detail]).fetchone()
        return int(count)

    def proposals(self, run: int | None = None, *, reasons: Collection[Reason] = ()) -> list[Proposal]:
        """Return proposals in the order they were stored: all, or those of a run, or decided by `reasons`.

        A reason that only a later release knows reads as unknown.
        """
        sql = f"""{_PROPOSALS} WHERE (CAST(:run AS BIGINT) IS NULL OR run = :run)
            AND (:reasons = '[]' OR reason IN (SELECT value FROM json_each(:reasons))) ORDER BY rowid"""  # noqa: S608 (our own text)
        values = {"run": run, "reasons": to_json([reason.value for reason in reasons])}
        proposals = []
        with self._reading() as db:
            rows = db.execute(sql, values)
            for sample, author, delta, outcome, why, episodes, attempts, reason in rows:
                proposal = Proposal(
                    sample_id=sample,
                    author=author,
                    delta=delta_from_json(delta),
                    outcome=outcome,
                    why=why,
                    episodes=parse_strings(episodes),
                    attempts=parse_strings(attempts),
                    reason=_REASONS.get(reason, Reason.UNKNOWN),
                )
                proposals.append(proposal)
        return proposals

    def proofs(self) -> dict[str, tuple[str, ...]]:
        """Return, by bullet id, the samples that proved it in any run, each once, in the order of the steps.

        A bullet that a run added or changed and nothing proved has none.
        """
        sql = "SELECT json_extract(payload, '$.kept') FROM steps ORDER BY run, number"
        samples: dict[str, dict[str, None]] = {}
        with self._reading() as db:
            texts = read_column(db, sql)
        for text in filter(None, texts):
            for bullet, proven in json.loads(text).items():
                samples.setdefault(bullet, {}).update(dict.fromkeys(proven or ()))
        return {bullet: tuple(proven) for bullet, proven in samples.items()}

    def add_feedback(self, feedback: AnswerFeedback) -> AnswerFeedback:
        """Store feedback on an answer, and return it with its number, time and run.

        Raises UnknownVersion for an episode that is not in the file.
        """
        with self._writing() as db:
            return feedback_rows.add_feedback(db, feedback)

    def feedback(
        self, task: str | None = None, *, after: int = 0, unlearned: bool = False, limit: int | None = None
    ) -> list[AnswerFeedback]:
        """Return feedback on answers, oldest first: of a task, or of all; the first `limit` of it.

        `after` leaves out what is numbered up to it; `unlearned` leaves out what a run has learned from. That
        takes as long as what waits is long, however much has been learned from.
        """
        with self._reading() as db:
            return feedback_rows.read_feedback(db, task, after=after, unlearned=unlearned, limit=limit)

    def newest_feedback(self) -> int:
        """Return the number of the feedback that came last, on whatever task; 0 for none."""
        with self._reading() as db:
            (number,) = db.execute("SELECT coalesce(max(id), 0) FROM feedback").fetchone()
        return int(number)

    def count_unlearned(self, task: str) -> int:
        """Return how much feedback on a task no run has learned from."""
        with self._reading() as db:
            return feedback_rows.count_waiting(db, task)

    def setbacks(self, task: str, *, since: int = _NO_RUN) -> list[Setback]:
        """Return where learning from feedback on a task failed, oldest first, in runs that did not end well.

        From run `since` on those of every run are among them, and what was set aside.
        """
        with self._reading() as db:
            return setback_rows.read_setbacks(db, task, since)

    def learned_since_set_aside(self, task: str) -> bool:
        """Tell whether feedback on a task was learned from since some was set aside; True where none was."""
        with self._reading() as db:
            return setback_rows.check_learned_since(db, task)

    def open_episodes(self, episode: str | None = None) -> dict[str, list[EpisodeEvent]]:
        """Return the events of the episodes of somebody else's agent that have not ended, by episode.

        `episode` is the id of the only one that is wanted; None for all.
        """
        with self._reading() as db:
            return episode_events.read_open_episodes(db, episode)

    def end_episode(self, end: EpisodeEnd) -> bool:
        """Store an episode of somebody else's agent in the place of its events, with its feedback.

        Return False where it had ended before: then nothing is stored.
        """
        with self._writing() as db:
            if episode_rows.read_episodes(db, None, [end.episode.id]):
                return False
            episode_events.write_row(db, end)
            return True

    def episode_beginning(self, episode: str) -> Mapping[str, Any]:
        """Return how an episode of somebody else's agent began, as JSON; empty for any other episode."""
        with self._reading() as db:
            return episode_events.read_beginning(db, episode)

    def questions(self, run: int, samples: Collection[str]) -> dict[str, str]:
        """Return the questions of samples by their ids, as the episodes of a run have them."""
        with self._reading() as db:
            rows = db.execute(_QUESTIONS, {"run": run, "samples": to_json(sorted(samples))})
            return dict(rows.fetchall())

    def prune(
        self,
        *,
        keep: int | None = None,
        older_than: timedelta | None = None,
        dry_run: bool = False,
        vacuum: bool = False,
        show: Show = show_nothing,
    ) -> Pruning:
        """Delete calls and attempts of old runs that nothing in the playbook rests on; return what went.

        Runs are old that are not among the newest `keep`, and that ended longer ago than `older_than`, where
        these are given. Rows go in chunks, a transaction each, so a learner may write meanwhile, and one that
        is cut off is finished by the next. `dry_run` only looks. `vacuum` gives the room back to the disk.
        `show` is told how many runs are done, and how many there are. Raises InputError where neither is
        given, StoreBusy where others use the file while it is vacuumed.
        """
        if keep is None and older_than is None:
            raise InputError("Say which runs are old.", hint="Give --keep N, --older-than DAYS, or both.")
        before = None
        if older_than is not None:
            try:
                before = (datetime.now(UTC) - older_than).isoformat(timespec="milliseconds")
            except OverflowError as error:
                raise InputError("No run is older than all time.", hint="Give fewer days.") from error
        citations, pruned = prune.Citations(), prune.Pruning()
        with self._reading() as db:
            runs = prune.find_ended(db, keep, before)
            total = len(runs)
            if dry_run:
                citations.read(db)
                for run in runs:
                    pruned += prune.find_doomed(db, run, citations).pruning
                return pruned
        while runs:
            with self._reading() as db:
                batch = prune.find_batch(db, runs, citations)
            while batch.episodes or batch.calls:
                with self._writing() as db:
                    db.allow_rewriting()
                    prune.delete_some(db, batch, citations)
            pruned += batch.pruning
            show(total - len(runs), total)
        if not vacuum:
            return pruned
        size = self.path.stat().st_size if isinstance(self.path, Path) else 0
        with self._db.typed_errors(self.path):
            self._db.scrub()
        after = self.path.stat().st_size if isinstance(self.path, Path) else 0
        return replace(pruned, returned=max(0, size - after))


def read_run(db: Database, run: int) -> Run:
    """Return a run. Raises UnknownVersion where there is none of this number."""
    row = db.execute(f"{_RUNS} WHERE id = ?", [run]).fetchone()
    if row is None:
        raise UnknownVersion(f"There is no run {run} in this file.", hint="`ace runs list` shows the runs.")
    return _row_to_run(row)


def add_step(db: Database, run: int | None, step: tuple[int, str, dict[str, Any]], version: int) -> None:
    """Append a step (number, phase, payload) to a run's journal; `version` is the head after it.

    The feedback whose numbers stand under "feedback" in the payload has been learned from. Raises StoreError
    without a run, ValueError for a payload that is not JSON.
    """
    if run is None:
        raise StoreError("A journal step needs the run it belongs to.", hint="Pass run= beside step=.")
    number, phase, payload = step
    checked_rows.insert(db, "steps", [(run, number, phase, to_json(payload), version)])
    feedback_rows.mark_learned(db, payload.get("feedback", ()))


def _row_to_run(row: tuple[Any, ...]) -> Run:
    """Read a row of `_RUNS`."""
    number, kind, task, config, status, started, ended, report = row
    return Run(
        id=number,
        kind=kind,
        task=task,
        config=json.loads(config),
        status=status,
        started=started,
        ended=ended,
        report=None if report is None else json.loads(report),
    )
