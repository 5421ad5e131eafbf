"""Say the sections of a playbook anew after an epoch, shorter; what is lost by it is not taken.

ACE (arXiv 2510.04618, section 3.2) grows and refines a playbook. A curator is asked for fewer words, and the
samples that prove the bullets it touches are asked again: a section that came out worse stays as it was.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import partial

from ace.errors import ModelError
from ace.methods.ace.curator import Curator, confine_delta
from ace.methods.ace.evidence import Evidence
from ace.methods.ace.proof import Proof, prove
from ace.methods.ace.proposals import record_proposal
from ace.methods.failed_replies import record_failure
from ace.methods.protocol import Chore, Chores, Lab, Update
from ace.playbook.delta import apply, touched_ids
from ace.playbook.model import Bullet, Playbook
from ace.runs.records import Reason
from ace.runs.steps import Phase, PhaseKind
from ace.text import CountTokens

AUTHOR = "curator"
_LEAST = 4  # bullets, below which a section has nothing to join
_MOST_TOKENS = 6_000  # of a section's bullets in one request
_MOST_ASKED = 8  # samples, the newest

Sections = dict[str, tuple[str, ...]]
"""What each section said when it was last looked at."""


@dataclass(frozen=True, slots=True)
class Consolidation:
    """Hold what sections are said anew with."""

    curator: Curator
    """Proposes the edits."""

    evidence: Evidence
    """The samples that prove bullets. Others are not touched, nor pinned ones."""

    count_tokens: CountTokens
    """Measures what is shorter."""

    def chores(self, playbook: Playbook, epoch: int, seen: Sections) -> Chores:
        """Yield a chore for each section of some size that changed since it was last looked at.

        `seen` is brought up to date.
        """
        phase = Phase(PhaseKind.REFINEMENT, epoch)
        for section in sorted({bullet.section for bullet in playbook.active}):
            bullets = self._list_bullets(section, playbook)
            if len(bullets) >= _LEAST and list_contents(bullets) != seen.get(section):
                playbook = yield Chore(phase, f"section {section}", partial(self._shorten, section))
                seen[section] = list_contents(self._list_bullets(section, playbook))

    def _list_bullets(self, section: str, playbook: Playbook) -> list[Bullet]:
        """Return the bullets of a section that may be touched, the oldest first, as many as fit a request."""
        bullets, room = list[Bullet](), _MOST_TOKENS
        for bullet in playbook.active:
            if bullet.section != section or bullet.pinned or not self.evidence.proofs((bullet.id,)):
                continue
            room -= self.count_tokens(bullet.content)
            if room < 0:
                break
            bullets.append(bullet)
        return bullets

    def _shorten(self, section: str, playbook: Playbook, lab: Lab) -> Update:
        """Ask for the section anew, and take it where it is shorter and no sample is lost."""
        bench = lab.bench(f"section {section}")
        bullets = self._list_bullets(section, playbook)
        try:
            reply = self.curator(bullets, shorter=True, seed=bench.seed("shorter", section))
        except ModelError as error:
            return Update(proposals=(record_failure(section, AUTHOR, error),), author=AUTHOR)
        delta, note = confine_delta(reply, bullets)
        if not delta:
            return Update(author=AUTHOR)
        names = [name for operation in delta for name in touched_ids(operation)]
        samples = self.evidence.proofs(names)[-_MOST_ASKED:]
        shortened, _ = apply(playbook, delta)
        sizes = list[int]()
        for value in (playbook, shortened):
            sizes.append(sum(self.count_tokens(bullet.content) for bullet in value.active))
        if sizes[1] >= sizes[0]:
            proof = Proof(False, "it is not shorter", reason=Reason.NOTHING_NEW)
        else:
            proof = prove(delta, playbook, (), samples, bench)
        proposal = record_proposal(section, AUTHOR, delta, replace(proof, why=f"{proof.why}{note}"))
        if not proof.holds:
            return Update(proposals=(proposal,), author=AUTHOR)
        return Update(
            delta=proposal.delta,
            proposals=(proposal,),
            author=AUTHOR,
            proofs=dict.fromkeys(names, proof.right),
        )


def list_contents(bullets: Iterable[Bullet]) -> tuple[str, ...]:
    """Return what bullets say, by which a section is known again."""
    return tuple(bullet.content for bullet in bullets)
