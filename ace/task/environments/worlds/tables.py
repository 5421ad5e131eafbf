"""Environment of tables that an agent changes by SQL: right is what leaves them as the right statement does.

Each attempt has a copy of its own, in the memory of a worker process with limits.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from ace.errors import WorkspaceFailed
from ace.task.environments.sql.same_rows import have_same_rows
from ace.task.environments.sql.worker_pool import SqlLimits, WorkerProcess
from ace.task.environments.worlds.check_call import find_problem
from ace.task.types import Attempt, Difference, Environment, Fact, Outcome, Sample, Topic
from ace.task.workspace import Observation, ToolCall, ToolSpec, Workspace

TABLES = "tables"
"""The name of the artifact that holds the rows of each table, as JSON."""

_MOST_ROWS = 100_000  # of a table
_MOST_FACTS = 10
_LONGEST_QUERY = 100_000  # characters
_TYPE = re.compile(r"[A-Za-z][A-Za-z0-9_ ]*(\([0-9, ]+\))?")
_EXECUTE = ToolSpec(
    "execute_sql",
    "Run one statement of SQLite: SELECT, INSERT, UPDATE or DELETE. Returns rows, or how many were changed.",
    {
        "type": "object",
        "properties": {"query": {"type": "string", "description": "the statement"}},
        "required": ["query"],
        "additionalProperties": False,
    },
)

Rows = list[list[Any]]


class TableCopy:
    """Hold a copy of the tables of a sample, in a process of its own."""

    def __init__(self, statements: list[str], limits: SqlLimits) -> None:
        """Make the tables. Raises WorkspaceFailed for what SQLite says, and what goes over the limits."""
        self.limits = limits
        self.worker = WorkerProcess(limits.memory)
        try:
            built, image = self.worker.exchange({"do": "build", "statements": statements}, limits)
            opened, _ = self.worker.exchange({"do": "open", "uri": "", "writes": True}, limits, image)
            problem = built.get("error") or opened.get("error")
            if problem:
                raise WorkspaceFailed(f"The tables cannot be made: {problem}.")
            self.names: list[str] = [name for name, _ in opened["rows"]]
        except BaseException:
            self.worker.end()
            raise

    def run(self, sql: str) -> dict[str, Any]:
        """Return what comes of a statement, in SQLite's words or by the limit that was reached.

        Raises WorkspaceFailed where the process ended over it, and the tables with it.
        """
        request = {"do": "run", "sql": sql, "rows": self.limits.rows}
        reply, _ = self.worker.exchange(request, self.limits)
        error = self.limits.explain(reply.get("over", "")) or reply.get("error", "")
        if self.worker.process.returncode is not None:
            raise WorkspaceFailed(f"The tables are gone: {error}.")
        return {"error": error} if error else reply

    def read_rows(self) -> dict[str, Rows]:
        """Return the rows of each table. Raises WorkspaceFailed where they are more than can be judged."""
        tables: dict[str, Rows] = {}
        for name in self.names:
            sql = f"SELECT * FROM {_quote_name(name)}"  # noqa: S608 - of the row's own tables
            request = {"do": "run", "sql": sql, "rows": _MOST_ROWS}
            reply, _ = self.worker.exchange(request, self.limits)
            if reply.get("error") or reply["truncated"]:
                raise WorkspaceFailed(f"Table {name} cannot be read: {reply.get('error') or 'too large'}.")
            tables[name] = [list(row) for row in reply["rows"]]
        return tables


@dataclass(slots=True)
class TableWorkspace(Workspace):
    """Let an agent run statements on its copy of the tables."""

    copy: TableCopy
    """Its tables, in a process of their own."""

    failure: str = ""
    """Why the process ended; "" as long as it goes on."""

    bounded = True
    repeats = True

    def tools(self) -> Sequence[ToolSpec]:
        """Return the one tool."""
        return (_EXECUTE,)

    def call(self, call: ToolCall) -> Observation:
        """Run a statement. One that ends the process ends the attempt."""
        problem = self.failure or find_problem(self.tools(), call)
        query = str(call.arguments.get("query", ""))
        if not problem and len(query) > _LONGEST_QUERY:
            problem = f"a statement has at most {_LONGEST_QUERY:,} characters"
        if problem:
            return Observation.error(problem, ends=bool(self.failure))
        try:
            reply = self.copy.run(query)
        except WorkspaceFailed as error:
            self.failure = str(error)
            return Observation.error(str(error), ends=True)
        if "error" in reply:
            return Observation.error(reply["error"])
        shown = {"changed": reply["changes"]}
        if reply["columns"]:
            shown = {"columns": reply["columns"], "rows": reply["rows"], "more": reply["truncated"]}
        return Observation(json.dumps(shown, ensure_ascii=False, default=repr))

    def finish(self) -> Mapping[str, str]:
        """Return the rows of each table. Raises WorkspaceFailed where they are gone."""
        if self.failure:
            raise WorkspaceFailed(self.failure)
        return {TABLES: _write_rows(self.copy.read_rows())}

    def close(self) -> None:
        """End the process."""
        self.copy.worker.end()


@dataclass(frozen=True, slots=True)
class TablesEnvironment(Environment):
    """Samples carry `tables`, each with name, columns and rows, and `gold_sql`, which changes them rightly.

    A row of the data, beside id and question, has values as SQLite knows them:

        {"tables": [{"name": "tickets",
                     "columns": [{"name": "id", "type": "INT"}, {"name": "status", "type": "TEXT"}],
                     "rows": [[1, "open"], [2, "open"]]}],
         "gold_sql": "UPDATE tickets SET status = 'closed' WHERE id = 2"}

    Scores are 0 or 1: every table has to have the rows that the right statement leaves. Their order does not
    count. An answer in words is not judged.
    """

    limits: SqlLimits = field(default_factory=lambda: SqlLimits(rows=100))
    """Those of each statement, and the most rows that one shows."""

    label_field = "gold_sql"
    bounded = True

    def describe(self, sample: Sample) -> str:
        """Return how the tables are defined."""
        return "\n".join(f"{_define(table)};" for table in sample.data["tables"])

    def open(self, sample: Sample) -> TableWorkspace:
        """Return a copy of the tables for one attempt. Raises WorkspaceFailed where there can be none."""
        return TableWorkspace(TableCopy(_write_script(sample), self.limits))

    def score(self, sample: Sample, attempt: Attempt) -> Outcome:
        """Compare the rows that the attempt left with those that the right statement leaves.

        Raises WorkspaceFailed where there are none, as after a process that ended, and TaskError for a right
        statement that fails.
        """
        if TABLES not in attempt.artifacts:
            raise WorkspaceFailed(attempt.error or "The attempt left no tables.")
        actual: dict[str, Rows] = json.loads(attempt.artifacts[TABLES])
        gold: dict[str, Rows] = json.loads(_write_rows(self._follow(sample)[1]))
        wrong = [name for name, rows in gold.items() if not _same(rows, actual.get(name, []))]
        missing: list[Fact] = []
        for name in wrong:
            missing += _explain(name, gold[name], actual.get(name, []))
        return Outcome(
            score=float(not wrong),
            observed=attempt.last_seen,
            detail=missing[0].text if missing else "",
            ran=any(turn.failed is False for turn in attempt.turns) and not attempt.error,
            expected=sample.data["gold_sql"],
            expected_kind="SQL",
            label_topics=frozenset(map(Topic, gold)),
            missing=tuple(missing[:_MOST_FACTS]),
        )

    def check(self, sample: Sample) -> None:
        """Raise TaskError for tables that cannot be made, and for SQL that fails or changes nothing."""
        try:
            before, after = self._follow(sample)
        except WorkspaceFailed as error:
            raise sample.problem("tables", error.message) from error
        if all(_same(rows, after[name]) for name, rows in before.items()):
            raise sample.problem("gold_sql", "It changes nothing, so nothing can be judged.")

    def make_gold_attempt(self, sample: Sample) -> Attempt:
        """Return the attempt that leaves the rows of the right statement. Raises TaskError where it fails."""
        return Attempt(sample.id, "", artifacts={TABLES: _write_rows(self._follow(sample)[1])})

    def _follow(self, sample: Sample) -> tuple[dict[str, Rows], dict[str, Rows]]:
        """Return the rows before and after the right statement. Raises TaskError where it fails."""
        gold = sample.data.get("gold_sql")
        if not isinstance(gold, str) or not gold.strip():
            raise sample.problem("gold_sql", f"Expected a statement, found {gold!r:.60}.")
        copy = TableCopy(_write_script(sample), replace(self.limits, seconds=2 * self.limits.seconds))
        try:
            before = copy.read_rows()
            reply = copy.run(gold)
            if "error" in reply:
                raise sample.problem("gold_sql", f"It fails: {reply['error']}.")
            return before, copy.read_rows()
        finally:
            copy.worker.end()


def _write_script(sample: Sample) -> list[str]:
    """Return the statements that make the tables of a sample. Raises TaskError for a row without them."""
    tables = sample.data.get("tables")
    hint = 'Give a list, as [{"name": "t", "columns": [{"name": "a", "type": "TEXT"}], "rows": [["1"]]}].'
    if not isinstance(tables, list) or not tables:
        raise sample.problem("tables", f"Expected tables, found {tables!r:.60}.", hint)
    statements: list[str] = []
    try:
        for table in tables:
            statements.append(_define(table))
            for row in table["rows"]:
                values = ", ".join(map(_quote_value, row))
                statements.append(f"INSERT INTO {_quote_name(table['name'])} VALUES ({values})")  # noqa: S608
    except (KeyError, TypeError, AttributeError) as error:
        raise sample.problem("tables", f"Not a table: {type(error).__name__} {error}.", hint) from error
    return statements


def _define(table: Mapping[str, Any]) -> str:
    """Return the statement that makes a table. A type that is no word counts as TEXT."""
    columns: list[str] = []
    for column in table["columns"]:
        kind = column.get("type", "TEXT")
        columns.append(f"{_quote_name(column['name'])} {kind if _TYPE.fullmatch(kind) else 'TEXT'}")
    return f"CREATE TABLE {_quote_name(table['name'])} ({', '.join(columns)})"


def _quote_name(name: str) -> str:
    """Return the name of a table or column as SQL has it, whatever stands in it."""
    return '"' + name.replace('"', '""') + '"'


def _quote_value(value: Any) -> str:
    """Return a value as SQL has it."""
    if value is None:
        return "NULL"
    if isinstance(value, bool):
        return str(int(value))
    if isinstance(value, int | float):
        return repr(value)
    return "'" + str(value).replace("\0", "").replace("'", "''") + "'"


def _write_rows(tables: Mapping[str, Rows]) -> str:
    """Return the rows of each table as JSON; a value that it has no form for as `repr` writes it."""
    return json.dumps(tables, ensure_ascii=False, default=repr)


def _same(first: Rows, second: Rows) -> bool:
    """Return whether the rows are the same, in any order."""
    rows = [tuple(row) for row in first]
    return have_same_rows(rows, [tuple(row) for row in second], ordered=False)


def _explain(table: str, gold: Rows, actual: Rows) -> list[Fact]:
    """Return a fact for each row that is missing, and for each that is too much."""
    right = Counter(json.dumps(row, ensure_ascii=False) for row in gold)
    found = Counter(json.dumps(row, ensure_ascii=False) for row in actual)
    topics = frozenset({Topic(table)})
    facts: list[Fact] = []
    for row in (right - found).elements():
        facts.append(Fact(f"{table}: the row {row} is missing", topics, Difference.MISSING))
    for row in (found - right).elements():
        facts.append(Fact(f"{table}: the row {row} is not right", topics, Difference.EXTRA))
    return facts
