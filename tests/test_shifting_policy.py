"""The promises of tasks/shifting_policy: what changes is asked often, nothing is ambiguous in a phase."""

from __future__ import annotations

import importlib.util
import json
import re
import sqlite3
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from ace.task import load_task

FOLDER = Path(__file__).parent.parent / "tasks" / "shifting_policy"
LINES = (FOLDER / "train.jsonl").read_text(encoding="utf-8").splitlines()
ROWS: list[dict[str, str]] = [json.loads(line) for line in LINES]
PHASES = [ROWS[start : start + 80] for start in (0, 80, 160)]
RULE = re.compile(r"ticket\.(status|channel|team|plan) = ('\w'|\d+)")


@pytest.fixture(scope="module")
def generate() -> ModuleType:
    spec = importlib.util.spec_from_file_location("generate", FOLDER / "generate.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def desk() -> Iterator[sqlite3.Connection]:
    database = sqlite3.connect(":memory:")
    database.executescript((FOLDER / "desk.sql").read_text(encoding="utf-8"))
    yield database
    database.close()


def word(row: dict[str, str], words: list[str]) -> str:
    (found,) = [each for each in words if re.search(rf"\b{each}\b", row["question"])]
    return found


def test_the_files_are_what_the_script_writes(generate: ModuleType) -> None:
    assert (FOLDER / "desk.sql").read_text(encoding="utf-8") == generate.database()
    assert generate.stream() == ROWS


def test_the_task_loads_and_every_gold_answer_runs() -> None:
    assert len(load_task(FOLDER).train) == 240


@pytest.mark.parametrize("phase", PHASES, ids=["first", "second", "third"])
def test_within_a_phase_nothing_is_asked_twice_and_a_word_has_one_meaning(
    phase: list[dict[str, str]], generate: ModuleType
) -> None:
    assert len({row["question"] for row in phase}) == len(phase) == 80
    meanings = {(word(row, list(generate.RULES)), RULE.findall(row["gold_sql"])[0]) for row in phase}
    assert len(meanings) == len(generate.RULES)
    assert len({meaning for _, meaning in meanings}) == len(meanings)  # and no two words have the same


def test_what_changes_is_asked_in_every_round(generate: ModuleType) -> None:
    changed = [
        {name for name, (_, codes) in generate.RULES.items() if codes[at] != codes[at + 1]} for at in (0, 1)
    ]
    assert [len(names) for names in changed] == [5, 5]
    for phase in PHASES:
        for start in range(0, 80, 10):
            asked = Counter(word(row, list(generate.RULES)) for row in phase[start : start + 10])
            assert set(asked.values()) == {1} and len(asked) == 10


def test_another_code_gives_another_answer(desk: sqlite3.Connection, generate: ModuleType) -> None:
    """So an old meaning, or a guess, is never right by accident."""
    for row in ROWS:
        gold = sorted(desk.execute(row["gold_sql"]).fetchall())
        assert gold and gold not in ([(0,)], [(None,)]), row
        ((column, literal),) = RULE.findall(row["gold_sql"])
        for code in generate.CODES[column]:
            other = f"'{code}'" if isinstance(code, str) else str(code)
            if other != literal:
                sql = row["gold_sql"].replace(f"{column} = {literal}", f"{column} = {other}")
                assert sorted(desk.execute(sql).fetchall()) != gold, (row, other)
        assert sorted(desk.execute(re.sub(r"ticket\.\w+ = \S+", "1 = 1", row["gold_sql"], count=1))) != gold
