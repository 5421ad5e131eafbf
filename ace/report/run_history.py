"""What the store holds of one run, read once. Says nothing about it: `gather` does."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from ace.errors import UnknownVersion
from ace.playbook.model import Delta, Playbook
from ace.runs.records import Proposal, Run, Step, Version
from ace.store.store import Store
from ace.task.types import Episode


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """`base` is the playbook the run began with, at version `start`; `changes` are the versions after it, in
    order, up to the run's last; `playbook` is the one it ended with, or that it evaluated. `cited`: episodes
    of other runs that bullets of that playbook name.
    """

    file: str
    run: Run
    start: Version
    base: Playbook
    playbook: Playbook
    final: Version
    steps: tuple[Step, ...] = ()
    changes: tuple[tuple[Version, Delta], ...] = ()
    episodes: tuple[Episode, ...] = ()
    proposals: tuple[Proposal, ...] = ()
    cited: tuple[Episode, ...] = ()


def history(store: Store, run: int | None = None) -> History:
    """Of run `run`, the last by default. Raises UnknownVersion where there is none."""
    runs = {found.id: found for found in store.runs()}
    if run is None and not runs:
        raise UnknownVersion(f"There are no runs in {store.path} yet.", hint="`ace learn TASK` makes one.")
    found = store.run(max(runs) if run is None else run)
    steps = tuple(store.steps(found.id))
    log = {version.number: version for version in store.log(every_branch=True)}
    start = int(found.config.get("base", 0))
    last = max([start, *(step.version for step in steps)])
    final = int((found.report or {}).get("selected", last))
    playbook = store.checkout(final)
    episodes = tuple(store.episodes(run=found.id))
    known = {episode.id for episode in episodes}
    wanted = {name for bullet in playbook for name in bullet.provenance} - known
    return History(
        file=str(store.path),
        run=found,
        start=log[start],
        base=store.checkout(start),
        playbook=playbook,
        final=log[final],
        steps=steps,
        changes=tuple((v, store.operations(v.number)) for v in _between(log, start, last)),
        episodes=episodes,
        proposals=tuple(store.proposals(found.id)),
        cited=tuple(_once(store.episodes(ids=sorted(wanted)))) if wanted else (),
    )


def _between(log: dict[int, Version], start: int, last: int) -> list[Version]:
    """The versions that lead from `start` to `last`, along their parents."""
    path: list[Version] = []
    number: int | None = last
    while number is not None and number != start:
        path.append(log[number])
        number = log[number].parent
    return path[::-1]


def _once(episodes: Iterable[Episode]) -> Iterator[Episode]:
    """Two runs that did the same have episodes of the same id: the first of them."""
    return iter({episode.id: episode for episode in reversed(list(episodes))}.values())
