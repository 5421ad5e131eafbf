"""Edits that attempts have refuted: by sample, and by what the playbook said of it at the time.

An edit is refuted for the playbook that it was tried with. As long as that says the same about the sample,
the edit is shown to the roles as one that did not help, and is not tried again; with more known it may hold.
Pure; built up in journal order, so it is the same after a resume.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence

from ace.methods.evidence import Evidence
from ace.methods.generality import mentioned
from ace.methods.proof import BROKE
from ace.methods.protocol import Trial
from ace.playbook.model import Add, Delta, Playbook, Revise, Status
from ace.store.records import Proposal


def situation(trial: Trial, playbook: Playbook, evidence: Evidence) -> str:
    """Identifies what the playbook in use says of what a sample is about."""
    needed = {name for part in trial.feedback.uses for name in mentioned(part)}
    related = evidence.related(playbook, needed or trial.feedback.subjects)
    said = sorted(bullet.content for bullet in related if bullet.status is Status.ACTIVE)
    return hashlib.sha256(json.dumps(said).encode()).hexdigest()[:16]


def refuted(proposals: Iterable[Proposal]) -> list[list[str]]:
    """What the rejected ones among `proposals` would have said, as far as attempts were made with it.

    Not what held for its own sample and broke another: in other words, or with other neighbours, it may do.
    """
    failed = (made for made in proposals if made.outcome != "accepted" and made.attempts)
    tried = (made.delta for made in failed if BROKE not in made.why)
    return [said for delta in tried if (said := contents(delta))]


def contested(proposals: Sequence[Proposal]) -> list[str]:
    """What the first rejected proposal would add that held for its own sample and broke another: more samples
    must say whether it is worth that. Nothing where another proposal was accepted.
    """
    if any(made.outcome == "accepted" for made in proposals):
        return []
    broke = (made.delta for made in proposals if BROKE in made.why)
    return next((contents(delta) for delta in broke if all(isinstance(op, Add) for op in delta)), [])


def contents(delta: Delta) -> list[str]:
    return [operation.content for operation in delta if isinstance(operation, Add | Revise)]


def earlier(trial: Trial, playbook: Playbook, evidence: Evidence) -> tuple[Sequence[str], ...]:
    """What was refuted for this sample while the playbook said of it what it says now, newest last."""
    return evidence.refuted(trial.sample.id, situation(trial, playbook, evidence))
