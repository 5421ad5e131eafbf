"""The journal of a run as values: its phases, what a step did, and how each sample fared.

The store keeps a step as JSON (`Step.payload`). Here that JSON is read and written, in one place; journals of
earlier releases are read too, because every key that was added since has a default.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from ace.errors import StoreError
from ace.runs.records import Step
from ace.task.attempt import Failure

Notes = Mapping[str, Any]
"""JSON values under names of their own: what a method wants to find again when a run is resumed."""


class PhaseKind(StrEnum):
    """Name what a run is doing."""

    BEFORE = "before"
    AFTER = "after"
    TRAIN = "train"
    VAL = "val"
    TEST = "test"
    EPOCH = "epoch"
    REPLAY = "replay"
    RECHECK = "recheck"
    CURATION = "curation"
    REFINEMENT = "refinement"
    CONTEST = "contest"
    VALIDATION = "validation"
    SELECTION = "selection"
    TRACES = "traces"
    ONLINE = "online"
    DRIFT = "drift"
    CREDIT = "credit"
    SETBACK = "setback"  # learning from a piece of feedback failed, or was given up


_KINDS = frozenset(kind.value for kind in PhaseKind)
_LEARNING = frozenset({PhaseKind.EPOCH, PhaseKind.REPLAY, PhaseKind.ONLINE, PhaseKind.TRACES})
_TRAINING = frozenset({PhaseKind.EPOCH, PhaseKind.REPLAY, PhaseKind.RECHECK})
_APART = frozenset(
    {
        PhaseKind.BEFORE,
        PhaseKind.AFTER,
        PhaseKind.TRAIN,
        PhaseKind.VAL,
        PhaseKind.TEST,
        PhaseKind.SELECTION,
    }
)
_MEASURING = frozenset(
    {
        PhaseKind.BEFORE,
        PhaseKind.AFTER,
        PhaseKind.TRAIN,
        PhaseKind.VAL,
        PhaseKind.TEST,
        PhaseKind.RECHECK,
        PhaseKind.VALIDATION,
    }
)
_PHASE = re.compile(r"(?P<kind>\w+)(?: (?P<number>\d+)(?:\.(?P<turn>\d+))?)?(?:,? (?P<detail>.+))?")


@dataclass(frozen=True, slots=True)
class Phase:
    """Name a stretch of a run. As text it is "replay 2.1", or "validation 1, version 4"."""

    kind: PhaseKind

    number: int = 0
    """The epoch, or a count of the changes of an online run; 0 where there are none."""

    turn: int = 0
    """A count within `number`, from 1; 0 where nothing is counted."""

    detail: str = ""
    """Tells apart what has the same kind and number."""

    @property
    def learns(self) -> bool:
        """Tell whether samples are attempted in it in order to learn from them."""
        return self.kind in _LEARNING

    @property
    def is_apart(self) -> bool:
        """Tell whether it is no part of learning: it scores what that begins or ends with, or chooses."""
        return self.kind in _APART

    @property
    def measures(self) -> bool:
        """Tell whether it only scores a version: what others commit meanwhile is no part of that."""
        return self.kind in _MEASURING

    @property
    def trains(self) -> bool:
        """Tell whether it belongs to an epoch over the training samples."""
        return self.kind in _TRAINING

    def __str__(self) -> str:
        """Return the text that the journal keeps, which `parse` reads back."""
        text = str(self.kind)
        if self.number:
            text += f" {self.number}"
        if self.turn:
            text += f".{self.turn}"
        if self.detail:
            text += ", " if self.number else " "
            text += self.detail
        return text

    @classmethod
    def parse(cls, text: str) -> Phase:
        """Read a phase back from its text. Raises StoreError for a phase that no release has written."""
        match = _PHASE.fullmatch(text)
        if match is None or match["kind"] not in _KINDS:
            raise StoreError(
                f"The journal has a phase {text!r}, which this release does not know.",
                hint="Finish the run with the release that began it, or start a new run.",
            )
        return cls(
            kind=PhaseKind(match["kind"]),
            number=int(match["number"] or 0),
            turn=int(match["turn"] or 0),
            detail=match["detail"] or "",
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class SampleResult:
    """Record how one sample fared in a step."""

    phase: Phase
    """The phase of its attempt, which may differ from that of the step."""

    sample: str
    """The id of the sample."""

    correct: bool
    """The verdict, for metrics."""

    right: bool | None
    """What the learner may see of the verdict; None where nothing shown says so."""

    topics: tuple[str, ...] = ()
    """The topics of its feedback, in order of the alphabet."""

    facts: tuple[str, ...] = ()
    """The texts of the facts of its feedback."""

    error: str = ""
    """What went wrong with the attempt, for people."""

    failure: Failure | None = None
    """The reason why there is no answer; None where there is one."""

    judge_error: str = ""
    """Why the answer could not be scored; "" where it was."""

    context_tokens: int = 0
    """How many tokens the playbook took in its prompt."""

    left_out: tuple[str, ...] = ()
    """What there was no room for in its prompt, each with the reason."""

    retrieved: Mapping[str, int] = field(default_factory=dict)
    """The tokens of what was retrieved for it, by source."""

    calls: str = ""
    """The name its model calls were made for, where it is not `sample`."""

    cut_off: bool = False
    """Whether its reply reached its greatest length."""

    notes: Notes = field(default_factory=dict)
    """The method's own."""

    def to_json(self) -> dict[str, Any]:
        """Return the object that the journal keeps."""
        row: dict[str, Any] = {
            "phase": str(self.phase),
            "sample": self.sample,
            "correct": self.correct,
            "right": self.right,
            "subjects": list(self.topics),
            "uses": list(self.facts),
            "error": self.error,
            "context_tokens": self.context_tokens,
            "left_out": list(self.left_out),
        }
        optional = {
            "failure": self.failure,
            "unjudged": self.judge_error,
            "retrieved": dict(self.retrieved),
            "calls": self.calls,
            "cut_off": self.cut_off,
        }
        for key, value in optional.items():
            if value:
                row[key] = value
        return row | dict(self.notes)

    @classmethod
    def from_json(cls, row: Mapping[str, Any], phase: Phase) -> SampleResult:
        """Read what `to_json` wrote, in this release or an earlier one; `phase` is that of the step."""
        return cls(
            phase=Phase.parse(row["phase"]) if "phase" in row else phase,
            sample=row["sample"],
            correct=bool(row.get("correct")),
            right=row.get("right"),
            topics=tuple(row.get("subjects", ())),
            facts=tuple(row.get("uses", ())),
            error=row.get("error", ""),
            failure=Failure(row["failure"]) if row.get("failure") in frozenset(Failure) else None,
            judge_error=row.get("unjudged", "").removeprefix("the judge failed: "),
            context_tokens=row.get("context_tokens", 0),
            left_out=tuple(row.get("left_out", ())),
            retrieved=row.get("retrieved", {}),
            calls=row.get("calls", ""),
            cut_off=row.get("cut_off", False),
            notes={key: value for key, value in row.items() if key not in _RESULT_KEYS},
        )


