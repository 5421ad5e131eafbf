"""Drop lessons that a single sample speaks for, once an epoch has shown every sample.

Such a lesson is on probation: it made its own sample right, and it is shown while others may still need it.
Knows only lessons whose words the environment reads: it can tell without an attempt whose right answers say
what a lesson says.
"""

from __future__ import annotations

from ace.methods.ace.evidence import Evidence
from ace.methods.protocol import Lab, Update
from ace.playbook.model import Playbook, Remove
from ace.runs.records import Proposal, Reason

AUTHOR = "proof"
ENOUGH = 24  # training samples: among fewer a second witness could hardly be expected


def end_probation(evidence: Evidence, playbook: Playbook, lab: Lab) -> Update:
    """Return the removal of every lesson without a second witness."""
    proposals = []
    for bullet, sample in evidence.list_unwitnessed(playbook):
        proposals.append(
            Proposal(
                sample_id=sample,
                author=AUTHOR,
                delta=(Remove(bullet.id),),
                outcome="accepted",
                why=f"no sample but {sample} needs it",
                reason=Reason.RETIRED,
            )
        )
    delta = tuple(operation for proposal in proposals for operation in proposal.delta)
    return Update(delta=delta, proposals=tuple(proposals), author=AUTHOR)
