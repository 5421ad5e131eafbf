"""Tables that an agent changes by SQL: judged by their rows, each attempt with a copy of its own."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ace.errors import TaskError
from ace.task import Sample, ToolCall, load_task, observe_attempt
from ace.task.environments.sql.worker_pool import SqlLimits
from ace.task.environments.worlds.tables import TablesEnvironment
from ace.task.makers.draft import MakeOptions
from ace.task.makers.make_dbbench import make_dbbench
from ace.task.makers.source_data import SourceData
from ace.task.samples import to_sample
from tests.acting import play, play_and_score, play_at_once
from tests.adapter_world import run_example
from tests.shared_data import find_data

DATA = find_data("agentbench-dbbench")
ENVIRONMENT = TablesEnvironment()
CLUBS = {
    "name": "Club's list",
    "columns": [{"name": "Name", "type": "TEXT"}, {"name": "Won", "type": "INT"}, {"name": 'odd "x"'}],
    "rows": [["Alma", "3", "x"], ["Borg", "12", None]],
}
SAMPLE = Sample(
    "1",
    "Set what Alma won to 4.",
    {"tables": [CLUBS], "gold_sql": "UPDATE `Club's list` SET Won = 4 WHERE Name = 'Alma'"},
)


def sql(*queries: str) -> list[tuple[str, dict[str, Any]]]:
    return [("execute_sql", {"query": query}) for query in queries]


def score(*queries: str, sample: Sample = SAMPLE):
    return play_and_score(ENVIRONMENT, sample, sql(*queries))


def test_the_example_of_the_page_learns(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert run_example("worlds", "Tables")["answers"] == (0, 1)


def test_gold_of_the_data_is_right_and_nothing_else_is() -> None:
    if not DATA.is_dir():
        pytest.skip(f"{DATA} is not there")
    rows = make_dbbench(SourceData(DATA, ""), MakeOptions(out=Path("x"), sizes={})).learning
    assert len(rows) >= 30
    for row in rows:
        sample = to_sample(row)
        name = row["tables"][0]["name"]
        assert score(row["gold_sql"], sample=sample).correct
        assert score(sample=sample).score == 0
        assert score(f"SELECT * FROM [{name}]", f"DELETE FROM [{name}]", sample=sample).score == 0


def test_another_way_to_the_same_rows_is_right() -> None:
    ways = [
        ("UPDATE \"Club's list\" SET Won = '4' WHERE Won = 3",),
        ('DELETE FROM "Club\'s list" WHERE Won < 4', "INSERT INTO \"Club's list\" VALUES ('Alma', 4, 'x')"),
        ("BEGIN", SAMPLE.data["gold_sql"], "COMMIT"),
    ]
    for way in ways:
        assert score(*way).correct, way


def test_what_is_wrong_with_the_rows_is_said() -> None:
    wrong = score('UPDATE "Club\'s list" SET Won = 5 WHERE Name = "Alma"')
    assert wrong.score == 0 and wrong.expected_kind == "SQL"
    assert [fact.text for fact in wrong.missing] == [
        'Club\'s list: the row ["Alma", 4, "x"] is missing',
        'Club\'s list: the row ["Alma", 5, "x"] is not right',
    ]
    attempt = play(ENVIRONMENT, SAMPLE, sql("SELECT Name FROM [Club's list]"))
    assert json.loads(attempt.turns[0].observation)["rows"] == [["Alma"], ["Borg"]]
    seen = observe_attempt(ENVIRONMENT, SAMPLE, attempt)
    assert seen.score is None and seen.observed == attempt.turns[0].observation


@pytest.mark.parametrize(
    "query",
    [
        "DROP TABLE [Club's list]",
        "CREATE TABLE t (a)",
        "ATTACH '/tmp/x.db' AS x",
        "PRAGMA writable_schema = ON",
        "VACUUM INTO '/tmp/x.db'",
        "SELECT load_extension('x')",
        "INSERT INTO sqlite_master VALUES ('table', 'x', 'x', 1, 'x')",
        "DELETE FROM [Club's list]; DELETE FROM [Club's list]",
        "WITH RECURSIVE t(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM t) SELECT max(n) FROM t",
        "nonsense",
        "",
    ],
)
def test_what_is_not_allowed_fails_and_leaves_the_rows(query: str) -> None:
    environment = TablesEnvironment(SqlLimits(seconds=0.5))
    attempt = play(environment, SAMPLE, sql(query, SAMPLE.data["gold_sql"]))
    if query:
        assert attempt.turns[0].failed
    assert environment.score(SAMPLE, attempt).correct


def test_wrong_calls_are_answered() -> None:
    workspace = ENVIRONMENT.open(SAMPLE)
    wrong = [("run", {}), ("execute_sql", {}), ("execute_sql", {"query": 1}), *sql("x" * 200_000)]
    for name, arguments in wrong:
        seen = workspace.call(ToolCall("1", name, arguments))
        assert seen.failed and not seen.ends
    workspace.close()


def test_twenty_at_once_do_not_interfere() -> None:
    plays = [
        (SAMPLE, sql(SAMPLE.data["gold_sql"] if n % 2 else "DELETE FROM [Club's list]")) for n in range(20)
    ]
    assert [outcome.score for outcome in play_at_once(ENVIRONMENT, plays)] == [0.0, 1.0] * 10


def test_a_process_that_ends_is_one_failed_sample() -> None:
    def crash(workspace):
        yield sql(SAMPLE.data["gold_sql"])[0]
        workspace.copy.worker.process.kill()
        yield sql("SELECT 1")[0]
        raise AssertionError("the attempt goes on")

    broken = play_and_score(ENVIRONMENT, SAMPLE, crash)
    assert "gone" in broken.judge_error and broken.score is None
    assert score(SAMPLE.data["gold_sql"]).correct


@pytest.mark.parametrize(
    "fields",
    [
        {"tables": []},
        {"tables": "t"},
        {"tables": [{"name": "t"}]},
        {"tables": [{**CLUBS, "rows": [["too", "few"]]}]},
        {"gold_sql": ""},
        {"gold_sql": "UPDATE nothing SET a = 1"},
        {"gold_sql": "UPDATE [Club's list] SET Won = 4 WHERE Name = 'Nobody'"},
    ],
)
def test_rows_that_cannot_be_used_are_refused(fields: dict[str, Any]) -> None:
    with pytest.raises(TaskError):
        ENVIRONMENT.check(Sample("1", "?", {**SAMPLE.data, **fields}))


names = st.text(st.characters(exclude_characters="\0", exclude_categories=("Cs",)), min_size=1, max_size=8)
cells = st.one_of(st.none(), st.booleans(), st.integers(-(2**60), 2**60), st.floats(-1e6, 1e6), names)


@given(names, st.lists(st.tuples(cells, cells), min_size=1, max_size=4))
def test_any_name_and_any_value_make_a_table(name: str, rows: list[tuple[Any, Any]]) -> None:
    if name.lower().startswith("sqlite_"):
        return
    table = {"name": name, "columns": [{"name": f"{name}1"}, {"name": "b"}], "rows": rows}
    workspace = ENVIRONMENT.open(Sample("1", "?", {"tables": [table]}))
    left = json.loads(workspace.finish()["tables"])
    workspace.close()
    assert list(left) == [name] and len(left[name]) == len(rows)


def test_a_task_carries_its_tables(tmp_path: Path) -> None:
    (tmp_path / "task.toml").write_text(
        'name = "clubs"\nenvironment = "tables"\n[data]\ntrain = "t.jsonl"\n[tables]\nrow_limit = 1\n'
    )
    (tmp_path / "t.jsonl").write_text(json.dumps({"id": "1", "question": SAMPLE.question, **SAMPLE.data}))
    task = load_task(tmp_path)
    attempt = play(task.environment, task.train[0], sql("SELECT * FROM [Club's list]"))
    assert json.loads(attempt.turns[0].observation)["more"] is True
    assert 'CREATE TABLE "Club\'s list"' in task.environment.describe(task.train[0])
