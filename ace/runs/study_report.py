"""A study to look at: its tables, rows for programs and data frames, and its text.

Pure: made from what a study file holds. The statistics are in `study_scores`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from typing import Any

from ace.errors import InputError
from ace.llm.client import Usage
from ace.runs import text_tables
from ace.runs.run_text import format_cost, format_count
from ace.runs.study_cells import Cell, CellState, StudyBasis
from ace.runs.study_scores import (
    MethodScore,
    PairScore,
    compare_methods,
    is_graded,
    list_findings,
    score_methods,
)
from ace.runs.text_tables import Table


class StudyRows(StrEnum):
    """Name what rows of a study can be asked for."""

    METHODS = "methods"  # a row for each method
    PAIRS = "pairs"  # a row for each two methods
    CELLS = "cells"  # a row for each method and seed
    SAMPLES = "samples"  # a row for each answer
    CURVE = "curve"  # a row for each step of learning


@dataclass(frozen=True, slots=True, kw_only=True)
class Study:
    """Hold a study: its cells, and what follows from those that are done.

    Printed, it is the text of `ace compare show`; in a notebook it is shown as tables.
    """

    file: str
    """The path of the study file."""

    basis: StudyBasis
    """What all cells share."""

    cells: tuple[Cell, ...]
    """One for each method and seed, in the order in which they were planned."""

    created: str = ""
    """ISO 8601, UTC."""

    reference: str = ""
    """The method that all others are compared with; "" to compare every two."""

    def refer_to(self, method: str) -> Study:
        """Return the same study, its methods compared with one of them, or with "" every two.

        Raises InputError for a method that has no scores.
        """
        compare_methods(self.cells, method)
        return replace(self, reference=method)

    @property
    def scores(self) -> tuple[MethodScore, ...]:
        """Return how each method scored and what it took, the best first."""
        return score_methods(self.cells)

    @property
    def pairs(self) -> tuple[PairScore, ...]:
        """Return the paired differences, each with its test and its interval."""
        return compare_methods(self.cells, self.reference)

    @property
    def findings(self) -> list[str]:
        """Return what the study shows, in sentences."""
        return list_findings(self.cells, self.reference)

    def rows(self, kind: str = StudyRows.SAMPLES) -> list[dict[str, Any]]:
        """Return rows of plain values, one kind of `StudyRows`. Raises InputError for another word."""
        if kind not in _ROWS:
            raise InputError(f"A study has no rows {kind!r}.", hint=f"There are: {', '.join(_ROWS)}.")
        return list(_ROWS[StudyRows(kind)](self))

    def frame(self, kind: str = StudyRows.SAMPLES) -> Any:
        """Return `rows` as a data frame of pandas. Raises InputError where pandas is not installed."""
        return text_tables.build_frame(self.rows(kind))

    def to_json(self) -> dict[str, Any]:
        """Return the object that `--json` prints."""
        return {
            "file": self.file,
            "created": self.created,
            "complete": all(cell.state is CellState.DONE for cell in self.cells),
            "reference": self.reference,
            **asdict(self.basis),
            "findings": self.findings,
            **{str(kind): self.rows(kind) for kind in StudyRows},
        }

    def tables(self) -> list[Table]:
        """Return what people look at: the scores, the differences, what each method took."""
        shown = [_tabulate_scores(self)] if self.scores else []
        if self.pairs:
            shown.append(_tabulate_pairs(self))
        if self.scores:
            shown += [_tabulate_calls(self), _tabulate_cost(self)]
        return shown

    def title(self) -> str:
        """Return the line that stands above all tables."""
        done = sum(cell.state is CellState.DONE for cell in self.cells)
        model = self.basis.models.get("generator", "")
        return f"{self.basis.task} with {model}: {done} of {len(self.cells)} cells done, in {self.file}"

    def render(self, width: int = 100) -> str:
        """Return the study as text for a terminal of so many columns."""
        shown = text_tables.render_text(self.tables(), width)
        findings, notes = "\n".join(self.findings), "\n".join(_list_notes(self))
        return "\n\n".join(filter(None, [self.title(), shown, findings, notes]))

    def render_markdown(self) -> str:
        """Return the study as a page of Markdown."""
        findings = "\n".join(f"- {line}" for line in [*self.findings, *_list_notes(self)])
        return "\n\n".join([f"# {self.title()}", text_tables.render_markdown(self.tables()), findings])

    def __str__(self) -> str:
        return self.render()

    def _repr_html_(self) -> str:
        """Return the study as tables for a notebook; every text is escaped."""
        findings = Table("Findings", ("",), tuple((line,) for line in self.findings))
        return text_tables.render_html([*self.tables(), findings], self.title())


def format_percent(share: float) -> str:
    """Format a share as 76.7%."""
    return f"{100 * share:.1f}%"


def _tabulate_scores(study: Study) -> Table:
    """Return a row for each method: how many answers were right, and the rate with its interval."""
    rows = []
    for score in study.scores:
        row = (
            score.method,
            f"{score.right} of {score.samples * len(score.seeds)}",
            format_percent(score.rate),
            f"{format_percent(score.low)} to {format_percent(score.high)}",
            str(score.errors),
            f"{score.bullets:.0f}",
            f"{score.playbook_tokens:,.0f}",
            " ".join(format_percent(rate) for rate in score.rates),
        )
        rows.append(row)
    rate = "score" if is_graded(study.cells) else "accuracy"
    head = ("method", "right", rate, "95% interval", "no answer", "bullets", "in tokens", "by seed")
    return Table("Scores on the test samples", head, tuple(rows), right=(1, 2, 4, 5, 6))


def _tabulate_pairs(study: Study) -> Table:
    """Return a row for each two methods: the difference with its interval, and the test."""
    rows = []
    for pair in study.pairs:
        better = "not shown"
        if pair.winner:
            better = "first" if pair.winner == pair.first else "second"
        row = (
            f"{pair.first} - {pair.second}",
            f"{100 * pair.difference:+.1f}",
            f"{100 * pair.low:+.1f} to {100 * pair.high:+.1f}",
            str(pair.wins),
            str(pair.losses),
            f"{pair.p_value:.2g}",
            f"{pair.p_adjusted:.2g}",
            better,
        )
        rows.append(row)
    test = ", ".join(dict.fromkeys(pair.test for pair in study.pairs))
    head = ("methods", "points", "95% interval", "wins", "losses", "p", "Holm", "better")
    return Table(f"Paired differences ({test})", head, tuple(rows), right=(1, 3, 4, 5, 6))


def _tabulate_calls(study: Study) -> Table:
    """Return a row for each method: the calls of learning by role, and those for the test samples."""
    roles = dict.fromkeys(role for score in study.scores for role in score.learning)
    rows = []
    for score in study.scores:
        size = len(score.seeds)
        counts = [score.learning[role].calls if role in score.learning else 0 for role in roles]
        counts += [score.learning_total.calls, score.scoring.calls]
        rows.append((score.method, *(f"{count / size:,.0f}" for count in counts)))
    head = ("method", *roles, "all of learning", "test")
    return Table("Calls of one seed, on average", head, tuple(rows), right=range(1, len(head)))


def _tabulate_cost(study: Study) -> Table:
    """Return a row for learning and one for the test samples of each method, for one seed on average."""
    rows = []
    for score in study.scores:
        size = len(score.seeds)
        parts = [("test", score.scoring, score.scoring_seconds)]
        if score.learning:
            parts.insert(0, ("learning", score.learning_total, score.learning_seconds))
        for part, usage, seconds in parts:
            tokens = [f"{count:,.0f}" for count in _count_tokens(usage, size)]
            cost = None if usage.cost is None else usage.cost / size
            rows.append((score.method, part, *tokens, f"{seconds:,.1f}", format_cost(cost)))
    head = ("method", "part", "computed", "cached", "written", "seconds", "cost")
    return Table("Tokens, time and cost of one seed, on average", head, tuple(rows), right=range(2, 7))


def _count_tokens(usage: Usage, parts: int) -> tuple[float, float, float]:
    """Return the tokens of prompts that were computed, those found in a cache, and those written."""
    computed = usage.prompt_tokens - usage.cached_tokens
    return computed / parts, usage.cached_tokens / parts, usage.completion_tokens / parts


def _list_notes(study: Study) -> Iterator[str]:
    """Yield what the runs of the cells have noted, and whether releases differ."""
    for cell in study.cells:
        for note in cell.notes:
            yield f"{cell.name}: {note}"
        if cell.error:
            yield f"{cell.name}, {cell.state}: {cell.error}"
    releases = {tuple(sorted(cell.versions.items())) for cell in study.cells if cell.versions}
    if len(releases) > 1:
        yield f"The cells were made by {format_count(len(releases), 'release')} of the program."


def _list_method_rows(study: Study) -> Iterator[dict[str, Any]]:
    """Yield a row for each method; what it took is the sum of its seeds."""
    for score in study.scores:
        learning, scoring = score.learning_total, score.scoring
        row: dict[str, Any] = {
            "method": score.method,
            "seeds": len(score.seeds),
            "samples": score.samples,
            "right": score.right,
            "errors": score.errors,
            "rate": score.rate,
            "low": score.low,
            "high": score.high,
        }
        for part, usage in (("learning", learning), ("test", scoring)):
            row |= _spread_usage(part, usage)
        row |= {
            "learning_seconds": score.learning_seconds,
            "test_seconds": score.scoring_seconds,
            "cost": score.cost,
            "bullets": score.bullets,
            "playbook_tokens": score.playbook_tokens,
        }
        yield row


def _spread_usage(part: str, usage: Usage) -> dict[str, Any]:
    """Return the fields of a row that say what a part took; a cost of None is unknown."""
    computed, cached, written = _count_tokens(usage, 1)
    return {
        f"{part}_calls": usage.calls,
        f"{part}_tokens_computed": int(computed),
        f"{part}_tokens_cached": int(cached),
        f"{part}_tokens_written": int(written),
        f"{part}_cost": usage.cost,
    }


def _list_pair_rows(study: Study) -> Iterator[dict[str, Any]]:
    """Yield a row for each two methods that are compared."""
    for pair in study.pairs:
        row = asdict(pair)
        row["seeds"] = len(pair.seeds)
        row["test"] = str(pair.test)
        del row["differences"]
        yield row | {"winner": pair.winner}


def _list_cell_rows(study: Study) -> Iterator[dict[str, Any]]:
    """Yield a row for each method and seed."""
    for cell in study.cells:
        answers = cell.answers
        size = len(answers)
        row: dict[str, Any] = {
            "method": cell.method,
            "seed": cell.seed,
            "state": str(cell.state),
            "samples": size,
            "right": sum(answer.right for answer in answers),
            "score": sum(answer.score for answer in answers) / size if size else None,
            "errors": sum(bool(answer.error) for answer in answers),
        }
        for part, by_role in (("learning", cell.learning), ("test", cell.scoring)):
            row |= _spread_usage(part, sum(by_role.values(), Usage()))
            row[f"{part}_calls_by_role"] = " ".join(f"{role}={use.calls}" for role, use in by_role.items())
        row |= {
            "learning_seconds": cell.learning_seconds,
            "test_seconds": cell.scoring_seconds,
            "bullets": cell.bullets,
            "playbook_tokens": cell.playbook_tokens,
            "playbook": cell.file,
            "started": cell.started,
            "ended": cell.ended,
            "error": cell.error,
        }
        yield row


def _list_sample_rows(study: Study) -> Iterator[dict[str, Any]]:
    """Yield a row for each answer of each cell that is done."""
    for cell in study.cells:
        for answer in cell.answers:
            computed, cached, written = _count_tokens(answer.usage, 1)
            yield {
                "method": cell.method,
                "seed": cell.seed,
                "sample": answer.sample,
                "right": answer.right,
                "score": answer.score,
                "error": answer.error,
                "calls": answer.usage.calls,
                "tokens_computed": int(computed),
                "tokens_cached": int(cached),
                "tokens_written": int(written),
            }


def _list_curve_rows(study: Study) -> Iterator[dict[str, Any]]:
    """Yield a row for each step of learning of each cell that is done."""
    for cell in study.cells:
        for point in cell.curve:
            yield {"method": cell.method, "seed": cell.seed, **asdict(point)}


_ROWS: dict[StudyRows, Callable[[Study], Iterator[dict[str, Any]]]] = {
    StudyRows.METHODS: _list_method_rows,
    StudyRows.PAIRS: _list_pair_rows,
    StudyRows.CELLS: _list_cell_rows,
    StudyRows.SAMPLES: _list_sample_rows,
    StudyRows.CURVE: _list_curve_rows,
}
