"""The `sql` environment: an answer is one SELECT, right when its rows are the gold SQL's rows.

The gold SQL is a label. `observe` does not touch it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from ace.task.environments.sql.conditions import find_conditions, find_missing
from ace.task.environments.sql.database import Database, Result
from ace.task.environments.sql.join_filters import join_filters
from ace.task.environments.sql.same_rows import have_same_rows
from ace.task.environments.sql.sqltext import extract_sql, is_ordered
from ace.task.types import Attempt, Environment, Outcome, Sample, Topic
from ace.task.wording import Wording

_MOST_ROWS = 5  # that are shown
_CELL = 60  # characters shown of one value
_LINE = 300  # and of one line


@dataclass(eq=False)
class SqlEnvironment(Environment):
    """Read-only databases by name. Samples carry `gold_sql`, and `db` when there are several.

    Its facts are conditions of the SQL ("ord.status = 7", joins), its topics columns ("ord.status"). Each
    statement has a limit of time, so the environment counts as bounded. Several threads may use it.
    """

    bounded = True
    label_field = "gold_sql"

    databases: Mapping[str, Database]
    """By the name that a sample gives as `db`."""

    _gold: dict[tuple[Database, str], Result] = field(default_factory=dict, init=False, repr=False)
    """What gold SQL returned: it is run once."""

    def describe(self, sample: Sample) -> str:
        """Return the schema: the same text for every sample of one database.

        Raises TaskError for a sample whose database nobody knows.
        """
        return self._database(sample).schema

    def score(self, sample: Sample, attempt: Attempt) -> Outcome:
        """Compare the rows with those of the gold SQL, and name the conditions of the gold SQL.

        Rows count in their order where the gold SQL has an ORDER BY. Rows of which some were cut off are
        wrong. Where the gold SQL fails, nothing is scored, and the outcome has a `label_error`.
        """
        result, observation = self._run_attempt(sample, attempt)
        gold = self.gold(sample)
        if gold.error:
            detail = result.error or f"gold SQL: {gold.error}"
            return replace(observation, detail=detail, label_error=gold.error)
        gold_sql = sample.data["gold_sql"].strip()
        is_whole = not (result.error or result.truncated or gold.truncated)
        is_correct = is_whole and have_same_rows(gold.rows, result.rows, ordered=is_ordered(gold_sql))
        detail = result.error
        if not is_correct and not result.error:
            detail = "the rows differ"
        facts = find_conditions(gold_sql, gold.reads)
        missing = find_missing(facts, extract_sql(attempt.answer), gold.reads)
        return replace(
            observation,
            score=float(is_correct),
            detail=detail,
            expected=gold_sql,
            label_topics=_to_topics(gold.reads),
            facts=facts,
            missing=missing,
        )

    def observe(self, sample: Sample, attempt: Attempt) -> Outcome:
        """Run the attempt: rows or error, the columns that it reads, and its own conditions.

        Nothing in it depends on the gold SQL. Raises TaskError for a sample whose database nobody knows.
        """
        _, observation = self._run_attempt(sample, attempt)
        return observation

    def check(self, sample: Sample) -> None:
        """Raise TaskError for a sample whose gold SQL is missing, fails or returns too much.

        The gold SQL is run for it, and its rows are kept for scoring.
        """
        sql = sample.data.get("gold_sql")
        if not isinstance(sql, str) or not sql.strip():
            raise sample.problem("gold_sql", "Expected a SELECT statement as text.")
        self._database(sample)
        gold = self.gold(sample)
        if gold.error:
            raise sample.problem("gold_sql", f"The gold SQL fails: {gold.error}.")
        if gold.truncated:
            message = "The gold SQL returns too many rows to compare."
            raise sample.problem("gold_sql", message, "Add a LIMIT or raise row_limit.")

    def compose(self, first: Sample, second: Sample) -> Sample | None:
        """Return a sample that asks for the rows which meet the conditions of both.

        None unless both select the same from the same tables of one database, and both conditions count: the
        rows are neither none nor those of one of the two alone.
        """
        names = [sample.data["gold_sql"] for sample in (first, second)]
        both = join_filters(*names)
        rest = [{**sample.data, "gold_sql": both} for sample in (first, second)]
        if both is None or rest[0] != rest[1]:
            return None
        question = f"{first.question.strip()}\n{second.question.strip()}\n=> 1 SELECT: (1) AND (2)"
        composed = Sample(f"{first.id} + {second.id}", question, rest[0])
        result = self.gold(composed)
        is_empty = not any(cell for row in result.rows for cell in row)
        if result.error or is_empty:
            return None
        for sample in (first, second):
            if have_same_rows(self.gold(sample).rows, result.rows, ordered=False):
                return None
        return composed

    def wording(self, *, newest_wins: bool = False) -> Wording:
        """Return new rules for the words of lessons: the conditions of right answers, one line each."""
        from ace.task.environments.sql.lessons.sql_wording import SqlWording

        return SqlWording(newest_wins=newest_wins)

    def gold(self, sample: Sample) -> Result:
        """Return what the gold SQL returns: a label, never to be shown unless labels are allowed.

        An error of the gold SQL is in the result. Raises TaskError for a sample whose database nobody knows.
        """
        database = self._database(sample)
        sql = sample.data["gold_sql"]
        key = database, sql
        if key not in self._gold:
            self._gold[key] = database.run(sql.strip().rstrip(";"))
        return self._gold[key]

    def make_gold_attempt(self, sample: Sample) -> Attempt:
        """Return the attempt that answers with the gold SQL."""
        return Attempt(sample.id, sample.data["gold_sql"])

    def _run_attempt(self, sample: Sample, attempt: Attempt) -> tuple[Result, Outcome]:
        """Return the result, and what it shows without any label.

        The attempt ran where something else than NULL came back. One that an error ended is not run: its own
        error is the result.
        """
        sql = extract_sql(attempt.answer)
        if attempt.error and not attempt.answer.strip():
            result = Result(error=attempt.error)
        else:
            result = self._database(sample).run(sql)
        has_value = any(cell is not None for row in result.rows for cell in row)
        observation = Outcome(
            observed=_render_result(result),
            ran=not result.error and has_value,
            expected_kind="SQL",
            topics=_to_topics(result.reads),
            parts=find_conditions(sql, result.reads),
        )
        return result, observation

    def _database(self, sample: Sample) -> Database:
        """Return the database of a sample: the one it names, or the only one.

        Raises TaskError for a name that no database has, and where there are several and none is named.
        """
        name: Any = sample.data.get("db")
        if name is None and len(self.databases) == 1:
            return next(iter(self.databases.values()))
        if not isinstance(name, str) or name not in self.databases:
            names = ", ".join(sorted(self.databases))
            raise sample.problem("db", f"Expected one of {names}; found {name!r}.")
        return self.databases[name]


def _to_topics(reads: Iterable[str]) -> frozenset[Topic]:
    """Return the columns, or the tables where no column is read, as in "SELECT count(*)"."""
    tables: set[Topic] = set()
    columns: set[Topic] = set()
    for name in reads:
        if "." in name:
            columns.add(Topic(name))
        else:
            tables.add(Topic(name))
    return frozenset(columns or tables)


def _render_result(result: Result) -> str:
    """Return the first rows as SQL literals ('3' and 3 differ), or the error.

    The first line counts the rows and names the columns: "12 rows (name, total)".
    """
    if result.error:
        return _clip(f"error: {result.error}", _LINE)
    count = str(len(result.rows))
    if result.truncated:
        count = f"more than {count}"
    noun = "row" if count == "1" else "rows"
    lines = [f"{count} {noun} ({', '.join(result.columns)})"]
    for row in result.rows[:_MOST_ROWS]:
        lines.append(" | ".join(map(_render_literal, row)))
    if len(result.rows) > _MOST_ROWS:
        lines.append("...")
    return "\n".join(_clip(line, _LINE) for line in lines)


def _render_literal(cell: Any) -> str:
    """Return a value as SQL writes it, cut to 60 characters."""
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
    """Return at most `size` characters of a text; dots at the end say that it was cut."""
    return text if len(text) <= size else text[: size - 3] + "..."