_RESULT_KEYS = frozenset(
    [
        "phase",
        "sample",
        "correct",
        "right",
        "subjects",
        "uses",
        "error",
        "failure",
        "unjudged",
        "context_tokens",
        "left_out",
        "retrieved",
        "calls",
        "cut_off",
    ]
)


@dataclass(frozen=True, slots=True, kw_only=True)
class StepRecord:
    """Record one step of a run: what it measured, which samples prove which bullet, what it took."""

    run: int
    """The run's number."""

    number: int
    """Counts the steps of the run, from 0."""

    phase: Phase
    """The stretch of the run that it belongs to."""

    version: int
    """The head once the step was done."""

    results: tuple[SampleResult, ...] = ()
    """Those of its samples, in order."""

    proofs: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """From each bullet added or changed to the samples right with it: none where it waits in quarantine."""

    proposals: tuple[str, ...] = ()
    """The outcomes of its proposals, in order."""

    usage: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """What its calls took, by role, in the fields of `llm.Usage`."""

    faults: Sequence[Mapping[str, Any]] = ()
    """The faults that its calls met."""

    started: float | None = None
    """When it began, in seconds since 1970; None in old journals."""

    seconds: float = 0.0
    """How long it took."""

    notes: Notes = field(default_factory=dict)
    """The method's own."""

    @property
    def taught(self) -> frozenset[str]:
        """Return the samples that prove a bullet of this step."""
        taught = set[str]()
        for samples in self.proofs.values():
            taught.update(samples)
        return frozenset(taught)

    def payload(self) -> dict[str, Any]:
        """Return what the journal keeps beside run, number, phase and version."""
        return {
            "results": [result.to_json() for result in self.results],
            "kept": {bullet: list(samples) for bullet, samples in self.proofs.items()},
            "proposals": list(self.proposals),
            "usage": {role: dict(usage) for role, usage in self.usage.items()},
            "faults": [dict(fault) for fault in self.faults],
            "started": self.started,
            "seconds": self.seconds,
            **self.notes,
        }

    @classmethod
    def from_step(cls, step: Step) -> StepRecord:
        """Read a row of the journal. Raises StoreError for one that this release cannot read."""
        payload = step.payload
        phase = Phase.parse(step.phase)
        try:
            return cls(
                run=step.run,
                number=step.number,
                phase=phase,
                version=step.version,
                results=tuple(SampleResult.from_json(row, phase) for row in payload.get("results", ())),
                proofs=payload.get("kept", {}),
                proposals=tuple(payload.get("proposals", ())),
                usage=payload.get("usage", {}),
                faults=tuple(payload.get("faults", ())),
                started=payload.get("started"),
                seconds=payload.get("seconds", 0.0),
                notes={key: value for key, value in payload.items() if key not in _STEP_KEYS},
            )
        except (KeyError, TypeError, AttributeError) as error:
            raise StoreError(
                f"Step {step.number} of run {step.run} has a form that this release cannot read.",
                hint="Finish the run with the release that began it, or start a new run.",
            ) from error


_STEP_KEYS = frozenset(["results", "kept", "proposals", "usage", "faults", "started", "seconds"])


def read_journal(rows: Iterable[Step]) -> list[StepRecord]:
    """Read the journal of a run, in its order. Raises StoreError for a row that cannot be read."""
    return [StepRecord.from_step(row) for row in rows]
