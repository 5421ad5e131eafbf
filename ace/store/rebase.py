"""What becomes of a delta when others have committed since it was decided on.

Two writers may edit different bullets, vote on the same one, and add the same one: who adds what is there
already, word for word, has found a further reason for it. Anything else at one bullet is a conflict.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence

from ace.errors import StoreConflict
from ace.playbook.codec import delta_from_json
from ace.playbook.delta import touched_ids
from ace.playbook.model import Add, Delta, Operation, Pin, Playbook, Promote, Quarantine, Revise, Status, Vote
from ace.store import lineage
from ace.store.sqlite_text import to_json
from ace.store.store_database import Database, Rows
from ace.store.versions import Head, touched_by

Edit = Sequence[tuple[int, Operation]]
"""What touched one bullet, but for votes, with the numbers of the versions."""


def ask_since(db: Database, base: int, line: lineage.Line, ids: Iterable[str]) -> Rows:
    """Ask for the branch of version `base`, and for what a line did to bullets with these ids since then.

    That is every operation, with the number of its version, of the versions that touched one of them; the
    branch has no number. However much others have written, no more than that is fetched.
    """
    condition, values = lineage.line_condition(line)
    sql = f"""SELECT NULL AS version, branch FROM versions WHERE number = ?
        UNION ALL SELECT version, operation FROM operations WHERE version IN (
            SELECT version FROM bullet_history WHERE version > ? AND {condition}
            AND bullet IN (SELECT value FROM json_each(?)))"""  # noqa: S608 (our own text)
    return db.execute(sql, [base, base, *values, to_json(list(ids))])


def rebase_delta(db: Database, base: int, onto: Head, delta: Delta, since: Rows | None = None) -> Delta:
    """Return a delta that was decided on version `base` as it holds at the head of a branch.

    It holds unless both edited the same bullet. Votes never conflict: they change no text, and add up in any
    order. A vote on a bullet that was removed is rejected like any operation that cannot apply. Adds of the
    same bullet are joined. The head's playbook has the bullets that the delta touches; `since` is what
    `ask_since` has asked for, if it has.

    Raises StoreConflict, whose details name the bullets; there are none where `base` is not behind the head
    at all. Raises UnknownVersion for a base that is not there.
    """
    head, playbook = onto.branch.version, onto.playbook
    if base == head:
        return delta
    line = lineage.trace_line(db, head, onto.branch)
    own_branch, numbers, texts = "", [], []
    for number, text in since or ask_since(db, base, line, touched_by(delta)):
        if number is None:
            own_branch = text
        else:
            numbers.append(number)
            texts.append(text)
    if not own_branch:
        lineage.resolve(db, base)  # raises
    if not any(name == own_branch and base <= last for name, last in line):
        raise StoreConflict(
            f"Version {base} is not behind version {head} of branch {line[0][0]}.",
            hint="Decide on a version of this branch, or merge the other branch.",
            expected=base,
            found=head,
            bullets=(),
        )
    later = delta_from_json(f"[{','.join(texts)}]")
    theirs = _group_edits(zip(numbers, later, strict=True))
    ours = _group_edits((0, operation) for operation in delta)
    both = ours.keys() & theirs.keys()
    joined = {key for key in both if _is_same_add(ours[key], theirs[key], playbook)}
    bullets = tuple(sorted(both - joined))
    if bullets:
        raise StoreConflict(
            f"The playbook moved from version {base} to {head}, and both edited {', '.join(bullets)}.",
            hint="Read the playbook again, decide again, and commit that.",
            expected=base,
            found=head,
            bullets=bullets,
        )
    rebased: list[Operation] = []
    for operation in delta:
        if isinstance(operation, Add) and operation.id in joined:
            key = operation.id
            rebased += _join_add(operation, ours[key], theirs[key], playbook)
        elif not (isinstance(operation, Quarantine) and operation.id in joined):
            rebased.append(operation)
    return tuple(rebased)


def _group_edits(operations: Iterable[tuple[int, Operation]]) -> Mapping[str, Edit]:
    """Return what edits each bullet, in any order."""
    edits = defaultdict[str, list[tuple[int, Operation]]](list)
    for number, operation in operations:
        if not isinstance(operation, Vote):
            for key in touched_ids(operation):
                edits[key].append((number, operation))
    return edits


def _is_same_add(ours: Edit, theirs: Edit, playbook: Playbook) -> bool:
    """Tell whether two writers added one bullet, and whatever else they did leaves what it says."""
    own, other = _find_add(ours, Quarantine), _find_add(theirs, Quarantine, Promote, Pin, Revise)
    if own is None or other is None:
        return False
    bullet = playbook.bullets.get(own.id)
    if bullet is None:
        return False
    texts = [operation.content for _, operation in theirs if isinstance(operation, Revise)]
    return {(own.section, text) for text in (own.content, *texts)} == {(bullet.section, bullet.content)}


def _find_add(edits: Edit, *others: type[Operation]) -> Add | None:
    """Return the one add among edits of a bullet, all the rest of which are of other types."""
    adds = [operation for _, operation in edits if isinstance(operation, Add)]
    rest = [operation for _, operation in edits if not isinstance(operation, (Add, *others))]
    return adds[0] if len(adds) == 1 and not rest else None


def _join_add(add: Add, ours: Edit, theirs: Edit, playbook: Playbook) -> Iterator[Operation]:
    """Yield what an add brings to the bullet of another writer: its episodes, and use where it has proof.

    A bullet that was quarantined after it was added stays so: somebody has decided that.
    """
    bullet = playbook.bullets[add.id]
    provenance = tuple(dict.fromkeys((*bullet.provenance, *add.provenance)))
    if provenance != bullet.provenance:
        yield Revise(add.id, add.content, provenance)
    decided = {number for number, operation in theirs if isinstance(operation, Add | Quarantine)}
    if bullet.status is Status.QUARANTINED and len(ours) == 1 and len(decided) == 1:
        yield Promote(add.id)
