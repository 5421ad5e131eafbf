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
"""What a sample or an attempt is about, as its environment names it: a column, a label, a test."""


@dataclass(frozen=True, slots=True)
class Sample:
    """Hold one `question`. The place of its row (`file`, `line`) is for messages, no part of its identity."""

    id: str
    """Unique in its task."""

    question: str

    data: Mapping[str, Any] = field(default_factory=dict)
    """What the environment needs beside the question: the gold answer, the name of a database."""

    file: str = field(default="", compare=False)
    line: int = field(default=0, compare=False)
    """The line of its row, from 1; of rows in Python the number of the row."""

    @property
    def owner(self) -> str:
        """Return the user whose question it is, else the session; "" where it is nobody's own."""
        return str(self.data.get("user") or self.data.get("session") or "")

    def problem(self, field: str, message: str, hint: str = "") -> TaskError:
        """Return an error that names the row, and the field of it to look at: to be raised by the caller."""
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
    """Name a part of a right answer, or of an attempt, and the topics that it mentions."""

    text: str
    """The part for people and prompts: "ord.status = 7", "total: 5 instead of 7"."""

    topics: frozenset[Topic] = frozenset()

    difference: Difference | None = None
    """Set where an environment explains how an attempt differs from that part."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """Say how an attempt scored. For metrics only: never shown to a role."""

    correct: bool
    """Whether it got the full score."""

    score: float
    """From 0 to 1; 0 where nothing judged the attempt."""

    detail: str = ""
    """Why it was not right, for people."""


@dataclass(frozen=True, slots=True)
class Feedback:
    """Hold what a learner may see of an outcome; `Outcome.shown` makes one, and says what is in it.

    `kind` is what was allowed, `text` what was observed. Other fields mean what those of `Outcome` mean.
    """

    kind: FeedbackKind
    text: str

    # From labels, and empty without them.
    passed: bool | None = None
    """Whether the attempt got the full score; None when nothing shown says right or wrong."""

    score: float | None = None
    """From 0 to 1; None when nothing shown says right or wrong."""

    expected: str = ""
    expected_kind: str = "answer"
    label_error: str = ""

    topics: frozenset[Topic] = frozenset()
    """Those of the right answer where labels are allowed, else those of the attempt."""

    facts: tuple[Fact, ...] = ()
    missing: tuple[Fact, ...] = ()

    # Free of labels.
    ran: bool | None = None
    """Evidence without labels: the attempt ran and returned something."""

    checked: bool = False
    """Whether `ran` is the environment's own check of the answer, which stands in for a verdict."""

    parts: tuple[Fact, ...] = ()

    @property
    def is_solved(self) -> bool | None:
        """Tell whether it is right, as far as a learner may see; None when nothing shown says so.

        Without a verdict, that the attempt ran is taken for it.
        """
        return self.ran if self.passed is None else self.passed

    @property
    def right_answer(self) -> str:
        """Return the sentence for prompts, as "Right answer: 42"; "" where no label is shown.

        Of a broken label it says how that fails.
        """
        if self.label_error:
            return f"The right {self.expected_kind} fails: {self.label_error}"
        if not self.expected or not self.expected_kind:
            return self.expected
        return f"Right {self.expected_kind}: {self.expected}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """Hold all that an environment says of one attempt, labels among it."""

    score: float | None = None
    """A label: from 0 to 1, or None when nothing judged the attempt."""

    observed: str = ""
    """Free of labels: what the environment showed, such as rows or an error."""

    detail: str = ""
    """From labels, and for metrics only: why the attempt is wrong."""

    ran: bool | None = None
    """Free of labels: it ran and returned something; None where nothing runs."""

    self_check: bool | None = None
    """Free of labels: the environment's own check of the answer, from the question alone."""

    expected: str = ""
    """A label: the right answer."""

    expected_kind: str = "answer"
    """What prompts call the right answer, as in "Right SQL: ..."."""

    topics: frozenset[Topic] = frozenset()
    """Free of labels: the topics of the attempt."""

    label_topics: frozenset[Topic] = frozenset()
    """From labels: the topics of the right answer."""

    facts: tuple[Fact, ...] = ()
    """From labels: what the right answer is made of."""

    missing: tuple[Fact, ...] = ()
    """From labels: what of that the attempt has not, or how it differs."""

    parts: tuple[Fact, ...] = ()
    """Free of labels: what the attempt is made of."""

    annotated: str = ""
    """From labels: replaces `observed` where labels are shown."""

    label_error: str = ""
    """Why the label itself is broken: no answer could be right."""

    judge_error: str = ""
    """Why scoring failed, which says nothing of the answer."""

    judge_failure: Failure | None = None
    """UNREACHABLE where that is since somebody does not answer whom the judge asks; for programs."""

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
        """Return what a learner may see: all, what needs no label, or nothing.

        Where the environment checks answers itself, that check stands for `ran`. Of an attempt whose label is
        broken only what was observed is shown, and what is wrong with the label.
        """
        if kind is FeedbackKind.NONE:
            return Feedback(kind, "")
        ran = self.ran if self.self_check is None else self.self_check
        if kind is FeedbackKind.EXECUTION:
            return Feedback(
                kind,
                self.observed,
                topics=self.topics,
                ran=ran,
                checked=self.self_check is not None,
                parts=self.parts,
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
    """Record one attempt. Bullets cite the ids of episodes."""

    id: str
    sample_id: str
    question: str
    attempt: Attempt

    feedback: Feedback
    """What the learner saw of the outcome."""

    verdict: Verdict

    context_version: int
    """The playbook version that the run step began with.

    An attempt that tries out a proposal saw that version with the proposal applied.
    """

    phase: str = ""
    """The phase of the run that the attempt was made in."""


class Environment(Protocol):
    """Scores attempts. Methods are called from several threads.

    Two attributes are optional: `label_field`, the field of a row that holds what is right ("answer" where an
    environment names none), and `bounded`, true for an environment that limits its own time.
    """

    def describe(self, sample: Sample) -> str:
        """Return what the generator is told beside instructions and question, for example a schema.

        It stands in the system message, so samples with the same text share a cached prefix.
        """
        return ""

    def score(self, sample: Sample, attempt: Attempt) -> Outcome | Awaitable[Outcome]:
        """Return all there is to say of an attempt. Called once for each; what it raises is recorded.

        Without `bounded` it has a limit of time, after which the outcome is one with a `judge_error`.
        """
        ...

    def check(self, sample: Sample) -> None:
        """Raise TaskError when the sample cannot be used (gold answer that fails, missing field)."""
        ...


@runtime_checkable
class Observing(Protocol):
    """Environments that show something of an attempt without any label, as for served questions.

    Of others only the answer can be seen then.
    """

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
    """Hold what a task wants in a context beside instructions and playbook."""

    documents: Path | None = None
    """A folder to look things up in."""

    passages: int = 5
    """How many passages of the documents a question gets, at most."""

    memories: bool = False
    """Whether what users said in earlier sessions is looked up."""

    embedder: str = ""
    """The model that compares texts; empty for the default."""

    share: float = 0.3
    """What is kept for all of that, of the room that the instructions leave in a prompt."""

    fields: tuple[str, ...] = ("user", "session", "tenant")
    """Data of a sample that sources see beside its question; a label must not be among them."""

    sources: tuple[Any, ...] = ()
    """Objects with `name` and `items`, or functions of the question (`ace.context.Source`)."""


@dataclass(frozen=True, slots=True)
class Task:
    """Hold samples, and the environment that scores attempts at them.

    `instructions` are what the generator is told before every question. `train` is learned from, in order;
    `val` chooses between versions; `test` is only ever scored. `context` is what prompts hold beside these
    instructions, the playbook and the question, and `solver` how an attempt is made.
    """

    name: str
    instructions: str
    environment: Environment
    train: tuple[Sample, ...] = ()
    val: tuple[Sample, ...] = ()
    test: tuple[Sample, ...] = ()

    max_tokens: int = 1024
    """Cuts off a runaway answer, or each part of a long one."""

    context: TaskContext = field(default_factory=TaskContext)
    solver: SolverChoice = field(default_factory=Solving)

    extract: Extraction | None = None
    """Says where in a reply the answer stands; without it, the reply is the answer."""
