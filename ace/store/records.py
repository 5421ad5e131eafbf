"""What the store hands out beside playbooks: one frozen record for each kind of row.

Knows nothing about SQL.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from ace.playbook.model import Delta, Playbook, Rejection

Outcome = Literal["accepted", "rejected"]
RunStatus = Literal["running", "done", "failed", "capped", "interrupted"]


@dataclass(frozen=True, slots=True)
class Version:
    """One committed delta. `hash` covers the parent's hash, the delta, `author` and `reason`;
    `run` and `created` (ISO 8601, UTC) stay outside it, so that the same work gives the same hash.
    """

    number: int
    parent: int | None
    hash: str
    author: str
    reason: str
    run: int | None
    created: str
    operations: int


@dataclass(frozen=True, slots=True)
class Commit:
    """What a commit did. When nothing applied, `version` is the head as it was."""

    version: Version
    playbook: Playbook
    rejections: tuple[Rejection, ...]


@dataclass(frozen=True, slots=True)
class Proposal:
    """A delta that asked to be kept, and why it was or was not.

    `episodes`: the id of the attempt it was learned from, then of those that proved or refuted it.
    `attempts`: the answers of the latter, or what a role said that could not be used.
    """

    sample_id: str
    author: str
    delta: Delta
    outcome: Outcome
    why: str
    episodes: tuple[str, ...] = ()
    attempts: tuple[str, ...] = ()


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
