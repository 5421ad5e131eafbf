"""Holds one recorded attempt, and keeps apart what a label says of it and what its environment showed.

`attempt` and `outcome` make of it what a run makes of an attempt of its own.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import astuple, dataclass, replace

from ace.task.attempt import Attempt, Turn, TurnKind
from ace.task.trajectory import show_trajectory
from ace.task.types import Environment, Outcome, Sample, Task

WITHOUT_A_TASK = "without a task"
"""What a run's record says of logs that no environment can judge."""

_OBSERVED_TOKENS = 1_500  # of the turns, where they are shown as what was observed


@dataclass(frozen=True, slots=True, kw_only=True)
class Trace:
    """Hold a recorded attempt."""

    id: str = ""
    """Unique in its file; `number_traces` gives it."""

    sample: str
    """The id of what it is an attempt at, which several traces may share."""

    question: str
    """What was asked; in a conversation, first of all."""

    answer: str
    """What was said or called last; "" where nothing was."""

    error: str = ""
    """What went wrong, for people; "" where nothing did."""

    reasoning: str = ""
    """What was thought, where no turn holds it."""

    turns: tuple[Turn, ...] = ()
    """Free of labels: what was said, thought, done and shown on the way."""

    ran: bool | None = None
    """Free of labels: whether it ended without an error; None when the log does not say."""

    correct: bool | None = None
    """A label; None when the log does not say whether it is right."""

    score: float = 0.0
    """A label, from 0 to 1. Where it contradicts `correct`, that counts."""

    remark: str = ""
    """A label: what somebody said of the attempt."""

    expected: str = ""
    """A label: the right answer."""

    file: str = ""
    """The path of the log that it was read from."""

    line: int = 0
    """Where its record begins, from 1; 0 in a JSON list, whose records need not begin a line."""

    def attempt(self, sample: Sample) -> Attempt:
        """Return it as an attempt at `sample`; its text is the transcript, without what was thought."""
        return Attempt(
            sample.id,
            self.answer,
            "\n".join(self.lines) or self.answer,
            self.error,
            reasoning=self.reasoning,
            turns=self.turns,
        )

    @property
    def lines(self) -> tuple[str, ...]:
        """Return what was said, done and shown on the way as texts; what was thought is left out."""
        lines: list[str] = []
        for turn in self.turns:
            if turn.kind is not TurnKind.THOUGHT:
                lines += turn.lines()
        return tuple(lines)

    @property
    def record(self) -> str:
        """Return what the log says of the attempt as a sentence: a label, "" where it says nothing."""
        if self.correct is None:
            return ""
        word = "right" if self.correct else "wrong"
        return f"recorded as {word}, score {self.score:g}"

    def outcome(self, right: str = "") -> Outcome:
        """Return what the log and its environment say of the attempt.

        `right` is the answer of another attempt at the same sample that was recorded as right: a label too.
        It is used where the log names no right answer. Where turns are shown, labels stand in front of them
        and not in `expected`, which would replace them in prompts.
        """
        expected, expected_kind = self.expected, "answer"
        if right and not expected:
            expected, expected_kind = right, "answer of another attempt"
        if self.turns:
            visible = tuple(turn for turn in self.turns if turn.kind is not TurnKind.THOUGHT)
            observed = show_trajectory(Attempt(self.sample, "", turns=visible), _OBSERVED_TOKENS)
            sentence = f"Right {expected_kind}: {expected}" if expected else ""
            lines = [self.record, self.remark, sentence, observed]
            expected = ""
        else:
            observed = Attempt(self.sample, self.answer, error=self.error).summary
            lines = [observed, self.record, self.remark]
            if expected and self.remark:
                expected = f"{expected}\n{self.remark}"

        # The log's word counts more than its number: what it calls wrong has less than 1.
        score: float | None = None
        detail = ""
        if self.correct is None:
            detail = "the log does not say whether it is right"
        elif self.correct:
            score = 1.0
        else:
            score = self.score if self.score < 1.0 else 0.0
        return Outcome(
            score=score,
            observed=observed,
            annotated="\n".join(filter(None, lines)),
            detail=detail,
            ran=self.ran,
            expected=expected,
            expected_kind=expected_kind,
        )


@dataclass(frozen=True, slots=True)
class UnjudgedEnvironment(Environment):
    """Stands for the environment of logs that come without a task: it can neither be acted on nor judge.

    What the logs say of their attempts is all that is known.
    """

    def score(self, sample: Sample, attempt: Attempt) -> Outcome:
        """Judge nothing: the outcome has no score, so the attempt counts as wrong in metrics."""
        return Outcome(detail="nothing can judge it")

    def observe(self, sample: Sample, attempt: Attempt) -> Outcome:
        """Show nothing."""
        return Outcome()

    def check(self, sample: Sample) -> None:
        """Refuse every sample: only logs are learned from."""
        raise sample.problem("", "recorded attempts without a task have no samples of their own.")


def number_traces(traces: Sequence[Trace]) -> tuple[Trace, ...]:
    """Give traces ids: that of the sample, and the number of the attempt where there are several, as "7#2".

    Numbers count from 1, in the order given.
    """
    totals = Counter(trace.sample for trace in traces)
    counts: Counter[str] = Counter()
    numbered = []
    for trace in traces:
        counts[trace.sample] += 1
        number = f"#{counts[trace.sample]}" if totals[trace.sample] > 1 else ""
        numbered.append(replace(trace, id=f"{trace.sample}{number}"))
    return tuple(numbered)


def make_unjudged_task(name: str) -> Task:
    """Return a task that is only a name, for logs that come without one: it has no samples."""
    return Task(name, "", UnjudgedEnvironment())


def fingerprint(traces: Sequence[Trace]) -> str:
    """Return 16 hex digits that change with any of the traces, but not with the file's place; "" for none.

    A run of traces is resumed only with the same ones.
    """
    if not traces:
        return ""
    values = [astuple(trace)[:-2] for trace in traces]  # without `file` and `line`
    return hashlib.sha256(repr(values).encode("utf-8", "backslashreplace")).hexdigest()[:16]
