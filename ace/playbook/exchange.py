"""What importing a file does to a playbook, and what a format cannot hold of one. Pure.

Bullets of other tools keep their ids as aliases. An alias remembers what its file said when it was
last imported, so importing again applies only what changed in the file since: the same file twice
changes nothing, also after the playbook went on learning. Where what it said then was reverted, or said to
another branch only, it is said again. Imported text is never anything but content.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType

from immutables import Map

from ace.playbook.arrange import fresh_id
from ace.playbook.delta import apply, diff, touched
from ace.playbook.formats.format import PINS, PROVENANCE, QUARANTINE, VOTES, Entry, Finding, Format, Reading
from ace.playbook.model import (
    Add,
    Bullet,
    Delta,
    Move,
    Operation,
    Pin,
    Playbook,
    Promote,
    Remove,
    Revise,
    Status,
)
from ace.playbook.model import Quarantine as ToQuarantine
from ace.playbook.model import Vote as Count

Told = tuple[str, str]
"""Section and content of a bullet at one time."""


@dataclass(frozen=True, slots=True)
class Alias:
    """The id a bullet has in `source`, and what that file said of it when it was last imported."""

    source: str
    alias: str
    bullet: str
    section: str
    content_hash: str
    helpful: int = 0
    harmful: int = 0


@dataclass(frozen=True, slots=True)
class Duplicate:
    """A line whose content an earlier line of the file has, that one's id, and the bullet both became."""

    line: int
    alias: str
    first: str
    bullet: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What an import will do. `known`: bullets found here already; `gone`: removed here before, left so.

    `held`: what waits for a person, and why; `unpinned`: pins of new bullets that were not taken.
    """

    delta: Delta
    aliases: tuple[Alias, ...] = ()
    duplicates: tuple[Duplicate, ...] = ()
    known: int = 0
    gone: int = 0
    notes: tuple[Finding, ...] = ()
    held: tuple[tuple[str, str], ...] = ()
    unpinned: int = 0


def plan(
    reading: Reading,
    base: Playbook,
    *,
    source: str = "",
    aliases: Iterable[Alias] = (),
    told: Mapping[str, Sequence[Told]] = MappingProxyType({}),
    removing: bool = False,
    quarantine: bool = False,
    pins: bool = True,
    suspicion: Callable[[str], str] = lambda _: "",
) -> Plan:
    """What importing `reading` into `base` takes.

    `told` is what each bullet has said so far, oldest first. Without `pins` no new bullet is pinned.
    `removing` also removes bullets the file lacks; with `quarantine` whatever the file adds or rewrites
    waits for proof, and the file cannot promote anything. What `suspicion` says something of always
    waits, and is neither pinned nor voted for.
    """
    if reading.playbook is not None:
        delta = diff(base, reading.playbook)
        made = Plan(delta=tuple(each for each in delta if removing or not isinstance(each, Remove)))
    else:
        known = {alias.alias: alias for alias in aliases if alias.source == source}
        made = _Merge(base, source, known, reading.votes, told).run(reading.entries, removing)
    made = replace(made, notes=(*reading.notes, *made.notes))
    made = made if pins else _unpinned(base, made)
    held = _suspicious(base, made.delta, suspicion)
    if quarantine:
        return replace(_quarantined(base, made), held=tuple(held.items()))
    return _held(base, made, held) if held else made


def losses(playbook: Playbook, form: Format) -> tuple[str, ...]:
    """What writing `playbook` in this format leaves out, a phrase each."""
    live = tuple(playbook)
    counts = (
        (PINS, "pins of {} bullet", sum(bullet.pinned for bullet in live)),
        (PROVENANCE, "provenance of {} bullet", sum(bool(bullet.provenance) for bullet in live)),
        (VOTES, "votes on {} bullet", sum(bool(bullet.helpful or bullet.harmful) for bullet in live)),
        (QUARANTINE, "{} quarantined bullet", len(live) - len(playbook.active)),
    )
    return tuple(
        words.format(count) + "s" * (count != 1)
        for what, words, count in counts
        if count and what not in form.holds
    )


def fitting(playbook: Playbook, form: Format) -> Playbook:
    """What of a playbook is written in this format. Quarantined bullets never pass as active ones."""
    if QUARANTINE in form.holds:
        return playbook
    kept = ((key, b) for key, b in playbook.bullets.items() if b.status is not Status.QUARANTINED)
    return Playbook(Map(kept), playbook.section_names, playbook.next_position)


def names(playbook: Playbook, aliases: Iterable[Alias]) -> dict[str, str]:
    """The name each bullet has elsewhere: its first alias, unless another bullet has it already."""
    found: dict[str, str] = {}
    taken = set(playbook.bullets)
    for alias in aliases:
        if alias.bullet in playbook.bullets and alias.bullet not in found and alias.alias not in taken:
            found[alias.bullet] = alias.alias
            taken.add(alias.alias)
    return found


def _unpinned(base: Playbook, made: Plan) -> Plan:
    kept = tuple(op for op in made.delta if not isinstance(op, Pin) or op.id in base.bullets)
    return replace(made, delta=kept, unpinned=len(made.delta) - len(kept))


def _suspicious(base: Playbook, delta: Delta, suspicion: Callable[[str], str]) -> dict[str, str]:
    """Bullets that would say something new, or be let out, and what is suspicious about them."""
    after, _ = apply(base, delta)
    changed = dict.fromkeys(key for operation in delta for key in touched(operation))
    there = (after.bullets[key] for key in changed if key in after.bullets)
    new = (bullet for bullet in there if bullet.live and not _same(base.bullets.get(bullet.id), bullet))
    return {b.id: why for b in new if (why := suspicion(b.content) or suspicion(b.section))}


def _same(old: Bullet | None, new: Bullet) -> bool:
    return old is not None and (old.content, old.section, old.status) == (
        new.content,
        new.section,
        new.status,
    )


def _held(base: Playbook, made: Plan, held: Mapping[str, str]) -> Plan:
    """The same, but these bullets wait; the rest of the plan is as it was."""
    waiting = tuple(each for each in made.delta if held.keys() & touched(each))
    rest = tuple(each for each in made.delta if not held.keys() & touched(each))
    quarantined = _quarantined(base, Plan(delta=waiting, gone=made.gone))
    return replace(made, delta=(*rest, *quarantined.delta), gone=quarantined.gone, held=tuple(held.items()))


def _quarantined(base: Playbook, made: Plan) -> Plan:
    """The same, but whatever is added or rewritten waits; what was removed here stays so, and what is in use
    stays as it is: another text for it waits beside it. Nothing new is pinned, voted for, or proven by it.
    """
    made = replace(made, delta=tuple(_bare(base, _beside(base, made.delta))))
    promoted = {each.id for each in made.delta if isinstance(each, Promote)}
    gone = {key for key in promoted if not base.bullets[key].live}
    kept = tuple(
        each for each in made.delta if not isinstance(each, Promote) and not gone.intersection(touched(each))
    )
    after, _ = apply(base, kept)
    brought = dict.fromkeys(each.id for each in kept if isinstance(each, Add | Revise))
    active = (key for key in brought if key in after.bullets and after.bullets[key].status is Status.ACTIVE)
    return replace(made, delta=(*kept, *map(ToQuarantine, active)), gone=made.gone + len(gone))


def _bare(base: Playbook, delta: Iterable[Operation]) -> Iterator[Operation]:
    """A new bullet is its text, and nothing that the file says in its favour."""
    for operation in delta:
        if isinstance(operation, Add):
            yield replace(operation, provenance=())
        elif not isinstance(operation, Pin | Count) or operation.id in base.bullets:
            yield operation


def _beside(base: Playbook, delta: Delta) -> Iterator[Operation]:
    """No pin, place or vote of a bullet in use is touched, and its new text becomes a bullet of its own."""
    used = {bullet.id: bullet for bullet in base.active}
    taken, known = set(base.bullets), {(b.section, b.content) for b in base.bullets.values()}
    for operation in delta:
        if isinstance(operation, Remove) or not used.keys() & touched(operation):
            yield operation
        elif isinstance(operation, Revise):
            place = used[operation.id].section, operation.content
            if place not in known:
                known.add(place)
                taken.add(key := fresh_id(*place, taken))
                yield Add(key, *place)


@dataclass(slots=True)
class _Merge:
    """The entries of another tool's file, brought into a playbook one by one."""

    base: Playbook
    source: str
    known: Mapping[str, Alias]
    votes: bool
    told: Mapping[str, Sequence[Told]]
    operations: dict[Operation, None] = field(default_factory=dict)  # in order, each once
    counts: dict[str, tuple[int, int]] = field(default_factory=dict)
    aliases: list[Alias] = field(default_factory=list)
    duplicates: list[Duplicate] = field(default_factory=list)
    notes: list[Finding] = field(default_factory=list)
    new: set[str] = field(default_factory=set)
    taken: set[str] = field(default_factory=set)
    named: set[str] = field(default_factory=set)  # every bullet the file speaks of
    by_content: dict[str, str] = field(default_factory=dict)
    lines: Counter[str] = field(default_factory=Counter)  # how many lines of the file were one bullet

    def run(self, entries: Iterable[Entry], removing: bool) -> Plan:
        ranked = sorted(self.base.bullets.values(), key=lambda bullet: bullet.live)
        self.taken = set(self.base.bullets)
        self.lines = Counter(alias.bullet for alias in self.known.values())
        self.by_content = {bullet.content: bullet.id for bullet in ranked}  # a live one before a removed one
        first: dict[str, tuple[Entry, str]] = {}
        for entry in entries:
            target = self._target(entry)
            before, same = first.setdefault(entry.content, (entry, target))
            if before is not entry and same == target:
                self.duplicates.append(Duplicate(entry.line, entry.alias, before.alias, target))
            self.named.add(target)
        removed = {key for key in self.named if key in self.base.bullets and not self.base.bullets[key].live}
        self._do(*(Count(key, *votes) for key, votes in self.counts.items() if any(votes)))
        if removing:
            self._do(*(Remove(bullet.id) for bullet in self.base if bullet.id not in self.named))
        return Plan(
            delta=tuple(self.operations),
            aliases=tuple(self.aliases),
            duplicates=tuple(self.duplicates),
            known=len(self.named - self.new - removed),
            gone=len(removed),
            notes=tuple(self.notes),
        )

    def _do(self, *operations: Operation) -> None:
        self.operations.update(dict.fromkeys(operations))

    def _target(self, entry: Entry) -> str:
        """The bullet an entry is, made or brought in line."""
        seen = self.known.get(entry.alias)
        if seen and self.lines[seen.bullet] > 1 and _hash(entry.content) != seen.content_hash:
            seen = None  # it was a duplicate, and is none any more
        if seen and seen.bullet in self.base.bullets:
            self._again(entry, seen)
            return seen.bullet
        if entry.alias in self.base.bullets:
            self._ours(entry, self.base.bullets[entry.alias])
            return entry.alias
        target = self.by_content.get(entry.content)
        if target is None:
            target = self._add(entry)
        elif target in self.new:
            self._vote(target, entry.helpful, entry.harmful)
        self._remember(entry, target, None)
        return target

    def _add(self, entry: Entry) -> str:
        key = fresh_id(entry.section, entry.content, self.taken)
        self.new.add(key)
        self.taken.add(key)
        self.by_content[entry.content] = key
        self._do(Add(key, entry.section, entry.content))
        if entry.quarantined:
            self._do(ToQuarantine(key))
        self._vote(key, entry.helpful, entry.harmful)
        return key

    def _again(self, entry: Entry, seen: Alias) -> None:
        """A line that was imported before: what changed in it since is a change here."""
        bullet = self.base.bullets[seen.bullet]
        if bullet.live:
            back_text, back_section = self._taken_back(bullet, seen)
            if entry.content != bullet.content and (_hash(entry.content) != seen.content_hash or back_text):
                if _hash(bullet.content) != seen.content_hash:
                    what = "changed here and in the file"
                    if back_text:
                        what = "does not say here what the file said"
                    words = f"{entry.alias} {what}: the file's text was taken"
                    self.notes.append(Finding(entry.line, words))
                self._do(Revise(bullet.id, entry.content))
            if entry.section != bullet.section and (entry.section != seen.section or back_section):
                self._do(Move(bullet.id, entry.section))
            if self.votes:
                self._vote(bullet.id, entry.helpful - seen.helpful, entry.harmful - seen.harmful)
        self._remember(entry, bullet.id, seen)

    def _taken_back(self, bullet: Bullet, seen: Alias) -> tuple[bool, bool]:
        """Whether the text, and the section, that the file gave last time no longer count on this branch.

        What the bullet said before it, and says again, was restored by a revert. A text it never had was
        given to another branch. A section it never had may be the file's own: its text found the bullet.
        """
        told = self.told.get(bullet.id, ())
        sections, texts = [section for section, _ in told], [_hash(content) for _, content in told]
        unsaid = bool(texts) and seen.content_hash not in texts
        back = _restored(texts, seen.content_hash, _hash(bullet.content))
        return unsaid or back, _restored(sections, seen.section, bullet.section)

    def _ours(self, entry: Entry, bullet: Bullet) -> None:
        """A line that has the id of a bullet here, as after an export: the file says how it should be."""
        if not bullet.live:
            return
        if entry.content != bullet.content:
            self._do(Revise(bullet.id, entry.content))
        if entry.section != bullet.section:
            self._do(Move(bullet.id, entry.section))
        if self.votes:
            self._vote(bullet.id, entry.helpful - bullet.helpful, entry.harmful - bullet.harmful)

    def _vote(self, key: str, helpful: int, harmful: int) -> None:
        before = self.counts.get(key, (0, 0))
        self.counts[key] = before[0] + helpful, before[1] + harmful

    def _remember(self, entry: Entry, bullet: str, seen: Alias | None) -> None:
        if not entry.alias:
            return
        votes = (entry.helpful, entry.harmful)
        if seen and not self.votes:
            votes = seen.helpful, seen.harmful
        alias = Alias(self.source, entry.alias, bullet, entry.section, _hash(entry.content), *votes)
        if alias != seen:
            self.aliases.append(alias)


def _restored(told: Sequence[str], given: str, now: str) -> bool:
    """Whether what is said now was said before what was given, too."""
    return given in told and now != given and now in told[: told.index(given)]


def _hash(content: str) -> str:
    return hashlib.sha256(content.encode()).hexdigest()
