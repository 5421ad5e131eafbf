"""The office is fair for every seed: its own calls do each task, doing nothing does none, no label shows."""

from __future__ import annotations

import importlib.util
import json
import os
import random
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from ace.task import load_task
from ace.task.types import Attempt
from ace.task.workspace import ToolCall

FOLDER = Path(__file__).parents[1] / "tasks" / "office_tools"
SIZES = {"train": 40, "val": 20, "test": 40}
SEEDS = (1, 2, 3, 4, 5)
FILES = {"office.py", "reference.md", "task.toml", "world.json", *(f"{split}.jsonl" for split in SIZES)}


@dataclass
class Made:
    """One office that was drawn, its rows, and its class."""

    folder: Path
    world: dict[str, Any]
    splits: dict[str, list[dict[str, Any]]]
    office: Callable[[dict[str, Any]], Any]

    @property
    def rows(self) -> list[dict[str, Any]]:
        return [row for rows in self.splits.values() for row in rows]


def generate(seed: int, folder: Path) -> None:
    command = [sys.executable, str(FOLDER / "generate.py"), str(seed), "--out", str(folder)]
    subprocess.run(command, check=True, env={**os.environ, "PYTHONHASHSEED": "random"})


def load(folder: Path) -> Made:
    spec = importlib.util.spec_from_file_location(f"office_{folder.name}", folder / "office.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    splits = {
        split: [json.loads(line) for line in (folder / f"{split}.jsonl").read_text("utf-8").splitlines()]
        for split in SIZES
    }
    return Made(folder, json.loads((folder / "world.json").read_text("utf-8")), splits, module.Office)


@pytest.fixture(scope="module")
def offices(tmp_path_factory: pytest.TempPathFactory) -> dict[int, Made]:
    made = {}
    for seed in SEEDS:
        folder = tmp_path_factory.mktemp("office") / f"seed{seed}"
        generate(seed, folder)
        made[seed] = load(folder)
    return made


@pytest.fixture(params=SEEDS)
def made(offices: dict[int, Made], request: pytest.FixtureRequest) -> Made:
    return offices[request.param]


def play(made: Made, row: dict[str, Any]) -> tuple[dict[str, Any], list[Any]]:
    """Return the state in the end, and what the tools returned."""
    office = made.office({"question": row["question"]})
    tools = {tool.__name__: tool for tool in office.tools()}
    results = [tools[call["name"]](**call["arguments"]) for call in row["actions"]]
    return office.state(), results


def test_a_seed_always_writes_the_same_and_the_checkout_is_seed_1(offices: dict[int, Made]) -> None:
    for name in FILES - {"task.toml"}:
        assert (offices[1].folder / name).read_bytes() == (FOLDER / name).read_bytes(), name
    assert 'name = "seed1"' in (offices[1].folder / "task.toml").read_text("utf-8")
    worlds = {(made.folder / "world.json").read_bytes() for made in offices.values()}
    assert len(worlds) == len(SEEDS)


def test_the_folder_is_complete(made: Made) -> None:
    assert {path.name for path in made.folder.iterdir()} - {"__pycache__"} == FILES
    task = load_task(made.folder, trust=True)
    assert {split: len(getattr(task, split)) for split in SIZES} == SIZES
    for rows in made.splits.values():
        assert all(list(row) == ["id", "question", "actions"] for row in rows)


def test_the_calls_of_every_row_do_the_task_and_doing_nothing_does_not(made: Made) -> None:
    untouched = made.office({}).state()
    for row in made.rows:
        state, _ = play(made, row)
        assert state != untouched and state == play(made, row)[0], row["id"]
        assert json.loads(json.dumps(state)) == state
        assert 2 <= len(row["actions"]) <= 5
    assert made.office({}).state() == untouched


def test_the_environment_judges_every_row(made: Made) -> None:
    task = load_task(made.folder, trust=True)
    for sample in (*task.train, *task.val, *task.test):
        task.environment.check(sample)
        workspace = task.environment.open(sample)
        untouched = Attempt(sample.id, "", artifacts=workspace.finish())
        for number, call in enumerate(sample.data["actions"]):
            assert not workspace.call(ToolCall(str(number), call["name"], call["arguments"])).failed
        finished = Attempt(sample.id, "", artifacts=workspace.finish())
        assert task.environment.score(sample, untouched).score == 0
        assert task.environment.score(sample, finished).score == 1


