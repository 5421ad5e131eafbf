"""Loading a task folder, and one test for each way it can be wrong."""

# ruff: noqa: E501 - bad input reads best as a table, one case a line
from __future__ import annotations

import json
import pickle
import sqlite3
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from ace.errors import TaskError
from ace.task import Attempt, check_task, find_tasks, load_task, score_attempt

ROOT = Path(__file__).parent.parent
INTERCODE = ROOT.parent / "shared" / "data" / "intercode-sql"

TOML = """name = "demo"
environment = "sql"
instructions = "Write SQL."
[data]
train = "train.jsonl"
test = "test.jsonl"
[sql]
database = "demo.sql"
"""
SCRIPT = (
    "-- undocumented\nCREATE TABLE t (a INTEGER, b TEXT);\nINSERT INTO t VALUES (1, 'x'),\n  (2, 'y;');\n"
)


def row(
    key: object = "one",
    question: object = "How many?",
    gold_sql: object = "SELECT count(*) FROM t",
    **more: Any,
) -> str:
    return json.dumps({"id": key, "question": question, "gold_sql": gold_sql, **more})


GOOD: dict[str, str | bytes] = {
    "task.toml": TOML,
    "demo.sql": SCRIPT,
    "train.jsonl": row() + "\n\n",
    "test.jsonl": row("two", "Which?", "SELECT b FROM t"),
}


def write(folder: Path, files: Mapping[str, str | bytes]) -> Path:
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
    return folder


def test_a_good_folder_loads(tmp_path: Path) -> None:
    task = load_task(write(tmp_path, GOOD))
    assert (task.name, task.instructions) == ("demo", "Write SQL.")
    assert [sample.id for sample in task.train + task.val + task.test] == ["one", "two"]
    assert task.train[0].data == {"gold_sql": "SELECT count(*) FROM t"}
    assert task.environment.describe(task.train[0]) == "CREATE TABLE t (a INTEGER, b TEXT);"
    assert score_attempt(task.environment, task.train[0], Attempt("one", "SELECT 2")).correct


