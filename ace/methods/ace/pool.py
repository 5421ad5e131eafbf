"""Choose the few samples on which a candidate is proven: near failing ones, and near passing ones.

Near is what shares topics, where the environment names some, then what asks alike and has a right answer of
the same form. Knows the latest outcome of each sample, and the right answers that were shown; built up in
journal order, so it is the same after a resume.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from ace.methods.grades import MARGIN
from ace.task.types import Fact, Feedback, Sample
from ace.text.likeness import Likeness

_MOST = 4  # helpers, and guards
_MOST_SIMILAR = 2  # that a reflector is shown
_ALIKE = 0.15  # that samples must share, in sum, for what their answers share to be no chance
_ANSWER_WEIGHT = 0.33  # of the form of right answers, beside questions


@dataclass(frozen=True, slots=True)
class Pool:
    """Hold samples near that of a candidate, the nearest first."""

    helpers: tuple[Sample, ...] = ()
    """Those that failed; one that a candidate makes right is a second witness for it."""

    guards: tuple[Sample, ...] = ()
    """Those that were right, in part at least; a candidate must not make them worse."""

    grades: Mapping[str, float] = field(default_factory=dict)
    """How good the latest attempt at each guard was, by its id."""


@dataclass(frozen=True, slots=True)
class Labelled:
    """Hold a sample with its right answer as it was shown."""

    sample: Sample

    expected: str
    """The answer itself."""

    sentence: str
    """The answer for prompts, as "Right answer: 42"."""

    facts: tuple[Fact, ...] = ()
    """What it is made of, where the environment explains it."""


@dataclass(slots=True)
class SampleMap:
    """Know every sample, how its latest attempt came out, and which others are near it.

    How alike questions and answers are is measured by the runs of characters that they share (see
    `ace.text.likeness`). Everything is by the id of a sample.
    """

    samples: dict[str, Sample] = field(default_factory=dict)
    """All that were met, or are to come in training."""

    grades: dict[str, float] = field(default_factory=dict)
    """How good the latest attempt was, 0 to 1; none where nothing was shown of it."""

    topics: dict[str, frozenset[str]] = field(default_factory=dict)
    """What the latest attempt was about."""

    labelled: dict[str, Labelled] = field(default_factory=dict)
    """Those whose right answer was shown."""

    _questions: Likeness = field(default_factory=Likeness)
    _answers: Likeness = field(default_factory=lambda: Likeness(sizes=(1, 2, 3)))
    """The texts by which samples are compared."""

    def add(self, samples: Iterable[Sample]) -> None:
        """Take in samples, those that are known already once only."""
        for sample in samples:
            if sample.id not in self.samples:
                self.samples[sample.id] = sample
                self._questions.add(sample.id, sample.question)

    def record(self, sample_id: str, score: float | None, topics: Collection[str]) -> None:
        """Take in how the latest attempt at a sample came out."""
        if score is None:
            self.grades.pop(sample_id, None)
        else:
            self.grades[sample_id] = score
        self.topics[sample_id] = frozenset(topics)

    def record_label(self, sample_id: str, feedback: Feedback) -> None:
        """Take in the right answer of a known sample, where one was shown."""
        if feedback.expected and sample_id in self.samples:
            sample = self.samples[sample_id]
            self.labelled[sample_id] = Labelled(
                sample, feedback.expected, feedback.right_answer, feedback.facts
            )
            self._answers.add(sample_id, feedback.expected)

    def forget(self) -> None:
        """Drop all outcomes and right answers: the world has changed."""
        self.grades.clear()
        self.labelled.clear()
        self._answers = Likeness(sizes=(1, 2, 3))

    def find_similar(self, sample: Sample, most: int = _MOST_SIMILAR) -> tuple[Labelled, ...]:
        """Return the nearest other samples whose right answers were shown.

        From a single case no rule can be told: what several have in common is the rule. What belongs to
        another user is not shown.
        """
        names = [name for name, other in self.labelled.items() if other.sample.owner in ("", sample.owner)]
        return tuple(self.labelled[name] for name in self.rank(sample, names)[:most])

    def find_labelled(self, sample: Sample, training: Sequence[Sample], most: int) -> list[Sample]:
        """Return the nearest other samples whose right answers may be shown: all of `training`, for one."""
        candidates = {other.id: other for other in training}
        candidates.update((name, labelled.sample) for name, labelled in self.labelled.items())
        names = [name for name, other in candidates.items() if other.owner in ("", sample.owner)]
        return [candidates[name] for name in self.rank(sample, names)[:most]]

    def find_shared_fact(self, sample: Sample) -> Fact | None:
        """Return what a right answer is made of as those of like samples are, rather than of its own words.

        None where like samples have the very same answer, or nothing in common.
        """
        own = self.labelled.get(sample.id)
        if own is None or not own.facts:
            return None
        others = [other for name, other in self.labelled.items() if name != sample.id]
        asks = self._questions.compare(sample.id, [other.sample.id for other in others])
        weights = []  # for each fact, how alike those samples ask whose answers are made of such a one, too
        for fact in own.facts:
            sharing = []
            for other in others:
                if any(fact.topics & other_fact.topics for other_fact in other.facts):
                    sharing.append(asks[other.sample.id])
            weights.append(sum(sharing))
        highest = max(weights)
        same_answer = sum(asks[other.sample.id] for other in others if other.expected == own.expected)
        if highest <= max(same_answer, _ALIKE):
            return None
        return own.facts[weights.index(highest)]

    def choose_pool(self, sample: Sample, most: int = _MOST) -> Pool:
        """Return the pool of a candidate that was learned from `sample`, `most` samples of either kind.

        A sample that was right in part may be in both: it can get better, and worse.
        """
        failing = [name for name, score in self.grades.items() if score < 1.0]
        passing = [name for name, score in self.grades.items() if score >= MARGIN]
        guards = self._nearest(sample, passing, most)
        grades = {guard.id: self.grades[guard.id] for guard in guards}
        return Pool(self._nearest(sample, failing, most), guards, grades)

    def rank(self, sample: Sample, names: Iterable[str]) -> list[str]:
        """Return the names of known samples, the nearest to `sample` first, without itself."""
        others = [name for name in names if name in self.samples and name != sample.id]
        if len(others) < 2:
            return others
        own_topics = self._topics_of(sample.id)
        asks = self._questions.compare(sample.id, others)
        answers = self._answers.compare(sample.id, others)
        order = {}  # by shared topics, then by likeness, then by name
        for name in others:
            shared = len(own_topics & self._topics_of(name))
            order[name] = (-shared, -(asks[name] + _ANSWER_WEIGHT * answers[name]), name)
        return sorted(others, key=lambda name: order[name])

    def _nearest(self, sample: Sample, names: Sequence[str], most: int) -> tuple[Sample, ...]:
        """Return the nearest of the named samples: those that share a topic, where there are any."""
        ranked = self.rank(sample, names)
        own = self._topics_of(sample.id)
        on_topic = [name for name in ranked if own & self._topics_of(name)]
        return tuple(self.samples[name] for name in (on_topic or ranked)[:most])

    def _topics_of(self, sample_id: str) -> frozenset[str]:
        """Return what its latest attempt was about; "*" is too wide to count."""
        return self.topics.get(sample_id, frozenset()) - {"*"}
