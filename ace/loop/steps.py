"""The steps that loops are made of: score a few samples, learn from a batch, curate the subjects."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any, TypeVar

from ace.errors import ModelUnavailable
from ace.loop import batch_credit
from ace.loop.group_merging import Lesson, merged
from ace.loop.lab import Bench
from ace.loop.outage import FAILED
from ace.loop.run import Session, Work
from ace.methods.ace.admission import guarded
from ace.methods.ace.proof import solved
from ace.methods.protocol import Trial
from ace.playbook.delta import touched
from ace.playbook.model import Playbook, Quarantine
from ace.runs.records import Proposal
from ace.task.types import Sample

T = TypeVar("T")
Learn = Callable[[Trial, Playbook, Bench], tuple[Proposal, ...]]

_SCORED_AT_ONCE = 20


def score(
    run: Session, phase: str, samples: Sequence[Sample], version: int, playbook: Playbook | None = None
) -> list[dict[str, Any]]:
    """The result of every sample, in order, with the playbook of `version`, or with one that was made from
    it. Nothing is learned.
    """
    if not samples:
        return []
    playbook = run.store.checkout(version) if playbook is None else playbook
    results: list[dict[str, Any]] = []
    for start in range(0, len(samples), _SCORED_AT_ONCE):
        run.progress(phase, start, len(samples), _tally(results))
        chunk = samples[start : start + _SCORED_AT_ONCE]
        step = run.step(phase, partial(_score, run, phase, chunk, playbook, version))
        results += step.payload["results"]
    run.progress(phase, len(samples), len(samples), _tally(results))
    return results


def learn(
    run: Session, phase: str, samples: Sequence[Sample], between: Callable[[int], None] | None = None
) -> None:
    """Attempt, reflect, prove, commit: batch by batch. `between` is told how many batches are done."""
    in_batches(run, phase, samples, partial(study, run, phase), between)


def in_batches(
    run: Session,
    phase: str,
    items: Sequence[T],
    work: Callable[[Sequence[T]], Work],
    between: Callable[[int], None] | None = None,
) -> None:
    """One step for each batch of items, all of whose samples share a version."""
    if not items:
        return
    size, results = run.options.batch_size, list[dict[str, Any]]()
    for start in range(0, len(items), size):
        run.progress(phase, start, len(items), _lessons(run, results))
        step = run.step(phase, partial(work, items[start : start + size]))
        results += step.payload["results"]
        if between and start + size < len(items):
            between(start // size + 1)
    run.progress(phase, len(items), len(items), _lessons(run, results))


def curate(run: Session, phase: str) -> None:
    """Let the method tidy up, chore by chore, every change under proof: a step each, because what one chore
    changed is what the next is proven on.
    """
    chores = run.method.chores(run.playbook, run.evidence)
    for number, chore in enumerate(chores):
        run.progress(phase, number, len(chores))
        run.step(phase, partial(_curate, run, phase, chore))
    if chores:
        run.progress(phase, len(chores), len(chores))


def _score(run: Session, phase: str, samples: Sequence[Sample], playbook: Playbook, version: int) -> Work:
    def solve(sample: Sample) -> tuple[Bench, Trial]:
        bench = run.bench(phase, version, sample.id)
        return bench, bench.solve(sample, playbook)

    done = list(run.map(solve, samples, _id))
    _refuse_silence(run, [trial for _, trial in done])
    results = [_result(bench, trial) for bench, trial in done]
    return Work((), results, phase, "evaluator", [bench.episodes[0] for bench, _ in done])


def study(run: Session, phase: str, samples: Sequence[Sample], learn: Learn | None = None) -> Work:
    """One batch. `learn` stands in for the method where more than the method has a say."""
    version, playbook = run.version, run.playbook
    lessons = learn or run.lessons

    def attempt(sample: Sample) -> Lesson:
        bench = run.bench(phase, version, sample.id)
        trial = bench.solve(sample, playbook)
        if batch_credit.edits_nothing(run, bench, trial, playbook):
            return bench, trial, ()
        return bench, trial, lessons(trial, playbook, bench)

    done = list(run.map(attempt, samples, _id))
    _refuse_silence(run, [trial for _, trial, _ in done])
    return batch_credit.measured(run, phase, samples, learned(run, phase, done))


def learned(run: Session, phase: str, done: Sequence[Lesson]) -> Work:
    """What a batch of attempts led to, in order. A sample that cannot be attempted again proves nothing."""
    _refuse_deafness(run, [made for _, _, made in done if made])
    done = merged(run, phase, done)
    proposals = [proposal for _, _, made in done for proposal in made]
    playbook = run.playbook
    votes = batch_credit.cast(run, [trial for _, trial, _ in done], playbook)
    changes, ids = run.method.combine(proposals)
    changes = guarded(changes, playbook)
    proven = ((p, [p.sample_id] if trial.provable else []) for _, trial, made in done for p in made)
    return Work(
        votes + changes,
        [
            _result(bench, trial) | batch_credit.told(run, bench, trial, made, playbook)
            for bench, trial, made in done
        ],
        f"{phase}: {', '.join(bench.purpose for bench, _, _ in done)}",
        _authors(proposals) if changes else batch_credit.AUTHOR,
        episodes=[episode for bench, _, _ in done for episode in bench.episodes],
        proposals=proposals,
        kept=_kept(proven, ids),
    )


def _curate(run: Session, phase: str, chore: str) -> Work:
    bench = run.bench(phase, run.version, chore)
    with run.team.meter.about(chore):
        proposals = run.method.curate(chore, run.playbook, bench, run.evidence)
    delta, ids = run.method.combine(proposals)
    return Work(
        guarded(delta, run.playbook),
        [],
        f"{phase}: {chore}",
        _authors(proposals),
        episodes=bench.episodes,
        proposals=proposals,
        kept=_kept(((made, _right_with(made, bench)) for made in proposals), ids),
    )


def _id(sample: Sample) -> str:
    return sample.id


def _right_with(proposal: Proposal, bench: Bench) -> list[str]:
    """The samples that a proposal was tried on and that were right with it."""
    return [e.sample_id for e in bench.episodes if e.id in proposal.episodes and solved(e.feedback)]


def _authors(proposals: Sequence[Proposal]) -> str:
    """Who proposed what is committed."""
    return "+".join(sorted({p.author for p in proposals if p.outcome == "accepted"})) or "curator"


def _result(bench: Bench, trial: Trial) -> dict[str, Any]:
    return {
        "phase": bench.phase,
        "sample": trial.sample.id,
        "correct": bench.verdict.correct,
        "right": solved(trial.feedback),
        "subjects": sorted(trial.feedback.topics),
        "uses": [fact.text for fact in trial.feedback.facts],
        "error": trial.attempt.error,
        **({"unjudged": bench.verdict.detail} if bench.judge_error else {}),
        "context_tokens": bench.context_tokens,
        "left_out": list(bench.left_out),
        **({"retrieved": bench.retrieved} if bench.retrieved else {}),
    }


def _kept(
    proposals: Iterable[tuple[Proposal, Sequence[str]]], ids: Mapping[str, str]
) -> dict[str, list[str]]:
    """Bullet -> the samples that prove it: none, where it waits in quarantine."""
    kept: dict[str, list[str]] = {}
    for proposal, samples in proposals:
        if proposal.outcome == "accepted":
            waits = {op.id for op in proposal.delta if isinstance(op, Quarantine)}
            said = (op for op in proposal.delta if not isinstance(op, Quarantine))
            for name in dict.fromkeys(name for op in said for name in touched(op)):
                kept.setdefault(ids.get(name, name), []).extend(() if name in waits else samples)
    return kept


def _refuse_silence(run: Session, trials: Sequence[Trial]) -> None:
    """When no attempt reached the model, nothing is measured."""
    errors = ["" if trial.attempt.text else trial.attempt.error for trial in trials]
    if first := run.silence.ends_run(errors):
        raise ModelUnavailable(
            f"No attempt got an answer. The first: {first}", hint="Try `ace models check NAME`."
        )


def _refuse_deafness(run: Session, made: Sequence[Sequence[Proposal]]) -> None:
    """When no role could be reached for any sample, going on would learn nothing and look like a result."""
    whys = ([proposal.why for proposal in proposals] for proposals in made)
    failed = [why[0] if all(each.startswith(FAILED) for each in why) else "" for why in whys]
    if first := run.deafness.ends_run(failed):
        raise ModelUnavailable(
            f"No lesson could be asked for. The first: {first}",
            hint="Try `ace models check NAME` with the reflector's model.",
        )


def _tally(results: Sequence[dict[str, Any]]) -> str:
    return f"{sum(r['correct'] for r in results)} of {len(results)} right" if results else ""


def _lessons(run: Session, results: Sequence[dict[str, Any]]) -> str:
    return f"{_tally(results)}, {run.bullets} bullets" if results else ""
