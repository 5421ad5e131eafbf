"""The page of a task that was made: where it comes from, how it was split, its known defects."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path

from ace.task.makers.catalog import Benchmark
from ace.task.makers.draft import MakeOptions, Row, TaskDraft

_MOST_LINES = 200  # of rows that are named


def write_readme(
    benchmark: Benchmark,
    draft: TaskDraft,
    options: MakeOptions,
    *,
    data: Path,
    splits: Mapping[str, Sequence[Row]],
    changed: Sequence[str],
) -> str:
    """Return the page as Markdown."""
    folder = shlex.quote(options.out.name)
    sizes = ", ".join(f"{len(rows)} {split}" for split, rows in splits.items())
    lines = [
        f"# {benchmark.name}",
        "",
        benchmark.about,
        "",
        f"* Rows: {sizes}. Seed {options.seed}: the same seed and data give the same files.",
        f"* Score: {benchmark.score}",
        f"* Source: {benchmark.source}",
        f"* Licence: {benchmark.licence}",
        f"* Known defects: {benchmark.defects}",
    ]
    if changed:
        lines.append(f"* Data: `{data}`, another version than was tried of {', '.join(changed)}.")
    elif benchmark.files:
        lines.append(f"* Data: `{data}`, the version that was tried.")
    lines += [
        "",
        "Check every right answer, and that doing nothing scores nothing:",
        "",
        f"    ace tasks check {folder}",
        "",
        "The floor, without learning, and the same after learning:",
        "",
        f"    ace eval {folder} --playbook floor.db",
        f"    ace learn {folder}",
    ]
    ids = [row["id"] for rows in splits.values() for row in rows]
    wrong = {name: draft.wrong[name] for name in ids if name in draft.wrong}
    lines += _list_rows("Listed as wrong", wrong)
    lines += _list_rows("Judged in part", {name: draft.partly[name] for name in ids if name in draft.partly})
    lines += _list_rows("Left out", draft.left_out)
    return "\n".join(lines) + "\n"


def _list_rows(title: str, rows: Mapping[str, str]) -> list[str]:
    """Return a section that names rows and says why; none where there are none."""
    if not rows:
        return []
    lines = ["", f"## {title}: {len(rows)} rows", ""]
    lines += [f"* {name}: {reason}" for name, reason in list(rows.items())[:_MOST_LINES]]
    if len(rows) > _MOST_LINES:
        lines.append(f"* and {len(rows) - _MOST_LINES} more")
    return lines
