"""Pages of a measurement: tables of its stages, paired tests, ratios of learned to hand-written playbooks.

Knows no task and runs nothing.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ace.llm.client import Usage
from ace.runs.metrics import mcnemar, wilson
from ace.runs.paired import bound_mean_difference
from benchmarks.measuring import EMPTY, REFERENCE, Stage

FEW_GROUPS = 3  # below this, an interval over groups says nothing


def write_result(out: Path, name: str, record: Mapping[str, Any], sections: Sequence[str]) -> str:
    """Write NAME.json and NAME.md; return the page."""
    out.mkdir(parents=True, exist_ok=True)
    title = f"# {name}, {record['date']}, {record['model']}, {record['machine']}"
    place = f"    {record['command']}\n\nAt commit {record['commit']}." if record["commit"] else ""
    page = "\n\n".join([title, place or f"    {record['command']}", *filter(None, sections)]) + "\n"
    (out / f"{name}.json").write_text(json.dumps(record, indent=1, ensure_ascii=False) + "\n", "utf-8")
    (out / f"{name}.md").write_text(page, "utf-8")
    return page


def record_stages(stages: Sequence[Stage], variants: Sequence[str]) -> dict[str, Any]:
    """Return the stages, and the ratio of each variant to the hand-written playbook, as JSON."""
    ratios = {name: compare_with_reference(stages, name) for name in variants}
    return {
        "ratios": {name: {unit: asdict(ratio) for unit, ratio in by.items()} for name, by in ratios.items()},
        "stages": [stage.to_json() for stage in stages],
    }


def render_stages(stages: Sequence[Stage], variants: Sequence[str]) -> list[str]:
    """Return the sections of a page: sums, every stage, what it took, what was refused."""
    pooled = render_pooled(stages, variants)
    return [pooled, render_scores(stages), render_costs(stages), render_learning(stages)]


@dataclass(frozen=True, slots=True)
class Ratio:
    """Hold a ratio of two paired means and its 95% interval by Fieller; None where it is not bounded."""

    value: float | None
    low: float | None = None
    high: float | None = None

    def __str__(self) -> str:
        if self.value is None:
            return "no ratio"
        if self.low is None or self.high is None:
            return f"{self.value:.1%} (no bounded interval)"
        return f"{self.value:.1%} (95% {self.low:.1%} to {self.high:.1%})"


def compare_means(pairs: Sequence[tuple[float, float]]) -> Ratio:
    """Return the ratio of the mean of the first to that of the second, with Fieller's interval.

    Fieller takes the pairing into account, and says by itself where the second mean may be 0.
    """
    from scipy.stats import t as student

    size = len(pairs)
    top = sum(first for first, _ in pairs) / size if size else 0.0
    bottom = sum(second for _, second in pairs) / size if size else 0.0
    if not bottom:
        return Ratio(None)
    if size < 2:
        return Ratio(top / bottom)
    scale = size * (size - 1)
    top_var = sum((first - top) ** 2 for first, _ in pairs) / scale
    bottom_var = sum((second - bottom) ** 2 for _, second in pairs) / scale
    shared = sum((first - top) * (second - bottom) for first, second in pairs) / scale
    square = float(student.ppf(0.975, size - 1)) ** 2
    a = bottom**2 - square * bottom_var
    b = top * bottom - square * shared
    c = top**2 - square * top_var
    if a <= 0:
        return Ratio(top / bottom)
    root = max(0.0, b**2 - a * c) ** 0.5
    return Ratio(top / bottom, (b - root) / a, (b + root) / a)


def find_stages(stages: Sequence[Stage], name: str) -> dict[str, Stage]:
    """Return the stages of a name by their group."""
    return {stage.group: stage for stage in stages if stage.name == name}


def pair_answers(stages: Sequence[Stage], first: str, second: str) -> list[tuple[bool, bool]]:
    """Return right or wrong with the one and with the other, for every question that both were asked."""
    pairs = []
    others = find_stages(stages, second)
    for group, stage in find_stages(stages, first).items():
        if group in others:
            right = others[group].right
            pairs += [(was_right, right[sample]) for sample, was_right in stage.right.items()]
    return pairs


def bound_difference(pairs: Sequence[tuple[bool, bool]]) -> tuple[float, float, float]:
    """Return by how much the second of each pair is right more often, and its 95% interval."""
    differences = [float(second) - float(first) for first, second in pairs]
    return sum(differences) / max(1, len(pairs)), *bound_mean_difference(differences)


def format_table(head: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(map(str, line)) + " |" for line in lines)


def format_count(right: Sequence[bool]) -> str:
    """Write 12/40 = 30.0% (95% 18% to 45%)."""
    if not right:
        return "0/0"
    low, high = wilson(sum(right), len(right))
    return f"{sum(right)}/{len(right)} = {sum(right) / len(right):.1%} (95% {low:.0%} to {high:.0%})"


def format_pairs(pairs: Sequence[tuple[bool, bool]]) -> str:
    """Write what the second fixed and broke, and the exact McNemar test."""
    fixed = sum(after and not before for before, after in pairs)
    broken = sum(before and not after for before, after in pairs)
    p_value = mcnemar([before for before, _ in pairs], [after for _, after in pairs])
    return f"{fixed} fixed, {broken} broken, p = {p_value:.2g}"


def render_scores(stages: Sequence[Stage]) -> str:
    """Return a table of every stage, paired with the empty playbook of its group."""
    empty, reference = find_stages(stages, EMPTY), find_stages(stages, REFERENCE)
    rows = []
    for stage in stages:
        against, share, learned = "", "", ["", "", ""]
        right = sum(stage.right.values())
        if stage.name != EMPTY and stage.group in empty:
            against = format_pairs(pair_answers([empty[stage.group], stage], EMPTY, stage.name))
        if stage.learning is not None:
            learned = [f"{stage.learning.accepted} of {stage.learning.proposed}"]
            learned += [str(stage.learning.quarantined), f"{stage.learning.seconds:,.0f}"]
            if stage.group in reference and any(reference[stage.group].right.values()):
                share = f"{right / sum(reference[stage.group].right.values()):.0%}"
        count = format_count(list(stage.right.values()))
        rows.append([stage.group, stage.name, count, against, share, len(stage.playbook), *learned])
    head = ["group", "playbook", "right", "against empty, McNemar", "of reference", "bullets"]
    return format_table([*head, "proposals kept", "in quarantine", "learning, s"], rows)


def render_costs(stages: Sequence[Stage]) -> str:
    """Return a table of calls by role and of tokens; those of a prompt are computed, or found in a cache."""
    rows = []
    for stage in stages:
        parts = [("scoring", stage.usage)]
        if stage.learning is not None:
            parts.insert(0, ("learning", stage.learning.usage))
        for part, usage in parts:
            total = sum(usage.values(), Usage())
            calls = ", ".join(f"{role} {use.calls}" for role, use in usage.items())
            computed = total.prompt_tokens - total.cached_tokens
            tokens = [f"{count:,}" for count in (computed, total.cached_tokens, total.completion_tokens)]
            rows.append([stage.group, stage.name, part, calls, *tokens])
    head = ["group", "playbook", "part", "calls", "prompt computed", "prompt cached", "written"]
    return format_table(head, rows)


def render_learning(stages: Sequence[Stage]) -> str:
    """Return what learning refused, by rule, and the notes of the runs: why nothing was learned, if so."""
    lines = []
    for stage in stages:
        title = f"{stage.group}, {stage.name}"
        if stage.learning is not None:
            refused = ", ".join(f"{reason} {count}" for reason, count in stage.learning.refused.items())
            lines.append(f"- {title}: refused {refused or 'nothing'}.")
            if not stage.playbook:
                lines.append(f"- {title}: nothing was learned; the score is that of an empty playbook.")
            lines += [f"- {title}, learning: {note}" for note in stage.learning.notes]
        lines += [f"- {title}, scoring: {note}" for note in stage.notes]
    return "\n".join(lines)


def render_pooled(stages: Sequence[Stage], variants: Sequence[str]) -> str:
    """Return sums over all groups, the variants against the first of them, and ratios to the reference."""
    lines = []
    for name in [EMPTY, REFERENCE, *variants]:
        right = [mark for stage in find_stages(stages, name).values() for mark in stage.right.values()]
        if not right:
            continue
        line = f"- {name}: {format_count(right)}"
        if name not in (EMPTY, REFERENCE):
            line += f"; against empty {format_pairs(pair_answers(stages, EMPTY, name))}"
        if name in variants[1:]:
            line += f"; against {variants[0]} {format_pairs(pair_answers(stages, variants[0], name))}"
        lines.append(line)
    for name in variants:
        ratios = compare_with_reference(stages, name)
        if ratios:
            texts = [f"{ratio} over {unit}" for unit, ratio in ratios.items()]
            lines.append(f"- {name} / reference: {'; '.join(texts)}")
    if find_stages(stages, REFERENCE):
        lines += ["", "Intervals of ratios are Fieller's for paired means: over questions for these tasks,"]
        lines.append("over groups for other tasks of the same kind.")
    return "\n".join(lines)


def compare_with_reference(stages: Sequence[Stage], name: str) -> dict[str, Ratio]:
    """Return the ratio of learned to hand-written over questions and, of enough groups, over groups."""
    pairs = pair_answers(stages, name, REFERENCE)
    if not pairs:
        return {}
    ratios = {f"{len(pairs)} questions": compare_means(pairs)}
    learned, reference = find_stages(stages, name), find_stages(stages, REFERENCE)
    groups = [group for group in learned if group in reference]
    if len(groups) >= FEW_GROUPS:
        sums = [
            (sum(learned[group].right.values()), sum(reference[group].right.values())) for group in groups
        ]
        ratios[f"{len(groups)} groups"] = compare_means(sums)
    return ratios
