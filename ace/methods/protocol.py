"""Define what the loop asks of a method, and what a method may ask for. The loop knows no other learning."""

from __future__ import annotations

from collections.abc import Callable, Generator, Hashable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Any, Protocol, TypeVar

from ace.context.answer_location import AnswerLocation
from ace.context.render import Rendered
from ace.llm.embedding import Embedder
from ace.playbook.model import Delta, Playbook
from ace.retrieval.bullets import HybridSelector
from ace.runs.records import Proposal
from ace.runs.steps import Notes, Phase, StepRecord
from ace.settings import Settings
from ace.task.types import Attempt, Episode, Fact, Feedback, Sample, Task
from ace.text import CountTokens, estimate_tokens

T = TypeVar("T")
R = TypeVar("R")
State = Any
"""Memory of a method during a run. The loop keeps it and hands it back; only the method looks inside."""


@dataclass(frozen=True, slots=True)
class Equipment:
    """Hold what a method is built with beside its models and settings."""

    count_tokens: CountTokens = estimate_tokens
    """How a text counts against the room that a method is given."""

    choose_bullets: HybridSelector | None = None
    """Picks bullets for a question when not all fit (None: the oldest stay)."""

    embedder: Embedder | None = None
    """Turns texts into vectors; None: a method does without."""


@dataclass(frozen=True, slots=True)
class Trial:
    """Hold one attempt as a learner may see it: feedback, no verdict."""

    sample: Sample
    attempt: Attempt
    feedback: Feedback
    episode: str
    """The id of its full record."""

    provable: bool = True
    """False when no further attempt at its sample can be judged."""

    parts: tuple[Fact, ...] = ()
    """What the attempt is made of, where the environment says so and a playbook may have had a share in it.
    """

    cited: tuple[str, ...] = ()
    """Ids of those bullets it was shown that it names as used."""

    sources: tuple[str, ...] = ()
    """Texts that nobody vouches for and that stood beside the question: documents, memories, what tools
    returned.
    """

    private: tuple[str, ...] = ()
    """Texts of one user, such as memories: they prove nothing, and may stand in no bullet."""

    answer_location: AnswerLocation | None = None
    """Where the right answer stood in what was retrieved; None where nothing was retrieved or no right answer
    may be shown.
    """

    recorded: bool = False
    """The attempt was made elsewhere, or earlier, and its sample may be known better by now."""

    @property
    def sure(self) -> bool:
        """Tell whether a label or the environment's own check spoke, and not only that the attempt ran."""
        return self.feedback.passed is not None or (self.provable and self.feedback.checked)


class Bench(Protocol):
    """Try things out for one purpose, such as a sample. Every trial is recorded as an episode."""

    @property
    def calls_for(self) -> str:
        """Return the name that its model calls are counted for."""
        ...

    @property
    def episodes(self) -> Sequence[Episode]:
        """Return the records of what was tried so far."""
        ...

    def solve(self, sample: Sample, playbook: Playbook, *, draw: int = 0) -> Trial:
        """Attempt a sample with a playbook. Draw 0 is greedy; others differ in seed and temperature."""
        ...

    def again(self, sample: Sample, playbook: Playbook) -> tuple[Trial, ...]:
        """Make the further attempts by which agreement is judged: one fewer than `settings.agreement`."""
        ...

    def seed(self, *parts: Hashable) -> int:
        """Return a number that depends on the run's seed, the phase and `parts` only."""
        ...


