"""Choose the few samples on which a candidate is proven: near failing ones, and near passing ones.

Near is what shares topics, where the environment names some, else what has a similar question, by vectors.
Knows the latest outcome of each sample; built up in journal order, so it is the same after a resume.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from threading import Lock
from typing import TYPE_CHECKING

from ace.methods.protocol import Trial
from ace.task.types import Feedback, Sample

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from ace.llm.embedding import Embedder

MARGIN = 0.1  # by which a graded score must rise or fall to count
_MOST = 4  # helpers, and guards


@dataclass(frozen=True, slots=True)
class Pool:
    """Hold near samples of a candidate's own: `helpers` failed, `guards` had one of the `grades` to lose."""

    helpers: tuple[Sample, ...] = ()
    guards: tuple[Sample, ...] = ()
    grades: Mapping[str, float] = field(default_factory=dict)


def grade(feedback: Feedback) -> float | None:
    """Return how good an attempt was, 0 to 1, as far as a learner may see; None where that is not said."""
    solved = feedback.is_solved
    if solved is None:
        return None
    return 1.0 if solved else min(feedback.score or 0.0, 1.0)


def is_better(trial: Trial, base: float) -> bool:
    """Return whether an attempt is right, or its score is above `base` by a margin."""
    score = grade(trial.feedback)
    return score is not None and (score >= 1.0 > base or score >= base + MARGIN)


def is_worse(trial: Trial, base: float) -> bool:
    """Return whether an attempt's score is below `base` by a margin."""
    score = grade(trial.feedback)
    return score is None or score <= base - MARGIN


@dataclass(slots=True)
class SampleMap:
    """Know every sample, how its latest attempt came out, and which others are near it."""

    embedder: Embedder | None = None
    samples: dict[str, Sample] = field(default_factory=dict)
    grades: dict[str, float] = field(default_factory=dict)
    topics: dict[str, frozenset[str]] = field(default_factory=dict)
    _vectors: dict[str, NDArray[np.float32]] = field(default_factory=dict)
    _lock: Lock = field(default_factory=Lock)

    def add(self, samples: Iterable[Sample]) -> None:
        """Take in samples, those that are known already once only."""
        for sample in samples:
            self.samples.setdefault(sample.id, sample)

    def record(self, sample_id: str, score: float | None, topics: Collection[str]) -> None:
        """Take in how the latest attempt at a sample came out."""
        if score is None:
            self.grades.pop(sample_id, None)
        else:
            self.grades[sample_id] = score
        self.topics[sample_id] = frozenset(topics)

    def forget(self) -> None:
        """Drop all outcomes: the world has changed."""
        self.grades.clear()

    def choose_pool(self, sample: Sample, most: int = _MOST) -> Pool:
        """Return the pool of a candidate that was learned from `sample`."""
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
        shared = {name: len(self._topics_of(sample.id) & self._topics_of(name)) for name in others}
        near = self._measure(sample, others)
        return sorted(others, key=lambda name: (-shared[name], -near[name], name))

    def _nearest(self, sample: Sample, names: Sequence[str], most: int) -> tuple[Sample, ...]:
        ranked = self.rank(sample, names)
        own = self._topics_of(sample.id)
        on_topic = [name for name in ranked if own & self._topics_of(name)]
        return tuple(self.samples[name] for name in (on_topic or ranked)[:most])

    def _topics_of(self, sample_id: str) -> frozenset[str]:
        return self.topics.get(sample_id, frozenset()) - {"*"}

    def _measure(self, sample: Sample, names: Sequence[str]) -> dict[str, float]:
        """Return the cosine of each sample's question with that of `sample`; 0 without an embedder."""
        if self.embedder is None:
            return dict.fromkeys(names, 0.0)
        import numpy as np

        with self._lock:
            new = [name for name in (sample.id, *names) if name not in self._vectors]
            questions = {name: self.samples.get(name, sample).question for name in new}
            if questions:
                vectors = self.embedder(list(questions.values()))
                self._vectors.update(zip(questions, vectors, strict=True))
        own = self._vectors[sample.id]
        cosines = np.stack([self._vectors[name] for name in names]) @ own
        # Rounded, so that the last bit of a sum decides nothing.
        return {name: round(float(cosine), 4) for name, cosine in zip(names, cosines, strict=True)}
