"""The thread behind somebody else's agent: when there is feedback to learn from, it begins a run and learns.

Until then no model is connected. What ends a run early is a problem of the learner; the feedback stays in
the file, and after a while, or with the next learner, it is tried again.
"""

from __future__ import annotations

import os
import platform
import queue
from collections.abc import Callable
from contextlib import AbstractContextManager, suppress
from contextvars import Context
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from threading import Thread

from ace.errors import LeadLost
from ace.llm.role_models import RoleModels
from ace.loop.background_learner import Ended, FeedbackCame, Item, learn_behind
from ace.loop.comeback import Comeback
from ace.loop.election import Seat, lead_in_turn
from ace.loop.learner_problems import ProblemList
from ace.loop.own_episode import read_unfinished
from ace.loop.progress import Progress
from ace.loop.run import RunParts
from ace.runs.records import EpisodeEnd
from ace.runs.report import Report
from ace.settings import Settings
from ace.store import Store
from ace.store.store_database import Place
from ace.task.types import Task

_LOOKS = 0.5  # seconds between looks for feedback of other processes
_ABANDONED = timedelta(days=1)  # an episode of a process that nobody can ask is given up after so long
_NEVER_FINISHED = "the process ended before the episode was finished"

Connect = Callable[[], AbstractContextManager[RoleModels]]
"""Connects the models of a run, for as long as the block lasts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LearningPlace:
    """Hold where to learn and with what."""

    task: Task

    path: Place
    """The playbook file, or its server."""

    branch: str
    """The branch of the file that is learned on."""

    settings: Settings

    connect: Connect
    """Called once there is something to learn: until then no model is connected."""

    progress: Progress
    """Whom to tell of progress."""

    notes: tuple[str, ...] = ()
    """What reports say beside what went wrong."""


class LearningThread:
    """Learns from the feedback in a file. Nothing it does is waited for, but by `close`.

    `reports` are those of the runs that have ended.
    """

    def __init__(self, place: LearningPlace, problems: ProblemList) -> None:
        self._place = place
        self._problems = problems
        self._waiting: queue.Queue[Item] = queue.Queue()
        self._seat = Seat()
        self._comeback = Comeback(self._seat, problems)
        self.reports: list[Report] = []
        self._thread = Thread(target=self._live, name="learner", daemon=True)
        self._thread.start()

    def hint(self) -> None:
        """Say that there is feedback in the file."""
        if self._waiting.empty():
            self._waiting.put(FeedbackCame())

    def close(self, *, at_once: bool = False) -> None:
        """Learn from what waits, then end. After an error it is tried once more.

        Where another process learns, what waits is left to it. With `at_once` what waits stays in the store,
        and a call of a model is not waited for.
        """
        if at_once:
            self._seat.end_at_once()
        self._seat.leaving.set()
        self._waiting.put(Ended())
        self._thread.join(timeout=2.0 if at_once else None)

    def _live(self) -> None:
        """Live the thread's whole life."""
        place = self._place
        with self._problems.guard("learn"), Store.open(place.path, branch=place.branch) as store:
            with self._problems.guard("settle episodes that were never finished"):
                settle_episodes(store)
            while self._wait(store):
                try:
                    with lead_in_turn(store, place.task.name, self._seat) as leads:
                        if not leads:
                            return
                        if store.count_unlearned(place.task.name):  # else another process has learned from it
                            self._learn(store)
                            return
                except LeadLost:
                    continue
                except Exception as error:
                    if not self._comeback.accept(error):
                        return
                    self._comeback.wait()

    def _wait(self, store: Store) -> bool:
        """Wait until there is feedback that no run has learned from. Return False where none will come.

        At first that is what waits; after that only what is new counts.
        """
        name = self._place.task.name
        last: int | None = None
        while True:
            news = []
            with self._problems.guard("look for feedback"):
                newest = store.newest_feedback()
                news = store.feedback(name, after=last or 0, unlearned=last is None, limit=1)
                last = newest
            if news and not self._seat.at_once:
                return True
            if self._seat.leaving.is_set():
                return False
            with suppress(queue.Empty):
                self._waiting.get(timeout=_LOOKS)

    def _learn(self, store: Store) -> None:
        """Learn in a run until this process leaves or a cap ends it. Raises what ended it early."""
        place = self._place
        with place.connect() as models:
            parts = RunParts(
                task=place.task,
                store=store,
                models=models,
                settings=place.settings,
                progress=place.progress,
                stop=self._seat.begin_run(),
            )
            # Nothing of the caller's context is seen there: no call of a model is the agent's.
            report = Context().run(learn_behind, parts, self._waiting, self._seat)
        self.reports.append(report)
        if report.stopped:
            self._problems.add("learn more", report.stopped)


def settle_episodes(store: Store) -> None:
    """Record as failed what will never be finished: episodes of a process that is gone, or a day old.

    Whether a process is gone can be told on its own machine only. A process may have the number of another
    that is gone: then the day counts.
    """
    for name, events in store.open_episodes().items():
        beginning = events[0].event
        newest = max(event.created for event in events)
        is_abandoned = datetime.now(UTC) - datetime.fromisoformat(newest) > _ABANDONED
        if beginning.get("host") == platform.node():
            try:
                os.kill(int(beginning["process"]), 0)  # asks, and does nothing
            except ProcessLookupError:
                is_abandoned = True
            except (OSError, KeyError, TypeError, ValueError, OverflowError):
                pass
        if is_abandoned:
            episode = read_unfinished(name, events, _NEVER_FINISHED)
            store.end_episode(EpisodeEnd(episode, events[0].run))
