"""From a run's journal to its report."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator

from ace.loop.run import Session
from ace.loop.selection import Selection
from ace.playbook.model import Bullet, Playbook
from ace.runs.cost import usage_by_role
from ace.runs.metrics import mcnemar, turns
from ace.runs.report import Report, Score
from ace.runs.run_text import counted

_REASONS = 5  # that a report names


def finish(
    run: Session,
    phase: str,
    *,
    selected: int | None = None,
    selection: Selection | None = None,
    stopped: str = "",
    skipped: int = 0,
    unjudged: int = 0,
) -> Report:
    """The report of a run that is over, which is also written to the store.

    Scores are read from the journal: `before` from the phase of that name, `after` from `phase`. A run that
    a cap stopped reports the samples it came to.
    """
    version = run.version if selected is None else selected
    playbook = run.store.checkout(version)
    outcomes = [outcome for payload in run.payloads for outcome in payload["proposals"]]
    before, after = _right(run, "before"), _right(run, phase)
    report = Report(
        kind=run.kind,
        task=run.task.name,
        model=run.team.generator.model,
        models=run.team.models,
        playbook=str(run.store.path),
        before=_score(run, "before"),
        after=_score(run, phase),
        p_value=mcnemar(list(before.values()), list(after.values()))
        if before and before.keys() == after.keys()
        else None,
        bullets=len(playbook),
        quarantined=len(playbook) - len(playbook.active),
        versions=run.store.versions_of(run.run),
        proposed=len(outcomes),
        accepted=outcomes.count("accepted"),
        rejected=outcomes.count("rejected"),
        seconds=run.team.meter.seconds,
        usage=usage_by_role(run.store.calls(run.run)),
        run=run.run,
        selected=version,
        validated=selected is not None and selection is not None and selection.validated,
        comparisons=tuple(selection.comparisons) if selection else (),
        verified=run.options.verify,
        stopped=stopped,
        recorded=_score(run, "traces"),
        skipped=skipped,
        epochs=tuple(turn for turn in turns(_trained(run)) if turn.instability is not None),
        recent=_score(run, phase, run.options.window) if run.kind == "online" else None,
        changes=tuple(payload["change"]["after"] for payload in run.payloads if "change" in payload),
        unjudged=unjudged,
        notes=(*_failures(run, {"before", phase}), *_not_indexed(run)),
        learned=_learned(run.store.checkout(run.base), playbook),
    )
    run.store.finish_run(run.run, "capped" if stopped else "done", report.to_json())
    return report


def _failures(run: Session, phases: Collection[str]) -> Iterator[str]:
    """Each reason why answers to be scored failed by themselves, with the first sample that it befell."""
    reasons: dict[str, list[str]] = defaultdict(list)
    for result in (result for payload in run.payloads for result in payload["results"]):
        if result["phase"] in phases and (why := result["error"] or result.get("unjudged", "")):
            reasons[why].append(result["sample"])
    for why, samples in list(reasons.items())[:_REASONS]:
        yield f"{counted(len(samples), 'answer')} failed, {samples[0]} the first: {why:.300}"
    if len(reasons) > _REASONS:
        yield f"{len(reasons) - _REASONS} more reasons, in the table `episodes` of the file"


def _not_indexed(run: Session) -> Iterator[str]:
    """What a folder of documents holds and no question can find."""
    for source in run.contexts.sources:
        report = getattr(source, "report", None)
        if report is not None and report.skipped:
            first = report.skipped[0]
            files = counted(len(report.skipped), "file")
            told = f"{first.path}: {first.reason}"
            yield f"{files} of {report.folder} left out, {told}; `ace documents index` names all"


def _trained(run: Session) -> Iterator[tuple[int, str, bool]]:
    """Epoch, sample, right or wrong, of every answer to a training sample of offline learning."""
    if run.kind != "learn":
        return
    for result in (result for payload in run.payloads for result in payload["results"]):
        kind, _, turn = result["phase"].partition(" ")
        if kind in {"epoch", "replay", "recheck"}:
            yield int(turn.partition(".")[0]), result["sample"], result["correct"]


def _right(run: Session, phase: str) -> dict[str, bool]:
    """Sample -> right or wrong, in the order they were scored."""
    results = (result for payload in run.payloads for result in payload["results"])
    return {result["sample"]: result["correct"] for result in results if result["phase"] == phase}


def _score(run: Session, phase: str, last: int = 0) -> Score | None:
    """Every sample counts: one without an answer is wrong. Of the `last` ones, if not 0."""
    results = [r for payload in run.payloads for r in payload["results"] if r["phase"] == phase][-last:]
    if not results:
        return None
    return Score(sum(r["correct"] for r in results), len(results), sum(bool(r["error"]) for r in results))


def _learned(before: Playbook, after: Playbook) -> tuple[Bullet, ...]:
    """The active bullets of `after` that `before` has not, has with other content, or has not in use."""
    old = {bullet.id: bullet.content for bullet in before.active}
    return tuple(bullet for bullet in after.active if old.get(bullet.id) != bullet.content)
