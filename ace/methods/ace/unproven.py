"""Take a lesson without proof: where nothing that is shown could prove it, or where proof is switched off."""

from __future__ import annotations

from collections.abc import Sequence

from ace.errors import ModelError
from ace.methods.ace.admission import PRIVATE, SourceTexts, collect_trial_texts
from ace.methods.ace.proof import Proof
from ace.methods.ace.proposals import SECTION, add_lesson, record_proposal
from ace.methods.ace.reflection import Case, Reflect
from ace.methods.ace.reflector import Reflector
from ace.methods.failed_replies import record_failure
from ace.methods.protocol import Bench, Trial
from ace.playbook.model import Add, Delta, Playbook, Quarantine
from ace.runs.records import Proposal, Reason
from ace.task.team import Reader
from ace.task.types import FeedbackKind

AUTHOR = "reflector"
_MOST_SHOWN = 40  # bullets


def propose_unproven(
    trial: Trial,
    playbook: Playbook,
    bench: Bench,
    roles: tuple[Reflect, Reflector],
    *,
    quarantine: bool,
    reader: Reader,
) -> Proposal:
    """Return the first lesson as it comes; in quarantine where nothing that is shown could prove it.

    `reader` says whom it is for. Where nothing at all is shown, the model's own critique of its answer has to
    do.
    """
    reflect, reflector = roles
    seed = bench.seed(trial.sample.id, 0)
    adds: list[Add] = []
    critique = ""
    try:
        if trial.feedback.kind is FeedbackKind.NONE:
            opinion = reflector.critique(trial.sample, trial.attempt, seed=seed)
            critique = opinion.verdict
            if opinion.wrong and opinion.lesson:
                adds.append(add_lesson(opinion.lesson, reader.name_section(SECTION)))
        else:
            bullets = playbook.active[:_MOST_SHOWN]
            reflection = reflect(Case(trial=trial, bullets=bullets, reader=reader), seed=seed)
            drafts = [draft for draft in reflection.drafts if draft.op == "add" and draft.content]
            adds += [add_lesson(draft.content, draft.section) for draft in drafts[:1]]
    except ModelError as error:
        return record_failure(trial, AUTHOR, error)
    texts = collect_trial_texts(trial)
    return accept_unproven(trial, playbook, adds, texts, critique=critique, quarantine=quarantine)


def accept_unproven(
    trial: Trial,
    playbook: Playbook,
    adds: Sequence[Add],
    texts: SourceTexts,
    *,
    critique: str = "",
    quarantine: bool,
) -> Proposal:
    """Return the proposal that adds lessons; those wait that are suspicious, or all with `quarantine`."""
    new = [add for add in adds if add.id not in playbook.bullets and not texts.is_private(add.content)]
    if adds and not new and any(texts.is_private(add.content) for add in adds):
        return record_proposal(trial, AUTHOR, tuple(adds), Proof(False, PRIVATE, reason=Reason.PRIVATE))
    if not new:  # what is proven already must not go into quarantine for being said again
        proof = Proof(False, critique, reason=Reason.NO_LESSON)
        if adds:
            proof = Proof(False, "known", reason=Reason.KNOWN)
        return record_proposal(trial, AUTHOR, tuple(adds), proof)
    flaws = {}
    for add in new:
        flaw = texts.find_flaw(add.content)
        if flaw:
            flaws[add.id] = flaw
    waiting = [Quarantine(add.id) for add in new if quarantine or add.id in flaws]
    delta: Delta = (*new, *waiting)
    why = "nothing that is shown can prove it: quarantined" if quarantine else "kept unproven"
    why += "".join(f"; {name} is quarantined: {flaw}" for name, flaw in flaws.items())
    why += f"; {critique}" if critique else ""
    reason = Reason.QUARANTINED if quarantine else Reason.KEPT_UNPROVEN
    return record_proposal(trial, AUTHOR, delta, Proof(True, why, reason=reason))
