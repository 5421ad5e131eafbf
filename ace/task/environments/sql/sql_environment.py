"""The `sql` environment: an answer is one SELECT, right when its rows are the gold SQL's rows.

The gold SQL is a label. `observe` does not touch it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from ace.errors import TaskError
from ace.task.environments.sql.conditions import find_columns, find_conditions, find_missing
from ace.task.environments.sql.database import Database, Result
from ace.task.environments.sql.same_rows import have_same_rows
from ace.task.environments.sql.sqltext import extract_sql, is_ordered
from ace.task.types import Attempt, Fact, Outcome, Sample, Topic

_MOST_ROWS = 5
_CELL = 60  # characters shown of one value
_LINE = 300  # and of one line


class SqlEnvironment:
    """Read-only databases by name. Samples carry `gold_sql`, and `db` when there are several."""

    bounded = True
    label_field = "gold_sql"

    def __init__(self, databases: Mapping[str, Database]) -> None:
        self.databases = dict(databases)
        self._gold: dict[tuple[str, str], Result] = {}

    def describe(self, sample: Sample) -> str:
        """Return the schema: the same text for every sample of one database."""
        return self._database(sample).schema

    def score(self, sample: Sample, attempt: Attempt) -> Outcome:
        """Compare the rows with those of the gold SQL, and name the conditions of the gold SQL."""
        result, gold = self._run_attempt(sample, attempt), self.gold(sample)
        seen = _describe_result(result, attempt)
        if gold.error:
            detail = result.error or f"gold SQL: {gold.error}"
            return replace(seen, detail=detail, label_error=gold.error)
        gold_sql = sample.data["gold_sql"].strip()
        whole = not (result.error or result.truncated or gold.truncated)
        correct = whole and have_same_rows(gold.rows, result.rows, ordered=is_ordered(gold_sql))
        facts = find_conditions(gold_sql, gold.reads)
        missing = find_missing(facts, extract_sql(attempt.answer), gold.reads)
        return replace(
            seen,
            score=float(correct),
            detail=result.error or ("" if correct else "the rows differ"),
            expected=gold_sql,
            label_topics=_to_topics(gold.reads),
            facts=_to_facts(facts),
            missing=_to_facts(missing),
        )

    def observe(self, sample: Sample, attempt: Attempt) -> Outcome:
        """Run the attempt: rows or error, the columns that it reads, and its own conditions."""
        return _describe_result(self._run_attempt(sample, attempt), attempt)

    def check(self, sample: Sample) -> None:
        """Raise TaskError for a sample whose gold SQL is missing, fails or returns too much."""
        sql = sample.data.get("gold_sql")
        if not isinstance(sql, str) or not sql.strip():
            raise _describe_problem(sample, "gold_sql", "Expected a SELECT statement as text.")
        self._database(sample)
        gold = self.gold(sample)
        if gold.error:
            raise _describe_problem(sample, "gold_sql", f"The gold SQL fails: {gold.error}.")
        if gold.truncated:
            message = "The gold SQL returns too many rows to compare."
            raise _describe_problem(sample, "gold_sql", message, "Add a LIMIT or raise row_limit.")

    def gold(self, sample: Sample) -> Result:
        """Return what the gold SQL returns: a label, never to be shown unless labels are allowed."""
        key = self._name(sample), sample.data["gold_sql"]
        if key not in self._gold:
            self._gold[key] = self.databases[key[0]].run(key[1].strip().rstrip(";"))
        return self._gold[key]

    def _run_attempt(self, sample: Sample, attempt: Attempt) -> Result:
        if attempt.error and not attempt.answer.strip():
            return Result(error=attempt.error)
        return self._database(sample).run(extract_sql(attempt.answer))

    def _database(self, sample: Sample) -> Database:
        return self.databases[self._name(sample)]

    def _name(self, sample: Sample) -> str:
        name: Any = sample.data.get("db")
        if name is None and len(self.databases) == 1:
            return next(iter(self.databases))
        if not isinstance(name, str) or name not in self.databases:
            known = ", ".join(sorted(self.databases))
            raise _describe_problem(sample, "db", f"Expected one of {known}; found {name!r}.")
        return name


def _describe_problem(sample: Sample, field: str, message: str, hint: str = "") -> TaskError:
    where: dict[str, Any] = {"file": sample.file, "line": sample.line, "field": field}
    return TaskError(f"Sample {sample.id}: {message}", hint=hint, sample=sample.id, **where)


def _describe_result(result: Result, attempt: Attempt) -> Outcome:
    """Return what an attempt shows without any label. It ran where something else than NULL came back."""
    has_value = any(cell is not None for row in result.rows for cell in row)
    return Outcome(
        observed=_render_result(result),
        ran=not result.error and has_value,
        expected_kind="SQL",
        topics=_to_topics(result.reads),
        parts=_to_facts(find_conditions(extract_sql(attempt.answer), result.reads)),
    )


def _to_topics(reads: Iterable[str]) -> frozenset[Topic]:
    """Return the columns, or the tables where no column is read."""
    names = frozenset(map(Topic, reads))
    columns = frozenset(name for name in names if "." in name)
    return columns or names


def _to_facts(texts: Iterable[str]) -> tuple[Fact, ...]:
    return tuple(Fact(text, frozenset(map(Topic, find_columns(text)))) for text in texts)


def _render_result(result: Result) -> str:
    """Return the first rows as SQL literals ('3' and 3 differ), or the error."""
    if result.error:
        return _clip(f"error: {result.error}", _LINE)
    count = f"more than {len(result.rows)}" if result.truncated else str(len(result.rows))
    head = f"{count} row{'s' * (count != '1')} ({', '.join(result.columns)})"
    lines = [head]
    for row in result.rows[:_MOST_ROWS]:
        lines.append(" | ".join(map(_render_literal, row)))
    if len(result.rows) > _MOST_ROWS:
        lines.append("...")
    return "\n".join(_clip(line, _LINE) for line in lines)


def _render_literal(cell: Any) -> str:
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
