"""What earlier steps of a run showed: which samples were right, and which samples prove which bullet.

Built up in journal order, so it is the same after a resume. Knows subjects, no labels and no model.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence

from ace.methods.ace.contrast import SPEAKS_FOR, Contrast
from ace.methods.ace.lesson_scope import Rarity, mentioned, stems
from ace.playbook.model import Bullet, Playbook
from ace.refine.similar import means_the_same
from ace.task.types import Sample


class Evidence:
    """Indexed by subject, so that a step looks only at what shares its subjects."""

    def __init__(self, samples: Iterable[Sample] = (), *, newest_wins: bool = False) -> None:
        self.newest_wins = newest_wins  # a rule may change: what a label says now counts, not what one said
        self._said: dict[str, str] = {}  # bullet -> what it says
        self._samples = {sample.id: sample for sample in samples}
        self._subjects: dict[str, frozenset[str]] = {}
        self._right: dict[str, dict[str, None]] = defaultdict(dict)  # subject -> samples that were right
        self._about: dict[str, dict[str, None]] = defaultdict(dict)  # subject -> bullets
        self._speaking: dict[str, dict[str, None]] = defaultdict(dict)  # stem of its words -> bullets
        self._proofs: dict[str, tuple[str, ...]] = {}
        self._tainted: dict[str, set[str]] = defaultdict(set)  # bullet -> samples whose text it repeats
        self.reflections: Counter[str] = Counter()  # sample -> proposals that did not make it right
        self._refuted: dict[tuple[str, str], list[Sequence[str]]] = defaultdict(list)
        self.contrast = Contrast(self._samples.values())
        self.rarity = Rarity(sample.question for sample in self._samples.values())

    def meet(self, sample: Sample) -> None:
        """A sample that was not among those there were at the start."""
        if sample.id not in self._samples:
            self._samples[sample.id] = sample
            self.contrast.meet(sample)
            self.rarity.meet(sample.question)

    def saw(
        self, sample_id: str, subjects: Collection[str], right: bool | None, uses: Collection[str] = ()
    ) -> None:
        """The latest trial of a sample: what its feedback showed."""
        if not right:
            for subject in self._subjects.get(sample_id, ()):
                self._right[subject].pop(sample_id, None)
        self._subjects[sample_id] = frozenset(subjects)
        self.contrast.saw(sample_id, self._subjects[sample_id], uses)

    def refutes(self, sample_id: str, situation: str, contents: Iterable[Sequence[str]]) -> None:
        """Attempts at a sample failed with these contents, in a situation (see `refusals`)."""
        self._refuted[sample_id, situation] += contents

    def refuted(self, sample_id: str, situation: str) -> tuple[Sequence[str], ...]:
        return tuple(self._refuted.get((sample_id, situation), ()))

    def kept(self, bullet: Bullet, proofs: Collection[str]) -> None:
        """A bullet was added or changed, and these samples, right with it, prove it.

        Only they are neighbours to keep right: what was right without a bullet may have been lucky.
        """
        for sample in proofs:
            for subject in sorted(self._subjects.get(sample, ())):
                self._right[subject][sample] = None
        self._outdate(bullet)
        known = self._proofs.get(bullet.id, ())
        self._proofs[bullet.id] = tuple(dict.fromkeys([*known, *proofs]))
        for name in mentioned(bullet.content):
            self._about[name][bullet.id] = None
        for stem in stems(bullet.content.partition(":")[0]):
            self._speaking[stem][bullet.id] = None

    def outdated(self, content: str) -> tuple[str, ...]:
        """Samples that count no more once a bullet stops saying this: their labels said it, for its words."""
        return self.contrast.by(content) if self.newest_wins else ()

    def _outdate(self, bullet: Bullet) -> None:
        """A bullet that got another meaning: nothing that was right by the old one speaks against the new."""
        old, self._said[bullet.id] = self._said.get(bullet.id, bullet.content), bullet.content
        if means_the_same(old, bullet.content):
            return
        gone = self.outdated(old)
        for sample in gone:
            self.contrast.forget(sample)
            for subject in self._subjects.pop(sample, ()):
                self._right[subject].pop(sample, None)
        if gone:
            left = (sample for sample in self._proofs.get(bullet.id, ()) if sample not in gone)
            self._proofs[bullet.id] = tuple(left)

    def taint(self, bullet_id: str, sample_id: str) -> None:
        """A bullet repeats what was said at this sample, so the sample cannot prove it."""
        self._tainted[bullet_id].add(sample_id)

    def tainted(self, bullet_id: str, sample_id: str) -> bool:
        return sample_id in self._tainted.get(bullet_id, ())

    def neighbours(self, sample: Sample, subjects: Collection[str], most: int) -> tuple[Sample, ...]:
        """Other samples that bullets made right, those that share most with `subjects` first."""
        shared: dict[str, int] = defaultdict(int)
        for subject in subjects:
            for other in self._right[subject]:
                shared[other] += other != sample.id
        ranked = sorted((other for other in shared if shared[other]), key=lambda o: (-shared[o], o))
        return tuple(self._samples[other] for other in ranked[:most] if other in self._samples)

    def related(self, playbook: Playbook, subjects: Collection[str]) -> tuple[Bullet, ...]:
        """Live bullets that mention one of `subjects`, in playbook order."""
        ids = {bullet for subject in subjects for bullet in self._about[subject.lower()]}
        return _live(playbook, ids)

    def speaking(self, playbook: Playbook, question: str) -> tuple[Bullet, ...]:
        """Live bullets whose words share one with a question, in playbook order."""
        ids = {bullet for stem in stems(question) for bullet in self._speaking.get(stem, ())}
        return _live(playbook, ids)

    def proofs(self, bullet_ids: Iterable[str]) -> tuple[Sample, ...]:
        """The samples that prove these bullets."""
        ids = dict.fromkeys(sample for bullet in bullet_ids for sample in self._proofs.get(bullet, ()))
        return tuple(self._samples[key] for key in ids if key in self._samples)

    def doubt(self, bullet: Bullet) -> str:
        """What speaks against a bullet that samples of this run prove, or nothing."""
        proofs = self._proofs.get(bullet.id, ())
        if bullet.pinned or not any(sample in self._samples for sample in proofs):
            return ""
        other = self.contrast.bystander(bullet.content, proofs)
        return f"{SPEAKS_FOR}{other}" if other else ""

    def by_subject(self, playbook: Playbook) -> Mapping[str, tuple[Bullet, ...]]:
        """Live bullets under each subject that some sample has touched."""
        known = {subject for subjects in self._subjects.values() for subject in subjects}
        return {subject: self.related(playbook, (subject,)) for subject in sorted(known)}


def _live(playbook: Playbook, ids: Iterable[str]) -> tuple[Bullet, ...]:
    found = (playbook.bullets[key] for key in ids if key in playbook.bullets)
    return tuple(sorted((b for b in found if b.live), key=lambda b: (b.position, b.id)))
