"""Evidence of earlier steps of a run: which samples were right, and which samples prove which bullet.

Built up in journal order, so it is the same after a resume. Knows topics, no labels and no model.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence

from ace.methods.ace.contrast import SPEAKS_FOR, Contrast
from ace.methods.ace.lesson_scope import Rarity, find_identifiers, find_stems
from ace.playbook.model import Bullet, Playbook
from ace.refine.similar import means_the_same
from ace.task.types import Sample


class Evidence:
    """Index evidence by topic, so that a step looks only at what shares its topics."""

    def __init__(self, samples: Iterable[Sample] = (), *, newest_wins: bool = False) -> None:
        self.newest_wins = newest_wins  # a rule may change: what a label says now counts, not what one said
        self._contents: dict[str, str] = {}  # bullet -> what it says
        self._samples = {sample.id: sample for sample in samples}
        self._topics: dict[str, frozenset[str]] = {}
        self._right: dict[str, dict[str, None]] = defaultdict(dict)  # topic -> samples that were right
        self._about: dict[str, dict[str, None]] = defaultdict(dict)  # topic -> bullets
        self._speaking: dict[str, dict[str, None]] = defaultdict(dict)  # stem of its words -> bullets
        self._proofs: dict[str, tuple[str, ...]] = {}
        self.tainted: dict[
            str, set[str]
        ] = {}  # bullet -> samples whose text it repeats: they cannot prove it
        self.reflections: Counter[str] = Counter()  # sample -> proposals that did not make it right
        self._refuted: dict[tuple[str, str], list[Sequence[str]]] = defaultdict(list)
        self.contrast = Contrast(self._samples.values())
        self.rarity = Rarity(sample.question for sample in self._samples.values())

    def add_sample(self, sample: Sample) -> None:
        """Take in a sample that was not among those there were at the start."""
        if sample.id not in self._samples:
            self._samples[sample.id] = sample
            self.contrast.add_question(sample)
            self.rarity.add_question(sample.question)

    def record_result(
        self, sample_id: str, topics: Collection[str], right: bool | None, parts: Collection[str] = ()
    ) -> None:
        """Take in what feedback on the latest trial of a sample showed; `parts` make up its right answer."""
        if not right:
            for topic in self._topics.get(sample_id, ()):
                self._right[topic].pop(sample_id, None)
        self._topics[sample_id] = frozenset(topics)
        self.contrast.record_result(sample_id, self._topics[sample_id], parts)

    def record_refuted(self, sample_id: str, situation: str, contents: Iterable[Sequence[str]]) -> None:
        """Take in contents with which attempts at a sample failed, in a situation (see `refusals`)."""
        self._refuted[sample_id, situation] += contents

    def list_refuted(self, sample_id: str, situation: str) -> tuple[Sequence[str], ...]:
        return tuple(self._refuted.get((sample_id, situation), ()))

    def record_proofs(self, bullet: Bullet, proofs: Collection[str]) -> None:
        """Take in a bullet that was added or changed, and the samples, right with it, that prove it.

        Only they are neighbours to keep right: what was right without a bullet may have been lucky. Where a
        bullet gets another meaning, nothing that was right by the old one speaks against the new one.
        """
        for sample in proofs:
            for topic in sorted(self._topics.get(sample, ())):
                self._right[topic][sample] = None

        old = self._contents.get(bullet.id, bullet.content)
        self._contents[bullet.id] = bullet.content
        outdated = () if means_the_same(old, bullet.content) else self.list_outdated(old)
        for sample in outdated:
            self.contrast.forget(sample)
            for topic in self._topics.pop(sample, ()):
                self._right[topic].pop(sample, None)
        still_valid = [sample for sample in self._proofs.get(bullet.id, ()) if sample not in outdated]

        self._proofs[bullet.id] = tuple(dict.fromkeys([*still_valid, *proofs]))
        for name in find_identifiers(bullet.content):
            self._about[name][bullet.id] = None
        for stem in find_stems(bullet.content.partition(":")[0]):
            self._speaking[stem][bullet.id] = None

    def list_outdated(self, content: str) -> tuple[str, ...]:
        """Return samples that count no more once a bullet stops saying this, as their labels said it."""
        return self.contrast.find_witnesses(content) if self.newest_wins else ()

    def neighbours(self, sample: Sample, topics: Collection[str], most: int) -> tuple[Sample, ...]:
        """Return other samples that bullets made right, those that share most with `topics` first."""
        shared: dict[str, int] = defaultdict(int)
        for topic in topics:
            for name in self._right[topic]:
                if name != sample.id:
                    shared[name] += 1
        ranked = sorted(shared, key=lambda name: (-shared[name], name))
        return tuple(self._samples[name] for name in ranked[:most] if name in self._samples)

    def bullets_on(self, playbook: Playbook, topics: Collection[str]) -> tuple[Bullet, ...]:
        """Return live bullets that mention one of `topics`, in playbook order."""
        ids = {bullet for topic in topics for bullet in self._about[topic.lower()]}
        return _list_live(playbook, ids)

    def bullets_for(self, playbook: Playbook, question: str) -> tuple[Bullet, ...]:
        """Return live bullets whose words share one with a question, in playbook order."""
        ids = {bullet for stem in find_stems(question) for bullet in self._speaking.get(stem, ())}
        return _list_live(playbook, ids)

    def proofs(self, bullet_ids: Iterable[str]) -> tuple[Sample, ...]:
        """Return the samples that prove these bullets."""
        ids = dict.fromkeys(sample for bullet in bullet_ids for sample in self._proofs.get(bullet, ()))
        return tuple(self._samples[key] for key in ids if key in self._samples)

    def doubt(self, bullet: Bullet) -> str:
        """Return what speaks against a bullet that samples of this run prove, or an empty text."""
        proofs = self._proofs.get(bullet.id, ())
        if bullet.pinned or not any(sample in self._samples for sample in proofs):
            return ""
        bystander = self.contrast.find_bystander(bullet.content, proofs)
        return f"{SPEAKS_FOR}{bystander}" if bystander else ""

    def group_by_topic(self, playbook: Playbook) -> Mapping[str, tuple[Bullet, ...]]:
        """Map each topic that some sample has touched to the live bullets on it."""
        topics = {topic for names in self._topics.values() for topic in names}
        return {topic: self.bullets_on(playbook, (topic,)) for topic in sorted(topics)}


def _list_live(playbook: Playbook, ids: Iterable[str]) -> tuple[Bullet, ...]:
    bullets = [playbook.bullets[key] for key in ids if key in playbook.bullets]
    live = [bullet for bullet in bullets if bullet.live]
    return tuple(sorted(live, key=lambda bullet: (bullet.position, bullet.id)))
