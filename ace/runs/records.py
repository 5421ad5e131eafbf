"""What the store hands out beside playbooks: one frozen record for each kind of row.

Knows nothing about SQL.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Literal

from ace.playbook.model import Delta, Operation, Playbook, Rejection

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
    """One committed delta. `hash` covers the hashes of `parent` and `merged`, the delta, `author` and
    `reason`; `number`, `branch`, `run` and `created` (ISO 8601, UTC) stay outside it, so that the same
    work gives the same hash. Numbers count over all branches; `merged` is what a merge took in.
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
    """A line of versions: `version` is its newest, `base` where it left another one (None for main)."""

    name: str
    version: int
    base: int | None
    created: str


@dataclass(frozen=True, slots=True)
class Tag:
    """A name for one version. It can be given to another one later."""

    name: str
    version: int
    created: str


@dataclass(frozen=True, slots=True)
class Commit:
    """What a commit did. When nothing applied, `version` is the head as it was."""

    version: Version
    playbook: Playbook
    rejections: tuple[Rejection, ...]


@dataclass(frozen=True, slots=True)
class Touch:
    """One operation that touched a bullet, the version it is part of, and the episodes it rests on."""

    version: Version
    operation: Operation
    episodes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Problem:
    """Something in the file that is not what it should be; `version` where it belongs to one."""

    version: int | None
    text: str

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True, slots=True)
class Proposal:
    """Record a delta that asked to be kept, and what was decided.

    `reason` names the rule that decided; `why` is the sentence for people, and no code reads it.
    `episodes`: the id of the attempt it was learned from, then of those that proved or refuted it.
    `attempts`: the answers of the latter, or the reply of a role that could not be used.
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
class Said:
    """What somebody said of an answer after it was given: the right one, if they knew it, and anything else.

    The store adds `created`, a number, and the run that the episode belongs to.
    """

    episode: str
    right: bool
    expected: str = ""
    text: str = ""
    author: str = "person"
    created: str = ""
    number: int = 0
    run: int | None = None


@dataclass(frozen=True, slots=True)
class Run:
    """One execution of the loop. `report` is there once it has ended."""

    id: int
    kind: str
    task: str
    config: dict[str, Any]
    status: RunStatus
    started: str
    ended: str | None
    report: dict[str, Any] | None


@dataclass(frozen=True, slots=True)
class Step:
    """One row of a run's journal. `version` is the head once the step was done."""

    run: int
    number: int
    phase: str
    payload: dict[str, Any]
    version: int


@dataclass(frozen=True, slots=True)
class MemoryProposal:
    """What a model thought should be remembered of a conversation, and what became of it.

    `proposal` holds its fields; `why` begins with the rule that spoke against it; `memory` is the id it got.
    """

    user: str
    session: str
    conversation: str
    proposal: dict[str, Any]
    outcome: Outcome
    why: str = ""
    memory: str = ""
    author: str = ""


@dataclass(frozen=True, slots=True)
class Forgotten:
    """What forgetting did. `redacted`: table -> rows; `exports`: files that were written again.

    `remaining` names places that hold the text still and are not for forgetting to change. `scrubbed`: no
    byte of it is left in the file; otherwise somebody else has it open, and `Store.scrub` has to be called
    later. `short` texts were too common to be looked for in other records.
    """

    memories: tuple[str, ...]
    redacted: dict[str, int]
    exports: tuple[str, ...]
    remaining: tuple[str, ...]
    scrubbed: bool
    short: int = 0


@dataclass(frozen=True, slots=True)
class Imported:
    """Ids: those that are new here, were here already, and were forgotten here and stay so."""

    added: tuple[str, ...]
    known: tuple[str, ...]
    forgotten: tuple[str, ...]
