"""What a run's records say, as one value. Pure: a history in, a dossier out; knows no file and no page."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import reduce
from itertools import pairwise
from operator import add
from typing import Any

from ace.context.render import render_playbook
from ace.llm.client import Usage
from ace.playbook.delta import apply, touched
from ace.playbook.model import Add, Bullet, Operation, Playbook
from ace.report import reproduce
from ace.report.run_history import History
from ace.runs.bullet_effects import Credit, credit_of
from ace.runs.metrics import Flows, flows, moving, pooled, wilson
from ace.runs.records import Proposal
from ace.runs.report import Report, Score
from ace.task.types import Episode

WINDOW = 20  # answers that the moving accuracy of an online run counts
_MOST_POINTS = 40
_MOST_SIZES = 200  # a chart shows no more
_WHOLE = 10**9  # a budget that no playbook fills: its size is what is asked for
_LEARNS = ("epoch", "replay", "online", "traces")


@dataclass(frozen=True, slots=True)
class Point:
    """Right answers of a step or of a few in a row: the last one's number, or the first of a phase that
    only scores, and the phase.
    """

    step: int
    phase: str
    correct: int
    total: int
    errors: int = 0

    @property
    def score(self) -> Score:
        return Score(self.correct, self.total, self.errors)


@dataclass(frozen=True, slots=True)
class Size:
    """A version's bullets in use, those that wait in quarantine, and the tokens the former fill."""

    version: int
    active: int
    waiting: int
    tokens: int


@dataclass(frozen=True, slots=True)
class Answered:
    """A sample and what was answered in two phases; empty where no episode is at hand."""

    sample: str
    question: str
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class Change:
    """Every sample that two phases scored, by what became of it."""

    before: str
    after: str
    flows: Flows
    samples: Mapping[str, Answered]


@dataclass(frozen=True, slots=True)
class Lesson:
    """A bullet, the samples that prove it (`proves`), right and all of their attempts after that (`later`),
    and its episodes; `unknown` are ids of episodes that are not in the file.
    """

    bullet: Bullet
    new: bool
    proves: tuple[str, ...]
    later: tuple[int, int]
    episodes: tuple[Episode, ...]
    unknown: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Refuted:
    """A rejected proposal: what it would have changed, and the attempt that speaks against it."""

    proposal: Proposal
    changes: tuple[str, ...]
    question: str
    attempt: Episode | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Dossier:
    """`moving` is the accuracy over the last WINDOW answers of an online run, (right, counted) each."""

    file: str
    run: int
    kind: str
    task: str
    model: str
    status: str
    report: Report | None
    points: tuple[Point, ...]
    moving: tuple[tuple[int, int], ...]
    sizes: tuple[Size, ...]
    changes: tuple[Change, ...]
    lessons: tuple[Lesson, ...]
    refuted: tuple[Refuted, ...]
    proposed: int
    usage: Mapping[str, Usage]
    credit: Credit
    command: str
    facts: tuple[tuple[str, str], ...]


def gather(history: History) -> Dossier:
    run = history.run
    report = Report.from_json(run.report) if run.report else None
    results = [(step.number, result) for step in history.steps for result in step.payload["results"]]
    served = [bool(result["correct"]) for _, result in results if result["phase"] == "online"]
    return Dossier(
        file=history.file,
        run=run.id,
        kind=run.kind,
        task=run.task,
        model=str(run.config.get("models", {}).get("generator", "")),
        status=run.status,
        report=report,
        points=tuple(_points(results)),
        moving=tuple(moving(served, WINDOW)),
        sizes=tuple(_sizes(history)),
        changes=tuple(_changes([result for _, result in results], history.episodes)),
        lessons=tuple(_lessons(history)),
        refuted=tuple(_refuted(history)),
        proposed=len(history.proposals),
        usage=report.usage if report else _usage(history),
        credit=credit_of(step.payload for step in history.steps),
        command=reproduce.command(run),
        facts=tuple(reproduce.facts(run, history.start, history.final)),
    )


def learns(phase: str) -> bool:
    """Whether samples of this phase were learned from; in the others they were only scored."""
    return phase.startswith(_LEARNS)


def _points(results: Iterable[tuple[int, Mapping[str, Any]]]) -> Iterator[Point]:
    """One for a phase that only scores, one for a step that learns; many steps are pooled."""
    phases: dict[str, dict[int, list[Mapping[str, Any]]]] = defaultdict(lambda: defaultdict(list))
    for step, result in results:
        phases[result["phase"]][step].append(result)
    for phase, steps in phases.items():
        numbers = list(steps)
        counts = [(sum(r["correct"] for r in found), len(found)) for found in steps.values()]
        errors = [sum(bool(r["error"]) for r in found) for found in steps.values()]
        start = 0
        for end, correct, total in pooled(counts, _MOST_POINTS if learns(phase) else 1):
            yield Point(
                numbers[end if learns(phase) else 0], phase, correct, total, sum(errors[start : end + 1])
            )
            start = end + 1


