"""Cost of a run: what its model calls took by role, phase, sample and bullet, and the faults they met.

Pure: computed from the records of calls and steps. Tokens that a provider had cached are counted apart.
Seconds are wall-clock time, so calls that ran at the same time are not added up.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from ace.llm.client import Role, Usage
from ace.llm.journal import Call
from ace.runs.steps import StepRecord


@dataclass(frozen=True, slots=True)
class Row:
    """Sum up the calls of one role, phase or sample."""

    name: str
    """The role, the phase as text, or the id of the sample."""

    usage: Usage
    """Its seconds are wall-clock time: how long at least one of the calls was under way."""


@dataclass(frozen=True, slots=True)
class BulletRow:
    """Say what finding and proving a bullet took, and which samples it put right.

    A lesson of several bullets is split evenly among them.
    """

    bullet: str
    """The id of the bullet."""

    usage: Usage
    """Its share, rounded."""

    fixed: tuple[str, ...]
    """Ids of samples, in the order of the journal."""


@dataclass(frozen=True, slots=True)
class Cost:
    """Hold the cost tables of a run.

    `roles`, `phases` and `samples` each divide the same calls, so their seconds may add up to more.
    """

    total: Usage
    """What all calls took."""

    roles: tuple[Row, ...]
    """In the order of their first calls."""

    phases: tuple[Row, ...]
    """In the order of their first calls."""

    samples: tuple[Row, ...]
    """The dearest first, by tokens."""

    bullets: tuple[BulletRow, ...]
    """What lessons took beyond the attempts; the dearest first, by tokens."""

    unlearned: Usage
    """What was spent like that on samples of which no lesson was kept."""


def compute_cost(calls: Sequence[Call], steps: Iterable[StepRecord]) -> Cost:
    """Compute the cost tables of a run's calls and journal.

    Samples and bullets come with the dearest first, by tokens. Roles and phases come in the order of their
    first calls.
    """
    unspent = _collect_lessons(calls)
    spent: dict[str, Usage] = defaultdict(Usage)
    fixed: dict[str, dict[str, None]] = defaultdict(dict)  # bullet -> its samples, in order
    for step in steps:
        for sample, learned, keys in _list_lessons(step, unspent):
            usage = sum((unspent.pop(key, Usage()) for key in keys), Usage())
            for bullet in learned:
                spent[bullet] += _divide(usage, len(learned))
                if sample:
                    fixed[bullet][sample] = None
    bullets = [BulletRow(bullet, usage, tuple(fixed[bullet])) for bullet, usage in spent.items()]
    samples = _group_usage(calls, lambda call: call.key.sample)
    return Cost(
        total=sum_usage(calls),
        roles=_group_usage(calls, lambda call: call.key.role),
        phases=_group_usage(calls, lambda call: call.phase),
        samples=tuple(sorted(samples, key=lambda row: (-count_tokens(row.usage), row.name))),
        bullets=tuple(sorted(bullets, key=lambda row: (-count_tokens(row.usage), row.bullet))),
        unlearned=sum(unspent.values(), Usage()),
    )


def sum_usage(calls: Sequence[Call]) -> Usage:
    """Return the sum of calls, with the seconds in which at least one of them was under way.

    The cost is None where the price of any call is unknown.
    """
    total = Usage()
    for call in calls:
        total += call.usage
    return replace(total, seconds=measure_working_time(calls))


def sum_usage_by_role(calls: Iterable[Call]) -> dict[str, Usage]:
    """Return the sum for each role; here seconds are those of the calls, added up."""
    usage: dict[str, Usage] = {}
    for call in calls:
        usage[call.key.role] = usage.get(call.key.role, Usage()) + call.usage
    return usage


def measure_working_time(calls: Iterable[Call], steps: Iterable[StepRecord] = ()) -> float:
    """Return the seconds in which at least one of the calls or steps was under way.

    Spans that overlap count once. This is all that is known of sessions that were killed; steps of journals
    that do not say when they started are left out.
    """
    spans = [(call.started, call.usage.seconds) for call in calls]
    for step in steps:
        if step.started is not None:
            spans.append((step.started, step.seconds))
    total, until = 0.0, 0.0
    for start, length in sorted(spans):
        total += max(0.0, start + length - max(start, until))
        until = max(until, start + length)
    return total


def list_faults(calls: Iterable[Call]) -> list[dict[str, Any]]:
    """Return every fault as JSON, with the role and the sample of its call.

    They are ordered by sample, and within a sample as the calls are: so the order does not depend on threads.
    """
    faults = []
    for call in sorted(calls, key=lambda call: call.key.sample):
        for fault in call.faults:
            faults.append({"role": call.key.role, "sample": call.key.sample, **asdict(fault)})
    return faults


def count_faults(calls: Iterable[Call]) -> dict[str, dict[str, int]]:
    """Count faults by kind, then by what was done about them; both in the order of the alphabet.

    Waits of different lengths before another try count as the same action.
    """
    counts: Counter[tuple[str, str]] = Counter()
    for call in calls:
        for fault in call.faults:
            action = fault.action.partition(" after ")[0]  # without how long it was waited
            counts[fault.kind, action] += 1
    table: dict[str, dict[str, int]] = defaultdict(dict)
    for (kind, action), count in sorted(counts.items()):
        table[kind][action] = count
    return dict(table)


def count_tokens(usage: Usage) -> int:
    """Return prompt and completion tokens: a price even of models that are free or whose price is unknown."""
    return usage.prompt_tokens + usage.completion_tokens


def _group_usage(calls: Iterable[Call], name: Callable[[Call], str]) -> tuple[Row, ...]:
    """Sum up calls by what `name` says of each, in the order of the first call of each group."""
    groups: dict[str, list[Call]] = defaultdict(list)
    for call in calls:
        groups[name(call)].append(call)
    return tuple(Row(key, sum_usage(group)) for key, group in groups.items())


def _collect_lessons(calls: Iterable[Call]) -> dict[tuple[int, str], Usage]:
    """Return what was spent on each sample of a step beyond its attempt, which is made in any case.

    The attempt is the generator's first request, however often it had to be asked.
    """
    groups: dict[tuple[int, str], list[Call]] = defaultdict(list)
    for call in calls:
        groups[call.key.step, call.key.sample].append(call)
    lessons = {}
    for key, group in groups.items():
        first = group[0].key
        if first.role == Role.GENERATOR:
            group = [call for call in group if call.key.request != first.request]
        if group:
            lessons[key] = sum_usage(group)
    return lessons


def _list_lessons(
    step: StepRecord, unspent: Iterable[tuple[int, str]]
) -> Iterator[tuple[str, list[str], list[tuple[int, str]]]]:
    """Yield the lessons of a step: a sample, the bullets it led to, and the (step, name) keys of its calls.

    A curation is one lesson, with all of its calls that are in `unspent`. Its sample is empty: it fixes none,
    because none was wrong before.
    """
    proofs = step.proofs
    callers: dict[str, dict[str, None]] = defaultdict(dict)  # sample -> names of its calls, in order
    for result in step.results:
        callers[result.sample][result.calls or result.sample] = None
    if proofs and not callers:
        keys = [key for key in unspent if key[0] == step.number]
        yield "", list(proofs), keys
        return
    bullets: dict[str, dict[str, None]] = defaultdict(dict)  # sample -> its bullets, in order
    for bullet, samples in proofs.items():
        for sample in samples:
            bullets[sample][bullet] = None
    for sample, proven in bullets.items():
        names = callers.get(sample) or [sample]
        yield sample, list(proven), [(step.number, name) for name in names]


def _divide(usage: Usage, parts: int) -> Usage:
    """Return the share of one of so many equal parts, its counts rounded to whole numbers."""
    cost = usage.cost
    if cost is not None:
        cost /= parts
    return Usage(
        calls=round(usage.calls / parts),
        prompt_tokens=round(usage.prompt_tokens / parts),
        cached_tokens=round(usage.cached_tokens / parts),
        completion_tokens=round(usage.completion_tokens / parts),
        seconds=usage.seconds / parts,
        cost=cost,
    )
