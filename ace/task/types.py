"""What is asked, what was done, how it scored, and what the learner may see of that.

Verdict and Feedback are different types on purpose: a verdict may use labels and goes to metrics
only; feedback is all that roles and acceptance rules ever see.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Protocol, runtime_checkable

from ace.settings import FeedbackKind as FeedbackKind


@dataclass(frozen=True, slots=True)
class Sample:
    """One task. `data` is what the environment needs beside the question (gold answer, database).

    `file` and `line` say where the row stands, for messages; they are no part of its identity.
    """

    id: str
    question: str
    data: Mapping[str, Any] = field(default_factory=dict)
    file: str = field(default="", compare=False)
    line: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class Attempt:
    """What the generator did. `error` says why there is no answer; `text` is the raw reply."""

    sample_id: str
    answer: str
    text: str = ""
    error: str = ""


JUDGE_FAILED = "the judge failed"  # how the detail of a verdict begins that says nothing of the answer


@dataclass(frozen=True, slots=True)
class Verdict:
    """How an attempt scored, 0 to 1. For metrics only: never shown to a role."""

    correct: bool
    score: float
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Feedback:
    """What the learner may see. `passed` is None when nothing shown says right or wrong.

    `uses` is what the right answer is made of, `missing` those parts of it that the attempt has not; also
    only with labels.
    `ran` is evidence without labels: the attempt ran and returned something, or passed the environment's own
    check where it has one (`SelfChecking`); None when nothing is shown.
    `text` describes the outcome (rows or error). `expected` describes the right answer and is empty
    unless labels are allowed. `subjects` name what the sample touches (tables, columns, topics),
    derived from the attempt, and from the gold answer only when labels are allowed.
    """

    kind: FeedbackKind
    text: str
    passed: bool | None = None
    expected: str = ""
    subjects: frozenset[str] = frozenset()
    ran: bool | None = None
    missing: tuple[str, ...] = ()
    uses: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Episode:
    """The raw record of one attempt. `context_version` is the playbook version its run step began with:
    an attempt that tries out a proposal saw that version with the proposal applied.
    """

    id: str
    sample_id: str
    question: str
    attempt: Attempt
    feedback: Feedback
    verdict: Verdict
    context_version: int
    phase: str = ""


class Environment(Protocol):
    """What an attempt acts on. Methods are thread-safe and never raise for a bad attempt."""

    def describe(self, sample: Sample) -> str:
        """What the generator is told beside instructions and question, for example a schema."""
        ...

    def judge(self, sample: Sample, attempt: Attempt) -> Verdict:
        """How the attempt scores: for metrics, so it may use labels."""
        ...

    def feedback(self, sample: Sample, attempt: Attempt, kind: FeedbackKind) -> Feedback:
        """What the learner sees: nothing that comes from a label unless `kind` is LABELS."""
        ...

    def check(self, sample: Sample) -> None:
        """Raise TaskError when the sample cannot be used (gold answer that fails, missing field)."""
        ...


@runtime_checkable
class SelfChecking(Protocol):
    """An environment that can tell a right answer from its question alone, as with a puzzle."""

    def self_check(self, sample: Sample, attempt: Attempt) -> bool:
        """Whether the answer holds. Never looks at a label: the outcome is shown, and lessons rest on it."""
        ...


@runtime_checkable
class Dissecting(Protocol):
    """An environment that can say what an attempt is made of, in the words of `Feedback.uses`."""

    def parts(self, sample: Sample, attempt: Attempt) -> tuple[str, ...]:
        """Without labels, and empty for what cannot be taken apart."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskContext:
    """What a task wants in a context beside instructions and playbook.

    `documents`: a folder to look things up in, `passages` of it for a question; `memories`: what users said
    in earlier sessions; `embedder`: the model that compares texts, empty for the default; `share`: of a
    prompt's room, kept for all of that.
    `fields`: what sources are told of a sample beside its question (a label must not be among them).
    `sources`: objects with `name` and `items`, or functions of the question (`ace.context.Source`).
    """

    documents: Path | None = None
    passages: int = 5
    memories: bool = False
    embedder: str = ""
    share: float = 0.3
    fields: tuple[str, ...] = ("user", "session", "tenant")
    sources: tuple[Any, ...] = ()

    @property
    def wanted(self) -> bool:
        return bool(self.documents or self.memories or self.sources)


@dataclass(frozen=True, slots=True, kw_only=True)
class Solving:
    """How an attempt is made: "single", one call; or "outline", a long answer written part by part.

    `words`: of a part, about; `mends`: how often a part with faults is written again.
    """

    kind: Literal["single", "outline"] = "single"
    words: int = 120
    mends: int = 1


@dataclass(frozen=True, slots=True)
class Task:
    """A named set of samples and the environment they act on. `max_tokens` cuts off a runaway answer,
    or each part of a long one.
    """

    name: str
    instructions: str
    environment: Environment
    train: tuple[Sample, ...] = ()
    val: tuple[Sample, ...] = ()
    test: tuple[Sample, ...] = ()
    max_tokens: int = 1024
    context: TaskContext = field(default_factory=TaskContext)
    solver: Solving = field(default_factory=Solving)
