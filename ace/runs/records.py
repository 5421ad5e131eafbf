"""Records that the store returns beside playbooks: one frozen value for each kind of row.

Knows nothing about SQL.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Literal

from ace.playbook.model import Delta, Operation, Playbook, Rejection
from ace.task.types import Episode

if TYPE_CHECKING:
    from ace.llm.client import Usage  # it imports pydantic, which reading a playbook does not need

Outcome = Literal["accepted", "rejected"]
RunStatus = Literal["running", "done", "failed", "capped", "interrupted"]


class Reason(StrEnum):
    """Name the rule that decided a proposal. `Proposal.why` says the same in a sentence for people.

    The values are stored: add to them, and never rename one.
    """

    PROVEN = "proven"  # attempts with it succeeded
    KEPT_UNPROVEN = "kept_unproven"  # no attempt could decide, and the run keeps such lessons
    QUARANTINED = "quarantined"  # it waits for proof, outside every prompt
    RELEASED = "released"  # it waited in quarantine and is now active
    STILL_FAILS = "still_fails"  # its own sample fails with it, too
    CHANCE = "chance"  # its own sample may be right with it by chance
    WAITS_FOR_WITNESS = "waits_for_witness"  # it holds its own right answer, and helps no other sample yet
    PRIVATE = "private"  # it holds what one user said, or the right answer to a question of theirs
    NOT_A_GAP = "not_a_gap"  # the failure is no lack of knowledge: a slip, chance, capability, a bad label
    SUSPECT_LABEL = "suspect_label"  # the label goes against proven bullets and most attempts
    BROKE_NEIGHBOUR = "broke_neighbour"  # a sample that was right fails with it
    BROKE_COMPOSED = "broke_composed"  # a question made of its sample and a right one fails with it
    NO_AGREEMENT = "no_agreement"  # without labels, the attempts with it do not agree
    NOTHING_APPLIES = "nothing_applies"  # none of its operations can be applied
    NOTHING_NEW = "nothing_new"  # the playbook says it already
    REFUTED_BEFORE = "refuted_before"  # attempts refuted the same lesson earlier
    KNOWN = "known"  # an earlier step has already decided it
    NO_LESSON = "no_lesson"  # the role proposed nothing
    UNREACHABLE = "unreachable"  # the model could not be reached
    REFUSED = "refused"  # the model refused the request
    UNUSABLE_REPLY = "unusable_reply"  # the role's reply could not be used
    EDITED_ELSEWHERE = "edited_elsewhere"  # another writer edited the same bullets in the meantime
    BESIDE_OTHERS = "beside_others"  # it fails beside other lessons of its batch
    HOLDS_AFTER_CHANGE = "holds_after_change"  # proven again after the environment changed
    FAILS_AFTER_CHANGE = "fails_after_change"  # refuted after the environment changed
    MERGED = "merged"  # it became part of another bullet
    RETIRED = "retired"  # the evidence no longer supports the bullet
    CONTRADICTED = "contradicted"  # another bullet says the opposite and won
    CONTESTED = "contested"  # another bullet says the opposite and nothing decided
    SET_ASIDE = "set_aside"  # learning from this feedback failed several times
    UNKNOWN = "unknown"  # stored before reasons were


@dataclass(frozen=True, slots=True)
class Version:
    """Describe one committed delta."""

    number: int
    """Counts over all branches, from 0, the empty playbook."""

    parent: int | None
    """The version it was committed on; None for version 0 only."""

    merged: int | None
    """The version of another branch that a merge took in; None for any other commit."""

    branch: str
    """The branch it was committed to."""

    hash: str
    """Covers the hashes of `parent` and `merged`, the delta, `author` and `reason`.

    Number, branch, run and time are not in it, so that the same work gives the same hash.
    """

    author: str
    """The role, person or program that made the change."""

    reason: str
    """Why, for people."""

    run: int | None
    """The run that committed it; None where no run did."""

    created: str
    """ISO 8601, UTC."""

    operations: int
    """How many operations applied."""


@dataclass(frozen=True, slots=True)
class Branch:
    """Name a line of versions."""

    name: str

    version: int
    """Its newest version."""

    base: int | None
    """The version where it left another branch; None for main."""

    created: str
    """ISO 8601, UTC."""


@dataclass(frozen=True, slots=True)
class Tag:
    """Name one version. A tag can be moved to another version later."""

    name: str
    version: int

    created: str
    """When it was set last: ISO 8601, UTC."""


@dataclass(frozen=True, slots=True)
class Commit:
    """Report the result of a commit."""

    version: Version
    """The new one, or the unchanged head if no operation applied."""

    playbook: Playbook
    """The playbook at that version."""

    rejections: tuple[Rejection, ...]
    """The operations that could not apply, with the reason of each."""


@dataclass(frozen=True, slots=True)
class Touch:
    """Pair an operation on a bullet with its version and with what justified it."""

    version: Version
    operation: Operation

    episodes: tuple[str, ...]
    """The ids of the episodes that justified it; empty where none did."""


@dataclass(frozen=True, slots=True)
class Problem:
    """Describe one fault that `Store.verify` found."""

    version: int | None
    """The version that the fault belongs to; None where it belongs to none."""

    text: str
    """The fault in a sentence for people."""

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True, slots=True)
class Proposal:
    """Record a delta that asked to be kept, and what was decided."""

    sample_id: str
    """The sample it was learned from; "" where there is none."""

    author: str
    """The role that proposed the delta."""

    delta: Delta
    """What it would change; empty where a role gave nothing of use."""

    outcome: Outcome
    """What became of it."""

    why: str
    """The sentence for people; no code reads it."""

    episodes: tuple[str, ...] = ()
    """The id of the attempt it was learned from, then of those that proved or refuted it."""

    attempts: tuple[str, ...] = ()
    """The answers of those that proved or refuted it, or the reply of a role that could not be used."""

    reason: Reason = Reason.UNKNOWN
    """The rule that decided."""


ALTERNATIVE = "\x1e"
"""Stands between right answers of which each is enough: the record separator, which no answer has."""


@dataclass(frozen=True, slots=True)
class AnswerFeedback:
    """Judge an answer after it was given."""

    episode: str
    """The id that came with the answer."""

    right: bool | None
    """None where nobody says so: then `score` tells, or else `expected`."""

    expected: str = ""
    """The right answer; "" where nobody knows it. Several right ones stand with ALTERNATIVE between them."""

    text: str = ""
    """Free text."""

    author: str = "person"
    """Whose word this is."""

    created: str = ""
    """ISO 8601, UTC; the store sets it."""

    number: int = 0
    """Counts feedback over all runs; the store sets it."""

    run: int | None = None
    """The run of the episode; the store sets it."""

    score: float | None = None
    """From 0 to 1, where 1 is right; None where nobody gave one."""

    @property
    def alternatives(self) -> tuple[str, ...]:
        """Return the right answers, of which one is enough: none, one or several."""
        return tuple(filter(str.strip, self.expected.split(ALTERNATIVE)))


@dataclass(frozen=True, slots=True)
class EpisodeEvent:
    """Record one event of an episode that somebody else's agent is at: its beginning, or a turn."""

    episode: str
    """The id of the episode."""

    number: int
    """Counts the events of the episode from 0, which is the beginning."""

    event: Mapping[str, Any]
    """The event as JSON."""

    run: int | None = None
    """The run of the episode; None before the journal of the file has set it."""

    created: str = ""
    """ISO 8601, UTC; the store sets it."""