def test_no_call_can_be_left_out_but_those_that_look_something_up(made: Made) -> None:
    look_ups = {made.world["tools"][role]["name"] for role in made.world["tools"] if role.startswith("find_")}
    for row in made.rows:
        state, _ = play(made, row)
        for place, call in enumerate(row["actions"]):
            if call["name"] not in look_ups:
                less = {**row, "actions": row["actions"][:place] + row["actions"][place + 1 :]}
                try:
                    other, _ = play(made, less)
                except ValueError:
                    continue
                assert other != state, (row["id"], call)


def test_every_id_can_be_looked_up_before_it_is_used(made: Made) -> None:
    ids = {key for table in ("people", "orders", "files") for key in made.world[table]}
    ids |= set(made.world["approvals"].values())
    for row in made.rows:
        _, results = play(made, row)
        for place, call in enumerate(row["actions"]):
            seen = json.dumps(results[:place])
            for value in ids & set(call["arguments"].values()):
                assert json.dumps(value) in seen, (row["id"], call)


def test_the_question_has_what_the_calls_need_and_no_label(made: Made) -> None:
    coded = [*made.world["errors"].values(), made.world["limit"]]
    for table in ("causes", "reasons", "accesses", "kinds", "approvals"):
        coded += made.world[table].values()
    coded += [key for table in ("people", "orders", "files") for key in made.world[table]]
    for row in made.rows:
        words = set(re.findall(r"[\w.-]+[\w-]", row["question"]))
        assert not words & set(map(str, coded)), row["question"]
        names = {call["name"] for call in row["actions"]}
        assert not words & {name for name in names if "_" in name}


def test_no_description_or_error_gives_a_convention_away(made: Made) -> None:
    texts = [*made.world["errors"].values(), *made.world["about"].values()]
    texts += [tool["description"] for tool in made.world["tools"].values()]
    text = " ".join(texts)
    for table in ("causes", "reasons", "accesses", "kinds"):
        assert not [code for code in made.world[table].values() if code in text.split()]
    for hint in ("cent", "digit", "quarter", "first page", str(made.world["limit"]), made.world["date"]):
        assert hint not in texts
    tools = made.office({}).tools()
    assert 8 <= len(tools) <= 12 and len({tool.__name__ for tool in tools}) == len(tools)
    for tool in tools:
        lines = (tool.__doc__ or "").splitlines()
        assert lines[0].endswith(".") and len(lines) == 1 + len(tool.__annotations__)


def test_kinds_and_codes_of_the_test_are_taught(made: Made) -> None:
    def kinds(rows: list[dict[str, Any]]) -> Counter[tuple[str, ...]]:
        return Counter(tuple(call["name"] for call in row["actions"]) for row in rows)

    taught = kinds(made.splits["train"])
    assert set(kinds(made.splits["test"])) <= set(taught) and set(kinds(made.splits["val"])) <= set(taught)
    assert len(taught) >= 9 and min(taught.values()) >= 2
    used = Counter(
        value
        for row in made.splits["train"]
        for call in row["actions"]
        for value in call["arguments"].values()
    )
    for table in ("causes", "reasons", "accesses"):
        assert min(used[code] for code in made.world[table].values()) >= 2


def test_splits_share_no_question_and_no_value(made: Made) -> None:
    month = r"(?:Jan|Febr)uary|March|April|May|June|July|August|(?:Septem|Octo|Novem|Decem)ber"
    day, money = rf"\b\d+ (?:{month})|(?:{month}) \d+\b", r"\b\d+ (?:euros|dollars|pounds|francs)\b"
    names = {entry["name"] for entry in made.world["people"].values()}
    names |= {entry["customer"] for entry in made.world["orders"].values()}
    names |= {f"roject {entry['project']}" for entry in made.world["files"].values()}
    seen = Counter[str]()
    for rows in made.splits.values():
        found = set()
        for row in rows:
            found.add(row["question"])
            found |= {name for name in names if name in row["question"]}
            found |= {" ".join(sorted(found_day.split())) for found_day in re.findall(day, row["question"])}
            found |= set(re.findall(money, row["question"]))
        seen.update(found)
    assert {value for value, count in seen.items() if count > 1} <= set()
    assert len({row["question"] for row in made.rows}) == sum(SIZES.values())


