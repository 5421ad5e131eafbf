"""From a run's journal to its report."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator

from ace.loop.run import Run
from ace.loop.selection import Selection
from ace.playbook.model import Bullet, Vote
from ace.runs.metrics import mcnemar, summarise_epochs
from ace.runs.report import LearningEnd, Report, Score
from ace.runs.run_text import format_count
from ace.runs.steps import PhaseKind, SampleResult
from ace.settings import Part
from ace.store.versions import touched_by
from ace.task.attempt import Failure

_REASONS = 5  # that a report names
_NAMED = 20  # samples that a report names


def finish(
    run: Run,
    phase: PhaseKind,
    *,
    selected: int | None = None,
    selection: Selection | None = None,
    stopped: str = "",
    skipped: int = 0,
    unjudged: int = 0,
) -> Report:
    """Return the report of a run that is over, and write it to the store.

    Scores are read from the journal: `before` from the phase of that name, `after` from `phase`. `selected`
    is the version in use from now on, the last one by default. A run that a cap `stopped` reports what it
    came to. `skipped` counts recorded attempts that were left out, `unjudged` answers without feedback.
    """
    version = run.version if selected is None else selected
    playbook = run.store.checkout(version)
    before, after = _results_of(run, PhaseKind.BEFORE), _results_of(run, phase)
    proposals = [outcome for step in run.steps for outcome in step.proposals]
    comparisons = tuple(selection.comparisons) if selection else ()
    turns = summarise_epochs(_training_answers(run))
    report = Report(
        kind=run.kind,
        task=run.task.name,
        model=run.models.generator.model,
        models=run.models.models,
        playbook=str(run.store.path),
        before=_score_of(before),
        after=_score_of(after),
        p_value=_p_value(before, after),
        bullets=len(playbook),
        quarantined=len(playbook) - len(playbook.active),
        versions=run.store.versions_of(run.id),
        proposed=len(proposals),
        accepted=proposals.count("accepted"),
        rejected=proposals.count("rejected"),
        seconds=run.models.meter.seconds,
        usage=run.store.usage_since(run.id).usage,
        run=run.id,
        selected=version,
        # Without feedback no two versions can be compared.
        validated=selected is not None and any(pair.compared for pair in comparisons),
        comparisons=comparisons,
        verified=run.settings.has(Part.PROOF),
        stopped=stopped,
        learning_calls=run.budget.taken,
        learning_end=run.budget.end,
        recorded=_score_of(_results_of(run, PhaseKind.TRACES)),
        skipped=skipped,
        epochs=tuple(turn for turn in turns if turn.instability is not None),
        recent=_score_of(after[-run.settings.window :]) if run.kind == "online" else None,
        changes=tuple(step.notes["change"]["after"] for step in run.steps if "change" in step.notes),
        unjudged=unjudged,
        notes=tuple(_list_notes(run, phase, version)),
        learned=_list_learned(run, version),
    )
    run.store.finish_run(run.id, "capped" if stopped else "done", report.to_json())
    return report


def _list_learned(run: Run, version: int) -> tuple[Bullet, ...]:
    """Return what is in use at a version and was not at the beginning, by what the run itself did.

    That is what it proved or edited; a vote is no edit. What others have committed meanwhile is not counted.
    """
    old = {bullet.id: bullet.content for bullet in run.store.checkout(run.base).active}
    new = [bullet for bullet in run.store.checkout(version).active if old.get(bullet.id) != bullet.content]
    own = {bullet for step in run.steps for bullet in step.proofs}
    if all(bullet.id in own for bullet in new):  # else its versions are gone over
        return tuple(new)
    for committed in run.store.log(max(0, version - run.base), version=version):
        if committed.run == run.id:
            edits = [edit for edit in run.store.operations(committed.number) if not isinstance(edit, Vote)]
            own |= touched_by(edits)
    return tuple(bullet for bullet in new if bullet.id in own)


def _results_of(run: Run, kind: PhaseKind) -> list[SampleResult]:
    """Return the results of all phases of a kind, in the order they were scored."""
    results = []
    for step in run.steps:
        for result in step.results:
            if result.phase.kind is kind and not result.phase.detail:
                results.append(result)
    return results


def _score_of(results: list[SampleResult]) -> Score | None:
    """Count every sample: one without an answer is wrong."""
    if not results:
        return None
    correct = sum(result.correct for result in results)
    errors = sum(bool(result.error) for result in results)
    return Score(correct, len(results), errors)


def _p_value(before: list[SampleResult], after: list[SampleResult]) -> float | None:
    """Return the p-value of McNemar's test over two scorings; None where their samples are not the same."""
    old = {result.sample: result.correct for result in before}
    new = {result.sample: result.correct for result in after}
    if not old or old.keys() != new.keys():
        return None
    return mcnemar(list(old.values()), [new[name] for name in old])


