"""The shop task is fair: every gold answer stands, and no convention can be guessed or goes untaught."""

from __future__ import annotations

import json
import os
import re
import sqlite3
import subprocess
import sys
import tomllib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SHOP = ROOT / "tasks" / "shop_sql"
SIZES = {"train": 60, "val": 30, "test": 60}
SPLITS = {
    split: [json.loads(line) for line in (SHOP / f"{split}.jsonl").read_text(encoding="utf-8").splitlines()]
    for split in SIZES
}
ROWS = [row for rows in SPLITS.values() for row in rows]
TABLES = r"\b(?:cust|ord|line|art|parcel|rtn)\."
CODED = {
    "deal",
    "status",
    "channel",
    "pay",
    "quarter",
    "kind",
    "region",
    "news",
    "flag",
    "grp",
    "listed",
    "carrier",
    "reason",
    "ok",
}
UNITS = {
    "total in a smaller unit": r"total\) / ",
    "amt in a smaller unit": r"amt\) / ",
    "weight in a smaller unit": r"weight\) / ",
    "qty in packs": r"qty\) \* ",
    "a join by cid": r"cid = cust\.",
    "a join by ano": r"ano = art\.",
}
GUESSES = {
    r"\) / 10+\.0": ")",
    r"\) \* \d+": ")",
    r"cid = cust\.ref": "cid = cust.id",
    r"cid = cust\.id": "cid = cust.ref",
    r"ano = art\.no": "ano = art.id",
    r"ano = art\.id": "ano = art.no",
    r", '[+-]\d+ hours'": "",
    r"days = -\d": "days = 0",
    r"days = 0": "days = -1",
    r"(total|weight) > (\d+?)0+$": r"\1 > \2",
}
NAMED_LIMITS = ("days = ", "days > ", "total >= ")

Rows = list[tuple[object, ...]]


@pytest.fixture(scope="module")
def shop() -> Iterator[sqlite3.Connection]:
    database = sqlite3.connect(":memory:")
    database.executescript((SHOP / "shop.sql").read_text(encoding="utf-8"))
    yield database
    database.close()


def answer(shop: sqlite3.Connection, sql: str) -> Rows:
    return sorted(shop.execute(sql).fetchall(), key=repr)


def conditions(sql: str) -> list[str]:
    """The parts of WHERE without table names; gold SQL only ever joins them with AND."""
    _, _, where = sql.partition(" WHERE ")
    return [re.sub(TABLES, "", part) for part in where.split(" AND ")] if where else []


def conventions(sql: str) -> set[str]:
    """What somebody has to know to write this query: code values, units, special values, join columns."""
    known = {name for name, mark in UNITS.items() if re.search(mark, sql)}
    for condition in conditions(sql):
        column = re.split(r"[ (]", condition)[0]
        if column in CODED or condition.startswith(NAMED_LIMITS):
            known.add(condition)
        elif column == "date":
            known.add("ts is UTC")
        elif condition.startswith(("total >", "weight >")):
            known.add(f"{column} in a smaller unit")
    return known


def without_each_condition(sql: str) -> Iterator[str]:
    head, _, where = sql.partition(" WHERE ")
    parts = where.split(" AND ") if where else []
    for place in range(len(parts)):
        rest = " AND ".join(parts[:place] + parts[place + 1 :])
        yield f"{head} WHERE {rest}" if rest else head


def with_other_codes(shop: sqlite3.Connection, sql: str) -> Iterator[str]:
    """The same query with another value of one coded column: what a guess would have written."""
    for column, value in re.findall(r"\b(\w+) = ('\w'|\d+)", sql):
        if column not in CODED:
            continue
        table = next(name for name, columns in schema(shop).items() if column in columns)
        for (other,) in shop.execute(f"SELECT DISTINCT {column} FROM {table}").fetchall():
            if (literal := repr(other)) != value:
                yield re.sub(rf"\b{column} = {value}", f"{column} = {literal}", sql)


