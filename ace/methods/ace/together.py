"""Let the lessons of a batch meet before they are kept. Each was proven alone, on the same playbook.

What fails beside the others is left out: those that more samples speak for come first.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace

from ace.methods.ace.combine import combine_accepted
from ace.methods.ace.pool import grade, is_better
from ace.methods.ace.proposals import changes_use
from ace.methods.ace.state import Lesson
from ace.methods.protocol import Lab
from ace.playbook.delta import apply
from ace.playbook.model import Add, Playbook
from ace.runs.records import Proposal, Reason

_LARGE = 8  # samples; in larger batches what an environment vouches for is tried beside the others, too


@dataclass(frozen=True, slots=True)
class _Entry:
    """Hold an accepted proposal, its place in the batch, and how many samples of the batch speak for it."""

    place: int
    proposal: Proposal
    support: int


def keep_compatible(lessons: Sequence[Lesson], playbook: Playbook, lab: Lab) -> list[Lesson]:
    """Return the lessons, with proposals rejected that fail beside the others, or make others fail.

    All are tried at once, each on its own sample; only where one fails are they added one after the other.
    """
    entries = _list_entries(lessons)
    if len({entry.proposal.delta for entry in entries}) < 2:
        return list(lessons)
    delta, _ = combine_accepted(entry.proposal for entry in entries)
    joint, _ = apply(playbook, delta)
    failing = {entry.place for entry in entries if not _is_right(lessons[entry.place], joint, lab)}
    if not failing:
        return list(lessons)
    staying: list[_Entry] = []
    rejected: set[int] = set()
    for entry in sorted(entries, key=lambda entry: -entry.support):  # stable: then the earlier one
        delta, _ = combine_accepted(other.proposal for other in (*staying, entry))
        trying, _ = apply(playbook, delta)
        asked = [other.place for other in staying if other.place in failing]
        if all(_is_right(lessons[place], trying, lab) for place in (entry.place, *asked)):
            staying.append(entry)
        else:
            rejected.add(entry.place)
    return [_reject(lesson) if place in rejected else lesson for place, lesson in enumerate(lessons)]


def _list_entries(lessons: Sequence[Lesson]) -> list[_Entry]:
    accepted = {
        place: proposal
        for place, lesson in enumerate(lessons)
        for proposal in lesson.proposals
        if (lesson.search is not None or len(lessons) > _LARGE) and changes_use(proposal)
    }
    support = defaultdict[tuple[str, ...], int](int)
    contents = {
        place: tuple(op.content for op in proposal.delta if isinstance(op, Add))
        for place, proposal in accepted.items()
    }
    for texts in contents.values():
        support[texts] += 1
    return [_Entry(place, proposal, support[contents[place]]) for place, proposal in accepted.items()]


def _is_right(lesson: Lesson, playbook: Playbook, lab: Lab) -> bool:
    trial = lesson.trial
    bench = lab.bench_of(trial)
    with lab.counting_for(bench.calls_for):
        return is_better(bench.solve(trial.sample, playbook), grade(trial.feedback) or 0.0)


def _reject(lesson: Lesson) -> Lesson:
    """Return a lesson whose accepted proposal is rejected, because it fails beside the others."""
    proposals = []
    for proposal in lesson.proposals:
        if changes_use(proposal):
            why = f"{proposal.why}; it does not hold beside the other lessons of its batch"
            proposal = replace(proposal, outcome="rejected", why=why, reason=Reason.BESIDE_OTHERS)
        proposals.append(proposal)
    return replace(lesson, proposals=tuple(proposals))
