"""The charts of a dossier as PNG bytes, for light and dark pages, wide and narrow.

Shapes, hatches, line styles and numbers say what colour says, so a chart reads in black and white. Knows
figures only: no text that a model wrote is drawn.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from ace.errors import InputError
from ace.report.page_data import WINDOW, Dossier, Point, interval, learns

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_DPI = 160
_WIDE, _NARROW = 8.4, 4.0  # inches


@dataclass(frozen=True, slots=True)
class Chart:
    """One picture in four forms, and what it shows for those who do not see it."""

    name: str
    title: str
    alt: str
    light: bytes
    dark: bytes
    narrow_light: bytes
    narrow_dark: bytes


@dataclass(frozen=True, slots=True)
class _Look:
    """Colours of one scheme: paper, ink, lines, then four that differ in brightness too."""

    paper: str
    ink: str
    line: str
    good: str
    calm: str
    warm: str
    bad: str
    narrow: bool = False


_LIGHT = _Look("#ffffff", "#1f2430", "#c9ced8", "#0b6e4f", "#2f6fb3", "#e0a030", "#b3362b")
_DARK = _Look("#14171d", "#e4e7ee", "#3a404c", "#5fd1a4", "#7db4ea", "#f0c060", "#f08a7c")

_Draw = Callable[["Figure", Dossier, _Look], None]


def charts(dossier: Dossier) -> tuple[Chart, ...]:
    """Those that have something to show. Raises InputError where matplotlib is not installed."""
    _check_installed()
    wanted: list[tuple[str, str, str, _Draw, float]] = []
    if dossier.points and not dossier.moving:  # one answer a step is no proportion
        wanted.append(("accuracy", "Accuracy by step", _told_accuracy(dossier), _accuracy, 3.5))
    if dossier.moving:
        wanted.append(("prequential", "Accuracy as served", _told_moving(dossier), _moving, 3.2))
    if len(dossier.sizes) > 1:
        wanted.append(("playbook", "Playbook by version", _told_sizes(dossier), _sizes, 4.0))
    if dossier.changes:
        height = 1.2 + 0.55 * len(dossier.changes)
        wanted.append(("flows", "Fixed and broken", _told_flows(dossier), _flows, height))
    if any(usage.calls for usage in dossier.usage.values()):
        height = 1.2 + 0.5 * len(dossier.usage)
        wanted.append(("tokens", "Tokens by role", _told_tokens(dossier), _tokens, height))
    return tuple(_chart(dossier, *each) for each in wanted)


def _check_installed() -> None:
    try:
        import matplotlib  # noqa: F401
    except ImportError as error:
        raise InputError(
            "A report's charts are drawn by matplotlib, which is not installed.",
            hint="Install the extra `report`: pip install 'ace-playbook[report]'.",
        ) from error


def _chart(dossier: Dossier, name: str, title: str, alt: str, draw: _Draw, height: float) -> Chart:
    def picture(look: _Look) -> bytes:
        return _png(dossier, draw, look, height)

    wide = picture(_LIGHT), picture(_DARK)
    narrow = picture(replace(_LIGHT, narrow=True)), picture(replace(_DARK, narrow=True))
    return Chart(name, title, alt, *wide, *narrow)


def _png(dossier: Dossier, draw: _Draw, look: _Look, height: float) -> bytes:
    """Drawn on a figure of its own: pyplot keeps state that threads would share."""
    import matplotlib
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    ink = ("text.color", "axes.labelcolor", "xtick.color", "ytick.color")
    settings: Any = {
        **dict.fromkeys(ink, look.ink),
        "figure.facecolor": look.paper,
        "axes.facecolor": look.paper,
        "axes.edgecolor": look.line,
        "grid.color": look.line,
        "grid.linewidth": 0.6,
        "hatch.linewidth": 0.8,
        "hatch.color": look.paper,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "font.size": 9 if look.narrow else 10,
        "font.family": "DejaVu Sans",
        "text.parse_math": False,
        "legend.frameon": False,
    }
    with matplotlib.rc_context(settings):
        figure = Figure((_NARROW if look.narrow else _WIDE, height), dpi=_DPI, layout="constrained")
        FigureCanvasAgg(figure)
        draw(figure, dossier, look)
        written = io.BytesIO()
        figure.savefig(written, format="png", metadata={"Software": None})
    return written.getvalue()


def _accuracy(figure: Figure, dossier: Dossier, look: _Look) -> None:
    """Steps that learn as a line, phases that only score as squares, all with 95% intervals."""
    axes = figure.add_subplot()
    _percent(axes, look)
    phases = {point.phase: None for point in dossier.points if learns(point.phase)}
    for phase in phases:  # a line never leads from one epoch to the next
        taught = [point for point in dossier.points if point.phase == phase]
        style = {"fmt": "o-", "color": look.calm, "markersize": 4}
        _with_intervals(axes, taught, style, "" if phase != next(iter(phases)) else "while learning")
    scored = [point for point in dossier.points if not learns(point.phase)]
    if scored:
        style = {"fmt": "s", "color": look.good, "markersize": 8}
        _with_intervals(axes, scored, style, "scored, nothing learned")
    for point in scored:
        _, _, high = interval(point.correct, point.total)
        label = f"{point.phase}\n{point.correct} of {point.total}"
        axes.annotate(label, (point.step, high), xytext=(0, 4), textcoords="offset points", fontsize="small",
                      ha="center", va="bottom")  # fmt: skip
    axes.set_ylim(-0.03, 1.25 if scored else 1.04)  # room for what is written above a perfect score
    axes.margins(x=0.15 if look.narrow else 0.08)
    axes.set_xlabel("step of the run")
    axes.locator_params(axis="x", integer=True)
    _legend(axes, look)


def _with_intervals(axes: Axes, points: Sequence[Point], style: Any, label: str) -> None:
    rates = [interval(point.correct, point.total) for point in points]
    below = [rate - low for rate, low, _ in rates]
    above = [high - rate for rate, _, high in rates]
    steps, middle = [point.step for point in points], [rate for rate, _, _ in rates]
    axes.errorbar(steps, middle, yerr=[below, above], label=label, capsize=3, elinewidth=1, **style)


def _moving(figure: Figure, dossier: Dossier, look: _Look) -> None:
    axes = figure.add_subplot()
    _percent(axes, look)
    places = range(1, len(dossier.moving) + 1)
    rates = [interval(right, counted) for right, counted in dossier.moving]
    low, high = [low for _, low, _ in rates], [high for _, _, high in rates]
    axes.fill_between(places, low, high, color=look.calm, alpha=0.2, linewidth=0, label="95% interval")
    axes.plot(places, [rate for rate, _, _ in rates], color=look.calm, linewidth=1.8,
              label=f"last {WINDOW} answers")  # fmt: skip
    axes.plot(places, list(_running(dossier)), color=look.ink, linewidth=1.2, linestyle="--",
              label="all so far")  # fmt: skip
    axes.set_xlabel("answers given")
    _legend(axes, look)


def _running(dossier: Dossier) -> Iterator[float]:
    """Accuracy of everything served so far: the windows know each answer by what it changed."""
    right, window = 0, list(dossier.moving)
    answers: list[int] = []
    for place, (inside, _) in enumerate(window):
        before = window[place - 1][0] if place else 0
        gone = answers[place - WINDOW] if place >= WINDOW else 0
        answers.append(inside - before + gone)
        right += answers[-1]
        yield right / (place + 1)


def _sizes(figure: Figure, dossier: Dossier, look: _Look) -> None:
    above, below = figure.subplots(2, 1, sharex=True)
    versions = [size.version for size in dossier.sizes]
    active, waiting = [s.active for s in dossier.sizes], [s.waiting for s in dossier.sizes]
    above.step(versions, active, where="mid", color=look.good, linewidth=1.8, label="bullets in use")
    if any(waiting):
        above.step(versions, waiting, where="mid", color=look.warm, linewidth=1.5, linestyle="--",
                   label="in quarantine")  # fmt: skip
        _legend(above, look)
    below.step(versions, [s.tokens for s in dossier.sizes], where="mid", color=look.calm, linewidth=1.8)
    for axes, label in ((above, "bullets"), (below, "tokens (estimate)")):
        axes.set_ylabel(label)
        axes.set_ylim(0, max(axes.get_ylim()[1], 1))
        axes.grid(axis="y")
        axes.locator_params(axis="y", integer=True, nbins=5)
    below.locator_params(axis="x", integer=True)
    below.set_xlabel("version")


def _flows(figure: Figure, dossier: Dossier, look: _Look) -> None:
    kinds = (
        ("still right", look.calm, ""),
        ("fixed", look.good, "//"),
        ("broken", look.bad, "xx"),
        ("still failing", look.warm, ".."),
    )
    axes = figure.add_subplot()
    names = [f"{change.before} to\n{change.after}" for change in dossier.changes]
    left = [0] * len(names)
    for kind, colour, hatch in kinds:
        counts = [len(getattr(change.flows, kind.replace(" ", "_"))) for change in dossier.changes]
        bars = axes.barh(names, counts, left=left, color=colour, hatch=hatch, label=kind, height=0.6,
                         edgecolor=look.paper)  # fmt: skip
        labels = axes.bar_label(bars, [str(n or "") for n in counts], label_type="center")
        for label in labels:
            label.set_bbox({"facecolor": look.paper, "edgecolor": "none", "pad": 1.5, "alpha": 0.85})
        left = [so_far + count for so_far, count in zip(left, counts, strict=True)]
    axes.invert_yaxis()
    axes.set_xlabel("samples")
    _legend(axes, look, across=4)


def _tokens(figure: Figure, dossier: Dossier, look: _Look) -> None:
    axes = figure.add_subplot()
    roles = list(dossier.usage)
    spent = list(dossier.usage.values())
    parts = (
        ("prompt, cached", [u.cached_tokens for u in spent], look.calm, ""),
        ("prompt, read anew", [u.prompt_tokens - u.cached_tokens for u in spent], look.warm, "//"),
        ("completion", [u.completion_tokens for u in spent], look.good, "xx"),
    )
    left = [0] * len(roles)
    for label, counts, colour, hatch in parts:
        axes.barh(roles, counts, left=left, color=colour, hatch=hatch, label=label, height=0.6,
                  edgecolor=look.paper)  # fmt: skip
        left = [so_far + count for so_far, count in zip(left, counts, strict=True)]
    axes.invert_yaxis()
    axes.set_xlabel("tokens")
    axes.xaxis.set_major_formatter(lambda value, _: _short(value))
    axes.locator_params(axis="x", nbins=4 if look.narrow else 8)
    _legend(axes, look, across=3)


def _percent(axes: Axes, look: _Look) -> None:
    axes.set_ylim(-0.02, 1.04)
    axes.set_yticks([0, 0.25, 0.5, 0.75, 1], ["0%", "25%", "50%", "75%", "100%"])
    axes.set_ylabel("right answers")
    axes.grid(axis="y")


def _legend(axes: Axes, look: _Look, across: int = 3) -> None:
    """Above the picture, where it covers nothing."""
    columns = min(across, 2) if look.narrow else across
    axes.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=columns, fontsize="small", borderaxespad=0.2,
                handlelength=1.8)  # fmt: skip


def _short(value: float) -> str:
    for size, unit in ((1e6, "M"), (1e3, "k")):
        if value >= size:
            return f"{value / size:.3g}{unit}"
    return f"{value:.0f}"


def _told_accuracy(dossier: Dossier) -> str:
    scored = [p for p in dossier.points if not learns(p.phase)]
    taught = [p for p in dossier.points if learns(p.phase)]
    said = [f"{p.phase}: {p.correct} of {p.total} right" for p in scored]
    if taught:
        right, total = sum(p.correct for p in taught), sum(p.total for p in taught)
        said.append(f"while learning: {right} of {total} right")
    return f"Accuracy by step of the run, with 95% intervals. {'; '.join(said)}."


def _told_moving(dossier: Dossier) -> str:
    right, counted = dossier.moving[-1]
    return (
        f"Accuracy over the last {WINDOW} answers and over all answers so far, by answers given. "
        f"At the end {right} of the last {counted} were right."
    )


def _told_sizes(dossier: Dossier) -> str:
    first, last = dossier.sizes[0], dossier.sizes[-1]
    return (
        f"Bullets and tokens by version: from {first.active} bullets and {first.tokens} tokens in version "
        f"{first.version} to {last.active} and {last.tokens} in version {last.version}; "
        f"{last.waiting} in quarantine."
    )


def _told_flows(dossier: Dossier) -> str:
    said = (
        f"{c.before} to {c.after}: {len(c.flows.fixed)} fixed, {len(c.flows.broken)} broken, "
        f"{len(c.flows.still_failing)} still failing, {len(c.flows.still_right)} still right"
        for c in dossier.changes
    )
    return f"What became of each sample. {'; '.join(said)}."


def _told_tokens(dossier: Dossier) -> str:
    said = (
        f"{role}: {u.prompt_tokens:,} prompt, {u.cached_tokens:,} of them cached, "
        f"{u.completion_tokens:,} completion"
        for role, u in dossier.usage.items()
    )
    return f"Tokens by role. {'; '.join(said)}."
