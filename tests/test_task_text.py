"""SQL as text, and rows as values: no database is opened here."""

# ruff: noqa: E501, RUF001 - replies read best as a table, one case a line

from __future__ import annotations

import random

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ace.task import extract_sql
from ace.task.environments.sql.conditions import find_conditions, find_missing
from ace.task.environments.sql.same_rows import have_same_rows
from ace.task.environments.sql.sqltext import compact_sql, is_ordered, is_query, split_tokens

SQLISH = st.lists(
    st.sampled_from(
        [
            "```",
            "```sql\n",
            "SELECT a FROM b",
            "select",
            "WITH x AS (",
            ")",
            ";",
            "\n",
            " ",
            "'",
            '"',
            "--",
            "/*",
            "*/",
            "DROP TABLE t",
            "with the",
            ":",
            "SQL: ",
            "INSERT INTO t SELECT 1",
            "ORDER BY",
            "(",
        ]
    )
    | st.text(max_size=5)
).map("".join)


@pytest.mark.parametrize(
    ("text", "sql"),
    [
        ("SELECT 1", "SELECT 1"),
        ("SELECT 1 ; \n", "SELECT 1"),
        ("```sql\nSELECT a\nFROM b;\n```", "SELECT a\nFROM b"),
        ("```SELECT 1```", "SELECT 1"),
        ("```\nselect 1", "select 1"),
        ("SELECT a FROM b\n```\nDone.", "SELECT a FROM b"),
        ("Here you go:\n\nSELECT a FROM b;\n\nIt selects a.", "SELECT a FROM b"),
        ("SQL: select a from (\nselect a from b)", "select a from (\nselect a from b)"),
        ("Answer: WITH x AS (\nSELECT 1) SELECT * FROM x", "WITH x AS (\nSELECT 1) SELECT * FROM x"),
        ("With the table b we select what we need: SELECT a FROM b", "SELECT a FROM b"),
        ("I would select rows like so: SELECT a FROM b", "SELECT a FROM b"),
        ("First ```sql\nSELECT 1\n``` but better ```sql\nSELECT 2\n```", "SELECT 2"),
        ("```sql\nSELECT 1\n``` gives ```\n| 1 |\n```", "SELECT 1"),
        ("SELECT ';' FROM b; thanks", "SELECT ';' FROM b"),
        ("SELECT 1; DROP TABLE t", "SELECT 1; DROP TABLE t"),
        ("INSERT INTO t SELECT 1", "INSERT INTO t SELECT 1"),
        ("  I do not know. ", "I do not know."),
        ("", ""),
    ],
)
def test_extract_sql(text: str, sql: str) -> None:
    assert extract_sql(text) == sql


