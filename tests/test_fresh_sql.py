"""`ace tasks add fresh_sql`: each seed gives a fair task that nobody can guess and nobody has tuned for."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tomllib
from collections import Counter
from collections.abc import Iterator
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest

from ace.playbook import from_markdown
from ace.task import load_task
from ace.task.makers.add_task import add_task
from ace.task.makers.fresh_sql import WORDS, choose_domain
from tests.sql_promises import SqlTask, count_taught, find_unfair, list_asked, normalize_question

ROOT = Path(__file__).parents[1]
SEEDS = (1, 2, 3, 14)
SIZES = {"train": 60, "val": 20, "test": 40}
VOCABULARY = tomllib.loads(WORDS.read_text(encoding="utf-8"))
FORMS = re.compile(r"\b[NP]\b|#|\{\}")


@pytest.fixture(scope="module")
def tasks(tmp_path_factory: pytest.TempPathFactory) -> dict[int, SqlTask]:
    made = {}
    for seed in SEEDS:
        folder = tmp_path_factory.mktemp(f"seed{seed}") / "task"
        add_task("fresh_sql", out=folder, seed=seed)
        made[seed] = SqlTask(folder, (folder / "reference.md").read_text(encoding="utf-8"))
    return made


@pytest.fixture(params=SEEDS)
def task(tasks: dict[int, SqlTask], request: pytest.FixtureRequest) -> SqlTask:
    return tasks[request.param]


def test_the_folder_is_a_task_of_the_asked_size(task: SqlTask) -> None:
    loaded = load_task(task.folder)
    assert {split: len(getattr(loaded, split)) for split in SIZES} == SIZES
    for split in SIZES:
        assert all(list(row) == ["id", "question", "gold_sql"] for row in task.rows(split))


def test_every_answer_is_distinctive_and_no_guess_gives_it(task: SqlTask) -> None:
    faults = {row["id"]: find_unfair(task, row) for split in SIZES for row in task.rows(split)}
    assert {name: found for name, found in faults.items() if found} == {}


def test_training_shows_all_that_is_asked_at_least_twice(task: SqlTask) -> None:
    taught, asked = count_taught(task), list_asked(task)
    assert {name: taught[name] for name in asked if taught[name] < 2} == {}
    assert len(asked) >= 20
    assert sum(taught[name] >= 3 for name in asked) > 0.6 * len(asked)


def test_training_shows_one_convention_and_tests_combine_them(task: SqlTask) -> None:
    sizes = {s: [len(task.conventions(row["gold_sql"])) for row in task.rows(s)] for s in SIZES}
    assert sum(size == 1 for size in sizes["train"]) > 0.5 * len(sizes["train"])
    assert {*sizes["val"], *sizes["test"]} == {2, 3}


def test_a_convention_is_shown_in_several_wordings(task: SqlTask) -> None:
    """Two questions about one convention alone differ in more than what is asked of it."""
    alone: dict[str, list[str]] = {}
    for row in task.rows("train"):
        names = sorted(task.conventions(row["gold_sql"]))
        if len(names) == 1:
            alone.setdefault(names[0], []).append(row["question"])
    assert all(len(set(questions)) == len(questions) for questions in alone.values())
    openings = Counter(row["question"].split()[0] for row in task.rows("train"))
    assert len(openings) >= 5 and max(openings.values()) < 0.7 * SIZES["train"]


@pytest.mark.parametrize("field", ["id", "question", "gold_sql"])
def test_nothing_is_shared_between_questions(task: SqlTask, field: str) -> None:
    values = [normalize_question(row[field]) for split in SIZES for row in task.rows(split)]
    assert [value for value, count in Counter(values).items() if count > 1] == []


def test_questions_are_whole_sentences(task: SqlTask) -> None:
    for split in SIZES:
        for row in task.rows(split):
            question = row["question"]
            assert question[0].isupper() and question[-1] in "?." and not FORMS.search(question)
            assert not re.search(r"  |\b(\w+) \1\b", question.replace("that that", "?"))


def test_the_reference_playbook_says_all_that_is_needed(task: SqlTask) -> None:
    rows = [row for split in SIZES for row in task.rows(split)]
    assert [row["id"] for row in rows if not task.is_explained(row["gold_sql"])] == []
    bullets = list(from_markdown(task.reference))
    assert len(bullets) == task.reference.count("\n- ")
    assert not FORMS.search(task.reference.replace("## ", ""))


def test_names_say_nothing(task: SqlTask) -> None:
    """No code is told by the schema: names have two or three consonants, and nothing is declared."""
    names = {*task.schema, *(name for columns in task.schema.values() for name in columns)}
    assert all(re.fullmatch("[b-df-hj-np-tv-xz]{2,3}", name) for name in names - task.plain())
    (script,) = task.folder.glob("*.sql")
    assert len(script.read_text(encoding="utf-8")) < 100_000


def test_the_same_seed_gives_the_same_bytes(tmp_path: Path, tasks: dict[int, SqlTask]) -> None:
    program = "from ace.cli.main import main; main()"
    words = ["tasks", "add", "fresh_sql", "--seed", "2", "--out", str(tmp_path / "task")]
    environment = os.environ | {"PYTHONHASHSEED": "77"}
    subprocess.run([sys.executable, "-c", program, *words], check=True, capture_output=True, env=environment)
    first = {path.name: path.read_bytes() for path in tasks[2].folder.iterdir()}
    assert {path.name: path.read_bytes() for path in (tmp_path / "task").iterdir()} == first


def test_two_seeds_share_no_names_codes_or_questions(tasks: dict[int, SqlTask]) -> None:
    for one, other in combinations(tasks.values(), 2):
        conditions = [
            {c for row in task.rows("train") for c in task.conditions(row["gold_sql"])}
            for task in (one, other)
        ]
        questions = [{row["question"] for row in task.rows("test")} for task in (one, other)]
        assert not conditions[0] & conditions[1] and not questions[0] & questions[1]
        assert set(one.schema) != set(other.schema)
    assert len({choose_domain(seed, VOCABULARY) for seed in SEEDS}) == len(SEEDS)


def test_tuning_meets_no_domain_that_is_held_out() -> None:
    tuning = {choose_domain(seed, VOCABULARY) for seed in range(1000)}
    held_out = {choose_domain(seed, VOCABULARY) for seed in range(1000, 2000)}
    assert len(tuning) >= 4 and len(held_out) >= 4 and not tuning & held_out
    assert tuning | held_out == set(VOCABULARY) - {"tuning", "held_out", "people"}


@pytest.mark.parametrize("domain", [*VOCABULARY["tuning"], *VOCABULARY["held_out"]])
def test_words_of_a_domain_are_complete_and_used_once(domain: str) -> None:
    """Each value can stand beside a noun, each can be a predicate, and no wording means two things."""
    wordings: Counter[str] = Counter()
    for table in VOCABULARY[domain].values():
        values = [forms for codes in table.get("codes", {}).values() for forms in codes]
        values += list(table.get("flags", {}).values())
        measures = [*table.get("measures", {}).values(), *table.get("waits", {}).values()]
        values += [
            part[name] for part in measures for name in ("high", "low", "never", "over") if name in part
        ]
        values += [link["forms"] for link in table.get("links", {}).values()]
        for forms in values:
            kinds = [bool(re.search(r"\bN\b", form)) for form in forms]
            assert kinds[0] and not kinds[-1], forms
            wordings.update(form.replace("N", table["plural"]) for form in forms)
    assert [form for form, count in wordings.items() if count > 1] == []


def read_values(domain: dict[str, Any]) -> Iterator[str]:
    """Yield the words for tables, codes and flags: what an amount is measured in may be the same anywhere."""
    for name, table in domain.items():
        if name not in ("people", "shorts"):
            yield table["plural"]
            yield from (form for codes in table.get("codes", {}).values() for form, *_ in codes)
            yield from (form for form, *_ in table.get("flags", {}).values())


def test_nothing_of_the_shop_is_repeated(tasks: dict[int, SqlTask]) -> None:
    """What was tuned on the shop must not help here."""
    shop = SqlTask(ROOT / "tasks" / "shop_sql", "")
    names = {*shop.schema, *(name for columns in shop.schema.values() for name in columns)} - {"id"}
    for task in tasks.values():
        assert not names & {*task.schema, *(name for columns in task.schema.values() for name in columns)}


def test_sizes_can_be_asked_for(tmp_path: Path) -> None:
    folder = tmp_path / "task"
    add_task("fresh_sql", out=folder, seed=5, sizes={"train": 30, "val": 5, "test": 9})
    counts = [len((folder / f"{split}.jsonl").read_text(encoding="utf-8").splitlines()) for split in SIZES]
    assert counts == [30, 5, 9]
    rows = [json.loads(line) for line in (folder / "test.jsonl").read_text(encoding="utf-8").splitlines()]
    assert [row["id"] for row in rows] == [f"test-{place:02}" for place in range(1, 10)]
