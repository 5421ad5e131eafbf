"""From a run's journal to its report."""

from __future__ import annotations

from collections.abc import Sequence

from ace.loop.session import Session, total_usage
from ace.playbook.model import Bullet, Playbook
from ace.runs.metrics import mcnemar
from ace.runs.report import Report, Score


def finish(
    run: Session,
    *,
    before: Sequence[bool] = (),
    after: Sequence[bool] = (),
    phase: str = "after",
    selected: int | None = None,
    validated: bool = False,
    stopped: str = "",
) -> Report:
    """The report of a run that is over, which is also written to the store."""
    version = run.version if selected is None else selected
    playbook = run.store.playbook(version)
    outcomes = [outcome for payload in run.payloads for outcome in payload["proposals"]]
    report = Report(
        kind=run.kind,
        task=run.task.name,
        model=run.team.generator.model,
        models=run.team.models,
        playbook=str(run.store.path),
        before=_score(run, "before", before),
        after=_score(run, phase, after),
        p_value=mcnemar(before, after) if before and len(before) == len(after) else None,
        bullets=len(playbook),
        versions=run.version - run.base,
        proposed=len(outcomes),
        accepted=outcomes.count("accepted"),
        rejected=outcomes.count("rejected"),
        seconds=sum(payload["seconds"] for payload in run.payloads),
        usage=total_usage(run.payloads),
        run=run.run,
        selected=version,
        validated=validated,
        verified=run.options.verify,
        stopped=stopped,
        learned=_learned(run.store.playbook(run.base), playbook),
    )
    run.store.finish_run(run.run, "capped" if stopped else "done", report.to_json())
    return report


def _score(run: Session, phase: str, verdicts: Sequence[bool]) -> Score | None:
    """Every sample counts: one without an answer is wrong."""
    if not verdicts:
        return None
    results = (result for payload in run.payloads for result in payload["results"])
    errors = sum(bool(result["error"]) for result in results if result["phase"] == phase)
    return Score(sum(verdicts), len(verdicts), errors)


def _learned(before: Playbook, after: Playbook) -> tuple[Bullet, ...]:
    """The active bullets of `after` that `before` has not, or has with other content."""
    old = {key: bullet.content for key, bullet in before.bullets.items()}
    return tuple(bullet for bullet in after.active if old.get(bullet.id) != bullet.content)
