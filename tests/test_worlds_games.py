"""Games in text, against the real packages: gold wins, doing nothing does not, a crash costs one sample."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from ace.errors import TaskError, WorkspaceFailed
from ace.task import Sample, ToolCall, load_task, observe_attempt, score_attempt
from ace.task.environments.worlds.text_game import SCIENCEWORLD, TEXTWORLD, TextGameEnvironment
from ace.task.environments.worlds.world_process import WorldPool
from ace.task.solving import Solving
from tests.acting import choose, play, play_and_score, play_at_once
from tests.adapter_world import run_example

KINDS = {
    "textworld": (
        TEXTWORLD,
        "textworld_express",
        [{"game": game, "seed": seed} for game in ("coin", "mapreader", "cookingworld") for seed in (1, 2)],
    ),
    "scienceworld": (
        SCIENCEWORLD,
        "scienceworld",
        [{"game": game, "variation": n} for game in ("find-plant", "use-thermometer") for n in (0, 1)],
    ),
}


@pytest.fixture(scope="module", params=KINDS)
def games(request: pytest.FixtureRequest) -> Iterator[tuple[TextGameEnvironment, list[Sample]]]:
    kind, package, rows = KINDS[request.param]
    if find_spec(package) is None:
        pytest.skip(f"{package} is not installed: `just adapter-{request.param}`")
    environment = TextGameEnvironment(kind, most=2)
    samples = []
    for number, row in enumerate(rows):
        _, gold = environment.find_gold(Sample(str(number), "?", row))
        samples.append(Sample(str(number), "?", {**row, "gold": gold}))
    yield environment, samples
    environment.pool.close()


def gold_calls(sample: Sample) -> list[tuple[str, dict[str, Any]]]:
    return [("act", {"command": command}) for command in sample.data["gold"]]


def test_gold_wins_and_doing_nothing_does_not(games) -> None:
    environment, samples = games
    for sample in samples:
        environment.check(sample)
        won = play_and_score(environment, sample, gold_calls(sample))
        assert won.correct and not won.judge_error
        assert won.expected.startswith(sample.data["gold"][0])
        idle = play_and_score(environment, sample, [])
        assert idle.score is not None and idle.score < 0.1  # a twelfth is for being at the right place


def test_a_random_player_does_not_win_and_scores_the_same_again(games) -> None:
    environment, samples = games

    def wander(workspace):
        for seed in range(8):
            reply = json.loads(workspace.call(ToolCall("?", "commands", {})).text)
            (command,) = choose(seed, reply["commands"], 1)
            yield "act", {"command": command}

    attempts = [play(environment, samples[-1], wander) for _ in range(2)]
    assert attempts[0] == attempts[1]
    assert environment.score(samples[-1], attempts[0]).score < 1


def test_a_score_is_no_part_of_what_an_attempt_shows(games) -> None:
    environment, samples = games
    attempt = play(environment, samples[0], gold_calls(samples[0])[:1])
    assert set(attempt.artifacts) == {"commands"}
    seen = observe_attempt(environment, samples[0], attempt)
    assert seen.score is None and seen.observed == attempt.turns[-1].observation


@pytest.mark.parametrize(
    ("kind", "row"),
    [
        ("textworld", {"game": "simonsays", "seed": 1}),
        ("scienceworld", {"game": "find-plant", "variation": 0}),
    ],
)
def test_a_lost_game_scores_nothing(kind: str, row: dict[str, Any]) -> None:
    """Simon did not say it; an agent is no plant."""
    game, package, _ = KINDS[kind]
    if find_spec(package) is None:
        pytest.skip(f"{package} is not installed: `just adapter-{kind}`")
    environment = TextGameEnvironment(game, most=1)
    sample = Sample("1", "?", row)
    right = environment.find_gold(sample)[1][0]

    def lose(workspace):
        listed = json.loads(workspace.call(ToolCall("1", "commands", {})).text)["commands"]
        wrong = "focus on agent" if kind == "scienceworld" else next(each for each in listed if each != right)
        yield "act", {"command": wrong}
        raise AssertionError("the game goes on")

    attempt = play(environment, sample, lose)
    outcome = score_attempt(environment, sample, attempt)
    assert outcome.score == 0 and not outcome.judge_error
    environment.pool.close()


def test_twenty_games_at_once_do_not_interfere(games) -> None:
    environment, samples = games
    played = [samples[n % len(samples)] for n in range(20)]
    plays = [(sample, gold_calls(sample) if n % 2 else []) for n, sample in enumerate(played)]
    outcomes = play_at_once(environment, plays)
    assert [outcome.correct for outcome in outcomes] == [bool(calls) for _, calls in plays]
    assert len(environment.pool._idle) <= 2


def test_looking_is_free_and_wrong_calls_are_answered(games) -> None:
    environment, samples = games
    workspace = environment.open(samples[0])
    with_tools = [("look", {}), ("inventory", {}), ("commands", {})]
    for name, arguments in with_tools:
        seen = workspace.call(ToolCall("1", name, arguments))
        assert seen.text and not seen.failed
    wrong = [("fly", {}), ("act", {}), ("act", {"command": 3}), ("act", {"command": "look\nlook"})]
    for name, arguments in [*wrong, ("look", {"at": "me"}), ("act", {"command": "x", "y": 1})]:
        seen = workspace.call(ToolCall("1", name, arguments))
        assert seen.failed and seen.text.startswith("error: ") and not seen.ends
    assert workspace.finish() == {"commands": "[]"}
    workspace.close()
    assert workspace.call(ToolCall("1", "look", {})).failed


def test_a_game_ends_with_its_last_command(games) -> None:
    environment, samples = games
    short = TextGameEnvironment(environment.game, steps=2, lists_commands=False, most=1)
    attempt = play(short, samples[0], [("act", {"command": "look around"})] * 5)
    short.pool.close()
    assert json.loads(attempt.artifacts["commands"]) == ["look around"] * 2
    assert "the last of 2 commands" in attempt.turns[-1].observation
    assert "commands" not in [spec.name for spec in short.specs]


def children(leader: int) -> list[int]:
    """Return the living processes of a group; those that are dead and not yet reaped do not count."""
    listed = subprocess.run(["ps", "-eo", "pgid=,pid=,stat="], capture_output=True, text=True, check=True)
    rows = [line.split() for line in listed.stdout.splitlines()]
    return [int(pid) for group, pid, state in rows if group == str(leader) and not state.startswith("Z")]


@pytest.mark.parametrize("victim", ["java", "all"])
def test_a_game_that_crashes_is_one_failed_sample(games, victim: str) -> None:
    environment, samples = games

    def crash(workspace):
        yield gold_calls(samples[0])[0]
        leader = workspace.process.process.pid
        for process in children(leader):
            if victim == "all" or process != leader:
                os.kill(process, signal.SIGKILL)
        yield gold_calls(samples[0])[0]
        raise AssertionError("the attempt goes on")

    broken = play_and_score(environment, samples[0], crash)
    assert broken.judge_error and broken.score is None
    assert play_and_score(environment, samples[0], gold_calls(samples[0])).correct


def test_no_process_is_left(games) -> None:
    environment, samples = games
    own = TextGameEnvironment(environment.game, most=1)
    play(own, samples[0], gold_calls(samples[0])[:2])
    (process,) = own.pool._idle
    leader = process.process.pid
    assert len(children(leader)) >= 2  # Python and Java
    own.pool.close()
    while children(leader):  # the limit of the test ends a wait in vain
        time.sleep(0.05)


def test_a_game_that_there_is_not_is_said(games) -> None:
    environment, samples = games
    with pytest.raises(WorkspaceFailed, match=r"there is no (game|task) chess; there are"):
        environment.open(Sample("x", "?", {**samples[0].data, "game": "chess"}))
    wrong = [{"game": 3}, {"game": None}, {"gold": "look"}, {"seed": True, "variation": "1"}]
    for fields in wrong:
        with pytest.raises(TaskError):
            environment.check(Sample("x", "?", {**samples[0].data, **fields}))


def test_a_world_sees_no_key(monkeypatch: pytest.MonkeyPatch) -> None:
    """Needs no package: what a process is started with is asked of the system."""
    monkeypatch.setenv("OPENAI_API_KEY", "sk-none-of-its-business")
    process = WorldPool(TEXTWORLD.module).take()
    try:
        with pytest.raises(WorkspaceFailed, match="there is no request environment"):
            process.ask("environment", 60.0)
        fresh = WorldPool(TEXTWORLD.module).take()
        variables = Path(f"/proc/{fresh.process.pid}/environ")
        if variables.exists():  # on Linux
            assert b"none-of-its-business" not in variables.read_bytes()
        fresh.end()
    finally:
        process.end()


@pytest.mark.parametrize(("name", "heading"), [("textworld", "TextWorld"), ("scienceworld", "ScienceWorld")])
def test_the_example_of_the_page_learns(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, heading: str
) -> None:
    if find_spec(KINDS[name][1]) is None:
        pytest.skip(f"{KINDS[name][1]} is not installed: `just adapter-{name}`")
    monkeypatch.chdir(tmp_path)
    assert run_example("worlds", heading)["answers"] == (0, 1)


@pytest.mark.parametrize(("name", "row"), [(name, kind[2][0]) for name, kind in KINDS.items()])
def test_a_task_names_a_game(tmp_path: Path, name: str, row: dict[str, Any]) -> None:
    """Needs no package: a game begins with the first attempt."""
    row = {"id": "1", "question": "Find it.", **row}
    (tmp_path / "task.toml").write_text(
        f'name = "games"\nenvironment = "{name}"\n[data]\ntrain = "t.jsonl"\n[{name}]\nsteps = 30\n'
    )
    (tmp_path / "t.jsonl").write_text(json.dumps(row))
    task = load_task(tmp_path)
    assert isinstance(task.environment, TextGameEnvironment) and task.environment.steps == 30
    assert isinstance(task.solver, Solving) and (task.solver.kind, task.solver.steps) == ("tools", 30)
    toml = (tmp_path / "task.toml").read_text()
    (tmp_path / "task.toml").write_text(f"{toml}[solver]\nsteps = 7\n")
    assert load_task(tmp_path).solver == replace(task.solver, steps=7)
    (tmp_path / "task.toml").write_text(toml)
    (tmp_path / "task.toml").write_text((tmp_path / "task.toml").read_text() + "processes = 0\n")
    with pytest.raises(TaskError, match="at least 1"):
        load_task(tmp_path)