# A statement, and what stands behind it or around it.
BEHIND = [
    (
        "SELECT b FROM t WHERE x = 1  Please try this, and let me know if it works.",
        "SELECT b FROM t WHERE x = 1",
    ),
    ("SELECT b FROM t WHERE x = 'a;b'\n\nThis query lists b.", "SELECT b FROM t WHERE x = 'a;b'"),
    ("SQL: SELECT b FROM t\nThis selects b.", "SELECT b FROM t"),
    ("SELECT b FROM t WHERE x = 'a;b'\n\n这个查询列出 b。", "SELECT b FROM t WHERE x = 'a;b'"),
    ("SELECT b FROM t WHERE x = 'a;b'\n这个查询列出 b。", "SELECT b FROM t WHERE x = 'a;b'"),
    ("SELECT b FROM t WHERE x = 'a;b'\n\nDiese Abfrage listet b auf", "SELECT b FROM t WHERE x = 'a;b'"),
    (
        "SELECT b FROM t WHERE x = 'a;b'\n\nIn dieser Abfrage werden alle Zeilen gezeigt.",
        "SELECT b FROM t WHERE x = 'a;b'",
    ),
    ("SELECT b FROM t WHERE x = 'a;b'\n\nAs you can see, this lists b.", "SELECT b FROM t WHERE x = 'a;b'"),
    ("SELECT b FROM t WHERE x = 'a;b'\n\n**Explanation:** lists b", "SELECT b FROM t WHERE x = 'a;b'"),
    (
        "SELECT b FROM t WHERE x = 'a;b'\n\n- `b` is what is asked\n- `t` the table",
        "SELECT b FROM t WHERE x = 'a;b'",
    ),
    ("SELECT b FROM t WHERE x = 'a;b'\n\n1. First filter\n2. then", "SELECT b FROM t WHERE x = 'a;b'"),
    ("SELECT b FROM t WHERE x = 'a;b'\n\n### Explanation\nfoo", "SELECT b FROM t WHERE x = 'a;b'"),
    ("SELECT b FROM t WHERE x = 'a;b'\n\n(This is b.)", "SELECT b FROM t WHERE x = 'a;b'"),
    ("SELECT b FROM t WHERE x = 'a;b'\n\n| b |\n|---|\n| 1 |", "SELECT b FROM t WHERE x = 'a;b'"),
    (
        "SELECT b FROM t WHERE x = 'a;b'\n\nEsta consulta devuelve b: 'it''s",
        "SELECT b FROM t WHERE x = 'a;b'",
    ),
    (
        "SELECT b FROM t WHERE x = 'a;b'\n\nIt's what you want; don't worry.",
        "SELECT b FROM t WHERE x = 'a;b'",
    ),
    (
        "<think>maybe SELECT 1?\n```sql\nSELECT 2\n```</think>\nSELECT b FROM t WHERE x = 'a;b'\n\nDone.",
        "SELECT b FROM t WHERE x = 'a;b'",
    ),
    ("The query is `SELECT b FROM t`.", "SELECT b FROM t"),
    ("SELECT b FROM t. This query lists b.", "SELECT b FROM t"),
    ("SELECT b FROM t.", "SELECT b FROM t"),
    ("SELECT b FROM t;\n\nSelect returns the rows of the table.", "SELECT b FROM t"),
    ("SELECT 1;\nDROP TABLE t", "SELECT 1;\nDROP TABLE t"),
    ("```sql\nSELECT b FROM t WHERE x = 'a;b'\n\nThis lists b.\n```", "SELECT b FROM t WHERE x = 'a;b'"),
    (
        "Sure! Here:\n\nSELECT b FROM t WHERE x = 'a;b'\n\nLet me know if you need more!",
        "SELECT b FROM t WHERE x = 'a;b'",
    ),
    ("SELECT b FROM t LIMIT 5\n\n5 rows come back", "SELECT b FROM t LIMIT 5"),
    ("SELECT b\nFROM t.\n", "SELECT b\nFROM t"),
    ("SELECT b FROM t\nNote: none", "SELECT b FROM t"),
    ("SELECT b FROM t\n\nExplanation", "SELECT b FROM t"),
    ("SELECT b\nFROM\nt\nWHERE\nx > 1\n;\nThat is all", "SELECT b\nFROM\nt\nWHERE\nx > 1"),
    ("SELECT b FROM t\n\nWhere x is the key of the table, b is listed.", "SELECT b FROM t"),
    ("SELECT b FROM t\r\n\r\nThis query lists b.", "SELECT b FROM t"),
    ("SELECT b FROM t\n→ lists b", "SELECT b FROM t"),
    ("SELECT ПРИМЕР FROM t\n\nЭтот запрос выбирает", "SELECT ПРИМЕР FROM t"),
    (
        "SELECT b FROM t WHERE x = (SELECT max(y) FROM u)\nThis is the answer",
        "SELECT b FROM t WHERE x = (SELECT max(y) FROM u)",
    ),
]
QUERY = "SELECT b FROM t WHERE x = 1"
# Marks around a statement, of other languages, of chats, and sentences that begin with words of SQL.
AROUND = [
    ("{}\n<think>was it right?</think>", QUERY),
    ("~~~sql\n{}\n~~~", QUERY),
    ("````sql\n{}\n````", QUERY),
    ("```{sql}\n{}\n```", QUERY),
    ("~~~\n{}\n~~~\nThis lists b.", QUERY),
    ("Answer:\n~~~sql\n{};\n~~~\nBye", QUERY),
    ("**{}**", QUERY),
    ("\ufeff{}", QUERY),
    ("SQLQuery: {}\nSQLResult: 5\nAnswer: 5", QUERY),
    ('SQLQuery: "{}"', QUERY),
    ("'{}'", QUERY),
    ('"{}"', QUERY),
    ("<sql>{}</sql>", QUERY),
    ("<answer>{}</answer>", QUERY),
    ("<answer>\n{}\n</answer>", QUERY),
    ('{"sql": "{}"}', QUERY),
    ("\\boxed{{}}", QUERY),
    ("<code>{}</code>", QUERY),
    ("```xml\n<sql>{}</sql>\n```", QUERY),
    ("{}\n\nEnd of query", QUERY),
    ("{}\nOn success, b is listed.", QUERY),
    ("{}\n\nUsing the index on x, this lists b", QUERY),
    ("{}\n\nAnd that is all", QUERY),
    ("{}\n\nIs that right?", QUERY),
    ("{}\n\nOr, if you like: SELECT c FROM t", QUERY),
    ("First I need the tables.\nSELECT the right rows means filtering.\n\n{}", QUERY),
    ("SELECT statement:\n\n{}", QUERY),
    ("Select the b of each t: {}", QUERY),
    ("WITH [a b] AS (SELECT 1) SELECT * FROM [a b]", "WITH [a b] AS (SELECT 1) SELECT * FROM [a b]"),
    ('WITH "a b" AS (SELECT 1) SELECT * FROM "a b"', 'WITH "a b" AS (SELECT 1) SELECT * FROM "a b"'),
    ("WITH a AS -- c\n(SELECT 1) SELECT * FROM a", "WITH a AS -- c\n(SELECT 1) SELECT * FROM a"),
    ("WITH /* c */ a AS (SELECT 1) SELECT * FROM a", "WITH /* c */ a AS (SELECT 1) SELECT * FROM a"),
    ("WITH -- first\na AS (SELECT 1)\nSELECT * FROM a", "WITH -- first\na AS (SELECT 1)\nSELECT * FROM a"),
    ("SELECT '```' FROM t", "SELECT '```' FROM t"),
    ("```sql\nSELECT '```' FROM t\n```", "SELECT '```' FROM t"),
    ("<|im_start|>assistant\n{}<|im_end|>", QUERY),
    ("{}</s>", QUERY),
    ("{}<|endoftext|>", QUERY),
    ("[SQL]{}[/SQL]", QUERY),
    ("[SQL]\n{}\n[/SQL]", QUERY),
    ("Thought: need b\nAction: sql\nAction Input: {}\nObservation:", QUERY),
    ('```python\nsql = """\n{}\n"""\ncursor.execute(sql)\n```', QUERY),
    ('```python\ndb.execute("{}")\n```', QUERY),
    ('```json\n{"sql": "{}"}\n```', QUERY),
    ('```bash\nsqlite3 db.db "{};"\n```', QUERY),
    ("```sql\n{}\n```\nor\n```python\nprint('select')\n```", QUERY),
    ('{"sql": "SELECT b\\nFROM t WHERE x = \\"a\\""}', 'SELECT b\nFROM t WHERE x = "a"'),
    ("(SELECT b FROM t)", "SELECT b FROM t"),
]
# Statements that are whole as they are, however they are laid out.
WHOLE = [
    "SELECT a,\n\n  b\n\nFROM t\n\nWHERE x = 1\n\nGROUP BY a\n\nORDER BY b",
    "SELECT a\n\n-- the table\nFROM t AS T1\n  JOIN u T2\n  ON T1.a = T2.a\nWHERE T1.x = 'It is. Done.'\n\nUNION\n\nSELECT 1, 2",
    "SELECT count(*)\n total\nFROM t o\nLEFT JOIN c\n ON o.a = c.a",
    "WITH x AS (\n\nSELECT 1\n\n)\n\nSELECT * FROM x",
    "WITH x AS (SELECT 1),\n\ny AS (SELECT 2)\nSELECT * FROM x,\ny",
    "SELECT a\n  + b\n - c\n || d FROM t",
    "SELECT CASE\n WHEN a THEN 1\n ELSE 2\nEND\nAS z\nFROM t\nWHERE b\nIN (1,\n2)\nAND c\nNOT LIKE 'x'\nLIMIT 5\nOFFSET 2",
    "SELECT T1. name, T2 . b FROM t AS T1, u AS T2",
    "SELECT 1. FROM t",
    "SELECT b FROM t -- the table b.\nWHERE x = 1",
    "SELECT b FROM t /* note:\n\nThis lists b. */ WHERE x",
    "SELECT name FROM t WHERE d = '2024.'\nAND c = 'e.'",
    "SELECT sum(x) OVER (ORDER BY d\n ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) FROM t",
    "SELECT b FROM t\n AS u\nWHERE CAST(b AS UNSIGNED BIG INT) > 1\nAND c IS NOT NULL",
    "Select b\nFrom t\nWhere x = 1\nOrder By b",
    "SELECT strftime('%Y', d) AS y,\n       count(*) AS n\nFROM orders\nGROUP BY y\nHAVING n > 3\nORDER BY n DESC, y ASC;",
]


