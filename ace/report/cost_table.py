"""The cost of a run, and the faults its calls met, as text."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from textwrap import shorten

from ace.runs.cost import Cost, Row, count_tokens
from ace.runs.run_text import align_columns, format_cost, format_count, render_usage

_DEAREST = 10  # samples and bullets that a table lists


def render_cost_tables(cost: Cost, content: Mapping[str, str]) -> str:
    """Render tables by role, phase, sample and bullet; `content` maps ids of bullets to their texts."""
    if not cost.roles:
        return "No call was made."
    title = _title_dearest("sample", len(cost.samples))
    tables = (
        ("role", [*cost.roles, Row("all", cost.total)]),
        ("phase", cost.phases),
        (title, cost.samples[:_DEAREST]),
    )
    blocks = []
    for name, rows in tables:
        blocks.append(render_usage(name, [(row.name or "-", row.usage) for row in rows], decimals=1))
    if cost.bullets:
        blocks.append("\n".join(_render_bullets(cost, content)))
    blocks.append("Seconds are by the clock: calls made at the same time are not added up.")
    return "\n\n".join(blocks)


def render_faults(faults: Mapping[str, Mapping[str, int]]) -> str:
    """Render one line for each kind of fault; empty when nothing went wrong."""
    if not faults:
        return ""
    total = 0
    rows = []
    for kind, actions in faults.items():
        count = sum(actions.values())
        total += count
        phrases = ", ".join(f"{times} {action}" for action, times in actions.items())
        rows.append((f"  {kind}", str(count), phrases))
    return f"Calls met {format_count(total, 'fault')}\n{align_columns(rows, right=(1,))}"


def _render_bullets(cost: Cost, content: Mapping[str, str]) -> Iterator[str]:
    """Yield the dearest bullets, what each took and what it fixed, and what led to none."""
    yield _title_dearest("bullet", len(cost.bullets)).capitalize()
    for row in cost.bullets[:_DEAREST]:
        text = shorten(content.get(row.bullet, "(removed)"), 90, placeholder=" [...]")
        tokens = format_count(count_tokens(row.usage), "token")
        if row.usage.cost != 0:
            tokens += f", {format_cost(row.usage.cost)}"
        samples = format_count(len(row.fixed), "sample")
        yield f"  {row.bullet}: {text}"
        yield f"    cost {tokens} and {row.usage.seconds:,.1f} s to learn, and fixed {samples}"
    unlearned = format_count(count_tokens(cost.unlearned), "token")
    yield f"{unlearned} went to lessons that were not kept."


def _title_dearest(noun: str, count: int) -> str:
    """Return the title of a table, which says so where only the dearest are listed."""
    if count <= _DEAREST:
        return noun
    return f"{noun} (the {_DEAREST} dearest of {count})"
