"""Edits that attempts have refuted: by sample, and by what the playbook said of it at the time.

An edit is refuted for the playbook that it was tried with. As long as that says the same about the sample,
the edit is shown to the roles as one that did not help, and is not tried again; with more known it may hold.
Pure; built up in journal order, so it is the same after a resume.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence

from ace.methods.ace.evidence import Evidence
from ace.methods.ace.proposals import list_contents
from ace.methods.protocol import Trial
from ace.playbook.model import Bullet, Playbook, Status
from ace.runs.records import Proposal, Reason


def identify_contents(bullets: Iterable[Bullet]) -> str:
    """Return a hash of what bullets say, in their order: 16 hexadecimal digits of a SHA-256."""
    contents = [bullet.content for bullet in bullets]
    return hashlib.sha256(json.dumps(contents).encode()).hexdigest()[:16]


def identify_situation(trial: Trial, playbook: Playbook, evidence: Evidence) -> str:
    """Return a hash of what the playbook in use says of what a sample is about."""
    needed = {topic for fact in trial.feedback.facts for topic in fact.topics}
    bullets = evidence.bullets_on(playbook, needed or trial.feedback.topics)
    active = [bullet for bullet in bullets if bullet.status is Status.ACTIVE]
    return identify_contents(sorted(active, key=lambda bullet: bullet.content))


def list_refuted(proposals: Iterable[Proposal]) -> list[list[str]]:
    """Return what the rejected ones among `proposals` would have said, as far as attempts were made with it.

    One that held for its own sample and broke another is left out: in other words, or with other neighbours,
    it may do.
    """
    refuted = []
    for proposal in proposals:
        failed = proposal.outcome != "accepted" and proposal.reason is not Reason.BROKE_NEIGHBOUR
        contents = list_contents(proposal.delta)
        if failed and proposal.attempts and contents:
            refuted.append(contents)
    return refuted


def list_earlier(trial: Trial, playbook: Playbook, evidence: Evidence) -> tuple[Sequence[str], ...]:
    """Return what was refuted for this sample while the playbook said of it what it says now, newest last."""
    situation = identify_situation(trial, playbook, evidence)
    return tuple(evidence.refuted.get((trial.sample.id, situation), ()))
