"""Pictures as PNG bytes, for light and dark pages, wide and narrow. Knows how to draw, and not what.

Shapes, hatches, line styles and numbers say what colour says, so a picture reads in black and white.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from ace.errors import InputError

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_DPI = 160
_WIDE, _NARROW = 8.4, 4.0  # inches


@dataclass(frozen=True, slots=True)
class Chart:
    """One picture in four forms, and its content in words for those who do not see it (`alt`)."""

    name: str
    title: str
    alt: str
    light: bytes
    dark: bytes
    narrow_light: bytes
    narrow_dark: bytes


@dataclass(frozen=True, slots=True)
class Look:
    """Colours of one scheme: paper, ink, lines, then four that differ in brightness too."""

    paper: str
    ink: str
    line: str
    good: str
    calm: str
    warm: str
    bad: str
    narrow: bool = False


LIGHT = Look(
    paper="#ffffff",
    ink="#1f2430",
    line="#c9ced8",
    good="#0b6e4f",
    calm="#2f6fb3",
    warm="#e0a030",
    bad="#b3362b",
)
DARK = Look(
    paper="#14171d",
    ink="#e4e7ee",
    line="#3a404c",
    good="#5fd1a4",
    calm="#7db4ea",
    warm="#f0c060",
    bad="#f08a7c",
)


@dataclass(frozen=True, slots=True)
class Plan:
    """Hold a chart that is to be drawn.

    `name` is that of its file, `title` stands above it, `alt` says it in words. `draw` puts it on a figure of
    `height` inches.
    """

    name: str
    title: str
    alt: str
    draw: Callable[[Figure, Any, Look], None]
    height: float


def draw_pictures(values: Any, plans: Iterable[Plan]) -> tuple[Chart, ...]:
    """Draw planned charts of the same values. Raises InputError where matplotlib is not installed."""
    try:
        import matplotlib  # noqa: F401
    except ImportError as error:
        raise InputError(
            "A report's charts are drawn by matplotlib, which is not installed.",
            hint="Install the extra `report`: pip install 'ace-engine[report]'.",
        ) from error
    charts = []
    for plan in plans:
        chart = Chart(
            plan.name,
            plan.title,
            plan.alt,
            light=_draw_png(values, plan, LIGHT),
            dark=_draw_png(values, plan, DARK),
            narrow_light=_draw_png(values, plan, replace(LIGHT, narrow=True)),
            narrow_dark=_draw_png(values, plan, replace(DARK, narrow=True)),
        )
        charts.append(chart)
    return tuple(charts)


def _draw_png(values: Any, plan: Plan, look: Look) -> bytes:
    """Draw on a figure of its own, because pyplot keeps state that threads would share."""
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
    width = _NARROW if look.narrow else _WIDE
    with matplotlib.rc_context(settings):
        figure = Figure((width, plan.height), dpi=_DPI, layout="constrained")
        FigureCanvasAgg(figure)
        plan.draw(figure, values, look)
        png = io.BytesIO()
        figure.savefig(png, format="png", metadata={"Software": None})
    return png.getvalue()


def set_percent_axis(axes: Axes) -> None:
    """Let the vertical axis run from 0% to 100%, with a little room for what lies on its ends."""
    axes.set_ylim(-0.02, 1.04)
    axes.set_yticks([0, 0.25, 0.5, 0.75, 1], ["0%", "25%", "50%", "75%", "100%"])
    axes.set_ylabel("right answers")
    axes.grid(axis="y")


def draw_legend(axes: Axes, look: Look, across: int = 3) -> None:
    """Put the legend above the picture, where it covers nothing; `across` entries a row, if there is room."""
    columns = min(across, 2) if look.narrow else across
    axes.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=columns, fontsize="small", borderaxespad=0.2,
                handlelength=1.8)  # fmt: skip