def test_questions_of_a_kind_come_in_several_wordings(made: Made) -> None:
    wordings: dict[tuple[str, ...], set[str]] = {}
    coded = [word for table in ("causes", "reasons", "accesses", "kinds") for word in made.world[table]]
    for row in made.splits["train"]:
        kind = tuple(call["name"] for call in row["actions"])
        bare = re.sub(rf"\d+|\b[A-Z][a-z]+\b|\b({'|'.join(coded)})\b", "", row["question"])
        wordings.setdefault(kind, set()).add(bare)
    assert min(len(several) for several in wordings.values()) >= 2


def test_the_reference_names_tools_and_codes_and_no_task(made: Made) -> None:
    text = (made.folder / "reference.md").read_text("utf-8")
    for tool in made.world["tools"].values():
        assert tool["name"] in text
    for table in ("causes", "reasons", "accesses", "kinds"):
        assert all(f'"{code}"' in text for code in made.world[table].values())
    assert "{" not in text
    for row in made.rows:
        for call in row["actions"]:
            for name, value in call["arguments"].items():
                if name not in (
                    made.world["arguments"][role] for role in ("code", "reason", "access", "page", "folder")
                ):
                    assert value == made.world["none"] or f'"{value}"' not in text, (row["id"], value)


@pytest.mark.parametrize("seed", SEEDS[:2])
def test_right_calls_of_the_training_teach_what_the_reference_says(
    offices: dict[int, Made], seed: int
) -> None:
    made = offices[seed]
    task = load_task(made.folder, trust=True)
    kinds = {tuple(call["name"] for call in sample.data["actions"]): sample for sample in task.train}
    lines = set()
    for sample in kinds.values():
        others = [other for other in task.train if other is not sample]
        for entry in task.environment.suggest(sample, others, ()):
            lines |= {suggestion.text for suggestion in entry}
    text = "\n".join(lines)
    for table in ("causes", "reasons", "accesses", "kinds"):
        for word, code in made.world[table].items():
            assert f'"{code}" for {word}' in text, (word, text)
    reference = (made.folder / "reference.md").read_text("utf-8")
    procedures = re.findall(r": (\w+\(.* then done\..*)", reference)
    assert len(procedures) == 8 and all(procedure in text for procedure in procedures)
    limits = [made.world["limit"], *re.findall(r", where \w+ is (?:more than )?(\d+)", text)]
    assert set(map(str, limits)) == {str(made.world["limit"])}


def test_no_call_raises_anything_but_a_refusal(made: Made) -> None:
    """Whatever a model writes: unknown values, other types, arguments missing or too many."""
    rng = random.Random(7)
    values: list[Any] = ["", "x" * 500, None, 3, -1.5, True, [], {"a": 1}, "\ud800", "²", "0", "1" * 5000]
    values += [
        value for row in made.rows[:20] for call in row["actions"] for value in call["arguments"].values()
    ]
    office = made.office({})
    tools = office.tools()
    for _ in range(3000):
        tool = rng.choice(tools)
        names = list(tool.__annotations__) + (["other"] if rng.random() < 0.1 else [])
        given = {name: rng.choice(values) for name in names if rng.random() < 0.95}
        with suppress(ValueError, TypeError):
            json.dumps(tool(**given))
    json.dumps(office.state())


def test_offices_share_no_state(made: Made) -> None:
    first, second = made.office({}), made.office({})
    row = made.rows[0]
    before = second.state()
    tools = {tool.__name__: tool for tool in first.tools()}
    for call in row["actions"]:
        tools[call["name"]](**call["arguments"])
    assert first.state() != before and second.state() == before
