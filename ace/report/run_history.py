"""The records of one run, read from the store once. Says nothing about them: `build_run_page` does."""

from __future__ import annotations

from dataclasses import dataclass

from ace.errors import UnknownVersion
from ace.playbook.model import Delta, Playbook
from ace.runs.records import Proposal, Run, Version
from ace.runs.steps import StepRecord, read_journal
from ace.store.store import Store
from ace.task.types import Episode


@dataclass(frozen=True, slots=True, kw_only=True)
class RunHistory:
    """Hold the records of one run."""

    file: str
    """The path of the playbook file."""

    run: Run

    start: Version
    """The version that the run began with."""

    base: Playbook
    """The playbook at that version."""

    playbook: Playbook
    """The one that the run ended with, or evaluated."""

    final: Version
    """The version of `playbook`."""

    steps: tuple[StepRecord, ...] = ()
    """Its journal, in order."""

    changes: tuple[tuple[Version, Delta], ...] = ()
    """The versions after `start`, in order, up to the run's last, each with its operations."""

    episodes: tuple[Episode, ...] = ()
    """The attempts that it recorded."""

    proposals: tuple[Proposal, ...] = ()
    """What asked to be kept in it."""

    cited: tuple[Episode, ...] = ()
    """Episodes of other runs that bullets of `playbook` name."""


def read_run_history(store: Store, run: int | None = None) -> RunHistory:
    """Read the records of run `run`, by default of the last one. Raises UnknownVersion without such a run."""
    if run is None:
        run = next((record.id for record in store.runs(limit=1)), None)
    if run is None:
        raise UnknownVersion(f"There are no runs in {store.path} yet.", hint="`ace learn TASK` makes one.")
    record = store.run(run)
    steps = tuple(read_journal(store.steps(record.id)))
    log = {version.number: version for version in store.log(every_branch=True)}
    start = int(record.config.get("base", 0))
    last = max([start, *(step.version for step in steps)])
    final = int((record.report or {}).get("selected", last))
    playbook = store.checkout(final)
    episodes = tuple(store.episodes(run=record.id))
    path: list[Version] = []  # from the last version back to the start, along their parents
    number: int | None = last
    while number is not None and number != start:
        path.append(log[number])
        number = log[number].parent
    return RunHistory(
        file=str(store.path),
        run=record,
        start=log[start],
        base=store.checkout(start),
        playbook=playbook,
        final=log[final],
        steps=steps,
        changes=tuple((version, store.operations(version.number)) for version in reversed(path)),
        episodes=episodes,
        proposals=tuple(store.proposals(record.id)),
        cited=_read_cited(store, playbook, episodes),
    )


def _read_cited(store: Store, playbook: Playbook, episodes: tuple[Episode, ...]) -> tuple[Episode, ...]:
    """Read the episodes that bullets cite and that are not among `episodes`.

    Two runs that did the same have episodes of the same id; the first of those is taken.
    """
    missing: set[str] = set()
    for bullet in playbook:
        missing.update(bullet.provenance)
    missing -= {episode.id for episode in episodes}
    if not missing:
        return ()
    first: dict[str, Episode] = {}
    for episode in store.episodes(ids=sorted(missing)):
        first.setdefault(episode.id, episode)
    return tuple(first.values())
