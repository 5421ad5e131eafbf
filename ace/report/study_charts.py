"""Charts of a study: accuracy with intervals, paired differences, learning curves, accuracy against cost.

Knows figures and the names of methods only: no text that a model wrote is drawn.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

from ace.report.pictures import Chart, Look, Plan, draw_legend, draw_pictures, set_percent_axis
from ace.runs.cost import count_tokens
from ace.runs.study_report import Study, format_percent
from ace.runs.study_scores import MethodScore, is_graded, pool_curves

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_MARKERS = "os^Dv<>pX*"
_DASHES = ("-", "--", "-.", ":")


def draw_study_charts(study: Study) -> tuple[Chart, ...]:
    """Draw the charts that have something to show. Raises InputError where matplotlib is not installed."""
    return draw_pictures(study, _plan_charts(study))


def _plan_charts(study: Study) -> Iterator[Plan]:
    """Yield the charts for which a study has something to show, each with its content in words."""
    scores, pairs, curves = study.scores, study.pairs, pool_curves(study.cells)
    if scores:
        phrases = [
            f"{score.method} {format_percent(score.rate)} "
            f"({format_percent(score.low)} to {format_percent(score.high)})"
            for score in scores
        ]
        words = f"Accuracy of each method with its 95% interval. {'; '.join(phrases)}."
        yield Plan("accuracy", "Accuracy", words, _draw_accuracy, 1.1 + 0.4 * len(scores))
    if pairs:
        phrases = [
            f"{pair.first} less {pair.second}: {100 * pair.difference:+.1f} points "
            f"({100 * pair.low:+.1f} to {100 * pair.high:+.1f})"
            for pair in pairs
        ]
        words = f"Paired differences with 95% intervals. {'; '.join(phrases)}."
        yield Plan("differences", "Paired differences", words, _draw_pairs, 1.1 + 0.4 * len(pairs))
    if curves:
        phrases = [
            f"{method} from {format_percent(bands[0].rate)} to {format_percent(bands[-1].rate)} "
            f"after {bands[-1].calls:,.0f} calls of learning"
            for method, bands in curves.items()
        ]
        words = f"Right answers while learning, with 95% bands. {'; '.join(phrases)}."
        yield Plan("curves", "Learning curves", words, _draw_curves, 3.5)
    if scores:
        measure, label = _choose_price(scores)
        phrases = [
            f"{score.method} {format_percent(score.rate)} at {measure(score):,.4g}" for score in scores
        ]
        words = f"Accuracy against {label}. {'; '.join(phrases)}."
        yield Plan("cost", "Accuracy against cost", words, _draw_cost, 3.5)


def _draw_accuracy(figure: Figure, study: Study, look: Look) -> None:
    """Draw a point with its interval for each method, the best above, and a tick for each seed."""
    axes = figure.add_subplot()
    scores = study.scores
    for place, score in enumerate(scores):
        span = [[score.rate - score.low], [score.high - score.rate]]
        axes.errorbar([score.rate], [place], xerr=span, fmt="o", color=look.good, capsize=4, markersize=7)
        axes.plot(score.rates, [place + 0.22] * len(score.rates), "|", color=look.ink, markersize=7)
    _set_rows(axes, [score.method for score in scores])
    axes.set_xlim(-0.02, 1.02)
    axes.set_xticks([0, 0.25, 0.5, 0.75, 1], ["0%", "25%", "50%", "75%", "100%"])
    name = "mean score" if is_graded(study.cells) else "right answers"
    axes.set_xlabel(f"{name}, 95% interval; | each seed")


def _draw_pairs(figure: Figure, study: Study, look: Look) -> None:
    """Draw the difference of each two methods with its interval; filled where it was shown."""
    axes = figure.add_subplot()
    pairs = study.pairs
    for place, pair in enumerate(pairs):
        span = [[100 * (pair.difference - pair.low)], [100 * (pair.high - pair.difference)]]
        colour = look.good if pair.winner else look.calm
        fill = colour if pair.winner else look.paper
        axes.errorbar([100 * pair.difference], [place], xerr=span, fmt="o", color=colour,
                      markerfacecolor=fill, capsize=4, markersize=7)  # fmt: skip
    axes.axvline(0, color=look.ink, linewidth=1, linestyle="--")
    between = "\n- " if look.narrow else " - "
    _set_rows(axes, [f"{pair.first}{between}{pair.second}" for pair in pairs])
    break_or_space = "\n" if look.narrow else " "
    axes.set_xlabel(f"points, 95% interval;{break_or_space}filled: a difference was shown")


def _draw_curves(figure: Figure, study: Study, look: Look) -> None:
    """Draw how answers fared while each method learned, with a band for the 95% interval."""
    axes = figure.add_subplot()
    set_percent_axis(axes)
    colours = (look.calm, look.good, look.warm, look.bad, look.ink)
    scores = {score.method: score for score in study.scores}
    for place, (method, bands) in enumerate(pool_curves(study.cells).items()):
        colour = colours[place % len(colours)]
        calls = [band.calls for band in bands]
        lows, highs = [band.low for band in bands], [band.high for band in bands]
        axes.fill_between(calls, lows, highs, color=colour, alpha=0.15, linewidth=0)
        style = _MARKERS[place % len(_MARKERS)] + _DASHES[place % len(_DASHES)]
        rates = [band.rate for band in bands]
        axes.plot(calls, rates, style, color=colour, markersize=5, linewidth=1.6, label=method)
        score = scores[method]
        end = score.learning_total.calls / len(score.seeds)
        span = [[score.rate - score.low], [score.high - score.rate]]
        axes.errorbar([end], [score.rate], yerr=span, fmt=_MARKERS[place % len(_MARKERS)], color=colour,
                      markerfacecolor=look.paper, capsize=3, markersize=9)  # fmt: skip
    break_or_space = "\n" if look.narrow else " "
    axes.set_xlabel(f"calls so far, mean over seeds;{break_or_space}large and hollow: test at the end")
    draw_legend(axes, look)


def _draw_cost(figure: Figure, study: Study, look: Look) -> None:
    """Draw a point for each method: what a seed took, and how it scored."""
    axes = figure.add_subplot()
    set_percent_axis(axes)
    measure, label = _choose_price(study.scores)
    colours = (look.calm, look.good, look.warm, look.bad, look.ink)
    for place, score in enumerate(study.scores):
        span = [[score.rate - score.low], [score.high - score.rate]]
        marker = _MARKERS[place % len(_MARKERS)]
        axes.errorbar([measure(score)], [score.rate], yerr=span, fmt=marker, capsize=3, markersize=8,
                      color=colours[place % len(colours)], label=score.method)  # fmt: skip
    axes.set_xlim(left=0)
    axes.margins(x=0.1)
    axes.set_xlabel(label)
    axes.locator_params(axis="x", nbins=4 if look.narrow else 8)
    draw_legend(axes, look)


def _choose_price(scores: Sequence[MethodScore]) -> tuple[Callable[[MethodScore], float], str]:
    """Return what methods are compared by, and how it is called: dollars where all prices are known, else
    tokens.
    """
    costs = [score.cost for score in scores]
    if None not in costs and any(costs):
        return lambda score: (score.cost or 0.0) / len(score.seeds), "US dollars of a seed"
    return (
        lambda score: count_tokens(score.learning_total + score.scoring) / len(score.seeds),
        "tokens of a seed, learning and test",
    )


def _set_rows(axes: Axes, names: Sequence[str]) -> None:
    """Let the vertical axis have a row for each name, the first above."""
    axes.set_yticks(range(len(names)), names)
    axes.set_ylim(len(names) - 0.5, -0.5)
    axes.grid(axis="x")