@pytest.mark.parametrize(("text", "sql"), BEHIND)
def test_prose_behind_a_statement_is_no_sql(text: str, sql: str) -> None:
    assert extract_sql(text) == sql
    assert extract_sql(sql) == sql


@pytest.mark.parametrize(("text", "sql"), AROUND)
def test_marks_around_a_statement_are_no_sql(text: str, sql: str) -> None:
    assert extract_sql(text.replace("{}", QUERY)) == sql
    assert extract_sql(sql) == sql


@pytest.mark.parametrize("sql", WHOLE)
def test_a_statement_may_be_laid_out_in_any_way(sql: str) -> None:
    assert extract_sql(sql) == sql.rstrip(";")
    assert extract_sql(f"Here it is:\n\n{sql}\n\nThat is what was asked for.") == sql.rstrip(";")


@given(st.text() | SQLISH)
def test_extract_sql_never_raises_and_invents_nothing(text: str) -> None:
    assert extract_sql(text) in text


@given(SQLISH)
@example("``` a ``` SELECT 1 ``` b")
@example("SELECT a FROM b\nSELECT a FROM b:)")
@example("``````SELECT a FROM bINSERT INTO t SELECT 1```DROP TABLE t")
def test_extract_sql_is_idempotent(text: str) -> None:
    assert extract_sql(extract_sql(text)) == extract_sql(text)


