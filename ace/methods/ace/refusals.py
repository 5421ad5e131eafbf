"""Edits that attempts have refuted: by sample, and by what the playbook said of it at the time.

An edit is refuted for the playbook that it was tried with. As long as that says the same about the sample,
the edit is shown to the roles as one that did not help, and is not tried again; with more known it may hold.
Pure; built up in journal order, so it is the same after a resume.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence

from ace.methods.ace.admission import all_waits
from ace.methods.ace.evidence import Evidence
from ace.methods.ace.lesson_scope import mentioned
from ace.methods.ace.proof import BROKE, solved
from ace.methods.protocol import Trial
from ace.playbook.model import Add, Delta, Playbook, Revise, Status
from ace.runs.records import Proposal


def situation(trial: Trial, playbook: Playbook, evidence: Evidence) -> str:
    """Identifies what the playbook in use says of what a sample is about."""
    needed = {name for fact in trial.feedback.facts for name in mentioned(fact.text)}
    related = evidence.related(playbook, needed or trial.feedback.topics)
    said = sorted(bullet.content for bullet in related if bullet.status is Status.ACTIVE)
    return hashlib.sha256(json.dumps(said).encode()).hexdigest()[:16]


def refuted(proposals: Iterable[Proposal]) -> list[list[str]]:
    """What the rejected ones among `proposals` would have said, as far as attempts were made with it.

    Not what held for its own sample and broke another: in other words, or with other neighbours, it may do.
    """
    failed = (made for made in proposals if made.outcome != "accepted" and made.attempts)
    tried = (made.delta for made in failed if BROKE not in made.why)
    return [said for delta in tried if (said := contents(delta))]


def contested(trial: Trial, proposals: Sequence[Proposal]) -> dict[str, list[str]]:
    """What the first rejected lesson `said` that mended a wrong trial and broke another sample, and the
    `episodes` and `attempts` behind it: more samples must say whether it is worth that. Else nothing.
    """
    if solved(trial.feedback) or any(kept(made) for made in proposals):
        return {}
    broke = (made for made in proposals if BROKE in made.why)
    first = next((made for made in broke if all(isinstance(op, Add) for op in made.delta)), None)
    if first is None:
        return {}
    told = {"episodes": list(first.episodes), "attempts": list(first.attempts)}
    return {"said": contents(first.delta), **told}


def kept(proposal: Proposal) -> bool:
    """It changes what is in use: more than a text that waits in quarantine."""
    return proposal.outcome == "accepted" and not all_waits(proposal.delta)


def contents(delta: Delta) -> list[str]:
    return [operation.content for operation in delta if isinstance(operation, Add | Revise)]


def earlier(trial: Trial, playbook: Playbook, evidence: Evidence) -> tuple[Sequence[str], ...]:
    """What was refuted for this sample while the playbook said of it what it says now, newest last."""
    return evidence.refuted(trial.sample.id, situation(trial, playbook, evidence))
