"""The `sql` environment: an answer is one SELECT, right when its rows are the gold SQL's rows.

The gold SQL is a label. Only `judge`, `check` and feedback of kind LABELS touch it.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from ace.errors import TaskError
from ace.task.environments.sql.conditions import conditions, missing
from ace.task.environments.sql.database import Database, Result
from ace.task.environments.sql.same_rows import same_rows
from ace.task.environments.sql.sqltext import extract_sql, is_ordered
from ace.task.types import Attempt, Feedback, FeedbackKind, Sample, Verdict

_SHOWN_ROWS = 5
_CELL = 60  # characters shown of one value
_LINE = 300  # and of one line


class SqlEnvironment:
    """Read-only databases by name. Samples carry `gold_sql`, and `db` when there are several."""

    def __init__(self, databases: Mapping[str, Database]) -> None:
        self.databases = dict(databases)
        self._gold: dict[tuple[str, str], Result] = {}
        # judge() and feedback() of one attempt follow each other: they must see, and cost, one execution.
        self._run = lru_cache(maxsize=32)(lambda name, sql: self.databases[name].run(sql))

    def describe(self, sample: Sample) -> str:
        """The schema; the same text for every sample of one database."""
        return self._database(sample).schema

    def judge(self, sample: Sample, attempt: Attempt) -> Verdict:
        result = self._attempted(sample, attempt)
        gold = self.gold(sample)
        if result.error or gold.error:
            return Verdict(False, 0.0, result.error or f"gold SQL: {gold.error}")
        ordered = is_ordered(sample.data["gold_sql"])
        whole = not (result.truncated or gold.truncated)
        correct = whole and same_rows(gold.rows, result.rows, ordered=ordered)
        return Verdict(correct, float(correct), "" if correct else "the rows differ")

    def feedback(self, sample: Sample, attempt: Attempt, kind: FeedbackKind) -> Feedback:
        if kind is FeedbackKind.NONE:
            return Feedback(kind, "")
        result = self._attempted(sample, attempt)
        if kind is FeedbackKind.EXECUTION:
            return Feedback(kind, _outcome(result), subjects=result.reads, ran=_returned(result))
        passed = self.judge(sample, attempt).correct
        gold = self.gold(sample)
        if gold.error:  # no answer could be right, so nothing is said of this one
            return Feedback(kind, _outcome(result), expected=f"The right SQL fails: {gold.error}")
        gold_sql = sample.data["gold_sql"].strip()
        uses = conditions(gold_sql, gold.reads)
        return Feedback(
            kind,
            _outcome(result),
            passed,
            f"Right SQL: {gold_sql}",
            gold.reads,
            _returned(result),
            missing(uses, extract_sql(attempt.answer), gold.reads),
            uses,
        )

    def parts(self, sample: Sample, attempt: Attempt) -> tuple[str, ...]:
        """The conditions of the attempt's own SQL; the columns it reads resolve bare names."""
        return conditions(extract_sql(attempt.answer), self._attempted(sample, attempt).reads)

    def check(self, sample: Sample) -> None:
        sql = sample.data.get("gold_sql")
        if not isinstance(sql, str) or not sql.strip():
            raise _problem(sample, "gold_sql", "Expected a SELECT statement as text.")
        self._database(sample)
        gold = self.gold(sample)
        if gold.error:
            raise _problem(sample, "gold_sql", f"The gold SQL fails: {gold.error}.")
        if gold.truncated:
            message = "The gold SQL returns too many rows to compare."
            raise _problem(sample, "gold_sql", message, "Add a LIMIT or raise row_limit.")

    def gold(self, sample: Sample) -> Result:
        """What the gold SQL returns: a label, never to be shown unless labels are allowed."""
        key = self._name(sample), sample.data["gold_sql"]
        if key not in self._gold:
            self._gold[key] = self.databases[key[0]].run(key[1].strip().rstrip(";"))
        return self._gold[key]

    def _attempted(self, sample: Sample, attempt: Attempt) -> Result:
        if attempt.error and not attempt.answer.strip():
            return Result(error=attempt.error)
        return self._run(self._name(sample), extract_sql(attempt.answer))

    def _database(self, sample: Sample) -> Database:
        return self.databases[self._name(sample)]

    def _name(self, sample: Sample) -> str:
        name: Any = sample.data.get("db")
        if name is None and len(self.databases) == 1:
            return next(iter(self.databases))
        if not isinstance(name, str) or name not in self.databases:
            known = ", ".join(sorted(self.databases))
            raise _problem(sample, "db", f"Expected one of {known}; found {name!r}.")
        return name


def _problem(sample: Sample, field: str, message: str, hint: str = "") -> TaskError:
    where: dict[str, Any] = {"file": sample.file, "line": sample.line, "field": field}
    return TaskError(f"Sample {sample.id}: {message}", hint=hint, sample=sample.id, **where)


def _returned(result: Result) -> bool:
    """It ran, and something other than NULL came back."""
    return not result.error and any(cell is not None for row in result.rows for cell in row)


def _outcome(result: Result) -> str:
    """The first rows as SQL literals ('3' and 3 differ), or the error."""
    if result.error:
        return _clip(f"error: {result.error}", _LINE)
    count = f"more than {len(result.rows)}" if result.truncated else str(len(result.rows))
    head = f"{count} row{'s' * (count != '1')} ({', '.join(result.columns)})"
    shown = [" | ".join(map(_literal, row)) for row in result.rows[:_SHOWN_ROWS]]
    rest = ["..."] if len(result.rows) > _SHOWN_ROWS else []
    return "\n".join(_clip(line, _LINE) for line in [head, *shown, *rest])


def _literal(cell: Any) -> str:
    match cell:
        case None:
            return "NULL"
        case bytes():
            return _clip(f"x'{cell.hex()}'", _CELL)
        case str():
            return _clip("'" + cell.replace("'", "''") + "'", _CELL)
        case _:
            return repr(cell)


def _clip(text: str, size: int) -> str:
    return text if len(text) <= size else text[: size - 3] + "..."
