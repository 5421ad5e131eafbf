"""Records that the store returns beside playbooks: one frozen value for each kind of row.

Knows nothing about SQL.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Literal

from ace.playbook.model import Delta, Operation, Playbook, Rejection
from ace.task.types import Episode

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
    UNKNOWN = "unknown"  # stored before reasons were


@dataclass(frozen=True, slots=True)
class Version:
    """Describe one committed delta.

    `hash` covers the hashes of `parent` and `merged`, the delta, `author` and `reason`. It leaves out
    `number`, `branch`, `run` and `created` (ISO 8601, UTC), so that the same work gives the same hash.
    Numbers count over all branches, from 0, the empty playbook, which alone has no `parent`. `merged` is the
    version of another branch that a merge took in. `author` is the role, person or program that made the
    change, `run` the one that committed it, if any did. `operations` counts the operations that applied.
    """

    number: int
    parent: int | None
    merged: int | None
    branch: str
    hash: str
    author: str
    reason: str
    run: int | None
    created: str
    operations: int


@dataclass(frozen=True, slots=True)
class Branch:
    """Name a line of versions.

    `version` is its newest one, `base` the one where it left another branch (None for main), `created` the
    time in ISO 8601, UTC.
    """

    name: str
    version: int
    base: int | None
    created: str


@dataclass(frozen=True, slots=True)
class Tag:
    """Name one version. A tag can be moved to another version later; `created` is when it was set last."""

    name: str
    version: int
    created: str


@dataclass(frozen=True, slots=True)
class Commit:
    """Report the result of a commit.

    `version` is the new one, or the unchanged head if no operation applied. `playbook` is the one at that
    version. `rejections` are the operations that could not apply, with the reason of each.
    """

    version: Version
    playbook: Playbook
    rejections: tuple[Rejection, ...]


@dataclass(frozen=True, slots=True)
class Touch:
    """Pair an operation on a bullet with its version and with the ids of the episodes that justified it."""

    version: Version
    operation: Operation
    episodes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Problem:
    """Describe one fault that `Store.verify` found; `version` is set if the fault belongs to one."""

    version: int | None
    text: str

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True, slots=True)
class Proposal:
    """Record a delta that asked to be kept, and what was decided.

    `sample_id` is that of the sample it was learned from, empty where there is none. `author` is the role
    that proposed the delta. `reason` names the rule that decided; `why` is the sentence for people, and no
    code reads it. `episodes`: the id of the attempt it was learned from, then of those that proved or refuted
    it. `attempts`: the answers of the latter, or the reply of a role that could not be used.
    """

    sample_id: str
    author: str
    delta: Delta
    outcome: Outcome
    why: str
    episodes: tuple[str, ...] = ()
    attempts: tuple[str, ...] = ()
    reason: Reason = Reason.UNKNOWN


@dataclass(frozen=True, slots=True)
class AnswerFeedback:
    """Judge an answer after it was given: `right`, the `expected` answer if it is known, and a free `text`.

    `right` is None where nobody says so; then a `score` from 0 to 1 tells, where 1 is right, or the expected
    answer. `episode` is the id that came with the answer, `author` whose word this is. The store sets
    `created` (ISO 8601, UTC), `number`, which counts feedback over all runs, and `run`, which is that of the
    episode.
    """

    episode: str
    right: bool | None
    expected: str = ""
    text: str = ""
    author: str = "person"
    created: str = ""
    number: int = 0
    run: int | None = None
    score: float | None = None


@dataclass(frozen=True, slots=True)
class EpisodeEvent:
    """Record one event of an episode that somebody else's agent is at: its beginning, or a turn.

    `number` counts the events of the episode from 0, which is the beginning. `event` is JSON. `created` is
    ISO 8601, UTC; the store sets it.
    """

    episode: str
    number: int
    event: Mapping[str, Any]
    run: int | None = None
    created: str = ""


@dataclass(frozen=True, slots=True)
class EpisodeEnd:
    """Record that an episode of somebody else's agent has ended, with what is known of the answer by then."""

    episode: Episode
    run: int | None = None
    feedback: AnswerFeedback | None = None


@dataclass(frozen=True, slots=True)
class Run:
    """Describe one execution of the loop.

    `kind` is learn, online, eval or agent, `task` the task's name. `config` holds the options, and what else
    must be the same for the run to be resumed. `started` and `ended` are ISO 8601, UTC; `ended` is None while
    it runs, and after a kill. `report` is None until the run has ended, and for one that failed.
    """

    id: int
    kind: str
    task: str
    config: dict[str, Any]
    status: RunStatus
    started: str
    ended: str | None
    report: dict[str, Any] | None


@dataclass(frozen=True, slots=True)
class RunSummary:
    """Describe a run in short: without its options, and of its report only `after`, the score it ended with.

    The fields are those of `Run`. `after` is None where nothing was scored.
    """

    id: int
    kind: str
    task: str
    status: RunStatus
    started: str
    ended: str | None
    after: dict[str, Any] | None


@dataclass(frozen=True, slots=True)
class Step:
    """Record one step in a run's journal, as it is stored (`ace.runs.steps.StepRecord` reads it).

    `number` counts the steps of the run from 0, `phase` is the text of a `Phase`, `payload` is JSON.
    `version` is the head after the step.
    """

    run: int
    number: int
    phase: str
    payload: dict[str, Any]
    version: int


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
    """True if no byte of the texts is left in the file. It is False while another process has the file open;
    call `Store.scrub` later.
    """

    short: int = 0
    """Number of values too short and common to be searched for in other records."""


@dataclass(frozen=True, slots=True)
class Imported:
    """List memory ids of an import: added, known, and those that were forgotten here and stay so.

    `refused` says of each that was left out why, with its id.
    """

    added: tuple[str, ...]
    known: tuple[str, ...]
    forgotten: tuple[str, ...]
    refused: tuple[str, ...] = ()