@dataclass(frozen=True, slots=True)
class EpisodeEnd:
    """Record that an episode of somebody else's agent has ended, with what is known of the answer by then."""

    episode: Episode

    run: int | None = None
    """The run of the episode; None before the journal of the file has set it."""

    feedback: AnswerFeedback | None = None
    """How the answer was judged; None where nobody has judged it yet."""


@dataclass(frozen=True, slots=True)
class Run:
    """Describe one execution of the loop."""

    id: int

    kind: str
    """What it did: learn, online, eval or agent."""

    task: str
    """The task's name."""

    config: dict[str, Any]
    """The options, and what else must be the same for the run to be resumed."""

    status: RunStatus

    started: str
    """ISO 8601, UTC."""

    ended: str | None
    """ISO 8601, UTC; None while it runs, and after a kill."""

    report: dict[str, Any] | None
    """None until the run has ended, and for one that was interrupted. Of one that failed it says why."""


@dataclass(frozen=True, slots=True)
class RunSummary:
    """Describe a run in short: its fields are those of `Run`, without its options and report."""

    id: int
    kind: str
    task: str
    status: RunStatus

    started: str
    """ISO 8601, UTC."""

    ended: str | None
    """ISO 8601, UTC; None while it runs, and after a kill."""

    after: dict[str, Any] | None
    """The score that it ended with, as JSON; None where nothing was scored."""


@dataclass(frozen=True, slots=True)
class Step:
    """Record one step in a run's journal, as it is stored (`ace.runs.steps.StepRecord` reads it)."""

    run: int
    """The id of its run."""

    number: int
    """Counts the steps of the run, from 0."""

    phase: str
    """The text of a `Phase`."""

    payload: dict[str, Any]
    """What else the journal keeps of the step, as JSON."""

    version: int
    """The head after the step."""


@dataclass(frozen=True, slots=True)
class CallTotals:
    """Sum up what the calls of a run took until now."""

    calls: int

    tokens: int
    """Those of prompts and completions."""

    last: float
    """When the last one ended, in seconds since 1970; 0 where there was none."""


@dataclass(frozen=True, slots=True)
class UsageSince:
    """Sum up what some calls of a run took."""

    last: int
    """The id of the newest of them."""

    ended: float
    """When the last one ended, in seconds since 1970; 0 where there was none."""

    usage: Mapping[str, Usage]
    """By role."""


@dataclass(frozen=True, slots=True)
class Forgotten:
    """Report what `Store.forget` did."""

    memories: tuple[str, ...]
    """Ids of the deleted memories."""

    redacted: dict[str, int]
    """Table -> number of rows in which their texts were blacked out."""

    exports: tuple[str, ...]
    """Export files that were rewritten without them."""

    remaining: tuple[str, ...]
    """Places that still hold the texts and that forgetting does not change."""

    scrubbed: bool
    """True if no byte of the texts is left in the file. Where others have it open, call `scrub` later."""

    short: int = 0
    """Number of values too short and common to be searched for in other records."""


@dataclass(frozen=True, slots=True)
class Imported:
    """List memory ids of an import."""

    added: tuple[str, ...]
    """Those that are new here."""

    known: tuple[str, ...]
    """Those that were here already."""

    forgotten: tuple[str, ...]
    """Those that were forgotten here and stay so."""

    refused: tuple[str, ...] = ()
    """For each that was left out, its id and why."""
