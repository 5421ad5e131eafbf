"""From the records of a run to its page. Pure: a history in, a page out; knows no file and no HTML."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import pairwise

from ace.context.render import render_playbook
from ace.llm.client import Usage
from ace.playbook.delta import apply, touched_ids
from ace.playbook.model import Add, Playbook
from ace.report.page_values import (
    WINDOW,
    Lesson,
    PhaseComparison,
    Point,
    RejectedProposal,
    RunPage,
    SampleAnswers,
    Size,
)
from ace.report.reproduce import build_command, list_settings
from ace.report.run_history import RunHistory
from ace.runs.causes import count_causes
from ace.runs.metrics import compare_scorings, compute_moving_accuracy, pool_counts
from ace.runs.report import Report
from ace.runs.steps import Phase, PhaseKind, SampleResult
from ace.task.types import Episode

_MOST_POINTS = 40  # of a phase in a chart
_MOST_SIZES = 200  # a chart shows no more
_NO_LIMIT = 10**9  # a budget that no playbook fills: its whole size is asked for

StepResults = Sequence[tuple[int, SampleResult]]  # each with the number of its step


def build_run_page(history: RunHistory) -> RunPage:
    """Build the page of a run, finished or not."""
    run = history.run
    report = Report.from_json(run.report) if run.report else None
    results: list[tuple[int, SampleResult]] = []
    for step in history.steps:
        results += [(step.number, result) for result in step.results]
    served = [result.correct for _, result in results if result.phase.kind is PhaseKind.ONLINE]
    return RunPage(
        file=history.file,
        run=run.id,
        kind=run.kind,
        task=run.task,
        model=str(run.config.get("models", {}).get("generator", "")),
        status=run.status,
        report=report,
        points=tuple(_collect_points(results)),
        moving=tuple(compute_moving_accuracy(served, WINDOW)),
        sizes=tuple(_measure_versions(history)),
        changes=tuple(_compare_phases(results, history.episodes)),
        lessons=tuple(_collect_lessons(history, results)),
        refuted=tuple(_collect_rejected(history)),
        proposed=len(history.proposals),
        usage=report.usage if report else _sum_step_usage(history),
        causes=count_causes(history.steps),
        command=build_command(run),
        settings=tuple(list_settings(run, history.start, history.final)),
    )


def _collect_points(results: StepResults) -> Iterator[Point]:
    """Yield one point for a phase that only scores, and one for each step that learns; many are pooled."""
    right: dict[Phase, Counter[int]] = defaultdict(Counter)  # phase -> step -> right answers
    asked: dict[Phase, Counter[int]] = defaultdict(Counter)
    errors: dict[Phase, Counter[int]] = defaultdict(Counter)
    for step, result in results:
        right[result.phase][step] += result.correct
        asked[result.phase][step] += 1
        errors[result.phase][step] += bool(result.error)
    for phase, totals in asked.items():
        steps = list(totals)
        counts = [(right[phase][step], totals[step]) for step in steps]
        most = _MOST_POINTS if phase.learns else 1
        start = 0
        for end, correct, total in pool_counts(counts, most):
            failed = sum(errors[phase][step] for step in steps[start : end + 1])
            number = steps[end] if phase.learns else steps[0]
            yield Point(number, phase, correct, total, errors=failed)
            start = end + 1


def _measure_versions(history: RunHistory) -> Iterator[Size]:
    """Yield sizes of the first and the last version, and of evenly spaced ones between.

    Not of all of them, because each size takes a whole rendering.
    """
    playbook = history.base
    yield _measure_size(history.start.number, playbook)
    last = len(history.changes) - 1
    every = max(1, -(-len(history.changes) // _MOST_SIZES))
    for place, (version, delta) in enumerate(history.changes):
        playbook, _ = apply(playbook, delta)
        if place % every == every - 1 or place == last:
            yield _measure_size(version.number, playbook)


def _measure_size(version: int, playbook: Playbook) -> Size:
    """Return how many bullets of a playbook are in use and in quarantine, and the tokens of the former."""
    rendered = render_playbook(playbook, _NO_LIMIT)
    active = len(rendered.bullets)
    return Size(version, active=active, waiting=len(playbook) - active, tokens=rendered.tokens)


def _compare_phases(results: StepResults, episodes: Iterable[Episode]) -> Iterator[PhaseComparison]:
    """Yield what became of the samples that two phases scored, for each pair worth comparing."""
    scorings: dict[Phase, dict[str, bool]] = defaultdict(dict)
    for _, result in results:
        scorings[result.phase][result.sample] = result.correct
    first_episodes: dict[tuple[str, str], Episode] = {}
    for episode in episodes:
        first_episodes.setdefault((episode.phase, episode.sample_id), episode)
    for before, after in _pair_phases(list(scorings)):
        flows = compare_scorings(scorings[before], scorings[after])
        samples = {}
        for name in (*flows.fixed, *flows.broken, *flows.still_failing, *flows.still_right):
            first = first_episodes.get((str(before), name))
            second = first_episodes.get((str(after), name))
            question = ""
            answers = []
            for answered in (first, second):
                if answered is None:
                    answers.append("")
                    continue
                question = question or answered.question
                answers.append(answered.attempt.answer or answered.attempt.error)
            samples[name] = SampleAnswers(name, question, before=answers[0], after=answers[1])
        yield PhaseComparison(str(before), str(after), flows, samples)


def _pair_phases(phases: Sequence[Phase]) -> Iterator[tuple[Phase, Phase]]:
    """Yield pairs of phases that scored the same samples, or some of them, the earlier phase first."""
    before = Phase(PhaseKind.BEFORE)
    after = Phase(PhaseKind.AFTER)
    if before in phases and after in phases:
        yield before, after
    for kind in (PhaseKind.EPOCH, PhaseKind.VALIDATION):
        yield from pairwise(phase for phase in phases if phase.kind is kind)
    trained = [phase for phase in phases if phase.kind in (PhaseKind.EPOCH, PhaseKind.REPLAY)]
    for earlier, later in pairwise(trained):
        if later.kind is PhaseKind.REPLAY:
            yield earlier, later
    for phase in phases:
        epoch = Phase(PhaseKind.EPOCH, phase.number)
        if phase.kind is PhaseKind.RECHECK and epoch in phases:
            yield epoch, phase


def _collect_lessons(history: RunHistory, results: StepResults) -> Iterator[Lesson]:
    """Yield every bullet of the playbook with the samples that prove it and its episodes."""
    episodes = {episode.id: episode for episode in (*history.cited, *history.episodes)}
    proofs: dict[str, dict[str, int]] = defaultdict(dict)  # bullet -> sample -> the step that proved it
    for step in history.steps:
        for bullet_id, samples in step.proofs.items():
            for sample in samples:
                proofs[bullet_id].setdefault(sample, step.number)
    attempts: dict[str, list[tuple[int, bool]]] = defaultdict(list)  # sample -> (step, right)
    for number, result in results:
        if result.phase.learns:
            attempts[result.sample].append((number, result.correct))
    for bullet in history.playbook:
        later = []
        for sample, proven_at in proofs[bullet.id].items():
            later += [right for number, right in attempts[sample] if number > proven_at]
        cited, unknown = [], []
        for name in bullet.provenance:
            if name in episodes:
                cited.append(episodes[name])
            else:
                unknown.append(name)
        old = history.base.bullets.get(bullet.id)
        yield Lesson(
            bullet,
            new=old is None or (old.content, old.status) != (bullet.content, bullet.status),
            proves=tuple(proofs[bullet.id]),
            later=(sum(later), len(later)),
            episodes=tuple(cited),
            unknown=tuple(unknown),
        )


def _collect_rejected(history: RunHistory) -> Iterator[RejectedProposal]:
    """Yield each rejected proposal; the last of its episodes is the one that decided."""
    episodes = {episode.id: episode for episode in history.episodes}
    for proposal in history.proposals:
        if proposal.outcome != "rejected":
            continue
        cited = [episodes[name] for name in proposal.episodes if name in episodes]
        question, attempt = "", None
        if cited:
            question = cited[0].question
        if len(cited) > 1:
            attempt = cited[-1]
        changes = []
        for operation in proposal.delta:
            content = getattr(operation, "content", "")
            if not isinstance(operation, Add):
                content = f"{operation.op} {', '.join(touched_ids(operation))} {content}".rstrip()
            changes.append(content)
        yield RejectedProposal(proposal, changes=tuple(changes), question=question, attempt=attempt)


def _sum_step_usage(history: RunHistory) -> Mapping[str, Usage]:
    """Sum up the usage of a run without a report, from its journal."""
    total: dict[str, Usage] = defaultdict(Usage)
    for step in history.steps:
        for role, usage in step.usage.items():
            total[role] += Usage(**usage)
    return dict(total)
