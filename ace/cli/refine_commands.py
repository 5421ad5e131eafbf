"""`ace playbook refine`: find bullets that say the same, conflict or harm; settle them in one version.

Conflicts are settled only where both bullets have an episode that proves them: the newer proof wins, and the
other bullet waits in quarantine. Otherwise a person has to decide: both stay in use, and are listed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ace.cli.options import BranchName, Json
from ace.cli.output import emit
from ace.cli.playbook_places import PlaybookFile

if TYPE_CHECKING:
    from ace.playbook.model import Playbook
    from ace.refine import Refinement
    from ace.store import Store

AUTHOR = "refiner"


def refine(
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show the changes without making them.")] = False,
    unused: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            min=1,
            help="Also remove bullets that got no vote in N attempts.",
        ),
    ] = None,
    branch: BranchName = "main",
    playbook: PlaybookFile = None,
    json: Json = False,
) -> None:
    """Join bullets that say the same, settle those in conflict, remove those that harm.

    One version, by "refiner", which `ace playbook revert` takes back. Pinned bullets stay as they are. Of two
    in conflict the one with the older proof goes into quarantine; where not both are proven, both stay, and
    are listed for you to decide.
    """
    from ace.cli.history_commands import open_to_read, open_to_write
    from ace.playbook import touched_ids

    with open_to_read(playbook) if dry_run else open_to_write(playbook, branch) as store:
        value = store.checkout(branch)
        refinement = _find_refinement(store, branch, value, unused)
        number = None
        if refinement.delta and not dry_run:
            kinds = Counter(operation.op for operation in refinement.delta)
            reason = "refined: " + ", ".join(f"{count} {kind}" for kind, count in sorted(kinds.items()))
            commit = store.commit(refinement.delta, author=AUTHOR, reason=reason)
            number = commit.version.number
    operations = list[dict[str, Any]]()
    conflicts = list[dict[str, Any]]()
    for operation, reason in zip(refinement.delta, refinement.reasons, strict=True):
        row = {
            "operation": asdict(operation),
            "reason": reason,
            "texts": _texts(value, touched_ids(operation)),
        }
        operations.append(row)
    for conflict in refinement.conflicts:
        texts = _texts(value, (conflict.one, conflict.other))
        conflicts.append({"why": conflict.why, "texts": texts})
    data = {"version": number, "operations": operations, "open_conflicts": conflicts}
    emit(json, data, "\n".join(_lines(refinement, value, number, dry_run)))


def _find_refinement(store: Store, branch: str, playbook: Playbook, unused: int | None) -> Refinement:
    """Return the merges, then conflicts and retirements among what they leave."""
    from ace.llm.embedding import connect_embedder
    from ace.playbook import apply
    from ace.refine import (
        Index,
        Refinement,
        judge_by_evidence,
        refine_playbook,
        retire_bullets,
        settle_conflicts,
    )

    merges = refine_playbook(playbook, Index(embed=connect_embedder()))
    rest, _ = apply(playbook, merges.delta)
    exposures = _exposures(store, branch, rest) if unused else None
    retirements = retire_bullets(rest, unused=unused, exposures=exposures)
    rest, _ = apply(rest, retirements.delta)
    cited = set[str]()
    for conflict in merges.conflicts:
        for name in (conflict.one, conflict.other):
            cited.update(rest.bullets[name].provenance)
    # A proof is an episode that was right as far as the learner may see, with its place in time.
    episodes = store.episodes(ids=sorted(cited)) if cited else []
    proofs = {episode.id: place for place, episode in enumerate(episodes) if episode.feedback.is_solved}
    decisions = settle_conflicts(
        merges.conflicts, rest, lambda conflict: judge_by_evidence(conflict, rest, proofs)
    )
    return Refinement(merges.delta, merges.reasons) + retirements + decisions


def _exposures(store: Store, branch: str, playbook: Playbook) -> dict[str, int]:
    """Count, for each bullet without a vote, the attempts since it has been as it is on this branch.

    What other branches did with a bullet of the same name, and the attempts made there, do not count.
    """
    from bisect import bisect_left

    from ace.playbook import Add, Merge, Promote, Revise

    line = {version.number for version in store.log(version=branch)}
    versions = sorted(e.context_version for e in store.episodes() if e.context_version in line)
    exposures: dict[str, int] = {}
    for bullet in playbook.active:
        if bullet.helpful or bullet.harmful or bullet.pinned:
            continue
        latest = 0
        for touch in store.blame(bullet.id):
            changes = isinstance(touch.operation, Add | Merge | Promote | Revise)
            if changes and touch.version.number in line:
                latest = max(latest, touch.version.number)
        exposures[bullet.id] = len(versions) - bisect_left(versions, latest)
    return exposures


def _lines(refinement: Refinement, playbook: Playbook, number: int | None, dry_run: bool) -> Iterator[str]:
    """Yield what refining does and leaves open, each with its reason and the bullets that it is about."""
    from ace.playbook import touched_ids
    from ace.runs.run_text import align_columns, format_count

    findings: list[tuple[str, tuple[str, ...]]] = []  # each with the bullets that it is about
    for operation, reason in zip(refinement.delta, refinement.reasons, strict=True):
        findings.append((f"{operation.op}: {reason}", touched_ids(operation)))
    for conflict in refinement.conflicts:
        findings.append((f"open conflict: {conflict.why}", (conflict.one, conflict.other)))
    for finding, ids in findings:
        texts = _texts(playbook, ids)
        yield finding
        yield align_columns([(f"  {name}", " ".join(text.split())) for name, text in texts.items()])
    size = format_count(len(refinement.delta), "operation")
    conflicts = len(refinement.conflicts)
    if refinement.delta and dry_run:
        yield f"{size}; nothing is changed with --dry-run."
    elif refinement.delta:
        yield f"version {number}: {size}. `ace playbook revert {number}` takes it back."
    elif conflicts:
        yield "Nothing to change."
    else:
        yield "Nothing says the same, contradicts or harms."
    if conflicts:
        yield f"{format_count(conflicts, 'open conflict')}: evidence does not decide, both stay in use."


def _texts(playbook: Playbook, ids: Iterable[str]) -> dict[str, str]:
    """Return what bullets say, by id."""
    return {name: playbook.bullets[name].content for name in ids}
