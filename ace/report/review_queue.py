"""What of a playbook waits for a person, and why: read from the records, as values.

Lessons that nothing has tried, that one sample alone speaks for, that no attempt proved, that contradict each
other, and labels that look wrong. Knows no pages, and decides nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from immutables import Map

from ace.playbook.delta import touched_ids
from ace.playbook.model import Add, Bullet, Merge, Playbook, Revise, Status
from ace.refine.conflict import Conflict
from ace.runs.records import Proposal, Reason, Touch
from ace.store.store import Store
from ace.task.types import Episode

_TELLING = (Reason.QUARANTINED, Reason.WAITS_FOR_WITNESS, Reason.SUSPECT_LABEL)


class WaitKind(StrEnum):
    """Name why something waits for a person. The values stand in addresses."""

    PROPOSED = "proposed"  # nothing has tried it yet, or it holds its own right answer and helps no other
    PROBATION = "probation"  # it is in use, and one sample alone speaks for it
    QUARANTINED = "quarantined"  # attempts were made, and it is not proven
    CONFLICT = "conflict"  # another bullet says the opposite
    SUSPECT = "suspect"  # a label goes against proven bullets and most attempts


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """Hold one entry of the queue."""

    kind: WaitKind

    bullet: Bullet | None = None
    """The lesson; None for a label."""

    in_playbook: bool = True
    """Whether the playbook has the bullet: a lesson that waits for a witness stands in the records alone."""

    rival: Bullet | None = None
    """The bullet that says the opposite; None where there is no conflict."""

    sample: str = ""
    """The sample that it was learned from, that alone speaks for it, or whose label it is; "" for none."""

    why: str = ""
    """A sentence for people; "" where nobody said."""

    proposal: Proposal | None = None
    """The newest proposal that is about it; None where no run recorded one."""

    @property
    def name(self) -> str:
        """Return the id of its bullet, or that of the first attempt at the sample of a label."""
        if self.bullet is not None:
            return self.bullet.id
        return self.proposal.episodes[0] if self.proposal and self.proposal.episodes else self.sample


@dataclass(frozen=True, slots=True, kw_only=True)
class Grounds:
    """Hold what stands behind a bullet or a label."""

    author: str = ""
    """Who wrote its present text; "" where the file does not say."""

    version: int | None = None
    """The version of that text; None where it is in none."""

    created: str = ""
    """When that was, ISO 8601, UTC."""

    reason: str = ""
    """Why, for people."""

    before: str = ""
    """What it said before that; "" where it is new."""

    proofs: tuple[str, ...] = ()
    """The samples that prove it."""

    episodes: tuple[Episode, ...] = ()
    """The attempts behind it, as far as they are in the file: the one it was learned from is first."""

    unknown: tuple[str, ...] = ()
    """Ids of attempts that are not in the file."""

    touches: tuple[Touch, ...] = ()
    """Every operation on it, oldest first."""


Queue = Mapping[WaitKind, Sequence[Waiting]]
Proofs = Mapping[str, tuple[str, ...]]
"""By bullet id, the samples that proved it."""


def list_waiting(
    store: Store, playbook: Playbook, proofs: Proofs, conflicts: Iterable[Conflict] = ()
) -> Queue:
    """Return what waits in a playbook, by kind; every kind has its list.

    `proofs` are those of the file (`Store.proofs`), `conflicts` those that were found among its bullets. No
    attempt is read: `read_grounds` does.
    """
    queue: dict[WaitKind, list[Waiting]] = {kind: [] for kind in WaitKind}
    proposals: dict[str, Proposal] = {}  # bullet -> the newest proposal on it
    labels: dict[str, Proposal] = {}  # sample -> the newest word on its label
    for proposal in store.proposals(reasons=_TELLING):
        if proposal.reason is Reason.SUSPECT_LABEL:
            labels[proposal.sample_id] = proposal
        for operation in proposal.delta:
            proposals |= dict.fromkeys(touched_ids(operation), proposal)

    candidates = Playbook(  # without the others there is little to sort
        Map(
            (name, bullet)
            for name, bullet in playbook.bullets.items()
            if bullet.status is Status.QUARANTINED or len(proofs.get(name, ())) == 1
        ),
        playbook.section_names,
    )
    for bullet in candidates:
        recorded = proposals.get(bullet.id)
        if bullet.status is Status.QUARANTINED:
            is_tried = bool(bullet.provenance or (recorded and recorded.episodes))
            kind = WaitKind.QUARANTINED if is_tried else WaitKind.PROPOSED
            queue[kind].append(_describe_proposed(kind, bullet, recorded))
        elif len(proofs.get(bullet.id, ())) == 1 and not bullet.pinned:
            (sample,) = proofs[bullet.id]
            waiting = Waiting(kind=WaitKind.PROBATION, bullet=bullet, sample=sample, proposal=recorded)
            queue[WaitKind.PROBATION].append(waiting)
    for name, proposal in proposals.items():
        for operation in proposal.delta:
            is_open = proposal.outcome == "rejected" and name not in playbook.bullets
            if is_open and isinstance(operation, Add) and operation.id == name:
                bullet = Bullet(name, operation.section, operation.content, proposal.episodes)
                waiting = _describe_proposed(WaitKind.PROPOSED, bullet, proposal, in_playbook=False)
                queue[WaitKind.PROPOSED].append(waiting)

    for conflict in conflicts:
        bullet, rival = playbook.bullets[conflict.one], playbook.bullets[conflict.other]
        waiting = Waiting(kind=WaitKind.CONFLICT, bullet=bullet, rival=rival, why=conflict.why)
        queue[WaitKind.CONFLICT].append(waiting)
    judged = {row.episode for row in store.feedback()} if labels else set[str]()
    for sample, proposal in labels.items():
        if not judged.intersection(proposal.episodes):  # nobody has said yet what the right answer is
            waiting = Waiting(kind=WaitKind.SUSPECT, sample=sample, why=proposal.why, proposal=proposal)
            queue[WaitKind.SUSPECT].append(waiting)
    return queue


def _describe_proposed(
    kind: WaitKind, bullet: Bullet, proposal: Proposal | None, *, in_playbook: bool = True
) -> Waiting:
    """Return the entry of a lesson with what its proposal says, if a run recorded one."""
    return Waiting(
        kind=kind,
        bullet=bullet,
        in_playbook=in_playbook,
        sample=proposal.sample_id if proposal else "",
        why=proposal.why if proposal else "",
        proposal=proposal,
    )


def read_grounds(store: Store, entries: Sequence[Waiting], proofs: Proofs, most: int = 12) -> list[Grounds]:
    """Return what stands behind each entry, in their order; of the attempts behind one at `most` so many."""
    touches: list[list[Touch]] = []
    names: list[list[str]] = []
    for entry in entries:
        history = store.blame(entry.bullet.id) if entry.bullet and entry.in_playbook else []
        cited = list(entry.proposal.episodes if entry.proposal else ())
        for bullet in filter(None, (entry.bullet, entry.rival)):
            cited += bullet.provenance
        for touch in history:
            cited += touch.episodes
        touches.append(history)
        names.append(list(dict.fromkeys(cited))[:most])
    wanted = sorted({name for cited in names for name in cited})
    episodes: dict[str, Episode] = {}
    for episode in store.episodes(ids=wanted) if wanted else ():
        episodes.setdefault(episode.id, episode)

    grounds = []
    for entry, history, cited in zip(entries, touches, names, strict=True):
        texts = [touch for touch in history if isinstance(touch.operation, Add | Revise | Merge)]
        latest = texts[-1].version if texts else None
        before = ""
        if len(texts) > 1 and latest is not None and latest.parent is not None and entry.bullet:
            earlier = store.checkout_part([entry.bullet.id], latest.parent).bullets.get(entry.bullet.id)
            before = earlier.content if earlier else ""
        author = latest.author if latest else ""
        if entry.proposal and latest is None:
            author = entry.proposal.author
        ground = Grounds(
            author=author,
            version=latest.number if latest else None,
            created=latest.created if latest else "",
            reason=latest.reason if latest else "",
            before=before,
            proofs=proofs.get(entry.bullet.id, ()) if entry.bullet else (),
            episodes=tuple(episodes[name] for name in cited if name in episodes),
            unknown=tuple(name for name in cited if name not in episodes),
            touches=tuple(history),
        )
        grounds.append(ground)
    return grounds
