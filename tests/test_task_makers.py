"""`ace tasks add`: every benchmark from data made by hand, and from the real data where it is here."""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from ace.errors import InputError, UntrustedCode
from ace.task import Task, load_task
from ace.task.gold_check import RowCheck, check_gold
from ace.task.makers.add_task import AddedTask, add_task
from ace.task.makers.catalog import read_catalog
from ace.task.makers.draft import TaskDraft
from tests.cli import Ace

ROOT = Path(__file__).resolve().parents[1]
REAL = Path(os.environ.get("ACE_SHARED_DATA", ROOT.parent / "shared" / "data"))
SIZES = {"train": 6, "val": 2, "test": 2}
NO_DATA = ("fresh_sql", "fresh_rules")
REAL_FOLDERS = {
    "intercode_sql": "intercode-sql",
    "formula": "ace-finance",
    "finer": "ace-finance",
    "equation_balancer": "puzzles",
    "game_of_24": "puzzles",
    "dbbench": "agentbench-dbbench",
    "bfcl": "bfcl-multi-turn",
    "tau2": "tau2/mock",
}
EXTRAS = {"bfcl": "bfcl_eval", "tau2": "tau2_mock_mcp"}


@pytest.fixture(autouse=True)
def config(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ACE_CONFIG", str(tmp_path_factory.mktemp("config")))


def write_lines(file: Path, rows: Sequence[Any]) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    lines = [row if isinstance(row, str) else json.dumps(row) for row in rows]
    file.write_text("\n".join(lines) + "\n", encoding="utf-8")


def write_intercode(folder: Path) -> None:
    rows: list[dict[str, Any]] = []
    for place, name in enumerate(("cars", "ships", "planes")):
        (folder / "db").mkdir(parents=True, exist_ok=True)
        with sqlite3.connect(folder / "db" / f"{name}.sqlite") as database:
            database.execute(f"CREATE TABLE {name} (id, age)")
            database.executemany(f"INSERT INTO {name} VALUES (?, ?)", [(n, n * 3) for n in range(9)])
        for number in range(5):
            sql = f"SELECT id FROM {name} WHERE age > {number}"
            rows.append({"task_id": place * 10 + number, "db": name, "question": f"{name} over {number}?"})
            rows[-1]["gold_sql"] = sql
    rows.append({"task_id": 98, "db": "cars", "question": "What fails?", "gold_sql": "SELECT no FROM cars"})
    rows.append({"task_id": 99, "db": "trains", "question": "Whose?", "gold_sql": "SELECT 1"})
    write_lines(folder / "tasks.jsonl", rows)


def write_finance(folder: Path) -> None:
    question = (
        "Use it. Answer with a numerical answer with 2 decimal places and with no explanations or other "
        'text. Formula: R = a / b. Question: "a is {}, b is 2.". Answer:'
    )
    for name, start in (("train_subset_500", 10), ("val_subset_300", 90)):
        rows = [{"context": question.format(n), "target": str(n / 2)} for n in range(start, start + 12)]
        write_lines(folder / f"formula_{name}.jsonl", rows)
    defect = {"split": "val", "index": 3, "verdict": "wrong"}
    (folder / "formula_label_defects.json").write_text(json.dumps([defect]), encoding="utf-8")
    rows = []
    for place in range(12):
        asked = [
            f'{n}. What is best tag for entity "{n}" in sentence: "Sentence {number} {n}?"'
            for n, number in ((1, place // 2), (2, place), (3, place), (4, place))
        ]
        text = "tags options: ,Alpha,Beta,Gamma. Answer the following 4 questions. \n" + "\n".join(asked)
        rows.append({"context": f"{text}\nOutput US GAAP tags:", "target": "Alpha,Beta,Gamma,Alpha"})
    rows[11]["target"] = "Alpha,Beta,Gamma"
    rows[10]["target"] = "Alpha,Beta,Delta,Alpha"
    write_lines(folder / "finer_val_batched_500_samples.jsonl", rows)


def write_puzzles(folder: Path) -> None:
    rows = []
    for n in range(3, 15):
        equation = f"{n} ? {n + 1} = {2 * n + 1}"
        rows.append({"input": equation, "target": equation.replace("?", "+")})
    rows += [rows[0], {"input": "a riddle", "target": "?"}]
    rows.append({"input": "3 ? 9 = 27", "target": "3 + 9 = 27"})
    write_lines(folder / "math_equation_balancer.jsonl", rows)
    games = [
        "1 1 4 6",
        "1 1 11 11",
        "1 1 3 8",
        "1 1 1 8",
        "6 6 6 6",
        "1 1 2 12",
        "1 2 2 6",
        "1 1 10 12",
        "1 1 9 10",
    ]
    lines = ["Rank,Puzzles,AMT (s)", *(f"{n},{text},4.4" for n, text in enumerate(games, 1))]
    lines += ["901,1 1 1 1,9", "902,4 9 10 13,9", "903,3 3 8 8,9", "904,,9"]
    (folder / "game24.csv").write_text("\n".join(lines), encoding="utf-8")


def write_dbbench(folder: Path) -> None:
    columns = [{"name": "Name", "type": "TEXT"}, {"name": "Won", "type": "INT"}]
    table = {
        "table_name": "Clubs",
        "table_info": {"columns": columns, "rows": [["Alma", "3"], ["Borg", "5"]]},
    }
    rows: list[Any] = []
    for n in range(12):
        sql = f"INSERT INTO Clubs VALUES ('New {n}', {n})"
        rows.append(
            {"description": f"Add New {n} with {n}.", "add_description": "Clubs.", "type": ["INSERT"]}
        )
        rows[-1] |= {"table": table, "label": [sql]}
    rows[3]["label"] = ["INSERT INTO Nowhere VALUES (1)"]
    rows[4] |= {"type": ["UPDATE"], "label": ["UPDATE Clubs SET Won = 3 WHERE Name = 'Alma'"]}
    rows[5] |= {"type": ["counting"]}
    write_lines(folder / "dev.jsonl", [*rows, "{no json", {"description": "only that"}])


def write_bfcl(folder: Path) -> None:
    name = "BFCL_v4_multi_turn_base.json"
    rows = [
        {
            "id": f"multi_turn_base_{n}",
            "question": [[{"role": "user", "content": f"Take the square root of {n * n}."}], []],
            "involved_classes": ["MathAPI"],
            "initial_config": {},
        }
        for n in range(2, 14)
    ]
    right = [
        {"id": row["id"], "ground_truth": [[f"square_root(number={n * n}, precision=5)"], []]}
        for n, row in enumerate(rows, 2)
    ]
    write_lines(folder / name, rows)
    write_lines(folder / "possible_answer" / name, right[:-1])


WRITERS = {
    "intercode_sql": write_intercode,
    "formula": write_finance,
    "finer": write_finance,
    "equation_balancer": write_puzzles,
    "game_of_24": write_puzzles,
    "dbbench": write_dbbench,
    "bfcl": write_bfcl,
}
LEFT_OUT = {
    "intercode_sql": {"cars-98", "trains-99"},
    "formula": set(),
    "finer": {"finer-10", "finer-11"},
    "equation_balancer": {"balance-13", "balance-14", "balance-15"},
    "game_of_24": {"game-9", "game-901", "game24.csv:14"},
    "dbbench": {"dbbench-3", "dbbench-4", "dev.jsonl:13", "dev.jsonl:14"},
    "bfcl": {"multi_turn_base_13"},
}


def make(name: str, folder: Path, **options: Any) -> tuple[AddedTask, Task]:
    """Make a task of data written by hand."""
    data = folder / "data"
    if not data.exists():
        data.mkdir()
        WRITERS[name](data)
    sizes = {**SIZES, **options.pop("sizes", {})}
    added = add_task(name, out=folder / options.pop("out", "task"), data=data, sizes=sizes, **options)
    return added, load_task(added.folder)


def require_right(checks: Sequence[RowCheck], count: int) -> None:
    """Hold that every gold answer is right, and doing nothing is not."""
    assert len(checks) == count
    assert {check.sample.id: check.gold_problem for check in checks if check.gold_problem} == {}
    assert {check.sample.id: check.nothing for check in checks if check.nothing.score} == {}


def ids(task: Task) -> dict[str, set[str]]:
    return {split: {sample.id for sample in getattr(task, split)} for split in ("train", "val", "test")}


@pytest.mark.parametrize("name", WRITERS)
def test_a_benchmark_becomes_a_task_whose_labels_are_right(name: str, tmp_path: Path) -> None:
    added, task = make(name, tmp_path)
    assert added.sizes == {split: len(rows) for split, rows in ids(task).items()}
    assert added.sizes["train"] >= 4 and added.sizes["val"] == added.sizes["test"] == 2
    assert set(added.left_out) == LEFT_OUT[name] and all(added.left_out.values())
    page = (added.folder / "README.md").read_text(encoding="utf-8")
    for text in (
        "Source:",
        "Licence:",
        "Known defects:",
        "ace tasks check task",
        "ace eval task",
        *added.left_out,
    ):
        assert text in page
    if name not in EXTRAS or find_spec(EXTRAS[name]):
        require_right(list(check_gold(task)), sum(added.sizes.values()))


@pytest.mark.parametrize("name", WRITERS)
def test_the_same_seed_gives_the_same_rows_and_sizes_keep_the_test(name: str, tmp_path: Path) -> None:
    first, task = make(name, tmp_path)
    again, _ = make(name, tmp_path, out="again")
    for split in SIZES:
        texts = [(each.folder / f"{split}.jsonl").read_bytes() for each in (first, again)]
        assert texts[0] == texts[1]
    _, other = make(name, tmp_path, out="other", seed=5)
    assert ids(other) != ids(task)
    _, small = make(name, tmp_path, out="small", sizes={"train": 3})
    assert ids(small)["test"] == ids(task)["test"] and ids(small)["train"] < ids(task)["train"]


@pytest.mark.parametrize("name", [*REAL_FOLDERS, *NO_DATA])
def test_the_real_data_is_right(name: str, tmp_path: Path) -> None:
    data = REAL / REAL_FOLDERS[name] if name in REAL_FOLDERS else None
    if data is not None and not data.is_dir():
        pytest.skip(f"{data} is not there")
    if name in EXTRAS and find_spec(EXTRAS[name]) is None:
        pytest.skip(f"the extra {name} is not installed")
    sizes = {} if name in {"tau2", *NO_DATA} else {"train": 12, "val": 4, "test": 6}
    added = add_task(name, out=tmp_path / "task", data=data, sizes=sizes)
    assert added.changed == []
    checks = list(check_gold(load_task(added.folder)))
    if name == "tau2":  # a request that has to be refused is right without a call
        checks = [check for check in checks if not check.nothing.score]
    require_right(checks, len(checks))
    assert len(checks) >= 8


def test_databases_are_read_where_they_lie(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "project").mkdir()
    added, task = make("intercode_sql", tmp_path)
    assert not list(added.folder.rglob("*.sqlite"))
    table = (added.folder / "task.toml").read_text(encoding="utf-8")
    assert 'folder = "../data/db"' in table
    for split in ("train", "val", "test"):
        for sample in getattr(task, split):
            assert "CREATE TABLE" in task.environment.describe(sample)
    moved = added.folder.rename(tmp_path / "project" / "moved")
    with pytest.raises(UntrustedCode, match=r"sql.folder.*\.\./data/db is outside of this task"):
        load_task(moved)
    with pytest.raises(InputError, match="No such folder"):
        load_task(moved, trust=True)
    added, _ = make("intercode_sql", tmp_path, out="absolute", absolute=True)
    load_task(added.folder.rename(tmp_path / "project" / "absolute"), trust=True)


def test_a_folder_of_databases_is_a_fence(tmp_path: Path) -> None:
    added, _ = make("intercode_sql", tmp_path)
    file = added.folder / "task.toml"
    (tmp_path / "data" / "secret.sqlite").write_bytes((tmp_path / "data" / "db" / "cars.sqlite").read_bytes())
    file.write_text(file.read_text("utf-8").replace('"*.sqlite"', '"../*.sqlite"'), encoding="utf-8")
    with pytest.raises(InputError, match=r"leaves .*data/db|inside .*data/db"):
        load_task(added.folder, trust=True)


def test_what_is_tested_may_be_other_databases(tmp_path: Path) -> None:
    _, task = make("intercode_sql", tmp_path, test_databases=("ships",), sizes={"train": 50, "test": 50})
    assert {sample.data["db"] for sample in task.test} == {"ships"}
    assert {sample.data["db"] for sample in (*task.train, *task.val)} == {"cars", "planes"}
    _, task = make("intercode_sql", tmp_path, out="one", databases=("planes",), sizes={"train": 1})
    assert {sample.data["db"] for sample in (*task.train, *task.test)} == {"planes"}


def test_formula_is_scored_raw_and_without_what_is_listed_as_wrong(tmp_path: Path) -> None:
    sizes = {"train": 12, "val": 0, "test": 12}
    raw, task = make("formula", tmp_path, sizes=sizes)
    clean, rest = make("formula", tmp_path, out="clean", sizes=sizes, without_wrong=True)
    assert ids(task)["test"] - ids(rest)["test"] == {"val-3"} and ids(task)["train"] == ids(rest)["train"]
    assert "val-3: wrong" in (raw.folder / "README.md").read_text(encoding="utf-8")
    assert "val-3" not in (clean.folder / "README.md").read_text(encoding="utf-8")
    assert all("no explanations" not in sample.question for sample in task.train)


def test_finer_keeps_rows_with_a_shared_sentence_in_one_split(tmp_path: Path) -> None:
    for seed in range(4):
        _, task = make("finer", tmp_path, out=f"task{seed}", seed=seed)
        homes: Mapping[int, set[str]] = {place // 2: set() for place in range(12)}
        for split, names in ids(task).items():
            for name in names:
                homes[int(name.split("-")[1]) // 2].add(split)
        assert all(len(splits) <= 1 for splits in homes.values())
    _, single = make("finer", tmp_path, out="single", single=True, sizes={"train": 20})
    assert all(sample.data["answer"] in ("Alpha", "Beta", "Gamma") for sample in single.train)
    assert len(single.train) == 20 and all("group" not in sample.data for sample in single.train)


BAD = {
    "no such name": ("formulla", {}, "Did you mean 'formula'"),
    "no name like it": ("zzz", {}, "There are intercode_sql, formula"),
    "no data": ("formula", {"data": None}, "needs data.*--data.*formula_train"),
    "no such folder": ("formula", {"data": "nowhere"}, "There is no folder .*nowhere"),
    "data that is not needed": ("fresh_rules", {}, "draws its own data"),
    "an option of another": ("formula", {"single": True}, "formula takes no --single. It is for finer"),
    "no such database": ("intercode_sql", {"databases": ("shps",)}, "Did you mean 'ships'"),
    "no such category": ("bfcl", {"category": "bose"}, "Did you mean 'base'"),
    "no such language": ("fresh_rules", {"data": None, "language": "fr"}, "en or de"),
    "too small": ("fresh_sql", {"data": None, "sizes": {"train": 3}}, "--train must be at least 30"),
    "no rows": ("formula", {"sizes": {"test": 0}}, "--test must be at least 1"),
    "nothing left": ("intercode_sql", {"databases": ("cars",), "sizes": {"test": 50}}, "not enough rows"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input_names_the_fix_and_leaves_nothing(case: str, tmp_path: Path) -> None:
    name, options, message = BAD[case]
    data = tmp_path / "data"
    data.mkdir()
    WRITERS.get(name, write_finance)(data)
    given = {"data": data, **options}
    if isinstance(given["data"], str):
        given["data"] = tmp_path / given["data"]
    before = sorted(tmp_path.iterdir())
    with pytest.raises(InputError, match=message):
        add_task(name, out=tmp_path / "task", **given)
    assert sorted(tmp_path.iterdir()) == before


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda file: file.unlink(), "dev.jsonl is missing"),
        (
            lambda file: write_lines(file, [{"question": "q", "sql": "s"}] * 9),
            "another version of the data: 0 of 9",
        ),
        (lambda file: file.write_bytes(b"\xff\xfe\x00bad\xd8"), "UTF-8|another version"),
        (lambda file: file.write_text(""), "another version of the data: 0 of 0"),
    ],
    ids=["missing", "other fields", "no text", "empty"],
)
def test_other_data_is_refused(change: Any, message: str, tmp_path: Path) -> None:
    write_dbbench(tmp_path / "data")
    change(tmp_path / "data" / "dev.jsonl")
    with pytest.raises(InputError, match=message):
        add_task("dbbench", out=tmp_path / "task", data=tmp_path / "data")
    assert [path.name for path in tmp_path.iterdir()] == ["data"]


def test_a_folder_that_exists_is_not_touched(tmp_path: Path) -> None:
    (tmp_path / "task").mkdir()
    with pytest.raises(InputError, match="exists"):
        make("formula", tmp_path)
    assert not list((tmp_path / "task").iterdir())
    (tmp_path / "gone").symlink_to(tmp_path / "nowhere")
    with pytest.raises(InputError, match="exists"):
        make("formula", tmp_path, out="gone")


def test_what_stops_in_the_middle_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def stop(*_: Any) -> Any:
        raise KeyboardInterrupt

    monkeypatch.setattr(TaskDraft, "draw_splits", stop)
    with pytest.raises(KeyboardInterrupt):
        make("formula", tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["data"]


def test_the_office_is_drawn_by_the_project_s_own_program(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    office = ROOT / "tasks" / "office_tools"
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match="outside of the project"):
        add_task("office_tools", out=tmp_path / "office", data=office)
    monkeypatch.chdir(ROOT)
    added = add_task("office_tools", out=tmp_path / "office", data=office, seed=4)
    checks = list(check_gold(load_task(added.folder)))  # trusted, since we made it
    require_right(checks, 100)


def test_the_command_says_what_was_made_and_what_is_there(tmp_path: Path, ace: Ace) -> None:
    write_dbbench(tmp_path / "data")
    words = ("--data", tmp_path / "data", "--train", "5", "--val", "1", "--test", "2")
    done = ace("tasks", "add", "dbbench", *words)
    assert done.code == 0 and "tasks/dbbench: 5 train, 1 val, 2 test. 4 rows left out." in done.out
    assert "left out: dbbench-3: " in done.err and "warning: dev.jsonl is another version" in done.err
    done = ace("tasks", "check", "dbbench")
    assert done.code == 0 and "Gold answers: 8 of 8 right.\nDoing nothing: 0 of 8." in done.out
    done = ace("tasks", "add", "dbbench", *words)
    assert done.code == InputError.exit_code and "exists" in done.err
    listed = json.loads(ace("tasks", "list", "--json").out)
    assert [task["folder"] for task in listed["tasks"]] == ["tasks/dbbench"]
    assert {entry["name"] for entry in listed["benchmarks"]} == set(read_catalog())
    assert all(entry["source"] and entry["licence"] and entry["defects"] for entry in listed["benchmarks"])


def test_a_check_names_rows_whose_gold_answer_fails(tmp_path: Path, ace: Ace) -> None:
    make("equation_balancer", tmp_path)
    file = tmp_path / "task" / "test.jsonl"
    rows = [json.loads(line) for line in file.read_text("utf-8").splitlines()]
    rows[0]["answer"] = "1 + 1 = 2"
    write_lines(file, rows)
    done = ace("tasks", "check", tmp_path / "task", "--json")
    found = json.loads(done.out)
    assert done.code == InputError.exit_code and found["gold"]["right"] == 9
    assert list(found["gold"]["wrong"]) == [rows[0]["id"]] and found["nothing"] == {}