class Lab(Protocol):
    """Offer what a method may use in one step: attempts, a parallel map, seeds, recorded episodes.

    It gives no access to the store or the run.
    """

    @property
    def settings(self) -> Settings:
        """Return those of the run."""
        ...

    @property
    def phase(self) -> Phase:
        """Return that of the step."""
        ...

    @property
    def online(self) -> bool:
        """Return whether samples come once, in the order of the world."""
        ...

    def bench(self, purpose: str, *, phase: Phase | None = None) -> Bench:
        """Return the bench for a purpose; make it if it is new.

        Attempts in a `phase` of their own stay out of scores.
        """
        ...

    def bench_of(self, trial: Trial) -> Bench:
        """Return the bench that a trial of this step was made on."""
        ...

    def map(self, work: Callable[[T], R], items: Sequence[T], name: Callable[[T], str]) -> Iterator[R]:
        """Work on items in parallel and yield the results in order.

        The model calls for an item are counted for its name.
        """
        ...

    def counting_for(self, name: str) -> AbstractContextManager[None]:
        """Count the model calls of a block for `name`."""
        ...

    def episodes(self, ids: Iterable[str]) -> Sequence[Episode]:
        """Return recorded episodes in the order they were made. Not from inside `map`."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Update:
    """Report what a method makes of a batch or a chore: the delta to commit and all there is to say of it."""

    delta: Delta = ()
    """The operations to commit; it may be empty."""

    proposals: tuple[Proposal, ...] = ()
    """What was proposed and what was decided, in order, kept for people and for reports."""

    author: str = "curator"
    """Who the version is by: roles, joined by "+"."""

    reason: str = ""
    """Why there is a version, for people; the loop names the step where it is empty."""

    proofs: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """Maps each bullet that is added or changed to the samples that are right with it."""

    notes: Notes = field(default_factory=dict)
    """Go into the record of the step, and come back in `replay`."""

    sample_notes: Sequence[Notes] = ()
    """One for each trial of a batch, in its order; they go into the results of the samples."""


@dataclass(frozen=True, slots=True)
class Chore:
    """Describe one piece of maintenance, a step of its own."""

    phase: Phase
    """What the step is part of, in the journal."""

    name: str
    """Tells it from others of its phase; model calls are counted for it."""

    work: Callable[[Playbook, Lab], Update]
    """Called with the newest playbook and the step's lab, and not again when the journal has the step
    already.
    """


Chores = Generator[Chore, Playbook, None]
"""Chores one after the other: each `yield` gives back the playbook once the chore is committed."""


class Moment(Enum):
    """Say when maintenance is asked for."""

    EPOCH = auto()  # the samples of an epoch have been learned from
    EPOCH_END = auto()  # and those that failed have come back
    TRACES = auto()  # recorded attempts have been learned from


@dataclass(frozen=True, slots=True)
class Summary:
    """Say how learning goes."""

    notes: tuple[str, ...] = ()
    """Sentences for the report."""

    give_up: bool = False
    """More training is not worth its calls."""


class Method(Protocol):
    """Supply the context and learn. Pure but for its model calls: the loop commits."""

    @property
    def name(self) -> str:
        """Return the name that `--method` and reports have for it."""
        ...

    @property
    def cites(self) -> bool:
        """Return whether the generator is asked to name the bullets that it used, by the labels they have."""
        ...

    @property
    def replays(self) -> bool:
        """Return whether samples that are still wrong at the end of an epoch come back to be learned from."""
        ...

    def start(self, task: Task, playbook: Playbook, lab: Lab) -> State:
        """Return what is remembered before the first step."""
        ...

    def context(self, state: State, playbook: Playbook, sample: Sample, room: int) -> Rendered:
        """Return what the generator gets of a playbook in `room` tokens, and what did not fit.

        The text is a prefix: as long as everything fits, it is the same whatever the sample.
        """
        ...

    def learn(self, state: State, batch: Sequence[Trial], playbook: Playbook, lab: Lab) -> Update:
        """Learn from the trials of a batch, all made with `playbook`."""
        ...

    def maintain(self, state: State, playbook: Playbook, lab: Lab, moment: Moment, number: int) -> Chores:
        """Yield what is worth doing at a moment of an epoch, which `number` counts from 1."""
        ...

    def summarize(self, state: State) -> Summary:
        """Return what there is to say of the learning so far, and whether it is worth going on."""
        ...

    def replay(self, state: State, step: StepRecord, playbook: Playbook, lab: Lab) -> State:
        """Take in a step that was committed, or that a resumed run finds in its journal.

        `playbook` is that of the step's version. A step of phase DRIFT says that the answers of an online run
        got worse. A state is the fold of the steps, so it is the same after a resume.
        """
        ...