def schema(shop: sqlite3.Connection) -> dict[str, set[str]]:
    tables = [name for (name,) in shop.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
    return {table: {row[1] for row in shop.execute(f"PRAGMA table_info({table})")} for table in tables}


def test_the_task_file_names_what_is_there() -> None:
    task = tomllib.loads((SHOP / "task.toml").read_text(encoding="utf-8"))
    assert (task["name"], task["environment"]) == ("shop_sql", "sql")
    assert all((SHOP / path).is_file() for path in [*task["data"].values(), task["sql"]["database"]])
    assert set(task["data"]) == set(SIZES)


def test_the_database_is_small_and_its_schema_says_nothing(shop: sqlite3.Connection) -> None:
    script = (SHOP / "shop.sql").read_text(encoding="utf-8")
    declarations = "".join(line for line in script.splitlines() if line.startswith("CREATE"))
    assert len(script) <= 150_000
    assert len(schema(shop)) >= 6
    assert len(declarations) < 700
    assert not re.search(r"--|/\*|REFERENCES|CHECK|PRIMARY", declarations)


@pytest.mark.parametrize("split", SIZES)
def test_splits_have_their_size_and_fields(split: str) -> None:
    assert len(SPLITS[split]) == SIZES[split]
    assert all(set(row) == {"id", "question", "gold_sql"} for row in SPLITS[split])


@pytest.mark.parametrize("field", ["id", "question", "gold_sql"])
def test_nothing_is_shared_between_rows_or_splits(field: str) -> None:
    counts = Counter(
        re.sub(r"\W+", " ", row[field]).lower() if field == "question" else row[field] for row in ROWS
    )
    assert [value for value, count in counts.items() if count > 1] == []


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row["id"])
def test_gold_answers_are_distinctive(shop: sqlite3.Connection, row: dict[str, str]) -> None:
    rows = answer(shop, row["gold_sql"])
    assert 1 <= len(rows) <= 25
    assert len(set(rows)) == len(rows)
    assert not {None, 0, 1, ""} & {value for values in rows for value in values}


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row["id"])
def test_every_convention_matters(shop: sqlite3.Connection, row: dict[str, str]) -> None:
    """Leave out a condition, take a wrong code or forget a unit: the answer must change."""
    sql = row["gold_sql"]
    naive = [re.sub(right, guess, sql) for right, guess in GUESSES.items() if re.search(right, sql)]
    naive += [*without_each_condition(sql), *with_other_codes(shop, sql)]
    assert naive or " JOIN " in sql
    gold = answer(shop, sql)
    assert [query for query in naive if answer(shop, query) == gold] == []


def test_training_teaches_every_convention_twice() -> None:
    taught = Counter(name for row in SPLITS["train"] for name in conventions(row["gold_sql"]))
    asked = {
        name for split in ("val", "test") for row in SPLITS[split] for name in conventions(row["gold_sql"])
    }
    assert {name: taught[name] for name in asked if taught[name] < 2} == {}
    assert len(asked) >= 30


def test_there_are_twenty_conventions_and_the_reference_playbook_has_them_all() -> None:
    used = {name for row in ROWS for name in conventions(row["gold_sql"])}
    subjects = {
        name.rpartition(" ")[0] if name.startswith(NAMED_LIMITS) else name.split(" ")[0] for name in used
    }
    assert len(subjects) >= 20
    playbook = (ROOT / "playbooks" / "shop_sql.reference.md").read_text(encoding="utf-8")
    for name in used:
        mark = UNITS.get(name, r"\bts\b" if name == "ts is UTC" else rf"\b{re.escape(name)}(?![\w'])")
        assert re.search(mark, playbook), name


def test_most_training_questions_show_one_convention_and_tests_combine_them() -> None:
    sizes = {split: [len(conventions(row["gold_sql"])) for row in rows] for split, rows in SPLITS.items()}
    assert sum(size == 1 for size in sizes["train"]) > len(sizes["train"]) / 2
    assert min(sizes["test"]) >= 1
    assert sum(size >= 2 for size in sizes["test"]) >= 0.9 * len(sizes["test"])


def draw_again(folder: Path, seed: str) -> dict[str, bytes]:
    """Run the generator in a process of its own, where sets and dicts of text have another order."""
    script = [sys.executable, str(SHOP / "generate.py"), seed, "--out", str(folder)]
    script += ["--reference", str(folder / "reference.md")]
    subprocess.run(script, check=True, env=os.environ | {"PYTHONHASHSEED": "77"})
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_the_task_is_what_its_recorded_seed_gives(tmp_path: Path) -> None:
    command = re.search(r"shop_sql/generate\.py (\d+) ", (SHOP / "README.md").read_text(encoding="utf-8"))
    assert command
    drawn = draw_again(tmp_path, command[1])
    assert drawn.pop("reference.md") == (ROOT / "playbooks" / "shop_sql.reference.md").read_bytes()
    assert drawn == {name: (SHOP / name).read_bytes() for name in drawn}
    assert set(drawn) == {"task.toml", "shop.sql", "train.jsonl", "val.jsonl", "test.jsonl"}


def test_another_seed_gives_another_shop(tmp_path: Path) -> None:
    rows = [json.loads(line) for line in draw_again(tmp_path, "1")["test.jsonl"].splitlines()]
    assert len(rows) == SIZES["test"]
    same = {row["gold_sql"] for row in rows} & {row["gold_sql"] for row in SPLITS["test"]}
    assert len(same) <= 5
