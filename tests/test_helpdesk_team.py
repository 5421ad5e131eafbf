"""The helpdesk is fair for every seed, its playbook is for a team, and its benchmark measures both arms."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from ace import evaluate, load_task
from ace.llm.client import Request
from ace.store import Store
from ace.task import Attempt, Task, ToolCall
from ace.task.environments.tools.tools_environment import STATE, ToolsEnvironment
from ace.task.team import find_team
from ace.testing import World
from benchmarks import measuring, team_against_one
from benchmarks.measured_pages import bound_difference

FOLDER = Path(__file__).parents[1] / "tasks" / "helpdesk_team"
SIZES = {"train": 30, "val": 15, "test": 30}
SEEDS = (1, 2, 3, 4)


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[int, Path]:
    made = {}
    for seed in SEEDS:
        made[seed] = tmp_path_factory.mktemp("desk") / "helpdesk_team"
        command = [sys.executable, str(FOLDER / "generate.py"), str(seed), "--out", str(made[seed])]
        subprocess.run(command, check=True)
    return made


@pytest.fixture(params=SEEDS)
def folder(folders: dict[int, Path], request: pytest.FixtureRequest) -> Path:
    return folders[request.param]


def test_the_checkout_is_seed_1(folders: dict[int, Path]) -> None:
    for file in folders[1].iterdir():
        if file.is_file():
            assert file.read_bytes() == (FOLDER / file.name).read_bytes()


def test_right_calls_do_each_task_and_doing_nothing_does_none(folder: Path) -> None:
    task = load_task(folder, trust=True)
    environment = task.environment
    team = find_team(task.solver)
    assert isinstance(environment, ToolsEnvironment) and team is not None
    assert {name: len(getattr(task, name)) for name in SIZES} == SIZES
    owners = Counter[tuple[str, ...]]()
    for sample in (*task.train, *task.val, *task.test):
        way = environment.follow(sample)
        for state, score in ((way.state, 1.0), (way.first_state, 0.0)):
            attempt = Attempt(sample.id, "", artifacts={STATE: json.dumps(state)})
            assert environment.score(sample, attempt).score == score
        owners[tuple(leg.agent for leg in team.divide(way.names))] += 1
    assert set(owners) == {("triage",), ("billing",), ("technical",), ("billing", "technical")}
    assert min(owners.values()) >= 8


def test_splits_share_no_question_and_no_customer(folder: Path) -> None:
    rows = {name: (folder / f"{name}.jsonl").read_text("utf-8") for name in SIZES}
    customers = json.loads((folder / "world.json").read_text("utf-8"))["tickets"].values()
    met = {name: {customer for customer in customers if customer in text} for name, text in rows.items()}
    assert not met["train"] & met["test"] and not met["train"] & met["val"] and not met["val"] & met["test"]
    codes = re.compile(r'"(?:urgency|grade|mark|cause|reason|why|plan|tariff|offer)": "([^"]+)"')
    assert set(codes.findall(rows["test"])) <= set(codes.findall(rows["train"]))


def test_a_question_shows_no_label(folder: Path) -> None:
    world = json.loads((folder / "world.json").read_text("utf-8"))
    hidden = {key for table in ("tickets", "accounts", "devices") for key in world[table]}
    for table in ("urgencies", "causes", "plans", "levels", "parts"):
        hidden |= set(world[table].values())
    for split in SIZES:
        for line in (folder / f"{split}.jsonl").read_text("utf-8").splitlines():
            question = json.loads(line)["question"]
            assert not any(re.search(rf"(?<!\w){re.escape(text)}(?!\w)", question) for text in hidden)


def clerk(task: Task) -> Any:
    """Return a model that knows the right calls, and does them if its prompt has a playbook."""
    samples = {sample.question: sample for sample in (*task.train, *task.val, *task.test)}

    def speak(request: Request) -> Any:
        sample = samples[request.sample.question]  # type: ignore[union-attr]
        offered = [tool.name for tool in request.tools]
        calls = [ToolCall("", row["name"], row["arguments"]) for row in sample.data["actions"]]
        own = [call for call in calls if call.name in offered]
        made = sum(message.role == "assistant" for message in request.messages)
        if not request.bullets:
            return "I do not know."
        if made < len(own):
            return own[made]
        team = find_team(task.solver)
        handed = "has handed this task over" in request.messages[1].content
        if len(own) < len(calls) and team is not None and not (handed and own == calls[-len(own) :]):
            rest = calls[len(own)] if own else calls[0]
            return ToolCall("", "hand_over", {"to": team.list_owners(rest.name)[0], "brief": "see the task"})
        return "done"

    return speak


@pytest.mark.parametrize("one", [False, True])
def test_the_hand_written_playbook_is_read_whole_and_serves(tmp_path: Path, one: bool) -> None:
    command = [sys.executable, str(FOLDER / "generate.py"), "7", "--out", str(tmp_path / "t")]
    subprocess.run([*command, *(["--one"] if one else [])], check=True)
    task = load_task(tmp_path / "t", trust=True)
    with Store.open(tmp_path / "p.db") as store:
        measuring.import_playbook(store, (tmp_path / "t" / "reference.md").read_text("utf-8"))
        sections = {bullet.section for bullet in store.checkout().active}
        assert ("billing: formats" in sections) is not one and "[" not in str(sections)
        assert any("hand_over" in bullet.content for bullet in store.checkout().active) is not one
        report = evaluate(task, store, World(clerk(task)), split="test", limit=12)
    assert report.after and report.after.correct == 12


def test_a_team_is_measured_against_one_agent_and_once_only(tmp_path: Path) -> None:
    tasks: dict[str, Any] = {}

    def speak(request: Request) -> Any:
        question = request.sample.question  # type: ignore[union-attr]
        arm = "team" if any(tool.name == "hand_over" for tool in request.tools) else "one"
        if arm not in tasks:
            tasks[arm] = clerk(load_task(tmp_path / "work" / "tasks" / f"{arm}_3", trust=True))
        assert question
        return tasks[arm](request)

    words = ["--seeds", "3", "--limit", "3", "--work", str(tmp_path / "work"), "--out", str(tmp_path / "out")]
    options = team_against_one.read_options(words)
    model = World(speak)
    page = team_against_one.measure(options, words, model)
    record = json.loads((tmp_path / "out" / "team_against_one.json").read_text("utf-8"))
    scores = {(stage["group"], stage["name"]): stage["correct"] for stage in record["stages"]}
    assert scores["team-3", "empty"] == scores["one-3", "empty"] == 0
    assert scores["team-3", "reference"] == scores["one-3", "reference"] == 3
    assert "team minus one, paired" in page and len(record["team_minus_one"]["default"]) == 3
    asked = sum(model.calls.values())
    team_against_one.measure(options, words, model)
    assert sum(model.calls.values()) == asked


def test_the_interval_of_a_paired_difference() -> None:
    by, low, high = bound_difference([(False, True)] * 8 + [(True, True)] * 12)
    assert by == 0.4 and 0.1 < low < by < high < 0.65
    by, low, high = bound_difference([(True, True)] * 30)
    assert by == 0 and -0.1 < low < 0 < high < 0.1
    assert bound_difference([])[0] == 0