def _sizes(history: History) -> Iterator[Size]:
    """Of the first and the last version and of evenly spaced ones between: a size takes a whole rendering."""
    playbook = history.base
    yield _size(history.start.number, playbook)
    last = len(history.changes) - 1
    every = -(-len(history.changes) // _MOST_SIZES) or 1
    for place, (version, delta) in enumerate(history.changes):
        playbook, _ = apply(playbook, delta)
        if place % every == every - 1 or place == last:
            yield _size(version.number, playbook)


def _size(version: int, playbook: Playbook) -> Size:
    rendered = render_playbook(playbook, _WHOLE)
    return Size(version, len(rendered.bullets), len(playbook) - len(rendered.bullets), rendered.tokens)


def _changes(results: Iterable[Mapping[str, Any]], episodes: Iterable[Episode]) -> Iterator[Change]:
    phases: dict[str, dict[str, bool]] = defaultdict(dict)
    for result in results:
        phases[result["phase"]][result["sample"]] = bool(result["correct"])
    seen: dict[tuple[str, str], Episode] = {}
    for episode in episodes:
        seen.setdefault((episode.phase, episode.sample_id), episode)
    for before, after in _compared(list(phases)):
        found = flows(phases[before], phases[after])
        names = (*found.fixed, *found.broken, *found.still_failing, *found.still_right)
        samples = {name: _answered(name, seen.get((before, name)), seen.get((after, name))) for name in names}
        yield Change(before, after, found, samples)


def _compared(phases: list[str]) -> Iterator[tuple[str, str]]:
    """Phases whose samples are the same, or some of them: what is replayed follows what went before."""
    if {"before", "after"} <= set(phases):
        yield "before", "after"
    for kind in ("epoch", "validation"):
        yield from pairwise(name for name in phases if name.startswith(kind))
    taught = [name for name in phases if name.startswith(("epoch", "replay"))]
    yield from ((first, second) for first, second in pairwise(taught) if second.startswith("replay"))
    checked = [name for name in phases if name.startswith("recheck")]
    yield from ((first, name) for name in checked if (first := name.replace("recheck", "epoch")) in phases)


def _answered(sample: str, before: Episode | None, after: Episode | None) -> Answered:
    known = before or after
    said = [episode.attempt.answer or episode.attempt.error if episode else "" for episode in (before, after)]
    return Answered(sample, known.question if known else "", *said)


def _lessons(history: History) -> Iterator[Lesson]:
    episodes = {episode.id: episode for episode in (*history.cited, *history.episodes)}
    kept: dict[str, dict[str, int]] = defaultdict(dict)  # bullet -> sample -> the step that proved it
    tries: dict[str, list[tuple[int, bool]]] = defaultdict(list)  # sample -> (step, right)
    for step in history.steps:
        for bullet, samples in step.payload["kept"].items():
            for sample in samples:
                kept[bullet].setdefault(sample, step.number)
        for result in step.payload["results"]:
            if learns(result["phase"]):
                tries[result["sample"]].append((step.number, bool(result["correct"])))
    old = {key: (bullet.content, bullet.status) for key, bullet in history.base.bullets.items()}
    for bullet in history.playbook:
        proved = kept[bullet.id]
        later = [right for sample, at in proved.items() for number, right in tries[sample] if number > at]
        yield Lesson(
            bullet,
            old.get(bullet.id) != (bullet.content, bullet.status),
            tuple(proved),
            (sum(later), len(later)),
            tuple(episodes[name] for name in bullet.provenance if name in episodes),
            tuple(name for name in bullet.provenance if name not in episodes),
        )


def _refuted(history: History) -> Iterator[Refuted]:
    """Of each rejected proposal the last episode is the one that decided."""
    episodes = {episode.id: episode for episode in history.episodes}
    for proposal in history.proposals:
        if proposal.outcome == "rejected":
            found = [episodes[name] for name in proposal.episodes if name in episodes]
            question = found[0].question if found else ""
            changes = tuple(_told(operation) for operation in proposal.delta)
            yield Refuted(proposal, changes, question, found[-1] if len(found) > 1 else None)


def _told(operation: Operation) -> str:
    if isinstance(operation, Add):
        return operation.content
    return f"{operation.op} {', '.join(touched(operation))} {getattr(operation, 'content', '')}".rstrip()


def _usage(history: History) -> Mapping[str, Usage]:
    """Of a run without a report, from its journal."""
    spent: dict[str, list[Usage]] = defaultdict(list)
    for step in history.steps:
        for role, used in step.payload["usage"].items():
            spent[role].append(Usage(**used))
    return {role: reduce(add, used) for role, used in spent.items()}


def interval(correct: int, total: int) -> tuple[float, float, float]:
    """Accuracy and its 95% interval."""
    low, high = wilson(correct, total)
    return (correct / total if total else 0.0), low, high