BAD: dict[str, tuple[dict[str, str | bytes | None], str, str, int | None]] = {
    # what changes in the good folder (None: deleted), part of the message, field, line
    "no task.toml": ({"task.toml": None}, "No such file", "", None),
    "not TOML": ({"task.toml": "name = 'x'\nname = 3\n\n"}, "Not valid TOML", "", 2),
    "task.toml is not UTF-8": ({"task.toml": b"# ok\nname = '\xff'"}, "UTF-8", "", 2),
    "no name": ({"task.toml": TOML.replace("name", "nam")}, "Missing; expected text", "name", None),
    "name is a path": ({"task.toml": TOML.replace("demo", "../demo", 1)}, "Expected letters", "name", None),
    "wrong type": ({"task.toml": TOML.replace('"Write SQL."', "3")}, "Expected text, found 3", "instructions", None),
    "table of another environment": ({"task.toml": TOML.replace('"sql"', '"answer"')}, "Unknown key. Known: name", "sql", None),
    "misspelt key": ({"task.toml": TOML.replace("name", "nam")}, "Is 'nam' a misspelling of it?", "name", None),
    "environment is a list": ({"task.toml": TOML.replace('"sql"', '["sql"]')}, "Expected text", "environment", None),
    "true is no number": ({"task.toml": "max_tokens = true\n" + TOML}, "Expected a whole number, found True", "max_tokens", None),
    "unknown option of a scorer": (
        {"task.toml": TOML[: TOML.index("[sql]")].replace('"sql"', '"answer"') + "[answer]\nordered = true"},
        "Unknown key",
        "answer.ordered",
        None,
    ),
    "unknown key": ({"task.toml": TOML.replace("instructions", "instruction")}, "'instructions'", "instruction", None),
    "unknown data key": ({"task.toml": TOML.replace("test =", "tests =")}, "Did you mean 'test'", "data.tests", None),
    "unknown sql key": ({"task.toml": TOML + "limit = 3"}, "Unknown key", "sql.limit", None),
    "data is no table": ({"task.toml": "data = 3\n" + TOML[: TOML.index("[data]")]}, "Expected a table", "data", None),
    "unknown environment": ({"task.toml": TOML.replace('"sql"', '"sqll"')}, "'sql', 'answer', 'tools', ", "environment", None),
    "no training file": ({"train.jsonl": None}, "No such file: 'train.jsonl'", "data.train", None),
    "no train key": ({"task.toml": TOML.replace("train = ", "# ")}, "Missing", "data.train", None),
    "empty training set": ({"train.jsonl": "\n \n"}, "The file has no rows", "", None),
    "path leaves the folder": ({"task.toml": TOML.replace("train.jsonl", "../train.jsonl")}, "leaves", "data.train", None),
    "absolute path": ({"task.toml": TOML.replace("demo.sql", "/etc/passwd")}, "leaves", "sql.database", None),
    "path with a null": ({"task.toml": TOML.replace("demo.sql", "a\\u0000b")}, "Not a usable path", "sql.database", None),
    "malformed row": ({"train.jsonl": row() + "\n{'id': 3}"}, "Not valid JSON", "", 2),
    "deeply nested row": ({"train.jsonl": "[" * 100_000}, "Not valid JSON", "", 1),
    "row is no object": ({"train.jsonl": "[1]"}, "Expected an object", "", 1),
    "row is not UTF-8": ({"train.jsonl": row().encode() + b"\n\xff\xfe"}, "UTF-8", "", 2),
    "row holds half a character": ({"train.jsonl": row(question="\ud800")}, "Not valid JSON", "", 1),
    "no id": ({"train.jsonl": '{"question": "?"}'}, "no 'id'. It has: question", "id", 1),
    "id of a wrong type": ({"train.jsonl": row(key=True)}, "whole number, found True", "id", 1),
    "question of a wrong type": ({"train.jsonl": row(question=["?"])}, "Expected text", "question", 1),
    "empty question": ({"train.jsonl": row(question=" ")}, "Expected text", "question", 1),
    "duplicate id": ({"test.jsonl": row("one", "Which?")}, "used twice, first in train.jsonl:1", "id", 1),
    "same question": ({"test.jsonl": row("two", "how  MANY")}, "in train (train.jsonl:1) and in test", "question", 1),
    "no gold": ({"train.jsonl": '{"id": 1, "question": "?"}'}, "Expected a SELECT", "gold_sql", 1),
    "gold fails": ({"train.jsonl": row(gold_sql="SELECT z FROM t")}, "no such column: z", "gold_sql", 1),
    "gold writes": ({"train.jsonl": row(gold_sql="DELETE FROM t")}, "only one SELECT", "gold_sql", 1),
    "gold returns too much": ({"task.toml": TOML + "row_limit = 1"}, "too many rows", "gold_sql", 1),
    "unknown db": ({"train.jsonl": row(db="other")}, "Expected one of demo; found 'other'", "db", 1),
    "no database": ({"task.toml": TOML.replace("database", "# ")}, "Missing", "sql.database", None),
    "database file missing": ({"demo.sql": None}, "No such file", "sql.database", None),
    "script fails": ({"demo.sql": SCRIPT + "\n\nINSERT INTO\n nowhere VALUES (1);"}, "no such table: nowhere", "", 7),
    "script reaches out": ({"demo.sql": "CREATE TABLE t (a);\nATTACH 'x.db' AS x;"}, "script fails", "", 2),
    "script makes nothing": ({"demo.sql": "SELECT 1;"}, "no tables", "", None),
    "no SQLite file": ({"task.toml": TOML.replace("demo.sql", "demo.db"), "demo.db": "text" * 100}, "Not a readable", "", None),
    "no match": ({"task.toml": TOML.replace('database = "demo.sql"', 'databases = "*.db"')}, "No file matches", "sql.databases", None),
    "limit of a wrong type": ({"task.toml": TOML + 'time_limit = "2"'}, "Expected a number", "sql.time_limit", None),
    "limit of zero": ({"task.toml": TOML + "time_limit = 0"}, "more than 0", "sql.time_limit", None),
    "no such class": ({"task.toml": TOML[: TOML.index("[sql]")].replace('"sql"', '"nowhere:Nothing"')}, "does not load", "environment", None),
    "unknown scorer": (
        {"task.toml": TOML[: TOML.index("[sql]")].replace('"sql"', '"answer"') + '[answer]\nscorer = "fuzzy"'},
        "exact, numeric, labels",
        "answer.scorer",
        None,
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD)
def test_bad_input_is_named(name: str, tmp_path: Path) -> None:
    change, message, field, line = BAD[name]
    files = {key: value for key, value in {**GOOD, **change}.items() if value is not None}
    with pytest.raises(TaskError) as caught:
        load_task(write(tmp_path, files), trust=True)
    assert message in str(caught.value)
    assert caught.value.details.get("field", "") == field
    assert caught.value.details.get("line") == line
    assert str(pickle.loads(pickle.dumps(caught.value))) == str(caught.value)


def test_a_link_out_of_the_folder_is_refused(tmp_path: Path) -> None:
    folder = write(tmp_path / "task", GOOD)
    (folder / "train.jsonl").rename(tmp_path / "outside.jsonl")
    (folder / "train.jsonl").symlink_to(tmp_path / "outside.jsonl")
    with pytest.raises(TaskError, match="leaves the task folder"):
        load_task(folder)


def test_every_problem_is_listed(tmp_path: Path) -> None:
    files = GOOD | {"train.jsonl": "\n".join([row(), row(gold_sql="SELECT z"), row(3, "Why?", None)])}
    task = load_task(write(tmp_path, files), check=False)
    assert [problem.details["field"] for problem in check_task(task)] == ["id", "gold_sql", "gold_sql"]
    with pytest.raises(TaskError, match=r"used twice.* Also:\n.*:2 .*no such column: z.*\n.*:3 .*SELECT"):
        load_task(tmp_path)
    write(tmp_path, {"train.jsonl": "\n".join(["{", row(), "[]", '{"id": 4}', *["{"] * 5])})
    with pytest.raises(TaskError) as broken:
        load_task(tmp_path, check=False)
    told = str(broken.value)
    assert all(f"train.jsonl:{line}" in told for line in (1, 3, 4, 5, 6, 7)) and "and 2 more" in told


def test_several_databases(tmp_path: Path) -> None:
    toml = TOML.replace('database = "demo.sql"', 'databases = "db/*"')
    files = GOOD | {"task.toml": toml, "db/one.sql": "CREATE TABLE t (a);", "train.jsonl": row(db="one")}
    files["test.jsonl"] = row("two", "How many?", "SELECT count(*) FROM u", db="two")
    write(tmp_path, files)
    connection = sqlite3.connect(tmp_path / "db" / "two.sqlite")
    connection.execute("CREATE TABLE u (b)")
    connection.close()
    task = load_task(tmp_path)  # the same question about another database is another question
    shown = [task.environment.describe(sample) for sample in task.train + task.test]
    assert shown == ["CREATE TABLE t (a);", "CREATE TABLE u (b);"]
    write(tmp_path, {"train.jsonl": row()})
    with pytest.raises(TaskError, match="Expected one of one, two; found None"):
        load_task(tmp_path)


CUSTOM = """
from __future__ import annotations
from dataclasses import dataclass
from pathlib import Path
from ace.task import Outcome

@dataclass
class Echo:
    folder: Path
    options: dict[str, object]
    def describe(self, sample): return str(self.options["greeting"])
    def score(self, sample, attempt): return Outcome(score=1.0)
    def check(self, sample): ...

class Half:
    def __init__(self, folder, options): ...
    def describe(self, sample): ...
"""


def test_an_environment_from_the_task_folder(tmp_path: Path) -> None:
    toml = TOML[: TOML.index("[sql]")].replace('"sql"', '"own.echo:Echo"') + '[options]\ngreeting = "hello"'
    task = load_task(write(tmp_path, GOOD | {"task.toml": toml, "own/echo.py": CUSTOM}), trust=True)
    assert task.environment.describe(task.train[0]) == "hello"
    write(tmp_path, {"task.toml": toml.replace("Echo", "Half")})
    with pytest.raises(TaskError, match="Half has no method score, check"):
        load_task(tmp_path, trust=True)


def test_an_environment_from_the_import_path(tmp_path: Path) -> None:
    toml = TOML[: TOML.index("[sql]")].replace('"sql"', '"json:JSONDecoder"')
    with pytest.raises(TaskError, match="json:JSONDecoder does not load"):
        load_task(write(tmp_path, GOOD | {"task.toml": toml}), trust=True)


def test_a_dump_is_a_script(tmp_path: Path) -> None:
    connection = sqlite3.connect(":memory:")
    connection.executescript(
        "CREATE TABLE t (a, b); CREATE TRIGGER g AFTER INSERT ON t BEGIN UPDATE t SET b = 1; SELECT 1; END;"
        "INSERT INTO t(a) VALUES ('x;'), (NULL); -- done"
    )
    dump = "\n".join(connection.iterdump())  # wraps everything in a transaction
    connection.close()
    task = load_task(write(tmp_path, GOOD | {"demo.sql": dump}))
    assert score_attempt(task.environment, task.train[0], Attempt("one", "SELECT 2")).correct


def test_find_tasks(tmp_path: Path) -> None:
    for name in ("b", "a"):
        write(tmp_path / name, GOOD)
    (tmp_path / "empty").mkdir()
    assert find_tasks(tmp_path) == (tmp_path / "a", tmp_path / "b")
    assert find_tasks(tmp_path / "missing") == ()
