"""Evidence of earlier steps of a run: which samples were right, and which samples prove which bullet.

Built up in journal order, so it is the same after a resume. Knows topics, no labels and no model. What words
mean is for the environment to say (`wording`), where it knows.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Sequence

from ace.playbook.model import Bullet, Playbook, Status
from ace.task.types import Sample
from ace.task.wording import Flaw, Wording
from ace.text import split_words


class Evidence:
    """Index evidence by topic, so that a step looks only at what shares its topics.

    `wording`: knows what the words of lessons mean; None where the environment does not.
    `tainted`: bullet -> samples whose text it repeats: they cannot prove it.
    `reflections`: sample -> proposals that did not make it right.
    `unhelpful`: bullet that waits -> samples that no part of it made right.
    `refuted`: sample and situation -> contents that attempts refuted there, newest last (see `refusals`).
    """

    def __init__(self, samples: Iterable[Sample] = (), wording: Wording | None = None) -> None:
        self.wording = wording
        self._contents: dict[str, str] = {}  # bullet -> what it says
        self._samples = dict[str, Sample]()
        self._topics: dict[str, frozenset[str]] = {}
        self._right: dict[str, dict[str, None]] = defaultdict(dict)  # topic -> samples that were right
        self._about: dict[str, dict[str, None]] = defaultdict(dict)  # word or name -> bullets
        self._proofs: dict[str, tuple[str, ...]] = {}
        self._proven: dict[str, dict[str, None]] = defaultdict(dict)  # sample -> bullets
        self._single: dict[str, str] = {}  # bullet -> the only sample that proves it
        self.tainted: dict[str, set[str]] = {}
        self.reflections: Counter[str] = Counter()
        self.unhelpful: Counter[str] = Counter()
        self.refuted: dict[tuple[str, str], list[Sequence[str]]] = defaultdict(list)
        for sample in samples:
            self.add_sample(sample)

    def add_sample(self, sample: Sample) -> None:
        """Take in a sample, once."""
        if sample.id in self._samples:
            return
        self._samples[sample.id] = sample
        if self.wording:
            self.wording.add_sample(sample)

    def record_result(
        self, sample_id: str, topics: Collection[str], right: bool | None, parts: Collection[str] = ()
    ) -> None:
        """Take in what feedback on the latest trial of a sample showed; `parts` make up its right answer."""
        if not right:
            for topic in self._topics.get(sample_id, ()):
                self._right[topic].pop(sample_id, None)
        self._topics[sample_id] = frozenset(topics)
        if self.wording:
            self.wording.record_result(sample_id, self._topics[sample_id], parts)

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
        outdated: tuple[str, ...] = ()
        if self.wording:
            outdated = self.wording.list_outdated(old, bullet.content)
            for sample in outdated:
                self.wording.forget(sample)
                for topic in self._topics.pop(sample, ()):
                    self._right[topic].pop(sample, None)
        still_valid = [sample for sample in self._proofs.get(bullet.id, ()) if sample not in outdated]

        for sample in self._proofs.get(bullet.id, ()):
            self._proven[sample].pop(bullet.id, None)
        self._proofs[bullet.id] = samples = tuple(dict.fromkeys([*still_valid, *proofs]))
        for sample in samples:
            self._proven[sample][bullet.id] = None
        self._single.pop(bullet.id, None)
        if len(samples) == 1:
            self._single[bullet.id] = samples[0]
        for name in split_words(bullet.content, whole_names=True):
            self._about[name][bullet.id] = None

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
        ids = set[str]()
        for topic in topics:
            mentions = [set(self._about.get(word, ())) for word in split_words(topic, whole_names=True)]
            if mentions:
                ids |= set.intersection(*mentions)  # a topic of several words is mentioned by all of them
        bullets = [playbook.bullets[key] for key in ids if key in playbook.bullets]
        live = [bullet for bullet in bullets if bullet.live]
        return tuple(sorted(live, key=lambda bullet: (bullet.position, bullet.id)))

    def proofs(self, bullet_ids: Iterable[str]) -> tuple[Sample, ...]:
        """Return the samples that prove these bullets."""
        ids = dict.fromkeys(sample for bullet in bullet_ids for sample in self._proofs.get(bullet, ()))
        return tuple(self._samples[key] for key in ids if key in self._samples)

    def list_proven(self, playbook: Playbook, sample_id: str) -> tuple[Bullet, ...]:
        """Return the bullets in use that a sample proves."""
        bullets = (playbook.bullets.get(name) for name in self._proven.get(sample_id, ()))
        return tuple(bullet for bullet in bullets if bullet and bullet.status is Status.ACTIVE)

    def list_single(self, playbook: Playbook) -> dict[str, str]:
        """Map the samples that alone prove a bullet in use, which may be retired, to the last such bullet."""
        singles = {}
        for name, sample in self._single.items():
            bullet = playbook.bullets.get(name)
            if bullet is not None and bullet.status is Status.ACTIVE and not bullet.pinned:
                singles[sample] = name
        return singles

    def list_unwitnessed(self, playbook: Playbook) -> list[tuple[Bullet, str]]:
        """Return the bullets in use that one sample proves and no other right answer says, with that sample.

        Those that the environment cannot read are left out.
        """
        unwitnessed = []
        for name, sample in self._single.items():
            bullet = playbook.bullets.get(name)
            if self.wording is None or bullet is None or bullet.status is not Status.ACTIVE or bullet.pinned:
                continue
            witnesses = self.wording.list_witnesses(bullet.content)
            if witnesses is not None and not set(witnesses) - {sample}:
                unwitnessed.append((bullet, sample))
        return unwitnessed

    def find_doubt(self, bullet: Bullet) -> Flaw | None:
        """Return what speaks against the words of a bullet that samples of this run prove."""
        proofs = self._proofs.get(bullet.id, ())
        if self.wording is None or bullet.pinned or not any(sample in self._samples for sample in proofs):
            return None
        return self.wording.find_doubt(bullet.content, proofs)
