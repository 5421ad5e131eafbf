"""The shop task is fair: every gold answer stands, and no convention can be guessed or goes untaught."""

from __future__ import annotations

import importlib.util
import re
import tomllib
from collections import Counter
from pathlib import Path

import pytest

from tests.sql_promises import SqlTask, count_taught, find_unfair, list_asked, normalize_question

ROOT = Path(__file__).parents[1]
SHOP = ROOT / "tasks" / "shop_sql"
REFERENCE = ROOT / "playbooks" / "shop_sql.reference.md"
SIZES = {"train": 60, "val": 30, "test": 60}
TASK = SqlTask(SHOP, REFERENCE.read_text(encoding="utf-8"))
SPLITS = {split: TASK.rows(split) for split in SIZES}
ROWS = [row for rows in SPLITS.values() for row in rows]


def test_the_files_are_what_the_script_writes_from_the_seed_in_the_readme(tmp_path: Path) -> None:
    spec = importlib.util.spec_from_file_location("generate_shop", SHOP / "generate.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    (seed,) = re.findall(r"^python tasks/shop_sql/generate\.py (\d+)$", readme(), re.MULTILINE)
    module.generate(int(seed), tmp_path, tmp_path / "reference.md")
    written = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    assert written.pop("reference.md") == REFERENCE.read_bytes()
    assert written == {name: (SHOP / name).read_bytes() for name in written} and len(written) == 5


def readme() -> str:
    return (SHOP / "README.md").read_text(encoding="utf-8")


def test_the_task_file_names_what_is_there() -> None:
    task = tomllib.loads((SHOP / "task.toml").read_text(encoding="utf-8"))
    assert (task["name"], task["environment"]) == ("shop_sql", "sql")
    assert all((SHOP / path).is_file() for path in [*task["data"].values(), task["sql"]["database"]])
    assert set(task["data"]) == set(SIZES)


def test_the_database_is_small_and_its_schema_says_nothing() -> None:
    script = (SHOP / "shop.sql").read_text(encoding="utf-8")
    declarations = "".join(line for line in script.splitlines() if line.startswith("CREATE"))
    assert len(script) <= 150_000
    assert len(TASK.schema) >= 6
    assert len(declarations) < 700
    assert not re.search(r"--|/\*|REFERENCES|CHECK|PRIMARY", declarations)


@pytest.mark.parametrize("split", SIZES)
def test_splits_have_their_size_and_fields(split: str) -> None:
    assert len(SPLITS[split]) == SIZES[split]
    assert all(set(row) == {"id", "question", "gold_sql"} for row in SPLITS[split])


@pytest.mark.parametrize("field", ["id", "question", "gold_sql"])
def test_nothing_is_shared_between_rows_or_splits(field: str) -> None:
    counts = Counter(normalize_question(row[field]) if field == "question" else row[field] for row in ROWS)
    assert [value for value, count in counts.items() if count > 1] == []


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row["id"])
def test_answers_are_distinctive_and_every_convention_matters(row: dict[str, str]) -> None:
    """Leave out a condition, take a wrong code or forget a unit: the answer must change."""
    assert find_unfair(TASK, row) == []


def test_training_teaches_every_convention_twice() -> None:
    taught, asked = count_taught(TASK), list_asked(TASK)
    assert {name: taught[name] for name in asked if taught[name] < 2} == {}
    assert len(asked) >= 30


def test_there_are_twenty_conventions_and_the_reference_playbook_has_them_all() -> None:
    used = {name for row in ROWS for name in TASK.conventions(row["gold_sql"])}
    assert len({re.findall(r"[a-z]\w*\.\w+", name)[0] for name in used}) >= 20
    assert [row["id"] for row in ROWS if not TASK.is_explained(row["gold_sql"])] == []


def test_most_training_questions_show_one_convention_and_tests_combine_them() -> None:
    sizes = {s: [len(TASK.conventions(row["gold_sql"])) for row in SPLITS[s]] for s in SIZES}
    assert sum(size == 1 for size in sizes["train"]) > len(sizes["train"]) / 2
    assert min(sizes["test"]) >= 1
    assert sum(size >= 2 for size in sizes["test"]) >= 0.9 * len(sizes["test"])
