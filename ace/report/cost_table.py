"""The cost of a run, and the faults its calls met, as text."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from textwrap import shorten

from ace.llm.client import Usage
from ace.runs.cost import BulletRow, Cost, Row
from ace.runs.run_text import aligned, cost_text, counted

_SHOWN = 10
_HEAD = ("calls", "prompt", "cached", "completion", "seconds", "cost")


def cost_tables(cost: Cost, content: Mapping[str, str]) -> str:
    """By role, phase, sample and bullet. `content` is what the bullets say."""
    if not cost.roles:
        return "No call was made."
    blocks = (
        _table("role", [*cost.roles, Row("all", cost.total)]),
        _table("phase", cost.phases),
        _table(_dearest("sample", len(cost.samples)), cost.samples[:_SHOWN]),
        _bullets(cost, content),
        "Seconds are by the clock: calls made at the same time are not added up.",
    )
    return "\n\n".join(filter(None, blocks))


def faults_text(faults: Mapping[str, Mapping[str, int]]) -> str:
    """One line for each kind; empty when nothing went wrong."""
    if not faults:
        return ""
    total = sum(sum(actions.values()) for actions in faults.values())
    rows = [(f"  {kind}", str(sum(actions.values())), _actions(actions)) for kind, actions in faults.items()]
    return f"Calls met {counted(total, 'fault')}\n{aligned(rows, right=(1,))}"


def _actions(actions: Mapping[str, int]) -> str:
    return ", ".join(f"{count} {action}" for action, count in actions.items())


def _bullets(cost: Cost, content: Mapping[str, str]) -> str:
    if not cost.bullets:
        return ""
    lines = [_dearest("bullet", len(cost.bullets)).capitalize()]
    for row in cost.bullets[:_SHOWN]:
        said = shorten(content.get(row.bullet, "(removed)"), 90, placeholder=" [...]")
        lines.append(f"  {row.bullet}: {said}\n    {_learned(row)}")
    lost = _tokens(cost.unlearned)
    lines.append(f"{counted(lost, 'token')} went to lessons that were not kept.")
    return "\n".join(lines)


def _learned(row: BulletRow) -> str:
    price = f", {cost_text(row.usage.cost)}" if row.usage.cost is None or row.usage.cost else ""
    took = f"cost {counted(_tokens(row.usage), 'token')}{price} and {row.usage.seconds:,.1f} s to learn"
    return f"{took}, and fixed {counted(len(row.fixed), 'sample')}"


def _tokens(usage: Usage) -> int:
    return usage.prompt_tokens + usage.completion_tokens


def _dearest(noun: str, count: int) -> str:
    return f"{noun} (the {_SHOWN} dearest of {count})" if count > _SHOWN else noun


def _table(name: str, rows: Iterable[Row]) -> str:
    return aligned([(name, *_HEAD), *map(_cells, rows)], right=range(1, 7))


def _cells(row: Row) -> tuple[str, ...]:
    used = row.usage
    counts = (used.calls, used.prompt_tokens, used.cached_tokens, used.completion_tokens)
    return row.name or "-", *(f"{count:,}" for count in counts), f"{used.seconds:,.1f}", cost_text(used.cost)
