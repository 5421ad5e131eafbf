"""The chart of accuracy over time: what runs measured, with 95% intervals. Knows figures and names only."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ace.report.pictures import Chart, Look, Plan, draw_legend, draw_pictures, set_percent_axis
from ace.report.run_progress import ScoredAt

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_STYLES = {
    "before": ("o", "warm"),
    "recorded": ("v", "bad"),
    "as served": ("D", "calm"),
    "score": ("^", "ink"),
}
_LAST_STYLE = ("s", "good")


def draw_accuracy_over_time(scores: tuple[ScoredAt, ...]) -> tuple[Chart, ...]:
    """Draw scores in their order, with intervals. Raises InputError where matplotlib is not installed."""
    phrases = []
    for scored in scores:
        low, high = scored.score.ci95
        phrases.append(
            f"run {scored.run} {scored.name} {scored.score.accuracy:.0%} ({low:.0%} to {high:.0%})"
        )
    words = f"Accuracy over time with 95% intervals, in the order of the runs: {'; '.join(phrases)}."
    return draw_pictures(scores, [Plan("accuracy", "Accuracy over time", words, _draw_scores, 3.6)])


def _draw_scores(figure: Figure, scores: tuple[ScoredAt, ...], look: Look) -> None:
    """Draw a mark with its interval for each score; marks and colours say what was scored."""
    axes = figure.add_subplot()
    set_percent_axis(axes)
    for name in dict.fromkeys(scored.name for scored in scores):
        marker, colour = _STYLES.get(name, _LAST_STYLE)
        places, rates, below, above = [], [], [], []
        for place, scored in enumerate(scores):
            if scored.name == name:
                low, high = scored.score.ci95
                places.append(place)
                rates.append(scored.score.accuracy)
                below.append(scored.score.accuracy - low)
                above.append(high - scored.score.accuracy)
        axes.errorbar(places, rates, yerr=[below, above], fmt=marker, color=getattr(look, colour), capsize=3,
                      markersize=6, elinewidth=1.2, label=name)  # fmt: skip
    every = max(1, len(scores) // (6 if look.narrow else 14))
    shown = range(0, len(scores), every)
    axes.set_xticks(list(shown), [f"{scores[place].run}" for place in shown])
    axes.set_xlabel("run, in the order of time")
    axes.margins(x=0.08)
    draw_legend(axes, look)
