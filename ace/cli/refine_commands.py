"""`ace playbook refine`: what says the same, contradicts or harms; shown, and committed as a version.

Conflicts are settled only where both bullets have an episode that proves them: the newer proof wins, and the
other bullet waits in quarantine. Otherwise a person has to decide: both stay in use, and are listed.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ace.cli.options import BranchName, Json, PlaybookFile
from ace.cli.output import emit

if TYPE_CHECKING:
    from ace.playbook.model import Operation, Playbook
    from ace.refine import Conflict, Refinement
    from ace.store import Store

AUTHOR = "refiner"


def refine(
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show it, and change nothing.")] = False,
    unused: Annotated[
        int | None,
        typer.Option(metavar="N", min=1, help="Also remove what got no vote in N attempts it was there for."),
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
    from ace.cli.history_commands import reading, writing

    with reading(playbook) if dry_run else writing(playbook, branch) as store:
        value = store.checkout(branch)
        found = _found(store, branch, value, unused)
        number = None
        if found.delta and not dry_run:
            number = store.commit(found.delta, author=AUTHOR, reason=_reason(found)).version.number
    data = {
        "version": number,
        "operations": [
            {"operation": _plain(operation), "reason": reason, "texts": _texts(operation, value)}
            for operation, reason in zip(found.delta, found.reasons, strict=True)
        ],
        "open_conflicts": [_told(conflict, value) for conflict in found.conflicts],
    }
    emit(json, data, "\n".join(_lines(found, value, number, dry_run)))


def _found(store: Store, branch: str, playbook: Playbook, unused: int | None) -> Refinement:
    """Merges first; then conflicts and retirements among what they leave."""
    from ace.llm.embedding import connect_embedder
    from ace.loop.refining import proven_by
    from ace.playbook import apply
    from ace.refine import (
        Index,
        Refinement,
        judge_by_evidence,
        refine_playbook,
        retire_bullets,
        settle_conflicts,
    )

    merged = refine_playbook(playbook, Index(embed=connect_embedder()))
    left, _ = apply(playbook, merged.delta)
    gone = retire_bullets(left, unused=unused, exposures=_exposures(store, branch, left) if unused else None)
    left, _ = apply(left, gone.delta)
    cited = sorted({name for each in merged.conflicts for name in (each.one, each.other)})
    proven = proven_by(store, left, cited)
    open_ = settle_conflicts(
        merged.conflicts, left, lambda conflict: judge_by_evidence(conflict, left, proven)
    )
    return Refinement(merged.delta, merged.reasons) + gone + open_


def _exposures(store: Store, branch: str, playbook: Playbook) -> dict[str, int]:
    """For each bullet without a vote, the attempts made since it has been there as it is on this branch.

    What other branches did with a bullet of the same name, and the attempts made there, do not count.
    """
    from bisect import bisect_left

    from ace.playbook import Add, Merge, Promote, Revise

    line = {version.number for version in store.log(version=branch)}
    versions = sorted(e.context_version for e in store.episodes() if e.context_version in line)
    since: dict[str, int] = {}
    for bullet in playbook.active:
        if not bullet.helpful and not bullet.harmful and not bullet.pinned:
            made = [
                touch.version.number
                for touch in store.blame(bullet.id)
                if isinstance(touch.operation, Add | Merge | Promote | Revise)
            ]
            since[bullet.id] = max(line.intersection(made), default=0)
    return {name: len(versions) - bisect_left(versions, number) for name, number in since.items()}


def _reason(found: Refinement) -> str:
    from collections import Counter

    kinds = Counter(operation.op for operation in found.delta)
    return "refined: " + ", ".join(f"{count} {kind}" for kind, count in sorted(kinds.items()))


def _lines(found: Refinement, playbook: Playbook, number: int | None, dry_run: bool) -> Iterator[str]:
    from ace.runs.run_text import format_count

    for operation, reason in zip(found.delta, found.reasons, strict=True):
        yield f"{operation.op}: {reason}"
        yield from _table(_texts(operation, playbook))
    for conflict in found.conflicts:
        yield f"open conflict: {conflict.why}"
        yield from _table(_told(conflict, playbook)["texts"])
    done = format_count(len(found.delta), "operation")
    if not found.delta:
        yield "Nothing to change." if found.conflicts else "Nothing says the same, contradicts or harms."
    elif dry_run:
        yield f"{done}; nothing is changed with --dry-run."
    else:
        yield f"version {number}: {done}. `ace playbook revert {number}` takes it back."
    if found.conflicts:
        yield f"{format_count(len(found.conflicts), 'open conflict')}: evidence does not decide, both stay in use."


def _table(texts: dict[str, str]) -> list[str]:
    from ace.runs.run_text import align_columns

    shown = [(f"  {name}", " ".join(text.split())) for name, text in texts.items()]
    return align_columns(shown).split("\n")


def _texts(operation: Operation, playbook: Playbook) -> dict[str, str]:
    """What the bullets that it touches say now, by id."""
    from ace.playbook import touched_ids

    return {name: playbook.bullets[name].content for name in touched_ids(operation)}


def _told(conflict: Conflict, playbook: Playbook) -> dict[str, Any]:
    texts = {name: playbook.bullets[name].content for name in (conflict.one, conflict.other)}
    return {"why": conflict.why, "texts": texts}


def _plain(operation: Operation) -> dict[str, Any]:
    from dataclasses import asdict

    return asdict(operation)
