"""What the loop asks of a method, and what a method may ask for. The loop knows nothing else."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from ace.context.answer_location import Standing
from ace.context.render import Rendered
from ace.playbook.model import Delta, Playbook
from ace.runs.records import Proposal
from ace.task.types import Attempt, Feedback, Sample

if TYPE_CHECKING:
    from ace.methods.ace.evidence import Evidence


@dataclass(frozen=True, slots=True)
class Trial:
    """One attempt as a learner may see it: no verdict. `episode` is the id of its full record.

    `provable` is False when no further attempt at its sample can be made: it was only recorded. `parts`: what
    the attempt is made of, where the environment says so and `feedback.facts` can be compared with it.
    `checked`: the environment checked the answer itself, so that `feedback.ran` says that it is right.
    `cited`: ids of bullets that it names as used, of those it was shown. `shown`: texts that nobody vouches
    for and that it had before it beside its question: documents, memories, what tools returned. `found`:
    where the right answer stood in what was retrieved; None where nothing was, or where no right answer is
    shown.
    """

    sample: Sample
    attempt: Attempt
    feedback: Feedback
    episode: str
    provable: bool = True
    parts: tuple[str, ...] = ()
    checked: bool = False
    cited: tuple[str, ...] = ()
    shown: tuple[str, ...] = ()
    found: Standing | None = None


class Bench(Protocol):
    """Where a method tries things out. Every trial is recorded as an episode."""

    def solve(self, sample: Sample, playbook: Playbook) -> Trial: ...

    def again(self, sample: Sample, playbook: Playbook) -> tuple[Trial, ...]:
        """Further attempts at a temperature, for agreement: as many as the run was told to make."""
        ...

    def seed(self, *parts: Hashable) -> int:
        """A number that depends on the run's seed and on `parts` only."""
        ...


class Method(Protocol):
    """Supplies the context and learns. Pure but for its model calls: the loop commits."""

    def context(self, playbook: Playbook, question: str, room: int) -> Rendered:
        """What the generator is given of a playbook in `room` tokens, and what there was no room for.

        Its text is a prefix: as long as everything fits, it is the same whatever the question.
        """
        ...

    def learn(
        self, trial: Trial, playbook: Playbook, bench: Bench, evidence: Evidence
    ) -> tuple[Proposal, ...]:
        """Every proposal that this trial led to, with its outcome; at most one is accepted."""
        ...

    def combine(self, proposals: Iterable[Proposal]) -> tuple[Delta, Mapping[str, str]]:
        """The accepted proposals of a batch, in order, as one delta; for each bullet that it does not add
        because another says the same, the id of that one.
        """
        ...

    def chores(self, playbook: Playbook, evidence: Evidence) -> tuple[str, ...]:
        """What is worth tidying up after an epoch, in a fixed order: names that `curate` understands."""
        ...

    def curate(
        self, chore: str, playbook: Playbook, bench: Bench, evidence: Evidence
    ) -> tuple[Proposal, ...]:
        """Proposals for one chore."""
        ...
