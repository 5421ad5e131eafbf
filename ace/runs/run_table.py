"""Runs of a playbook file, and its bullets, as rows and tables for notebooks. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from ace.llm.client import Usage
from ace.playbook.model import Bullet
from ace.runs import text_tables
from ace.runs.records import Run
from ace.runs.report import Report
from ace.runs.run_text import format_cost, format_score
from ace.runs.text_tables import Table

_SHOWN = 50  # bullets of a playbook


@dataclass(frozen=True, slots=True)
class Runs:
    """Hold runs, oldest first. In a notebook it is shown as a table."""

    runs: tuple[Run, ...]

    def rows(self) -> list[dict[str, Any]]:
        """Return a row of plain values for each run; what is not known is None."""
        rows = []
        for run in self.runs:
            report = Report.from_json(run.report) if run.report else None
            before = report.before if report else None
            after = report.after if report else None
            usage = sum(report.usage.values(), Usage()) if report else None
            row = {
                "run": run.id,
                "kind": run.kind,
                "task": run.task,
                "method": run.config.get("method"),
                "seed": run.config.get("seed"),
                "model": run.config.get("models", {}).get("generator"),
                "status": run.status,
                "started": run.started,
                "ended": run.ended,
                "before": before.accuracy if before else None,
                "after": after.accuracy if after else None,
                "samples": after.total if after else None,
                "bullets": report.bullets if report else None,
                "seconds": report.seconds if report else None,
                "calls": usage.calls if usage else None,
                "tokens_computed": usage.prompt_tokens - usage.cached_tokens if usage else None,
                "tokens_cached": usage.cached_tokens if usage else None,
                "tokens_written": usage.completion_tokens if usage else None,
                "cost": usage.cost if usage else None,
            }
            rows.append(row)
        return rows

    def frame(self) -> Any:
        """Return `rows` as a data frame of pandas. Raises InputError where pandas is not installed."""
        return text_tables.build_frame(self.rows())

    def _repr_html_(self) -> str:
        """Return the runs as a table for a notebook; every text is escaped."""
        rows = []
        for run in self.runs:
            report = Report.from_json(run.report) if run.report else None
            score = format_score(report.after if report else None)
            rows.append((str(run.id), run.kind, run.task, run.status, run.started, score))
        table = Table("Runs", ("run", "kind", "task", "status", "started", "score"), tuple(rows), right=(0,))
        return text_tables.render_html([table])


def render_report_html(report: Report) -> str:
    """Return a report as tables for a notebook: scores, usage, lessons. Every text is escaped."""
    scores = []
    for name in ("recorded", "before", "after"):
        score = getattr(report, name)
        if score is not None:
            scores.append((name, format_score(score)))
    usage = []
    for role, use in report.usage.items():
        counts = (use.calls, use.prompt_tokens - use.cached_tokens, use.cached_tokens, use.completion_tokens)
        usage.append(
            (role, *(f"{count:,}" for count in counts), f"{use.seconds:,.0f}", format_cost(use.cost))
        )
    head = ("role", "calls", "computed", "cached", "written", "seconds", "cost")
    notes = [(note,) for note in (*report.notes, report.stopped) if note]
    tables = [
        Table("Scores", ("", "answers"), tuple(scores)),
        Table("Calls", head, tuple(usage), right=range(1, 7)),
        tabulate_bullets("Learned", report.learned),
        Table("Notes", ("",), tuple(notes)),
    ]
    title = f"{report.kind} {report.task} with {report.model}, run {report.run} of {report.playbook}"
    return text_tables.render_html([table for table in tables if table.rows], title)


def tabulate_bullets(title: str, bullets: Iterable[Bullet]) -> Table:
    """Return the first bullets as a table, which says how many more there are."""
    rows = [(bullet.id, bullet.section, str(bullet.status), bullet.content) for bullet in bullets]
    more = len(rows) - _SHOWN
    if more > 0:
        title = f"{title}: the first {_SHOWN}, and {more} more"
    return Table(title, ("bullet", "section", "status", "content"), tuple(rows[:_SHOWN]))
