"""Planning the import of a file into a playbook. Pure.

Bullets of other tools keep their ids as aliases. An alias remembers what its file said when it was last
imported, so importing again applies only what changed in the file since: the same file twice changes nothing,
also after the playbook went on learning. What a revert took back, or what only another branch was given, is
applied again. Imported text is never anything but content.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, field, replace
from functools import cache
from types import MappingProxyType

from ace.playbook.alias import Alias as Alias
from ace.playbook.arrange import derive_fresh_id
from ace.playbook.delta import apply, diff, touched_ids
from ace.playbook.formats.format import Entry, Finding, Reading
from ace.playbook.import_plan import Duplicate as Duplicate
from ace.playbook.import_plan import Plan as Plan
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

_SHOWN_EVERY = 1000  # bullets
_TEXTS = 50  # that are searched for secrets at once

Statement = tuple[str, str]
"""Section and content of a bullet at one time."""


def plan_import(
    reading: Reading,
    base: Playbook,
    *,
    source: str = "",
    aliases: Iterable[Alias] = (),
    told: Mapping[str, Sequence[Statement]] = MappingProxyType({}),
    removing: bool = False,
    quarantine: bool = False,
    pins: bool = True,
    suspicion: Callable[[str], str] = lambda _: "",
    show: Callable[[int, int], None] = lambda done, total: None,
) -> Plan:
    """Plan what importing `reading` into `base` takes.

    `source` is the file's name, under which ids of other tools are remembered; `aliases` are those remembered
    so far, of any file. `told` gives the statements of each bullet so far, oldest first. Without `pins` no
    new bullet is pinned. `removing` also removes bullets the file lacks; with `quarantine` whatever the file
    adds or rewrites waits for proof, and the file cannot promote anything. A text that `suspicion` objects to
    always waits, and is neither pinned nor voted for. `show` is told now and then how many bullets were
    looked at, and of how many. Secrets in the file's texts are hidden, before they are compared with `base`.
    """
    reading, hidden = _hide_secrets(reading)
    if reading.playbook is not None:
        delta = diff(base, reading.playbook)
        if not removing:
            delta = tuple(operation for operation in delta if not isinstance(operation, Remove))
        plan = Plan(delta=delta)
    else:
        by_alias = {alias.alias: alias for alias in aliases if alias.source == source}
        importer = _Importer(base, source, by_alias, counts_votes=reading.votes, history=told)
        plan = importer.run(reading.entries, removing)
    plan = replace(plan, notes=(*reading.notes, *plan.notes), hidden=hidden)
    if not pins:
        delta = tuple(op for op in plan.delta if not isinstance(op, Pin) or op.id in base.bullets)
        plan = replace(plan, delta=delta, unpinned=len(plan.delta) - len(delta))
    suspects = _find_suspects(base, plan.delta, cache(suspicion), show)  # most bullets share their section
    rest: list[Operation] = []
    waiting: list[Operation] = []
    for operation in plan.delta:
        if quarantine or suspects.keys() & touched_ids(operation):
            waiting.append(operation)
        else:
            rest.append(operation)
    if waiting or quarantine:
        part = _quarantine_changes(base, Plan(delta=tuple(waiting), gone=plan.gone))
        plan = replace(plan, delta=(*rest, *part.delta), gone=part.gone, held=tuple(suspects.items()))
    return plan


def _hide_secrets(reading: Reading) -> tuple[Reading, tuple[str, ...]]:
    """Return what a file says without secrets, and the lines (or ids) of the bullets that held one."""
    from ace.safety.secrets import hide_secrets

    bullets = reading.playbook.bullets if reading.playbook else {}
    texts = [entry.content for entry in reading.entries] + [bullet.content for bullet in bullets.values()]
    safe: dict[str, str] = {}
    for first in range(0, len(texts), _TEXTS):  # one look at many texts is faster than one at each
        part = texts[first : first + _TEXTS]
        if hide_secrets(text := "\n\n".join(part)) != text:
            safe |= {old: new for old in part if (new := hide_secrets(old)) != old}
    if not safe:
        return reading, ()
    hidden = [f"line {entry.line}" for entry in reading.entries if entry.content in safe]
    entries = (replace(entry, content=safe.get(entry.content, entry.content)) for entry in reading.entries)
    reading = replace(reading, entries=tuple(entries))
    if reading.playbook:
        changed = {key: bullet for key, bullet in bullets.items() if bullet.content in safe}
        hidden += changed
        changed = {key: replace(bullet, content=safe[bullet.content]) for key, bullet in changed.items()}
        playbook = replace(reading.playbook, bullets=reading.playbook.bullets.update(changed))
        reading = replace(reading, playbook=playbook)
    return reading, tuple(hidden)


def _find_suspects(
    base: Playbook, delta: Delta, suspicion: Callable[[str], str], show: Callable[[int, int], None]
) -> dict[str, str]:
    """Return bullets that would say something new, or be let out, and what is suspicious about them."""
    after, _ = apply(base, delta)
    touched: dict[str, None] = {}
    for operation in delta:
        touched.update(dict.fromkeys(touched_ids(operation)))
    suspects = {}
    for done, key in enumerate(touched, 1):
        if done % _SHOWN_EVERY == 0 or done == len(touched):
            show(done, len(touched))
        old = base.bullets.get(key)
        new = after.bullets.get(key)
        if new is None or not new.live:
            continue
        if old is not None:
            before = (old.content, old.section, old.status)
            if before == (new.content, new.section, new.status):
                continue
        why = suspicion(new.content) or suspicion(new.section)
        if why:
            suspects[key] = why
    return suspects


def _quarantine_changes(base: Playbook, plan: Plan) -> Plan:
    """Return the plan with whatever it adds or rewrites waiting.

    A bullet that was removed here stays so. A bullet in use stays as it is: another text for it waits beside
    it. Nothing new is pinned, voted for, or proven by the file: a new bullet is its text and nothing else.
    """
    delta: list[Operation] = []
    for operation in _put_beside_used(base, plan.delta):
        if isinstance(operation, Add):
            delta.append(replace(operation, provenance=()))
        elif not isinstance(operation, Pin | Count) or operation.id in base.bullets:
            delta.append(operation)
    promoted = {operation.id for operation in delta if isinstance(operation, Promote)}
    removed_here = {key for key in promoted if not base.bullets[key].live}
    changes: list[Operation] = []
    for operation in delta:
        if not isinstance(operation, Promote) and not removed_here.intersection(touched_ids(operation)):
            changes.append(operation)
    after, _ = apply(base, changes)
    rewritten = dict.fromkeys(change.id for change in changes if isinstance(change, Add | Revise))
    for key in rewritten:
        bullet = after.bullets.get(key)
        if bullet is not None and bullet.status is Status.ACTIVE:
            changes.append(ToQuarantine(key))
    return replace(plan, delta=tuple(changes), gone=plan.gone + len(removed_here))


def _put_beside_used(base: Playbook, delta: Delta) -> Iterator[Operation]:
    """Yield the operations without those on a bullet in use; its new text becomes a bullet of its own."""
    used = {bullet.id: bullet for bullet in base.active}
    taken = set(base.bullets)
    statements = {(bullet.section, bullet.content) for bullet in base.bullets.values()}
    for operation in delta:
        if isinstance(operation, Remove) or not used.keys() & touched_ids(operation):
            yield operation
        elif isinstance(operation, Revise):
            section = used[operation.id].section
            content = operation.content
            if (section, content) not in statements:
                statements.add((section, content))
                key = derive_fresh_id(section, content, taken)
                taken.add(key)
                yield Add(key, section, content)


@dataclass(slots=True)
class _Importer:
    """Bring the entries of another tool's file into a playbook, one by one."""

    base: Playbook
    """The playbook as it is before the import."""

    source: str
    """The file's name, under which its ids are remembered."""

    by_alias: Mapping[str, Alias]
    """What the file said when it was last imported, by its own ids."""

    _: KW_ONLY

    counts_votes: bool
    """Whether the file says anything about votes."""

    history: Mapping[str, Sequence[Statement]]
    """The statements of each bullet so far, oldest first."""

    operations: dict[Operation, None] = field(default_factory=dict)
    """What is planned so far: in order, each once."""

    votes: dict[str, tuple[int, int]] = field(default_factory=dict)
    """What the file adds for and against each bullet."""

    aliases: list[Alias] = field(default_factory=list)
    """Those to remember: new ones, and those that say another thing."""

    duplicates: list[Duplicate] = field(default_factory=list)
    """Lines that say what an earlier line says."""

    notes: list[Finding] = field(default_factory=list)
    """Lines whose text is taken although the bullet says another thing here."""

    new: set[str] = field(default_factory=set)
    """The ids of the bullets that it adds."""

    taken: set[str] = field(default_factory=set)
    """Every id that no new bullet may have."""

    targets: set[str] = field(default_factory=set)
    """The id of every bullet that the file speaks of."""

    by_content: dict[str, str] = field(default_factory=dict)
    """The id of the bullet that says a text, by the text."""

    lines: Counter[str] = field(default_factory=Counter)
    """How many lines of the file were one bullet when it was last imported."""

    def run(self, entries: Iterable[Entry], removing: bool) -> Plan:
        """Plan the import of all entries."""
        self.taken = set(self.base.bullets)
        self.lines = Counter(alias.bullet for alias in self.by_alias.values())
        # Of two bullets with the same content, a live one comes before a removed one.
        for bullet in sorted(self.base.bullets.values(), key=lambda bullet: bullet.live):
            self.by_content[bullet.content] = bullet.id
        first: dict[str, tuple[Entry, str]] = {}
        for entry in entries:
            target = self._bring_in(entry)
            earlier, its_target = first.setdefault(entry.content, (entry, target))
            if earlier is not entry and its_target == target:
                self.duplicates.append(Duplicate(entry.line, entry.alias, earlier.alias, target))
            self.targets.add(target)
        removed = {bullet.id for bullet in self.base.bullets.values() if not bullet.live} & self.targets
        for key, votes in self.votes.items():
            if any(votes):
                self._do(Count(key, *votes))
        if removing:
            for bullet in self.base:
                if bullet.id not in self.targets:
                    self._do(Remove(bullet.id))
        return Plan(
            delta=tuple(self.operations),
            aliases=tuple(self.aliases),
            duplicates=tuple(self.duplicates),
            known=len(self.targets - self.new - removed),
            gone=len(removed),
            notes=tuple(self.notes),
        )

    def _do(self, operation: Operation) -> None:
        """Take an operation into the plan, unless it is there already."""
        self.operations.setdefault(operation)

    def _bring_in(self, entry: Entry) -> str:
        """Add an entry or bring its bullet in line with it; return the id of the bullet."""
        alias = self.by_alias.get(entry.alias)
        if alias and self.lines[alias.bullet] > 1 and _hash(entry.content) != alias.content_hash:
            alias = None  # it was a duplicate, and is none any more
        if alias and alias.bullet in self.base.bullets:
            self._update(entry, alias)
            return alias.bullet
        if entry.alias in self.base.bullets:
            self._update_own(entry, self.base.bullets[entry.alias])
            return entry.alias
        target = self.by_content.get(entry.content)
        if target is None:
            target = derive_fresh_id(entry.section, entry.content, self.taken)
            self.new.add(target)
            self.taken.add(target)
            self.by_content[entry.content] = target
            self._do(Add(target, entry.section, entry.content))
            if entry.quarantined:
                self._do(ToQuarantine(target))
        if target in self.new:
            self._vote(target, entry.helpful, entry.harmful)
        self._remember(entry, target, None)
        return target

    def _update(self, entry: Entry, alias: Alias) -> None:
        """Apply what changed in a line since it was imported last."""
        bullet = self.base.bullets[alias.bullet]
        if bullet.live:
            text_lost, section_lost = self._find_taken_back(bullet, alias)
            text_changed = _hash(entry.content) != alias.content_hash
            if entry.content != bullet.content and (text_changed or text_lost):
                if _hash(bullet.content) != alias.content_hash:
                    what = "changed here and in the file"
                    if text_lost:
                        what = "does not say here what the file said"
                    note = f"{entry.alias} {what}: the file's text was taken"
                    self.notes.append(Finding(entry.line, note))
                self._do(Revise(bullet.id, entry.content))
            if entry.section != bullet.section and (entry.section != alias.section or section_lost):
                self._do(Move(bullet.id, entry.section))
            if self.counts_votes:
                self._vote(bullet.id, entry.helpful - alias.helpful, entry.harmful - alias.harmful)
        self._remember(entry, bullet.id, alias)

    def _find_taken_back(self, bullet: Bullet, alias: Alias) -> tuple[bool, bool]:
        """Return whether the text, and the section, that the file gave last no longer count on this branch.

        A statement from before it that counts again was restored by a revert. A text the bullet never had
        was given to another branch. A section it never had may be the file's own: its text found the bullet.
        """
        sections, texts = [], []
        for section, content in self.history.get(bullet.id, ()):
            sections.append(section)
            texts.append(_hash(content))
        never_had = bool(texts) and alias.content_hash not in texts
        text_restored = _is_restored(texts, alias.content_hash, _hash(bullet.content))
        return never_had or text_restored, _is_restored(sections, alias.section, bullet.section)

    def _update_own(self, entry: Entry, bullet: Bullet) -> None:
        """Take over a line that has the id of a bullet here, as after an export."""
        if not bullet.live:
            return
        if entry.content != bullet.content:
            self._do(Revise(bullet.id, entry.content))
        if entry.section != bullet.section:
            self._do(Move(bullet.id, entry.section))
        if self.counts_votes:
            self._vote(bullet.id, entry.helpful - bullet.helpful, entry.harmful - bullet.harmful)

    def _vote(self, key: str, helpful: int, harmful: int) -> None:
        """Add up what several lines of the file say for and against one bullet."""
        helpful_before, harmful_before = self.votes.get(key, (0, 0))
        self.votes[key] = helpful_before + helpful, harmful_before + harmful

    def _remember(self, entry: Entry, bullet: str, before: Alias | None) -> None:
        """Record the alias of an entry where it is new or differs from the one before."""
        if not entry.alias:
            return
        votes = entry.helpful, entry.harmful
        if before and not self.counts_votes:
            votes = before.helpful, before.harmful
        alias = Alias(
            source=self.source,
            alias=entry.alias,
            bullet=bullet,
            section=entry.section,
            content_hash=_hash(entry.content),
            helpful=votes[0],
            harmful=votes[1],
        )
        if alias != before:
            self.aliases.append(alias)


def _is_restored(history: Sequence[str], value: str, now: str) -> bool:
    """Return whether the present value was there before `value`, too."""
    return value in history and now != value and now in history[: history.index(value)]


def _hash(content: str) -> str:
    """Return the SHA-256 of a text in hexadecimal digits, as aliases keep it."""
    return hashlib.sha256(content.encode()).hexdigest()