@given(st.text() | SQLISH)
def test_tokens_give_the_text_back(text: str) -> None:
    assert "".join(part for _, part in split_tokens(text)) == text


@pytest.mark.parametrize(
    ("sql", "ordered"),
    [
        ("SELECT a FROM b ORDER BY a", True),
        ("SELECT a FROM b ORDER /* down */ BY a LIMIT 1", True),
        ("SELECT a FROM (SELECT a FROM b ORDER BY a)", False),
        ("SELECT sum(a) OVER (ORDER BY b) FROM b", False),
        ("SELECT 'x ORDER BY y' FROM b -- ORDER BY a", False),
        ('SELECT "order" by FROM b', False),
        ("WITH x AS (SELECT 1 ORDER BY 1) SELECT * FROM x UNION SELECT 2 order by 1", True),
    ],
)
def test_only_the_outermost_order_counts(sql: str, ordered: bool) -> None:
    assert is_ordered(sql) is ordered


def test_is_query_looks_past_comments() -> None:
    assert is_query("-- note\n/* more */ WITH x AS (SELECT 1) SELECT * FROM x")
    assert not is_query("EXPLAIN SELECT 1")
    assert not is_query("")


def test_compact_drops_comments_and_keeps_quotes() -> None:
    sql = "CREATE TABLE t ( -- secret\n  a TEXT DEFAULT '  --x ' , /* hidden */\n b INT )"
    assert compact_sql(sql) == "CREATE TABLE t (a TEXT DEFAULT '  --x ', b INT)"


CELLS = (
    st.none()
    | st.integers(-(2**62), 2**62)
    | st.floats(allow_nan=False)
    | st.text(max_size=3)
    | st.binary(max_size=2)
)
TABLES = st.integers(0, 3).flatmap(lambda width: st.lists(st.tuples(*[CELLS] * width), max_size=8))
NEAR = st.lists(st.tuples(st.floats(0.999, 1.001), st.integers(0, 2), st.floats(0.999, 1.001)), max_size=6)


@given(TABLES, st.randoms(use_true_random=False))
def test_a_permutation_is_the_same_multiset(rows: list[tuple[object, ...]], chance: random.Random) -> None:
    shuffled = chance.sample(rows, len(rows))
    assert have_same_rows(rows, shuffled, ordered=False)
    assert have_same_rows(rows, shuffled, ordered=True) <= have_same_rows(rows, shuffled, ordered=False)


@given(TABLES | NEAR, TABLES | NEAR, st.booleans())
def test_comparing_is_symmetric(
    a: list[tuple[object, ...]], b: list[tuple[object, ...]], ordered: bool
) -> None:
    assert have_same_rows(a, b, ordered=ordered) is have_same_rows(b, a, ordered=ordered)


