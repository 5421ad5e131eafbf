"""A report as the text that closes a run. Plain, so that a terminal, a file and a notebook show the same.

Knows only the report: episodes are named by their ids, the playbook by its path.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import reduce
from operator import add
from shlex import quote
from textwrap import indent, wrap
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ace.llm.client import Usage  # it imports pydantic, which a table does not need
    from ace.runs.report import Report, Score

_EPISODES = 4  # of a bullet that are named
_SCORE_NAMES = {"online": ("", "as served"), "eval": ("", "score")}
_USAGE_HEAD = ("calls", "prompt", "cached", "completion", "seconds", "cost")


def render_report(
    report: Report,
    *,
    folder: str = "",
    model: str = "",
    learning: str = "",
    branch: str = "main",
    resume: str = "",
    width: int = 100,
) -> str:
    """Render scores, bullets, usage, where things are and what to try next.

    `folder` is the task as commands take it: without one, as of a task that a program defines, no command is
    named that needs it. In the commands to run next stand `model`, the options that every run with this model
    and method takes; `learning`, those that only a run that learns takes; `branch`, where it worked; and
    `resume`, the command that continues the run. `width` is the number of characters in a line of a bullet's
    text.
    """
    blocks = [_render_scores(report)]
    if report.kind not in ("eval", "agent"):  # neither learns
        blocks.append(_render_learned(report, width))
    if report.usage:
        rows = list(report.usage.items())
        if len(rows) > 1:
            rows.append(("all", reduce(add, report.usage.values())))
        blocks.append(render_usage("role", rows))
    minutes, seconds = divmod(round(report.seconds), 60)
    bullets = format_count(report.bullets, "bullet")
    if report.quarantined:
        bullets += f" ({report.quarantined} in quarantine, not used)"
    versions = "" if report.kind == "eval" else f", {format_count(report.versions, 'version')}"
    size = f"{bullets}{versions}, run {report.run}"
    blocks.append(f"{report.playbook} holds it all: {size}. It took {minutes} min {seconds} s.")
    scoring = ""
    if folder:
        words = (quote(folder), f"--playbook {quote(report.playbook)}", model)
        scoring = " ".join(filter(None, words))
    commands = list(_suggest_commands(report, scoring, f"{scoring} {learning}".rstrip(), branch, resume))
    if commands:
        blocks.append("Next\n" + "\n".join(f"  {command}" for command in commands))
    return "\n\n".join(blocks)


def align_columns(rows: Iterable[Sequence[str]], *, right: Sequence[int] = ()) -> str:
    """Lay rows out as columns two spaces apart; the columns whose numbers are in `right` are flush right.

    Numbers of columns count from 0. Raises ValueError for rows of different lengths.
    """
    table = [tuple(row) for row in rows]
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    lines = []
    for row in table:
        cells = []
        for place, (cell, width) in enumerate(zip(row, widths, strict=True)):
            align = str.rjust if place in right else str.ljust
            cells.append(align(cell, width))
        lines.append("  ".join(cells).rstrip())
    return "\n".join(lines)


def render_usage(title: str, rows: Iterable[tuple[str, Usage]], *, decimals: int = 0) -> str:
    """Render a table of what calls took, one row for each name; `decimals` are those of the seconds."""
    table = [(title, *_USAGE_HEAD)]
    for name, usage in rows:
        counts = (usage.calls, usage.prompt_tokens, usage.cached_tokens, usage.completion_tokens)
        calls, prompt, cached, completion = (f"{count:,}" for count in counts)
        seconds = f"{usage.seconds:,.{decimals}f}"
        table.append((name, calls, prompt, cached, completion, seconds, format_cost(usage.cost)))
    return align_columns(table, right=range(1, 7))


def format_score(score: Score | None) -> str:
    """Format counts, accuracy and interval in one phrase; None is a score that was not measured."""
    if score is None:
        return "not measured"
    return "  ".join(_format_score_cells(score))


def format_count(count: int, noun: str) -> str:
    """Format a count with its noun: 1 bullet, 2 bullets."""
    plural = "" if count == 1 else "s"
    return f"{count:,} {noun}{plural}"


def format_cost(cost: float | None) -> str:
    """Format US dollars; a price that nobody knows is "unknown", not zero."""
    if cost is None:
        return "unknown"
    return f"${cost:.4f}" if cost else "$0"


def _format_score_cells(score: Score) -> tuple[str, str, str]:
    """Return counts, accuracy, and the interval with the number of answers that are missing."""
    low, high = score.ci95
    interval = f"95% interval {low:.1%} to {high:.1%}"
    if score.errors:
        interval += f", {score.errors} of them gave no answer"
    return f"{score.correct} of {score.total} right", f"{score.accuracy:.1%}", interval


def name_scores(kind: str) -> tuple[str, str]:
    """Return what the first and the last score of this kind of run are called; "" for one that it has not."""
    return _SCORE_NAMES.get(kind, ("before", "after"))


def _render_scores(report: Report) -> str:
    """Render what was run, how it scored, and whatever has to be known to read the scores."""
    lines = [f"{report.kind} {report.task} with {report.model}"]
    for role, model in report.models.items():
        if model != report.model:
            lines.append(f"  {role} is {model}")
    first, second = name_scores(report.kind)
    rows = []
    for name, score in (("recorded", report.recorded), (first, report.before), (second, report.after)):
        if name and score:
            rows.append((name, *_format_score_cells(score)))
    if rows:
        lines.append(indent(align_columns(rows, right=(1, 2)), "  "))
    if report.kind == "eval":
        lines.append(f"  of version {report.selected}")
    elif report.kind == "learn" and not (report.before or report.after or report.recorded or report.stopped):
        lines.append("  not measured: no test questions were scored before and after")
    lines += [f"  {note}" for note in report.notes]
    if report.kind == "online":
        if report.recent and report.after and report.recent.total < report.after.total:
            lines.append(f"  the last {report.recent.total}: {format_score(report.recent)}")
        for answers in report.changes:
            lines.append(f"  worse after {answers} answers: a change was found, and what was known reopened")
    if report.unjudged:
        lines.append(f"  {format_count(report.unjudged, 'answer')} without feedback so far")
    if report.skipped:
        attempts = format_count(report.skipped, "recorded attempt")
        lines.append(f"  left out: {attempts} at samples held out for validation or test")
    if report.p_value is not None:
        lines.append(f"  paired test, exact McNemar: p = {report.p_value:.2g}")
    lines += _render_selection(report)
    if report.stopped:
        lines.append(f"  stopped early: {report.stopped}")
    return "\n".join(lines)


def _render_selection(report: Report) -> Iterator[str]:
    """Yield the lines that only a learn run has: its epochs, the version it selected, and why that one."""
    if report.kind != "learn":
        return
    for epoch in report.epochs:
        yield (
            f"  epoch {epoch.epoch}, asked again: {epoch.fixed} fixed, {epoch.broken} broken, "
            f"{epoch.still_failing} still failing, {epoch.still_right} still right; "
            f"{epoch.instability or 0:.0%} of answers changed"
        )
    reason = "the last one; no validation ran"
    if report.validated:
        reason = "chosen on the validation set"
    elif report.stopped:
        reason = "the last one so far"
    yield f"  selected: version {report.selected}, {reason}"
    for comparison in report.comparisons:
        wins = comparison.wins
        losses = comparison.losses
        alike = comparison.compared - wins - losses
        decision = f"rejected, {comparison.old} stays"
        if comparison.accepted:
            decision = "accepted"
        yield (
            f"    validation {comparison.phase}: version {comparison.new} against {comparison.old}: "
            f"{format_count(wins, 'win')}, {losses} lost, {alike} alike "
            f"({comparison.asked} of {comparison.total} samples asked); {decision}"
        )


def _render_learned(report: Report, width: int) -> str:
    """Render the bullets that the run added or changed, each with up to four of its episodes."""
    counts = f"{report.proposed} proposed, {report.accepted} accepted, {report.rejected} rejected"
    if report.learned:
        role = "that prove it" if report.verified else "it came from, unverified"
        bullets = format_count(len(report.learned), "bullet")
        lines = [f"Learned {bullets} ({counts}), each with the episodes {role}"]
        for bullet in report.learned:
            lines += wrap(bullet.content, width, initial_indent="  ", subsequent_indent="  ")
            episodes = ", ".join(bullet.provenance[:_EPISODES]) or "no episode"
            more = len(bullet.provenance) - _EPISODES
            if more > 0:
                episodes += f" and {more} more"
            lines.append(f"    {bullet.id}: {episodes}")
        return "\n".join(lines)
    text = f"Learned nothing ({counts})"
    if report.quarantined:
        bullets = format_count(report.quarantined, "bullet")
        them = "it" if report.quarantined == 1 else "them"
        text += f"; {bullets} in quarantine until an attempt proves {them}"
    return text


def _suggest_commands(report: Report, scoring: str, learning: str, branch: str, resume: str) -> Iterator[str]:
    """Yield commands to run next; `scoring` and `learning` are what `ace eval` and `ace learn` take.

    Without `scoring` there is no task for them.
    """
    playbook = f"--playbook {quote(report.playbook)}"
    if report.stopped and (resume or (scoring and report.kind == "learn")):
        yield resume or f"ace learn {learning} --resume"
    if report.bullets:
        yield f"ace playbook show {playbook}" + (f" --version {quote(branch)}" if branch != "main" else "")
    if report.rejected:
        yield f"ace runs show {report.run} --rejected {playbook}"
    perfect = report.after is not None and report.after.correct == report.after.total
    if not scoring or (report.recorded and report.after is None):
        return  # logs without a task: there is nothing to learn on or to score
    if report.kind == "learn" and not report.stopped and not perfect:
        yield f"ace learn {learning} --epochs 2"
    elif report.kind == "eval" and not report.bullets:
        yield f"ace learn {learning}"
    else:
        yield f"ace eval {scoring}"
