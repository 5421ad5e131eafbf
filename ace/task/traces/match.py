"""Which sample of a task a recorded attempt is about: then the task's environment can judge it.

Held-out samples stay held out: an attempt at one of them must not be learned from. Pure.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from ace.task.samples import plain
from ace.task.traces.trace import Trace
from ace.task.types import Sample, Task


@dataclass(frozen=True, slots=True)
class Recorded:
    """A trace and its sample. `provable`: the sample is the task's own, so attempts at it can be judged."""

    trace: Trace
    sample: Sample
    provable: bool


def match(task: Task, traces: Sequence[Trace]) -> tuple[list[Recorded], list[Trace]]:
    """Those to learn from, and those left out because their sample is for validation or test.

    The question decides; where several samples ask the same, the id does. A question that no sample asks,
    or that stays ambiguous, belongs to nobody.
    """
    asked: dict[str, list[tuple[str, Sample]]] = defaultdict(list)
    for split in ("train", "val", "test"):
        for sample in getattr(task, split):
            asked[plain(sample.question)].append((split, sample))
    taken = {sample.id for found in asked.values() for _, sample in found}
    recorded: list[Recorded] = []
    left_out: list[Trace] = []
    for trace in traces:
        same = asked.get(plain(trace.question), [])
        named = [(split, sample) for split, sample in same if sample.id == trace.sample] or same
        if any(split != "train" for split, _ in named):
            left_out.append(trace)
        elif len(named) == 1:
            recorded.append(Recorded(trace, named[0][1], True))
        else:
            recorded.append(Recorded(trace, _of_its_own(trace, taken), False))
    return recorded, left_out


def _of_its_own(trace: Trace, taken: set[str]) -> Sample:
    name = f"log-{trace.sample}" if trace.sample in taken else trace.sample
    return Sample(name, trace.question, {}, trace.file, trace.line)
