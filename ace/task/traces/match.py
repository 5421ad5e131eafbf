"""Matches recorded attempts with the samples of a task, whose environment can then judge them.

Held-out samples stay held out: an attempt at one of them must not be learned from. Pure.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from ace.task.samples import iterate_samples, normalize_question
from ace.task.traces.trace import Trace
from ace.task.types import Sample, Task


@dataclass(frozen=True, slots=True)
class Recorded:
    """Hold a trace and its sample."""

    trace: Trace

    sample: Sample
    """A training sample of the task, or one that was made of the trace."""

    provable: bool
    """Whether the task has that sample, so that attempts at it can be judged."""


def match_traces(task: Task, traces: Sequence[Trace]) -> tuple[list[Recorded], list[Trace]]:
    """Return the traces to learn from, and those left out because they are held-out samples.

    The question decides; where several samples ask the same, the id does. A trace whose question no sample
    asks, or that stays ambiguous, gets a sample of its own; its id is that of the trace, or "log-" and that
    where the task has such an id. Case, spaces and punctuation of a question do not count.
    """
    by_question: dict[str, list[tuple[str, Sample]]] = defaultdict(list)
    ids: set[str] = set()
    for split, sample in iterate_samples(task):
        by_question[normalize_question(sample.question)].append((split, sample))
        ids.add(sample.id)
    recorded: list[Recorded] = []
    left_out: list[Trace] = []
    for trace in traces:
        candidates = by_question.get(normalize_question(trace.question), [])
        namesakes = [(split, sample) for split, sample in candidates if sample.id == trace.sample]
        matches = namesakes or candidates
        if any(split != "train" for split, _ in matches):
            left_out.append(trace)
        elif len(matches) == 1:
            recorded.append(Recorded(trace, matches[0][1], True))
        else:
            name = f"log-{trace.sample}" if trace.sample in ids else trace.sample
            own = Sample(name, trace.question, {}, trace.file, trace.line)
            recorded.append(Recorded(trace, own, False))
    return recorded, left_out
