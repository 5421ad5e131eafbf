"""Types for samples, attempts and outcomes, and for what a learner may see of an outcome.

An environment scores an attempt once, which gives an `Outcome`. It may hold labels, so metrics read its
verdict, and `Outcome.shown` is the only way from it to a role or an acceptance rule.
"""

from __future__ import annotations

from collections.abc import Awaitable, Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any, NewType, Protocol, runtime_checkable

from ace.errors import TaskError
from ace.settings import FeedbackKind as FeedbackKind
from ace.task.attempt import Attempt as Attempt
from ace.task.attempt import Failure as Failure
from ace.task.attempt import FinishReason as FinishReason
from ace.task.attempt import Turn as Turn
from ace.task.attempt import TurnKind as TurnKind
from ace.task.extraction import Extraction
from ace.task.solving import SolverChoice
from ace.task.solving import Solving as Solving

Topic = NewType("Topic", str)


@dataclass(frozen=True, slots=True)
class Sample:
    """Hold one question. `data` is what the environment needs beside it (gold answer, database).

    `file` and `line` say where the row stands, for messages; they are no part of its identity.
    """

    id: str
    question: str
    data: Mapping[str, Any] = field(default_factory=dict)
    file: str = field(default="", compare=False)
    line: int = field(default=0, compare=False)

    def problem(self, field: str, message: str, hint: str = "") -> TaskError:
        """Return an error that names the row, and the field of it to look at."""
        return TaskError(
            f"Sample {self.id}: {message}",
            hint=hint,
            file=self.file,
            line=self.line,
            field=field,
            sample=self.id,
        )


class Difference(StrEnum):
    """Ways in which an attempt differs from the right answer. A fact's text says the same for people."""

    MISSING = "missing"
    EXTRA = "extra"
    CHANGED = "changed"
    ORDER = "order"
    # of a text that is nearly right
    CASE = "case"
    PUNCTUATION = "punctuation"  # and spaces
    NUMBER_FORMAT = "number format"
    UNIT = "unit"
    DATE_FORMAT = "date format"
    WORDS_AROUND = "words around"
    # of a number
    NO_NUMBER = "no number"
    AMONG_OTHERS = "among others"
    DECIMAL_COMMA = "decimal comma"
    SCALE = "scale"
    PERCENT = "percent"  # a percentage for a fraction, or the other way round
    SIGN = "sign"
    RECIPROCAL = "reciprocal"
    ROUNDING = "rounding"
    OFF_BY_ONE = "off by one"
    OTHER_NUMBER = "other number"
    # of a program
    FAILING_TEST = "failing test"
    NOT_RUN = "not run"


@dataclass(frozen=True, slots=True)
class Fact:
    """Name a part of a right answer, or of an attempt, and the topics that it mentions.

    `difference` is set where an environment explains how an attempt differs from that part.
    """

    text: str
    topics: frozenset[Topic] = frozenset()
    difference: Difference | None = None