@given(NEAR, NEAR, st.randoms(use_true_random=False))
def test_order_never_changes_a_multiset_verdict(
    a: list[tuple[object, ...]], b: list[tuple[object, ...]], chance: random.Random
) -> None:
    assert have_same_rows(a, b, ordered=False) is have_same_rows(chance.sample(a, len(a)), b, ordered=False)


@given(
    st.lists(st.tuples(st.integers(-(10**6), 10**6), st.text(max_size=2)), max_size=8),
    st.randoms(use_true_random=False),
)
def test_rounding_noise_does_not_matter(rows: list[tuple[int, str]], chance: random.Random) -> None:
    noisy = [(number * (1 + chance.uniform(-1e-9, 1e-9)), text) for number, text in rows]
    assert have_same_rows(rows, chance.sample(noisy, len(noisy)), ordered=False)


@pytest.mark.parametrize(
    ("gold", "rows", "same"),
    [
        ([(1,)], [(1.0,)], True),
        ([(0.1 + 0.2,)], [(0.3,)], True),
        ([(1700000000,)], [(1700000001,)], False),
        ([(1,)], [("1",)], False),
        ([(1,)], [(1, 2)], False),
        ([(1,), (1,)], [(1,)], False),
        ([(None,)], [(0,)], False),
        ([(1,), (1,), (2,)], [(1,), (2,), (2,)], False),
        ([(0.1 + 0.2, 5), (0.3, 4)], [(0.3, 5), (0.1 + 0.2, 4)], True),
        ([], [], True),
    ],
)
def test_comparing_values(gold: list[tuple[object, ...]], rows: list[tuple[object, ...]], same: bool) -> None:
    assert have_same_rows(gold, rows, ordered=False) is same


def test_order_counts_when_asked() -> None:
    assert have_same_rows([(1,), (2,)], [(2,), (1,)], ordered=False)
    assert not have_same_rows([(1,), (2,)], [(2,), (1,)], ordered=True)


def test_a_chain_of_near_numbers_is_not_one_number() -> None:
    chain = [(1 + step * 9e-7,) for step in range(10)]
    assert not have_same_rows(chain, [chain[0]] * 5 + [chain[-1]] * 5, ordered=False)


@pytest.mark.parametrize(
    ("gold", "sql", "lacks"),
    [
        ("SELECT 1 FROM ord o WHERE o.st = 5", "SELECT 1 FROM ord", ("ord.st = 5",)),
        ("SELECT 1 FROM ord o WHERE o.st = 5", "SELECT 1 FROM ord AS x WHERE x.ST = 5", ()),
        ("SELECT sum(tot) / 100.0 FROM ord", "SELECT sum(tot) FROM ord", ("SUM(ord.tot) / 100.0",)),
        ("SELECT 1 FROM ord WHERE NOT st IN (1, 2)", "SELECT 1", ("NOT ord.st IN (1, 2)",)),
        ("SELECT 1 FROM ord WHERE st IS NOT NULL", "SELECT 1", ("NOT ord.st IS NULL",)),
        ('SELECT 1 FROM ord WHERE ch = "web"', "SELECT 1", ("ord.ch = 'web'",)),
        (
            "SELECT 1 FROM ord o JOIN cust c ON o.cid = c.ref",
            "SELECT 1",
            ("ord JOIN cust ON ord.cid = cust.ref",),
        ),
        (
            "SELECT 1 FROM ord o, cust c WHERE c.ref = o.cid",
            "SELECT 1 FROM ord, cust WHERE ord.cid = cust.ref",
            (),
        ),
        ("SELECT 1 FROM ord LIMIT 5", "SELECT 1", ()),
        ("not SQL at all (", "SELECT 1", ()),
        ("SELECT 1 FROM ord WHERE st = 5", "neither is this (", ("ord.st = 5",)),
    ],
)
def test_a_hint_names_what_only_the_gold_uses(gold: str, sql: str, lacks: tuple[str, ...]) -> None:
    columns = frozenset({"ord.st", "ord.tot", "ord.ch", "ord.cid", "cust.ref", "ord", "cust"})
    missing = find_missing(find_conditions(gold, columns), sql, columns)
    assert tuple(fact.text for fact in missing) == lacks
