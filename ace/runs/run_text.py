"""A report as the text that closes a run. Plain, so that a terminal, a file and a notebook show the same.

Knows only the report: episodes are named by their ids, the playbook by its path.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import reduce
from operator import add
from shlex import quote
from textwrap import indent, wrap

from ace.llm.client import Usage
from ace.playbook.model import Bullet
from ace.runs.metrics import Turn
from ace.runs.report import Comparison, Report, Score

EPISODES_SHOWN = 4
SCORE_NAMES = {"learn": ("before", "after"), "online": ("", "as served"), "eval": ("", "score")}


def closing(report: Report, *, folder: str = "", model: str = "", resume: str = "", width: int = 100) -> str:
    """Scores, bullets, usage, where things are and what to try next.

    `folder` is how the task was named, `model` the options that name the model, `resume` the command that
    continues the run.
    """
    steps = _next(report, quote(folder or report.task), f" {model}".rstrip(), resume)
    blocks = (
        _scores(report),
        _learned(report, width) if report.kind != "eval" else "",
        _usage(report),
        _place(report),
        "Next\n" + "\n".join(f"  {step}" for step in steps),
    )
    return "\n\n".join(filter(None, blocks))


def aligned(rows: Iterable[Sequence[str]], *, right: Sequence[int] = ()) -> str:
    """Rows as columns two spaces apart; the columns in `right` are flush right."""
    table = [tuple(row) for row in rows]
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]

    def line(row: Sequence[str]) -> str:
        sides = (str.rjust if place in right else str.ljust for place in range(len(row)))
        cells = (side(cell, width) for side, cell, width in zip(sides, row, widths, strict=True))
        return "  ".join(cells).rstrip()

    return "\n".join(map(line, table))


def score_text(score: Score | None) -> str:
    """Counts and interval in one phrase."""
    if score is None:
        return "not measured"
    return "  ".join(_score_cells(score))


def _score_cells(score: Score) -> tuple[str, str, str]:
    low, high = score.ci95
    errors = f", {score.errors} of them gave no answer" if score.errors else ""
    interval = f"95% interval {low:.1%} to {high:.1%}{errors}"
    return f"{score.correct} of {score.total} right", f"{score.accuracy:.1%}", interval


def _scores(report: Report) -> str:
    names = SCORE_NAMES.get(report.kind, ("before", "after"))
    pairs = [("recorded", report.recorded), *zip(names, (report.before, report.after), strict=True)]
    rows = [(name, *_score_cells(score)) for name, score in pairs if name and score]
    lines = [f"{report.kind} {report.task} with {report.model}"]
    lines += [f"  {role} is {name}" for role, name in report.models.items() if name != report.model]
    if rows:
        lines.append(indent(aligned(rows, right=(1, 2)), "  "))
    lines += [f"  {note}" for note in report.notes]
    if report.kind == "online":
        lines += _as_it_went(report)
    if report.skipped:
        attempts = counted(report.skipped, "recorded attempt")
        lines.append(f"  left out: {attempts} at samples held out for validation or test")
    if report.p_value is not None:
        lines.append(f"  paired test, exact McNemar: p = {report.p_value:.2g}")
    if report.kind == "learn":
        lines += [f"  {_turn(turn)}" for turn in report.epochs]
        lines.append(f"  selected: version {report.selected}, {_choice(report)}")
        lines += [f"    {_comparison(met)}" for met in report.comparisons]
    if report.stopped:
        lines.append(f"  stopped early: {report.stopped}")
    return "\n".join(lines)


def _as_it_went(report: Report) -> Iterator[str]:
    """What only an online run has."""
    if report.recent and report.after and report.recent.total < report.after.total:
        yield f"  the last {report.recent.total}: {score_text(report.recent)}"
    for answers in report.changes:
        yield f"  worse after {answers} answers: a change was found, and what was known reopened"
    if report.unjudged:
        yield f"  {counted(report.unjudged, 'answer')} without feedback so far"


def _choice(report: Report) -> str:
    if report.validated:
        return "chosen on the validation set"
    return "the last one so far" if report.stopped else "the last one; no validation ran"


def _turn(turn: Turn) -> str:
    return (
        f"epoch {turn.epoch}, asked again: {turn.fixed} fixed, {turn.broken} broken, {turn.still_failing} "
        f"still failing, {turn.still_right} still right; {turn.instability or 0:.0%} of answers changed"
    )


def _comparison(met: Comparison) -> str:
    pairs = f"{counted(met.wins, 'win')}, {met.losses} lost, {met.compared - met.wins - met.losses} alike"
    verdict = "accepted" if met.accepted else f"rejected, {met.old} stays"
    return (
        f"validation {met.phase}: version {met.new} against {met.old}: {pairs} "
        f"({met.asked} of {met.total} samples asked); {verdict}"
    )


def _learned(report: Report, width: int) -> str:
    counts = f"{report.proposed} proposed, {report.accepted} accepted, {report.rejected} rejected"
    if not report.learned:
        bullets = counted(report.quarantined, "bullet")
        waiting = f"; {bullets} in quarantine until an attempt proves them" if report.quarantined else ""
        return f"Learned nothing ({counts}){waiting}"
    role = "that prove it" if report.verified else "it came from, unverified"
    head = f"Learned {counted(len(report.learned), 'bullet')} ({counts}), each with the episodes {role}"
    return "\n".join([head, *(_bullet(bullet, width) for bullet in report.learned)])


def _bullet(bullet: Bullet, width: int) -> str:
    text = wrap(bullet.content, width, initial_indent="  ", subsequent_indent="  ")
    return "\n".join([*text, f"    {bullet.id}: {_episodes(bullet.provenance)}"])


def _episodes(ids: Sequence[str]) -> str:
    more = len(ids) - EPISODES_SHOWN
    shown = ", ".join(ids[:EPISODES_SHOWN]) + (f" and {more} more" if more > 0 else "")
    return shown or "no episode"


def _usage(report: Report) -> str:
    if not report.usage:
        return ""
    rows = [_usage_row(role, usage) for role, usage in report.usage.items()]
    if len(rows) > 1:
        rows.append(_usage_row("all", reduce(add, report.usage.values())))
    head = ("role", "calls", "prompt", "cached", "completion", "seconds", "cost")
    return aligned([head, *rows], right=range(1, 7))


def _usage_row(role: str, usage: Usage) -> tuple[str, ...]:
    counts = (usage.calls, usage.prompt_tokens, usage.cached_tokens, usage.completion_tokens)
    return role, *(f"{count:,}" for count in counts), f"{usage.seconds:,.0f}", cost_text(usage.cost)


def counted(count: int, noun: str) -> str:
    """1 bullet, 2 bullets."""
    return f"{count:,} {noun}" + ("" if count == 1 else "s")


def cost_text(cost: float | None) -> str:
    """A price that nobody knows is not a price of zero."""
    if cost is None:
        return "unknown"
    return f"${cost:.4f}" if cost else "$0"


def _place(report: Report) -> str:
    minutes, seconds = divmod(round(report.seconds), 60)
    waiting = f" ({report.quarantined} in quarantine, not used)" if report.quarantined else ""
    bullets = f"{counted(report.bullets, 'bullet')}{waiting}"
    size = f"{bullets}, {counted(report.versions, 'version')}, run {report.run}"
    return f"{report.playbook} holds it all: {size}. It took {minutes} min {seconds} s."


def _next(report: Report, task: str, model: str, resume: str) -> Iterator[str]:
    playbook = f"--playbook {quote(report.playbook)}"
    if report.stopped and report.kind == "learn":
        yield resume or f"ace learn {task} {playbook} --resume"
    if report.bullets:
        yield f"ace playbook show {playbook}"
    if report.rejected:
        yield f"ace runs show {report.run} --rejected {playbook}"
    perfect = report.after is not None and report.after.correct == report.after.total
    if report.recorded and report.after is None:
        return  # logs without a task: there is nothing to learn on or to score
    if report.kind == "learn" and not report.stopped and not perfect:
        yield f"ace learn {task} {playbook}{model} --epochs 2"
    elif report.kind == "eval" and not report.bullets:
        yield f"ace learn {task} {playbook}{model}"
    else:
        yield f"ace eval {task} {playbook}{model}"
