"""The `sql` environment: what cannot be done, what is judged right, and what each kind of feedback shows."""

from __future__ import annotations

import sqlite3
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ace.task import Attempt, Database, Fact, Feedback, FeedbackKind, Sample, SqlEnvironment, Topic, Verdict

SCRIPT = """
CREATE TABLE cust (id INTEGER PRIMARY KEY, nm TEXT, seg TEXT);
CREATE TABLE ord (id INTEGER PRIMARY KEY, cid INTEGER, st INTEGER, tot INTEGER);
CREATE VIEW paid AS SELECT * FROM ord WHERE st = 5; -- a hint nobody should see
INSERT INTO cust VALUES (1, 'Ann', 'B'), (2, 'Bob', 'P'), (3, 'O''Hara', NULL);
INSERT INTO ord VALUES (1, 1, 5, 1250), (2, 1, 7, 300), (3, 2, 5, 999);
"""
GOLD = "SELECT c.nm FROM cust c JOIN ord o ON o.cid = c.id WHERE o.st = 5 AND o.tot > 987"
FOREVER = "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) "


@pytest.fixture(scope="module", params=["script", "file"])
def database(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Database:
    folder = tmp_path_factory.mktemp("database")
    if request.param == "script":
        (folder / "shop.sql").write_text(SCRIPT, encoding="utf-8")
        return Database.open(folder / "shop.sql", time_limit=0.1, row_limit=50)
    connection = sqlite3.connect(folder / "shop.sqlite")
    connection.executescript(SCRIPT)
    connection.close()
    return Database.open(folder / "shop.sqlite", time_limit=0.1, row_limit=50)


@pytest.fixture(scope="module")
def shop(database: Database) -> SqlEnvironment:
    return SqlEnvironment({"shop": database})


def sample(gold_sql: str = GOLD, **data: Any) -> Sample:
    return Sample("s1", "Who?", {"gold_sql": gold_sql, **data})


def topics(*names: str) -> frozenset[Topic]:
    return frozenset(map(Topic, names))


def feedback(shop: SqlEnvironment, sql: str, kind: FeedbackKind, gold_sql: str = GOLD) -> Feedback:
    return shop.score(sample(gold_sql), Attempt("s1", sql)).shown(kind)


@pytest.mark.parametrize(
    "sql",
    [
        "INSERT INTO cust VALUES (9, 'x', 'y')",
        "WITH x AS (SELECT 1) INSERT INTO cust(nm) SELECT 'x' FROM x",
        "WITH x AS (SELECT 1) DELETE FROM cust",
        "DROP TABLE cust",
        "CREATE TEMP TABLE x (a)",
        "ATTACH 'other.db' AS other",
        "PRAGMA query_only = OFF",
        "PRAGMA writable_schema = ON",
        "SELECT * FROM pragma_table_info('cust')",
        "SELECT load_extension('evil')",
        "SELECT fts3_tokenizer('simple')",
        "WITH x AS (SELECT 1) UPDATE sqlite_master SET sql = 'x'",
        "VACUUM INTO 'copy.db'",
        "BEGIN",
        "EXPLAIN SELECT 1",
        "SELECT 1; SELECT 2",
        "SELECT 1; DROP TABLE cust",
        "SELECT zeroblob(1000000000)",
        "SELECT " + "(" * 5000 + "1" + ")" * 5000,
        "SELECT '\x00'",
        "SELECT '\ud800'",
        "SELECT nothing FROM nowhere",
        "no SQL here",
        "",
    ],
)
def test_nothing_but_one_select_runs(database: Database, sql: str) -> None:
    before = database.run("SELECT * FROM cust").rows
    result = database.run(sql)
    assert result.error
    assert result.rows == ()
    assert database.run("SELECT * FROM cust").rows == before


def test_tables_that_functions_make_can_be_read(database: Database) -> None:
    result = database.run("SELECT nm, value FROM cust, json_each('[5, 7]')")
    assert {value for _, value in result.rows} == {5, 7} and "cust.nm" in result.reads


def test_rows_are_limited(database: Database) -> None:
    result = database.run(FOREVER + "SELECT x FROM n")
    assert (len(result.rows), result.truncated, result.error) == (50, True, "")
    assert database.run("SELECT randomblob(900000) FROM cust, ord").truncated


@given(st.text())
def test_any_text_is_only_data(database: Database, text: str) -> None:
    shop = SqlEnvironment({"shop": database})
    attempt = Attempt("s1", text)
    assert not shop.score(sample("SELECT 1 WHERE 0"), attempt).correct or "select" in text.lower()


def test_a_closed_world_is_described(shop: SqlEnvironment) -> None:
    assert shop.describe(sample()).splitlines() == [
        "CREATE TABLE cust (id INTEGER PRIMARY KEY, nm TEXT, seg TEXT);",
        "CREATE TABLE ord (id INTEGER PRIMARY KEY, cid INTEGER, st INTEGER, tot INTEGER);",
        "CREATE VIEW paid AS SELECT * FROM ord WHERE st = 5;",
    ]


@pytest.mark.parametrize(
    ("gold", "sql", "correct"),
    [
        ("SELECT nm FROM cust", "SELECT nm AS other FROM cust ORDER BY nm DESC", True),
        ("SELECT nm FROM cust ORDER BY nm", "SELECT nm FROM cust ORDER BY nm DESC", False),
        ("SELECT nm FROM (SELECT nm FROM cust ORDER BY nm)", "SELECT nm FROM cust ORDER BY nm DESC", True),
        ("SELECT sum(tot) / 100.0 FROM ord", "SELECT sum(tot / 100.0) FROM ord", True),
        ("SELECT count(*) FROM ord", "SELECT 3.0", True),
        ("SELECT count(*) FROM ord", "SELECT '3'", False),
        ("SELECT nm FROM cust", "SELECT nm, id FROM cust", False),
        ("SELECT nm FROM cust;", "```sql\nSELECT nm FROM cust;\n```", True),
        ("SELECT x FROM n LIMIT 50", FOREVER + "SELECT x FROM n", False),
        ("SELECT nm FROM cust", "SELECT nm FROM", False),
    ],
)
def test_judging(shop: SqlEnvironment, gold: str, sql: str, correct: bool) -> None:
    gold = FOREVER + gold if "FROM n " in gold else gold
    outcome = shop.score(sample(gold), Attempt("s1", sql))
    assert (outcome.correct, outcome.score) == (correct, float(correct))
    assert outcome.shown(FeedbackKind.LABELS).passed is correct


def test_an_attempt_without_an_answer_is_wrong(shop: SqlEnvironment) -> None:
    attempt = Attempt("s1", "", error="the model timed out")
    outcome = shop.score(sample(), attempt)
    assert outcome.verdict == Verdict(False, 0.0, "the model timed out")
    assert outcome.shown(FeedbackKind.EXECUTION).text == "error: the model timed out"


def test_labels_show_the_gold_and_what_it_uses(shop: SqlEnvironment) -> None:
    shown = feedback(
        shop, "SELECT nm FROM cust c JOIN ord o ON c.id = o.cid WHERE o.st = 7", FeedbackKind.LABELS
    )
    assert shown.text == "1 row (nm)\n'Ann'"
    assert shown.passed is False
    assert shown.right_answer == f"Right SQL: {GOLD}"
    assert shown.missing == (Fact("ord.st = 5", topics("ord.st")), Fact("ord.tot > 987", topics("ord.tot")))
    assert set(shown.missing) <= set(shown.facts)
    assert shown.topics == {"cust.nm", "cust.id", "ord.cid", "ord.st", "ord.tot"}


def test_topics_are_resolved_by_the_database(shop: SqlEnvironment) -> None:
    gold = "WITH x AS (SELECT tot AS seg FROM ord) SELECT count(*), max(x.seg) FROM x, CUST AS y"
    assert feedback(shop, "", FeedbackKind.LABELS, gold).topics == {"ord.tot"}


def test_values_are_shown_as_literals(shop: SqlEnvironment) -> None:
    shown = feedback(shop, "SELECT NULL, 1, 1.5, nm, x'00ff' FROM cust WHERE id = 3", FeedbackKind.EXECUTION)
    assert shown.text.splitlines()[1] == "NULL | 1 | 1.5 | 'O''Hara' | x'00ff'"


def test_what_is_shown_is_bounded(shop: SqlEnvironment) -> None:
    long = "x" * 100_000
    for sql in (f"SELECT '{long}' AS {long} FROM cust, ord", f"SELECT {long} FROM cust"):
        assert len(feedback(shop, sql, FeedbackKind.EXECUTION).text) < 2_000


ATTEMPTS = st.sampled_from(
    [
        GOLD,
        "SELECT nm FROM cust",
        "SELECT nm FROM cust WHERE 0",
        "SELECT oops",
        "SELECT cid FROM ord",
        "DROP TABLE ord",
        "",
    ]
)
GOLDS = st.sampled_from(
    [GOLD, "SELECT nm FROM cust WHERE seg = 'taint'", "SELECT 31337 FROM ord", "SELECT broken"]
)


@given(ATTEMPTS, GOLDS, GOLDS)
def test_without_labels_nothing_depends_on_the_gold(
    shop: SqlEnvironment, sql: str, gold: str, other: str
) -> None:
    for kind in (FeedbackKind.EXECUTION, FeedbackKind.NONE):
        shown = feedback(shop, sql, kind, gold)
        assert shown == feedback(shop, sql, kind, other)
        assert shown == shop.observe(Sample("s1", "Who?"), Attempt("s1", sql)).shown(kind)
        assert (shown.passed, shown.expected) == (None, "")
        assert not any(taint in repr(shown) for taint in ("taint", "31337", "987") if taint not in sql)


def test_no_feedback_is_empty(shop: SqlEnvironment) -> None:
    assert feedback(shop, GOLD, FeedbackKind.NONE) == Feedback(FeedbackKind.NONE, "")


def test_execution_names_what_the_attempt_touched(shop: SqlEnvironment) -> None:
    assert feedback(shop, "SELECT o.tot FROM ord o", FeedbackKind.EXECUTION).topics == {"ord.tot"}
    assert feedback(shop, "SELECT oops FROM ord", FeedbackKind.EXECUTION).topics == {"ord"}


def test_threads_share_an_environment(shop: SqlEnvironment) -> None:
    def judge(number: int) -> bool:
        return shop.score(sample(), Attempt("s1", f"{GOLD} AND {number} = {number}")).correct

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(judge, range(100)))


def test_bytes_that_are_not_text_are_read(tmp_path: Path) -> None:
    connection = sqlite3.connect(tmp_path / "odd.sqlite")
    connection.execute("CREATE TABLE t (a TEXT)")
    connection.execute("INSERT INTO t VALUES (CAST(x'ff41' AS TEXT))")
    connection.commit()
    connection.close()
    assert Database.open(tmp_path / "odd.sqlite").run("SELECT a FROM t").rows == (("\ufffdA",),)
