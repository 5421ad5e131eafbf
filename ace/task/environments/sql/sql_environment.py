"""The `sql` environment: an answer is one SELECT, right when its rows are the gold SQL's rows.

The gold SQL is a label. `observe` does not touch it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from ace.errors import TaskError
from ace.task.environments.sql.conditions import columns_of, conditions, missing
from ace.task.environments.sql.database import Database, Result
from ace.task.environments.sql.same_rows import same_rows
from ace.task.environments.sql.sqltext import extract_sql, is_ordered
from ace.task.types import Attempt, Fact, Outcome, Sample, Topic

_SHOWN_ROWS = 5
_CELL = 60  # characters shown of one value
_LINE = 300  # and of one line


class SqlEnvironment:
    """Read-only databases by name. Samples carry `gold_sql`, and `db` when there are several."""

    bounded = True

    def __init__(self, databases: Mapping[str, Database]) -> None:
        self.databases = dict(databases)
        self._gold: dict[tuple[str, str], Result] = {}

    def describe(self, sample: Sample) -> str:
        """The schema; the same text for every sample of one database."""
        return self._database(sample).schema

    def score(self, sample: Sample, attempt: Attempt) -> Outcome:
        """Compare the rows with those of the gold SQL, and name the conditions of the gold SQL."""
        result, gold = self._attempted(sample, attempt), self.gold(sample)
        seen = _observed(result, attempt)
        if gold.error:
            detail = result.error or f"gold SQL: {gold.error}"
            return replace(seen, detail=detail, label_error=gold.error)
        gold_sql = sample.data["gold_sql"].strip()
        correct = _same(gold, result, ordered=is_ordered(gold_sql))
        uses = conditions(gold_sql, gold.reads)
        lacks = missing(uses, extract_sql(attempt.answer), gold.reads)
        return replace(
            seen,
            score=float(correct),
            detail=result.error or ("" if correct else "the rows differ"),
            expected=gold_sql,
            label_topics=_topics(gold.reads),
            facts=_facts(uses),
            missing=_facts(lacks),
        )

    def observe(self, sample: Sample, attempt: Attempt) -> Outcome:
        """Run the attempt: rows or error, the columns that it reads, and its own conditions."""
        return _observed(self._attempted(sample, attempt), attempt)

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
        return self._database(sample).run(extract_sql(attempt.answer))

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


def _observed(result: Result, attempt: Attempt) -> Outcome:
    """Return what an attempt shows without any label."""
    return Outcome(
        observed=_outcome(result),
        ran=_returned(result),
        expected_kind="SQL",
        topics=_topics(result.reads),
        parts=_facts(conditions(extract_sql(attempt.answer), result.reads)),
    )


def _same(gold: Result, result: Result, *, ordered: bool) -> bool:
    """Return whether both ran to the end and gave the same rows."""
    if result.error or result.truncated or gold.truncated:
        return False
    return same_rows(gold.rows, result.rows, ordered=ordered)


def _topics(reads: Iterable[str]) -> frozenset[Topic]:
    """Return the columns, or the tables where no column is read."""
    names = frozenset(map(Topic, reads))
    columns = frozenset(name for name in names if "." in name)
    return columns or names


def _facts(texts: Iterable[str]) -> tuple[Fact, ...]:
    return tuple(Fact(text, frozenset(map(Topic, columns_of(text)))) for text in texts)


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
