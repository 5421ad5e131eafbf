"""Let the lessons of a batch meet before they are kept. Each was proven alone, on the same playbook.

What fails beside the others is left out: those that more samples speak for come first.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from ace.methods.ace.combine import combine_accepted
from ace.methods.ace.proposals import changes_use
from ace.methods.ace.state import Lesson
from ace.methods.grades import grade, is_better
from ace.methods.protocol import Lab
from ace.playbook.delta import apply
from ace.playbook.model import Add, Playbook
from ace.runs.records import Proposal, Reason

_LARGE = 8  # samples; in larger batches what an environment vouches for is tried beside the others, too


def keep_compatible(lessons: Sequence[Lesson], playbook: Playbook, lab: Lab) -> list[Lesson]:
    """Return the lessons, with proposals rejected that fail beside the others, or make others fail.

    All are tried at once, each on its own sample and in parallel; only where one fails are they added one
    after the other.
    """
    accepted: dict[int, Proposal] = {}  # by the place of their lesson in the batch
    for place, lesson in enumerate(lessons):
        if lesson.search is None and len(lessons) <= _LARGE:
            continue
        for proposal in lesson.proposals:
            if changes_use(proposal):
                accepted[place] = proposal
    if len({proposal.delta for proposal in accepted.values()}) < 2:
        return list(lessons)
    delta, _ = combine_accepted(accepted.values())
    joint, _ = apply(playbook, delta)
    places = tuple(accepted)
    are_right = lab.map(
        lambda place: _is_right(lessons[place], joint, lab),
        places,
        lambda place: lab.bench_of(lessons[place].trial).calls_for,
    )
    failing = {place for place, is_right in zip(places, are_right, strict=True) if not is_right}
    if not failing:
        return list(lessons)
    additions: dict[int, tuple[str, ...]] = {}
    for place, proposal in accepted.items():
        additions[place] = tuple(op.content for op in proposal.delta if isinstance(op, Add))
    support = Counter(additions.values())  # how many samples of the batch teach the same
    staying: list[int] = []
    rejected: set[int] = set()
    for place in sorted(accepted, key=lambda place: -support[additions[place]]):  # stable: then the earlier
        delta, _ = combine_accepted(accepted[other] for other in (*staying, place))
        trying, _ = apply(playbook, delta)
        asked = [other for other in staying if other in failing]
        if all(_is_right(lessons[other], trying, lab) for other in (place, *asked)):
            staying.append(place)
        else:
            rejected.add(place)
    return [_reject(lesson) if place in rejected else lesson for place, lesson in enumerate(lessons)]


def _is_right(lesson: Lesson, playbook: Playbook, lab: Lab) -> bool:
    """Attempt a lesson's own sample with a playbook, and return whether it got better."""
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
