"""Charts of a run's page as PNG bytes, for light and dark pages, wide and narrow.

Shapes, hatches, line styles and numbers say what colour says, so a chart reads in black and white. Knows
figures only: no text that a model wrote is drawn.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ace.report.page_values import WINDOW, Point, RunPage
from ace.report.pictures import Chart, Look, Plan, draw_legend, draw_pictures, set_percent_axis
from ace.runs.report import Score

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def draw_charts(page: RunPage) -> tuple[Chart, ...]:
    """Draw the charts that have something to show. Raises InputError where matplotlib is not installed."""
    return draw_pictures(page, _plan_charts(page))


def _plan_charts(page: RunPage) -> Iterator[Plan]:
    """Yield the charts for which a run has something to show."""
    if page.points and not page.moving:  # one answer a step is no proportion
        yield Plan("accuracy", "Accuracy by step", _describe_accuracy(page), _draw_accuracy, 3.5)
    if page.moving:
        yield Plan("prequential", "Accuracy as served", _describe_moving(page), _draw_moving, 3.2)
    if len(page.sizes) > 1:
        yield Plan("playbook", "Playbook by version", _describe_sizes(page), _draw_sizes, 4.0)
    if page.changes:
        height = 1.2 + 0.55 * len(page.changes)
        yield Plan("flows", "Fixed and broken", _describe_flows(page), _draw_flows, height)
    if any(usage.calls for usage in page.usage.values()):
        height = 1.2 + 0.5 * len(page.usage)
        yield Plan("tokens", "Tokens by role", _describe_tokens(page), _draw_tokens, height)


def _draw_accuracy(figure: Figure, page: RunPage, look: Look) -> None:
    """Draw steps that learn as a line, phases that only score as squares, all with 95% intervals."""
    axes = figure.add_subplot()
    set_percent_axis(axes)
    learning: dict[str, list[Point]] = {}
    scored = []
    for point in page.points:
        if point.phase.learns:
            learning.setdefault(str(point.phase), []).append(point)
        else:
            scored.append(point)
    label = "while learning"
    for points in learning.values():  # a line never leads from one epoch to the next
        style = {"fmt": "o-", "color": look.calm, "markersize": 4, "label": label}
        _draw_with_intervals(axes, points, style)
        label = ""  # one entry in the legend stands for all of them
    if scored:
        style = {"fmt": "s", "color": look.good, "markersize": 8, "label": "scored, nothing learned"}
        _draw_with_intervals(axes, scored, style)
    for point in scored:
        _, high = point.score.ci95
        note = f"{point.phase}\n{point.correct} of {point.total}"
        axes.annotate(note, (point.step, high), xytext=(0, 4), textcoords="offset points", fontsize="small",
                      ha="center", va="bottom")  # fmt: skip
    axes.set_ylim(-0.03, 1.25 if scored else 1.04)  # room for what is written above a perfect score
    axes.margins(x=0.15 if look.narrow else 0.08)
    axes.set_xlabel("step of the run")
    axes.locator_params(axis="x", integer=True)
    draw_legend(axes, look)


def _draw_with_intervals(axes: Axes, points: Sequence[Point], style: Any) -> None:
    """Draw points at their steps, each with the 95% interval of its accuracy."""
    steps, rates, below, above = [], [], [], []
    for point in points:
        rate = point.score.accuracy
        low, high = point.score.ci95
        steps.append(point.step)
        rates.append(rate)
        below.append(rate - low)
        above.append(high - rate)
    axes.errorbar(steps, rates, yerr=[below, above], capsize=3, elinewidth=1, **style)


def _draw_moving(figure: Figure, page: RunPage, look: Look) -> None:
    """Draw the accuracy over the last answers with its 95% interval, and over all answers so far."""
    axes = figure.add_subplot()
    set_percent_axis(axes)
    places = range(1, len(page.moving) + 1)
    rates, lows, highs = [], [], []
    for right, counted in page.moving:
        score = Score(right, counted)
        low, high = score.ci95
        rates.append(score.accuracy)
        lows.append(low)
        highs.append(high)
    axes.fill_between(places, lows, highs, color=look.calm, alpha=0.2, linewidth=0, label="95% interval")
    axes.plot(places, rates, color=look.calm, linewidth=1.8, label=f"last {WINDOW} answers")
    axes.plot(places, list(_compute_running_accuracy(page.moving)), color=look.ink, linewidth=1.2,
              linestyle="--", label="all so far")  # fmt: skip
    axes.set_xlabel("answers given")
    draw_legend(axes, look)


def _compute_running_accuracy(windows: Sequence[tuple[int, int]]) -> Iterator[float]:
    """Yield the accuracy of everything served so far, from (right, counted) over the last WINDOW answers.

    Each answer is the change between two windows, plus the answer that dropped out of the window.
    """
    answers: list[int] = []
    right = before = 0
    for place, (inside, _) in enumerate(windows):
        dropped = answers[place - WINDOW] if place >= WINDOW else 0
        answers.append(inside - before + dropped)
        right += answers[-1]
        before = inside
        yield right / (place + 1)


def _draw_sizes(figure: Figure, page: RunPage, look: Look) -> None:
    """Draw bullets above and tokens below, version by version."""
    above, below = figure.subplots(2, 1, sharex=True)
    versions = []
    active = []
    waiting = []
    tokens = []
    for size in page.sizes:
        versions.append(size.version)
        active.append(size.active)
        waiting.append(size.waiting)
        tokens.append(size.tokens)
    above.step(versions, active, where="mid", color=look.good, linewidth=1.8, label="bullets in use")
    if any(waiting):
        above.step(versions, waiting, where="mid", color=look.warm, linewidth=1.5, linestyle="--",
                   label="in quarantine")  # fmt: skip
        draw_legend(above, look)
    below.step(versions, tokens, where="mid", color=look.calm, linewidth=1.8)
    for axes, label in ((above, "bullets"), (below, "tokens (estimate)")):
        axes.set_ylabel(label)
        axes.set_ylim(0, max(axes.get_ylim()[1], 1))
        axes.grid(axis="y")
        axes.locator_params(axis="y", integer=True, nbins=5)
    below.locator_params(axis="x", integer=True)
    below.set_xlabel("version")


@dataclass(frozen=True, slots=True)
class _Part:
    """Hold one colour of stacked bars: a count for each bar, and a hatch for those who see no colours."""

    label: str
    counts: list[int]
    colour: str
    hatch: str


def _draw_flows(figure: Figure, page: RunPage, look: Look) -> None:
    """Draw a bar for each two phases that are compared: what became of their samples."""
    right = _Part("still right", [], look.calm, "")
    fixed = _Part("fixed", [], look.good, "//")
    broken = _Part("broken", [], look.bad, "xx")
    failing = _Part("still failing", [], look.warm, "..")
    for change in page.changes:
        right.counts.append(len(change.flows.still_right))
        fixed.counts.append(len(change.flows.fixed))
        broken.counts.append(len(change.flows.broken))
        failing.counts.append(len(change.flows.still_failing))
    axes = figure.add_subplot()
    names = [f"{change.before} to\n{change.after}" for change in page.changes]
    _draw_stacked_bars(axes, names, (right, fixed, broken, failing), look, labelled=True)
    axes.set_xlabel("samples")
    draw_legend(axes, look, across=4)


def _draw_tokens(figure: Figure, page: RunPage, look: Look) -> None:
    """Draw a bar for each role: its tokens, those that the provider had read before set apart."""
    from matplotlib.ticker import EngFormatter

    cached = _Part("prompt, cached", [], look.calm, "")
    uncached = _Part("prompt, read anew", [], look.warm, "//")
    completion = _Part("completion", [], look.good, "xx")
    for usage in page.usage.values():
        cached.counts.append(usage.cached_tokens)
        uncached.counts.append(usage.prompt_tokens - usage.cached_tokens)
        completion.counts.append(usage.completion_tokens)
    axes = figure.add_subplot()
    _draw_stacked_bars(axes, list(page.usage), (cached, uncached, completion), look)
    axes.set_xlabel("tokens")
    axes.xaxis.set_major_formatter(EngFormatter(sep=""))
    axes.locator_params(axis="x", nbins=4 if look.narrow else 8)
    draw_legend(axes, look, across=3)


def _draw_stacked_bars(
    axes: Axes, names: Sequence[str], parts: Sequence[_Part], look: Look, *, labelled: bool = False
) -> None:
    """Draw one horizontal bar for each name; `labelled` writes the counts other than 0 into it."""
    starts = [0] * len(names)
    for part in parts:
        bars = axes.barh(names, part.counts, left=starts, color=part.colour, hatch=part.hatch,
                         label=part.label, height=0.6, edgecolor=look.paper)  # fmt: skip
        if labelled:
            texts = [str(count or "") for count in part.counts]
            for label in axes.bar_label(bars, texts, label_type="center"):
                label.set_bbox({"facecolor": look.paper, "edgecolor": "none", "pad": 1.5, "alpha": 0.85})
        starts = [start + count for start, count in zip(starts, part.counts, strict=True)]
    axes.invert_yaxis()


def _describe_accuracy(page: RunPage) -> str:
    """Say what `_draw_accuracy` shows."""
    phrases = []
    right = total = 0
    for point in page.points:
        if point.phase.learns:
            right, total = right + point.correct, total + point.total
        else:
            phrases.append(f"{point.phase}: {point.correct} of {point.total} right")
    if total:
        phrases.append(f"while learning: {right} of {total} right")
    return f"Accuracy by step of the run, with 95% intervals. {'; '.join(phrases)}."


def _describe_moving(page: RunPage) -> str:
    """Say what `_draw_moving` shows."""
    right, counted = page.moving[-1]
    return (
        f"Accuracy over the last {WINDOW} answers and over all answers so far, by answers given. "
        f"At the end {right} of the last {counted} were right."
    )


def _describe_sizes(page: RunPage) -> str:
    """Say what `_draw_sizes` shows."""
    first, last = page.sizes[0], page.sizes[-1]
    return (
        f"Bullets and tokens by version: from {first.active} bullets and {first.tokens} tokens in version "
        f"{first.version} to {last.active} and {last.tokens} in version {last.version}; "
        f"{last.waiting} in quarantine."
    )


def _describe_flows(page: RunPage) -> str:
    """Say what `_draw_flows` shows."""
    phrases = []
    for change in page.changes:
        flows = change.flows
        phrases.append(
            f"{change.before} to {change.after}: {len(flows.fixed)} fixed, {len(flows.broken)} broken, "
            f"{len(flows.still_failing)} still failing, {len(flows.still_right)} still right"
        )
    return f"What became of each sample. {'; '.join(phrases)}."


def _describe_tokens(page: RunPage) -> str:
    """Say what `_draw_tokens` shows."""
    phrases = []
    for role, usage in page.usage.items():
        phrases.append(
            f"{role}: {usage.prompt_tokens:,} prompt, {usage.cached_tokens:,} of them cached, "
            f"{usage.completion_tokens:,} completion"
        )
    return f"Tokens by role. {'; '.join(phrases)}."