@dataclass(frozen=True, slots=True)
class Verdict:
    """Say how an attempt scored, 0 to 1. For metrics only: never shown to a role."""

    correct: bool
    score: float
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Feedback:
    """Hold what a learner may see of an outcome.

    `passed` and `score` are None when nothing shown says right or wrong. `expected`, `facts`, `missing` and
    `label_error` come from labels. `ran` is evidence without labels: the attempt ran and returned something.
    `checked`: `ran` is the environment's own check of the answer and stands in for a verdict.
    `topics` come from the attempt, or from the right answer where labels are allowed.
    """

    kind: FeedbackKind
    text: str
    passed: bool | None = None
    score: float | None = None
    expected: str = ""
    expected_kind: str = "answer"
    label_error: str = ""
    topics: frozenset[Topic] = frozenset()
    facts: tuple[Fact, ...] = ()
    missing: tuple[Fact, ...] = ()
    ran: bool | None = None
    checked: bool = False
    parts: tuple[Fact, ...] = ()

    @property
    def is_solved(self) -> bool | None:
        """Tell whether it is right, as far as a learner may see; None when nothing shown says so."""
        return self.ran if self.passed is None else self.passed

    @property
    def right_answer(self) -> str:
        """Return the sentence for prompts, as "Right answer: 42"; "" where no label is shown."""
        if self.label_error:
            return f"The right {self.expected_kind} fails: {self.label_error}"
        if not self.expected or not self.expected_kind:
            return self.expected
        return f"Right {self.expected_kind}: {self.expected}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """Hold all that an environment says of one attempt.

    `score` is a number from 0 to 1, or None when nothing judged the attempt. Free of labels: `observed` (what
    the environment showed), `ran` (it ran and returned something), `self_check` (the environment's own check
    of the answer, from the question alone), `topics` and `parts` of the attempt. From labels: `detail` (for
    metrics only), `expected` (the right answer, which prompts name by `expected_kind`), `label_topics`,
    `facts` (what the right answer is made of), `missing` (those that the attempt has not), `annotated`
    (replaces `observed` where labels are shown) and `label_error` (the label is broken: no answer could be
    right). `judge_error`: scoring failed, which says nothing of the answer.
    """

    score: float | None = None
    observed: str = ""
    detail: str = ""
    ran: bool | None = None
    self_check: bool | None = None
    expected: str = ""
    expected_kind: str = "answer"
    topics: frozenset[Topic] = frozenset()
    label_topics: frozenset[Topic] = frozenset()
    facts: tuple[Fact, ...] = ()
    missing: tuple[Fact, ...] = ()
    parts: tuple[Fact, ...] = ()
    annotated: str = ""
    label_error: str = ""
    judge_error: str = ""

    @property
    def correct(self) -> bool:
        """Return whether the attempt got the full score."""
        return self.score == 1.0

    @property
    def verdict(self) -> Verdict:
        """Return the score for metrics: an attempt that nothing judged counts as wrong."""
        detail = f"the judge failed: {self.judge_error}" if self.judge_error else self.detail
        return Verdict(self.correct, self.score or 0.0, detail)

    def shown(self, kind: FeedbackKind) -> Feedback:
        """Return what a learner may see: all, what needs no label, or nothing."""
        if kind is FeedbackKind.NONE:
            return Feedback(kind, "")
        ran = self.ran if self.self_check is None else self.self_check
        if kind is FeedbackKind.EXECUTION:
            checked = self.self_check is not None
            return Feedback(
                kind, self.observed, topics=self.topics, ran=ran, checked=checked, parts=self.parts
            )
        text = self.annotated or self.observed
        if self.label_error:  # no answer could be right, so nothing is said of this one
            return Feedback(kind, text, label_error=self.label_error, expected_kind=self.expected_kind)
        return Feedback(
            kind,
            text,
            passed=None if self.score is None else self.correct,
            score=self.score,
            expected=self.expected,
            expected_kind=self.expected_kind,
            topics=self.label_topics or self.topics,
            facts=self.facts,
            missing=self.missing,
            ran=ran,
            parts=self.parts,
        )


@dataclass(frozen=True, slots=True)
class Episode:
    """Record one attempt. `context_version` is the playbook version its run step began with:
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
    """Scores attempts. Methods are called from several threads.

    Two attributes are optional: `label_field`, the field of a row that holds what is right ("answer" where an
    environment names none), and `bounded`, true for an environment that limits its own time.
    """

    def describe(self, sample: Sample) -> str:
        """Return what the generator is told beside instructions and question, for example a schema."""
        return ""

    def score(self, sample: Sample, attempt: Attempt) -> Outcome | Awaitable[Outcome]:
        """Return all there is to say of an attempt. Called once for each; what it raises is recorded."""
        ...

    def check(self, sample: Sample) -> None:
        """Raise TaskError when the sample cannot be used (gold answer that fails, missing field)."""
        ...


@runtime_checkable
class Observing(Protocol):
    """Environments that show something of an attempt without any label, as for served questions."""

    def observe(self, sample: Sample, attempt: Attempt) -> Outcome:
        """Return what can be seen without a label: no score, and nothing that depends on one."""
        ...


@runtime_checkable
class Explaining(Protocol):
    """Environments, and judges, that name what a wrong attempt lacks. From labels only."""

    def explain(self, sample: Sample, attempt: Attempt) -> Iterable[Fact] | Awaitable[Iterable[Fact]]:
        """Return the facts that the attempt lacks; they become `Outcome.missing`.

        Called after `score`, for an attempt without the full score and without `missing`.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskContext:
    """Hold what a task wants in a context beside instructions and playbook.

    `documents`: a folder to look things up in, `passages` of it for a question; `memories`: what users said
    in earlier sessions; `embedder`: the model that compares texts, empty for the default; `share`: of a
    prompt's room, kept for all of that.
    `fields`: data of a sample that sources see beside its question (a label must not be among them).
    `sources`: objects with `name` and `items`, or functions of the question (`ace.context.Source`).
    """

    documents: Path | None = None
    passages: int = 5
    memories: bool = False
    embedder: str = ""
    share: float = 0.3
    fields: tuple[str, ...] = ("user", "session", "tenant")
    sources: tuple[Any, ...] = ()


@dataclass(frozen=True, slots=True)
class Task:
    """Hold samples, and the environment that scores attempts at them.

    `max_tokens` cuts off a runaway answer, or each part of a long one. `extract` says where in a reply the
    answer stands; without it, the reply is the answer.
    """

    name: str
    instructions: str
    environment: Environment
    train: tuple[Sample, ...] = ()
    val: tuple[Sample, ...] = ()
    test: tuple[Sample, ...] = ()
    max_tokens: int = 1024
    context: TaskContext = field(default_factory=TaskContext)
    solver: SolverChoice = field(default_factory=Solving)
    extract: Extraction | None = None