def _list_notes(run: Run, phase: PhaseKind, version: int) -> Iterator[str]:
    """Yield a sentence for each thing that a reader of the report has to know beside its numbers."""
    head = run.store.head().number
    if run.kind == "learn" and head > version:
        yield f"others have written since: the score is of version {version}, and the newest is {head}"
    if run.budget.end is LearningEnd.BUDGET:
        limit = format_count(run.budget.calls or 0, "call")
        yield f"learning ended when its {limit} were used up; --calls sets how many"
    yield from run.method.summarize(run.contexts.state).notes
    for step in run.steps:
        record = step.notes.get("set_aside")
        if record:
            times = format_count(record["failures"], "time")
            yield (
                f"feedback {record['feedback']} is set aside: learning from it failed {times}, the last:"
                f" {record['error']}; given again, it is tried again"
            )
    yield from _describe_too_long(run)
    # Answers that reached their greatest length.
    results = [result for step in run.steps for result in step.results]
    cut_off = sum(result.cut_off for result in results)
    if cut_off:
        hint = "a larger max_tokens of the task gives them room"
        yield f"{cut_off} of {format_count(len(results), 'answer')} cut off by their length; {hint}"
    yield from _describe_failures(run, {PhaseKind.BEFORE, phase})
    # What a folder of documents holds and no question can find.
    for source in run.contexts.sources:
        report = getattr(source, "report", None)
        if report is None or not report.skipped:
            continue
        first = report.skipped[0]
        files = format_count(len(report.skipped), "file")
        example = f"{first.path}: {first.reason}"
        yield f"{files} of {report.folder} left out, {example}; `ace documents index` names all"


def _describe_too_long(run: Run) -> Iterator[str]:
    """Yield how many samples no prompt was possible for, which ones, and the first reason."""
    reasons: dict[str, str] = {}
    for step in run.steps:
        for result in step.results:
            if result.failure is Failure.CONTEXT:
                reasons.setdefault(result.sample, result.error)
    if not reasons:
        return
    names = ", ".join(list(reasons)[:_NAMED])
    more = f" and {len(reasons) - _NAMED} more" if len(reasons) > _NAMED else ""
    first = next(iter(reasons.values()))
    samples = format_count(len(reasons), "sample")
    yield f"{samples} without a possible prompt, wrong without an attempt: {names}{more}; {first:.300}"


def _describe_failures(run: Run, kinds: Collection[PhaseKind]) -> Iterator[str]:
    """Yield each reason why answers to be scored failed by themselves, with the first sample it befell.

    `kinds` are the phases that are scored; where none was, all answers count. Samples without a possible
    prompt are told of elsewhere.
    """
    samples_by_reason: dict[str, list[str]] = defaultdict(list)
    results = [result for step in run.steps for result in step.results]
    for result in [result for result in results if result.phase.kind in kinds] or results:
        reason = result.error
        if not reason and result.judge_error:
            reason = f"the judge failed: {result.judge_error}"
        if reason and result.failure is not Failure.CONTEXT:
            samples_by_reason[reason].append(result.sample)
    for reason, samples in list(samples_by_reason.items())[:_REASONS]:
        count = format_count(len(samples), "answer")
        yield f"{count} failed, the first at sample {samples[0]}: {reason:.300}"
    if len(samples_by_reason) > _REASONS:
        more = len(samples_by_reason) - _REASONS
        yield f"{more} more reasons, in the table `episodes` of the file"


def _training_answers(run: Run) -> Iterator[tuple[int, str, bool]]:
    """Yield epoch, sample, right or wrong, of every answer to a training sample of offline learning."""
    if run.kind != "learn":
        return
    for step in run.steps:
        for result in step.results:
            if result.phase.trains:
                yield result.phase.number, result.sample, result.correct
