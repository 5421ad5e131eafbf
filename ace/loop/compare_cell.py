"""One cell of a study: learn with one method and one seed, then answer the test samples, in its own file.

The file is a playbook like any other. A cell that was cut off goes on from it: its runs are resumed, so no
call that came to an end is paid for again.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from statistics import fmean

from ace.errors import CapReached
from ace.llm.client import Usage
from ace.llm.role_models import RoleModels
from ace.loop.evaluate import evaluate
from ace.loop.offline import learn
from ace.loop.progress import Progress
from ace.methods import find_method
from ace.methods.method_variants import Variant
from ace.runs.cost import count_tokens, sum_usage_by_role
from ace.runs.records import Run
from ace.runs.report import Report
from ace.runs.steps import PhaseKind, read_journal
from ace.runs.study_cells import Cell, CurvePoint, SampleScore
from ace.store import Store
from ace.task.types import Task


def run_cell(
    cell: Cell, variant: Variant, file: Path, task: Task, models: RoleModels, *, progress: Progress
) -> Cell:
    """Return the cell with its results. What its file holds already is not done again.

    Raises what `learn` and `evaluate` raise, and CapReached where a cap left test samples unanswered; the
    next call goes on from there.
    """

    def show(phase: str, finished: int, total: int, note: str = "", /) -> None:
        progress(f"{cell.name}: {phase}", finished, total, note)

    with Store.open(file) as store:
        learned = None
        if find_method(variant.method).learns:
            work = partial(learn, task, store, models, variant.settings, progress=show)
            # Learning that came to a bound on its calls is over.
            learned = _finish_run(store, "learn", work, ends=("done", "capped"))
        work = partial(evaluate, task, store, models, variant.settings, progress=show)
        scored = _finish_run(store, "eval", work, ends=("done",))
        if scored.status != "done":
            stopped = Report.from_json(scored.report or {}).stopped
            raise CapReached(
                f"{cell.name} did not answer every test sample: {stopped}", hint="Raise the cap."
            )
        return _read_results(store, cell, learned, scored)


def _finish_run(store: Store, kind: str, work: Callable[..., Report], *, ends: Collection[str]) -> Run:
    """Return the run of a kind, which is begun or continued unless its status is one of `ends`."""
    runs = [run for run in store.runs() if run.kind == kind]
    if runs and runs[-1].status in ends:
        return runs[-1]
    work(resume=bool(runs))
    return [run for run in store.runs() if run.kind == kind][-1]


def _read_results(store: Store, cell: Cell, learned: Run | None, scored: Run) -> Cell:
    """Return the cell with what the records of its runs say."""
    usage: dict[str, Usage] = defaultdict(Usage)  # what calls were made for -> what they took
    calls = store.calls(scored.id)
    for call in calls:
        usage[call.key.sample] += call.usage
    scores = {episode.sample_id: episode.verdict.score for episode in store.episodes(run=scored.id)}
    answers = []
    tokens = []
    for step in read_journal(store.steps(scored.id)):
        for result in step.results:
            score = 0.0 if result.error else scores.get(result.sample, 0.0)
            right = result.correct and not result.error
            taken = usage[result.calls or result.sample]
            answers.append(SampleScore(result.sample, right, score, error=result.error, usage=taken))
            # What a method chooses for one question counts as retrieved.
            tokens.append(result.context_tokens + result.retrieved.get("playbook", 0))
    report = Report.from_json(scored.report or {})
    cell = replace(
        cell,
        answers=tuple(answers),
        scoring=sum_usage_by_role(calls),
        scoring_seconds=report.seconds,
        bullets=len(store.checkout(report.selected).active),
        playbook_tokens=fmean(tokens) if tokens else 0.0,
        notes=report.notes,
    )
    if learned is None:
        return cell
    lessons = Report.from_json(learned.report or {})
    notes = [f"learning: {note}" for note in (*lessons.notes, lessons.stopped) if note]
    return replace(
        cell,
        learning=sum_usage_by_role(store.calls(learned.id)),
        learning_seconds=lessons.seconds,
        curve=tuple(_trace_curve(store, learned)),
        notes=(*notes, *cell.notes),
    )


def _trace_curve(store: Store, learned: Run) -> Iterator[CurvePoint]:
    """Yield how answers fared at each step: training samples before they taught, and validation samples.

    Of validation only the newest version counts, and not the one that it is compared with.
    """
    total = Usage()
    for step in read_journal(store.steps(learned.id)):
        total = sum((Usage(**usage) for usage in step.usage.values()), total)
        validation = step.phase.kind is PhaseKind.VALIDATION and not step.phase.detail
        if step.results and (validation or step.phase.kind is PhaseKind.EPOCH):
            yield CurvePoint(
                calls=total.calls,
                tokens=count_tokens(total),
                right=sum(result.correct for result in step.results),
                total=len(step.results),
                validation=validation,
                version=step.version,
            )
