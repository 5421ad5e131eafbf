"""The steps that loops are made of: score a few samples, learn from a batch, do what maintenance there is."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import TypeVar

from ace.errors import BudgetSpent, JudgeFailed, ModelUnavailable
from ace.loop.lab import StepLab
from ace.loop.run import Run, StepWork
from ace.methods.protocol import Chore, Moment, Trial, Update
from ace.playbook.model import Playbook
from ace.runs.records import Proposal, Reason
from ace.runs.steps import Phase, PhaseKind, SampleResult
from ace.task.solving import OwnAgent, OwnCommand, OwnSolver
from ace.task.types import Failure, Sample

T = TypeVar("T")

_SCORED_AT_ONCE = 20
_OUTAGES = {Reason.UNREACHABLE: Failure.UNREACHABLE, Reason.REFUSED: Failure.REFUSED}


def score(run: Run, phase: Phase, samples: Sequence[Sample], version: int) -> list[SampleResult]:
    """Return the result of every sample with the playbook of a version, in order; nothing is learned.

    Twenty samples make a step, so that a run that is cut off loses no more than those. Raises CapReached at a
    cap, ModelUnavailable where the model cannot be reached.
    """
    if not samples:
        return []
    playbook = run.store.checkout(version)
    results: list[SampleResult] = []
    for start in range(0, len(samples), _SCORED_AT_ONCE):
        run.progress(str(phase), start, len(samples), _tally(results))
        chunk = samples[start : start + _SCORED_AT_ONCE]
        step = run.step(phase, partial(_score_chunk, run, run.lab(phase, version), chunk, playbook))
        results += step.results
    run.progress(str(phase), len(samples), len(samples), _tally(results))
    return results


def _score_chunk(run: Run, lab: StepLab, samples: Sequence[Sample], playbook: Playbook) -> StepWork:
    """Attempt a few samples, as the work of a step that changes no playbook."""
    return _report_answers(lab, attempt(run, lab, samples, playbook))


def _report_answers(lab: StepLab, trials: Sequence[Trial]) -> StepWork:
    """Return the work of a step in which nothing was learned from the trials."""
    results = tuple(lab.bench_of(trial).result(trial) for trial in trials)
    return StepWork(results=results, reason=str(lab.phase), author="evaluator", episodes=lab.episodes_made())


def learn(run: Run, phase: Phase, samples: Sequence[Sample]) -> None:
    """Attempt, learn, commit: batch by batch. Raises as `in_batches` does."""
    run.contexts.expect(samples)
    in_batches(run, phase, samples, partial(study, run, phase))


def in_batches(run: Run, phase: Phase, items: Sequence[T], work: Callable[[Sequence[T]], StepWork]) -> None:
    """Do one step for each batch of items, all of whose samples share a version.

    `work` gets a batch of as many items as the setting `batch_size`. In an epoch it ends early where the
    method gives up. Raises CapReached at a cap, ModelUnavailable where no model can be reached.
    """
    if not items:
        return
    size = run.settings.batch_size
    results: list[SampleResult] = []
    for start in range(0, len(items), size):
        if phase.trains and run.method.summarize(run.contexts.state).give_up:
            break
        run.progress(str(phase), start, len(items), _tally(results, bullets=run.bullets))
        step = run.step(phase, partial(work, items[start : start + size]))
        results += step.results
    run.progress(str(phase), len(items), len(items), _tally(results, bullets=run.bullets))


def maintain(run: Run, moment: Moment, number: int) -> None:
    """Let the method tidy up, chore by chore: a step each, because one changes what the next finds.

    `number` is the epoch, or 1 where there are none. After each chore the method gets the playbook as it is
    then.
    """
    lab = run.lab(Phase(PhaseKind.CURATION, number))
    chores = run.method.maintain(run.contexts.state, run.playbook, lab, moment, number)
    chore = next(chores, None)
    while chore is not None:
        run.progress(str(chore.phase), 0, 1)
        run.step(chore.phase, partial(_do_chore, run, chore))
        run.progress(str(chore.phase), 1, 1)
        try:
            chore = chores.send(run.playbook)
        except StopIteration:
            return


def _do_chore(run: Run, chore: Chore) -> StepWork:
    """Do a chore as the work of a step, its model calls counted for its name."""
    lab = run.lab(chore.phase)
    with lab.counting_for(chore.name):
        update = chore.work(run.playbook, lab)
    return StepWork.of(update, lab, run.playbook, f"{chore.phase}: {chore.name}")


def study(run: Run, phase: Phase, samples: Sequence[Sample]) -> StepWork:
    """Attempt a batch of samples with the newest playbook, and learn from the trials.

    Online, samples are answered also where no calls are left to learn from them. Offline that raises
    BudgetSpent.
    """
    lab = run.lab(phase)
    trials = attempt(run, lab, samples, run.playbook)
    if phase.kind is not PhaseKind.ONLINE:
        return learn_from(run, lab, trials)
    run.models.meter.limit_step(run.budget.most)
    if run.budget.over:
        return _report_answers(lab, trials)
    try:
        return learn_from(run, lab, trials)
    except BudgetSpent:
        return _report_answers(lab, trials)


def attempt(run: Run, lab: StepLab, samples: Sequence[Sample], playbook: Playbook) -> list[Trial]:
    """Attempt every sample on a bench of its own; return the trials in the order of the samples.

    A sample that fails is a trial with its failure. Raises ModelUnavailable when no attempt got an answer, or
    none has for several batches, and JudgeFailed where that is so of scores.
    """
    benches = {sample.id: lab.bench(sample.id) for sample in samples}  # in the order of the samples

    def solve(sample: Sample) -> Trial:
        return benches[sample.id].solve(sample, playbook)

    trials = list(lab.map(solve, samples, lambda sample: sample.id))
    failures: list[Failure | None] = []
    unjudged = dict[str, Failure | None]()
    for trial in trials:
        if trial.attempt.failure is Failure.CONTEXT:  # nobody was asked
            continue
        answered = trial.attempt.text or not trial.attempt.error
        failures.append(None if answered else trial.attempt.failure or Failure.OTHER)
        if answered:
            unjudged[trial.sample.id] = benches[trial.sample.id].judge_failure
    if run.attempts_outage.ends_run(failures):
        own_agent = isinstance(run.task.solver, OwnAgent | OwnCommand | OwnSolver)
        raise ModelUnavailable(
            f"No attempt got an answer. The first: {trials[0].attempt.error}",
            hint="Run the agent by itself first." if own_agent else "Try `ace models check NAME`.",
        )
    if run.judge_outage.ends_run([*unjudged.values()]):
        first = benches[next(iter(unjudged))].judge_error
        raise JudgeFailed(
            f"No answer could be scored. The first: {first}",
            hint="Run the judge by itself first; `ace tasks check` lets it score the right answers.",
        )
    return trials


def learn_from(
    run: Run, lab: StepLab, trials: Sequence[Trial], *, skip_episodes: int = 0, must_reach: bool = False
) -> StepWork:
    """Return what the method makes of a batch of trials, with the result of each, as the work of a step.

    A sample that is longer than the budget was not attempted: nothing is learned from it. `skip_episodes` of
    each bench were recorded before. Raises ModelUnavailable when no lesson could be asked for, with
    `must_reach` also where that befalls this batch alone.
    """
    attempted = [trial for trial in trials if trial.attempt.failure is not Failure.CONTEXT]
    update = Update()
    if attempted:
        update = run.method.learn(run.contexts.state, attempted, run.playbook, lab)
    _refuse_outage(run, update.proposals, at_once=must_reach)
    benches = [lab.bench_of(trial) for trial in trials]
    results = [bench.result(trial) for bench, trial in zip(benches, trials, strict=True)]
    if update.sample_notes:
        noted = dict(zip((trial.episode for trial in attempted), update.sample_notes, strict=True))
        results = [
            replace(result, notes=noted.get(trial.episode, {}))
            for result, trial in zip(results, trials, strict=True)
        ]
    reason = f"{lab.phase}: {', '.join(bench.purpose for bench in benches)}"
    private = [text for trial in attempted for text in trial.private]
    work = StepWork.of(update, lab, run.playbook, reason, private)
    return replace(work, results=results, episodes=lab.episodes_made(skip=skip_episodes))


def _refuse_outage(run: Run, proposals: Sequence[Proposal], *, at_once: bool) -> None:
    """Raise ModelUnavailable when no role could be reached for any sample: going on would look like a result.

    A sample counts as reached if any of its proposals has another reason than that. `at_once`: also where
    roles were reached shortly before.
    """
    by_sample: dict[str, list[Proposal]] = {}
    for proposal in proposals:
        by_sample.setdefault(proposal.sample_id, []).append(proposal)
    failures: list[Failure | None] = []
    for group in by_sample.values():
        outages = [_OUTAGES.get(proposal.reason) for proposal in group]
        failures.append(None if None in outages else outages[0])
    is_out = bool(failures) and all(failure is Failure.UNREACHABLE for failure in failures)
    if run.roles_outage.ends_run(failures) or (at_once and is_out):
        raise ModelUnavailable(
            f"No lesson could be asked for. The first: {proposals[0].why}",
            hint="Try `ace models check NAME` with the reflector's model.",
        )


def _tally(results: Sequence[SampleResult], *, bullets: int | None = None) -> str:
    """Return how many results are right, and how many bullets there are by now, for the progress."""
    if not results:
        return ""
    text = f"{sum(result.correct for result in results)} of {len(results)} right"
    return text if bullets is None else f"{text}, {bullets} bullets"
