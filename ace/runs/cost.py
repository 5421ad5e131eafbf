"""What a run's model calls took: by role, phase, sample and bullet, and what went wrong with them.

Pure: from the records of calls and steps. Tokens that a provider had cached are counted apart; seconds are
by the clock on the wall, so calls that ran at the same time are not added up.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from ace.llm.client import Usage
from ace.llm.journal import Call
from ace.runs.records import Step
from ace.runs.steps import StepRecord

_GENERATOR = "generator"


@dataclass(frozen=True, slots=True)
class Row:
    """What the calls of one role, phase or sample took; `usage.seconds` is wall time."""

    name: str
    usage: Usage


@dataclass(frozen=True, slots=True)
class BulletRow:
    """A bullet, what finding and proving it took, and the samples that were wrong and are right with it."""

    bullet: str
    usage: Usage
    fixed: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Cost:
    """The tables. `unlearned`: what was spent on samples of which no lesson was kept."""

    total: Usage
    roles: tuple[Row, ...]
    phases: tuple[Row, ...]
    samples: tuple[Row, ...]
    bullets: tuple[BulletRow, ...]
    unlearned: Usage

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def cost_of(calls: Sequence[Call], steps: Iterable[Step]) -> Cost:
    """Samples and bullets come with the dearest first."""
    bullets, unlearned = _bullets(calls, steps)
    return Cost(
        total=used(calls),
        roles=_rows(calls, lambda call: call.key.role),
        phases=_rows(calls, lambda call: call.phase),
        samples=_dearest(_rows(calls, lambda call: call.key.sample)),
        bullets=bullets,
        unlearned=unlearned,
    )


def used(calls: Sequence[Call]) -> Usage:
    """The sum, with the seconds in which at least one of them was under way."""
    return replace(sum((call.usage for call in calls), Usage()), seconds=wall(calls))


def usage_by_role(calls: Iterable[Call]) -> dict[str, Usage]:
    """Seconds are those of the calls, added up."""
    found: dict[str, Usage] = {}
    for call in calls:
        found[call.key.role] = found.get(call.key.role, Usage()) + call.usage
    return found


def wall(calls: Iterable[Call]) -> float:
    """Seconds in which at least one of the calls was under way."""
    return _covered((call.started, call.usage.seconds) for call in calls)


def worked(calls: Iterable[Call], steps: Iterable[StepRecord]) -> float:
    """Seconds in which a step or a call was under way: what is known of sessions that were killed."""
    told = [(call.started, call.usage.seconds) for call in calls]
    told += [(step.started, step.seconds) for step in steps if step.started]
    return _covered(told)


def _covered(spans: Iterable[tuple[float, float]]) -> float:
    """The length of the union of spans, each a start and a length."""
    total, until = 0.0, 0.0
    for start, length in sorted(spans):
        total += max(0.0, start + length - max(start, until))
        until = max(until, start + length)
    return total


def faults_met(calls: Iterable[Call]) -> list[dict[str, Any]]:
    """Every fault as JSON, with the role and the sample of its call."""
    return [
        {"role": call.key.role, "sample": call.key.sample, **asdict(fault)}
        for call in sorted(calls, key=lambda call: call.key.sample)
        for fault in call.faults
    ]


def faults_counted(calls: Iterable[Call]) -> dict[str, dict[str, int]]:
    """Kind -> what was done about it -> how often."""
    met = Counter((fault.kind, _plain(fault.action)) for call in calls for fault in call.faults)
    table: dict[str, dict[str, int]] = defaultdict(dict)
    for (kind, action), count in sorted(met.items()):
        table[kind][action] = count
    return dict(table)


def _plain(action: str) -> str:
    """Without how long it was waited."""
    return action.partition(" after ")[0]


def _rows(calls: Iterable[Call], name: Callable[[Call], str]) -> tuple[Row, ...]:
    groups: dict[str, list[Call]] = defaultdict(list)
    for call in calls:
        groups[name(call)].append(call)
    return tuple(Row(key, used(group)) for key, group in groups.items())


def _dearest(rows: Iterable[Row]) -> tuple[Row, ...]:
    return tuple(sorted(rows, key=lambda row: (-_price(row.usage), row.name)))


def _price(usage: Usage) -> int:
    """In tokens, not dollars: so models that are free, or whose price is unknown, can be compared."""
    return usage.prompt_tokens + usage.completion_tokens


def _bullets(calls: Sequence[Call], steps: Iterable[Step]) -> tuple[tuple[BulletRow, ...], Usage]:
    """What a sample's lessons took goes to the bullets they became, in equal parts."""
    lessons = _lessons(calls)
    cost: dict[str, Usage] = defaultdict(Usage)
    fixed: dict[str, dict[str, None]] = defaultdict(dict)
    for step in steps:
        kept = step.payload.get("kept", {})
        if not step.payload.get("results"):  # curation: no sample was wrong before
            spent = [lessons.pop(key) for key in list(lessons) if key[0] == step.number and kept]
            _share(cost, sum(spent, Usage()), list(kept))
            continue
        asked = _asked_for(step)
        for sample, bullets in _by_sample(kept).items():
            spent = [lessons.pop((step.number, name), Usage()) for name in asked.get(sample, [sample])]
            _share(cost, sum(spent, Usage()), bullets)
            for bullet in bullets:
                fixed[bullet][sample] = None
    rows = (BulletRow(name, usage, tuple(fixed[name])) for name, usage in cost.items())
    ordered = sorted(rows, key=lambda row: (-_price(row.usage), row.bullet))
    return tuple(ordered), sum(lessons.values(), Usage())


def _asked_for(step: Step) -> dict[str, list[str]]:
    """Sample -> the names its calls were made for: of a recorded attempt that is the attempt's own."""
    names: dict[str, list[str]] = defaultdict(list)
    for result in step.payload["results"]:
        names[result["sample"]].append(result.get("calls", result["sample"]))
    return {sample: list(dict.fromkeys(found)) for sample, found in names.items()}


def _share(cost: dict[str, Usage], spent: Usage, bullets: Sequence[str]) -> None:
    for bullet in bullets:
        cost[bullet] += _part(spent, len(bullets))


def _lessons(calls: Iterable[Call]) -> dict[tuple[int, str], Usage]:
    """What was spent on each sample of a step beyond its own attempt, which is made anyway."""
    groups: dict[tuple[int, str], list[Call]] = defaultdict(list)
    for call in calls:
        groups[call.key.step, call.key.sample].append(call)
    beyond = {key: _beyond_the_attempt(group) for key, group in groups.items()}
    return {key: used(group) for key, group in beyond.items() if group}


def _beyond_the_attempt(calls: Sequence[Call]) -> list[Call]:
    """The attempt is the generator's first request, however often it had to be asked."""
    first = calls[0].key
    if first.role != _GENERATOR:
        return list(calls)
    return [call for call in calls if call.key.request != first.request]


def _by_sample(kept: Mapping[str, Sequence[str]]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = defaultdict(list)
    for bullet, samples in kept.items():
        for sample in dict.fromkeys(samples):
            found[sample].append(bullet)
    return found


def _part(usage: Usage, parts: int) -> Usage:
    cost = None if usage.cost is None else usage.cost / parts
    return Usage(
        calls=round(usage.calls / parts),
        prompt_tokens=round(usage.prompt_tokens / parts),
        cached_tokens=round(usage.cached_tokens / parts),
        completion_tokens=round(usage.completion_tokens / parts),
        seconds=usage.seconds / parts,
        cost=cost,
    )
