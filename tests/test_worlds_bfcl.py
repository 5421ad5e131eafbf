"""BFCL's multi-turn tasks, against the real services and the real data."""

from __future__ import annotations

import itertools
import json
import random
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest

from ace.errors import TaskError
from ace.task import Attempt, Sample, ToolCall
from ace.task.environments.worlds.bfcl import ConversationEnvironment
from ace.task.environments.worlds.play_bfcl import read_call
from ace.task.makers.draft import MakeOptions
from ace.task.makers.make_bfcl import CATEGORIES, make_bfcl
from ace.task.makers.source_data import SourceData
from ace.task.samples import to_sample
from tests.acting import choose, play, play_and_score, play_at_once
from tests.adapter_world import run_example
from tests.shared_data import find_data

DATA = find_data("bfcl-multi-turn")

real = pytest.mark.skipif(
    find_spec("bfcl_eval") is None or find_spec("mpmath") is None,
    reason="bfcl-eval is not installed: `just adapter-bfcl`",
)
NUMBERS = itertools.count()  # the package keeps instances by the name of a model
POSITIONAL = {
    "cd": ("folder",),
    "displayCarStatus": ("option",),
    "get_zipcode_based_on_city": ("city",),
    "mean": ("numbers",),
    "post_tweet": ("content",),
    "sort": ("file_name",),
    "touch": ("file_name",),
}
"""The names of arguments that stand without one in right calls of the data."""

FOLDER = {"type": "directory", "contents": {}}
FILES = Sample(
    "files",
    "Go to the folder a.",
    {
        "classes": ["GorillaFileSystem", "MathAPI"],
        "config": {
            "GorillaFileSystem": {
                "root": {
                    "home": {"type": "directory", "contents": {"a": {"type": "directory", "contents": {}}}}
                }
            }
        },
        "later": ["Make a folder b there.", "Do that again, with c.", "What is the root of 16?"],
        "held_out": {"2": ["square_root"]},
        "excluded": ["rm"],
        "gold": [
            ["cd('a')"],
            ["mkdir(dir_name='b')"],
            ["mkdir(dir_name='c')"],
            ["square_root(16, precision=5)"],
        ],
    },
)


@pytest.fixture(scope="module")
def conversations() -> Iterator[ConversationEnvironment]:
    environment = ConversationEnvironment(most=4)
    yield environment
    environment.pool.close()


def rows(category: str) -> list[Sample]:
    if not DATA.is_dir():
        pytest.skip(f"{DATA} is not there")
    options = MakeOptions(out=Path("x"), sizes={}, category=category)
    return [to_sample(row) for row in make_bfcl(SourceData(DATA, ""), options).learning]


def gold_calls(workspace, sample: Sample):
    """Yield the right calls of each turn, with the arguments by name, and speak to the user after each."""
    for calls in sample.data["gold"]:
        for source in calls:
            name, positional, named = read_call(source)
            spec = next(spec for spec in workspace.tools() if spec.name == name)
            yield name, dict(zip(spec.arguments, positional, strict=False)) | named
        yield "say", {"message": "Done."}


def play_gold(environment, sample: Sample, **changes):
    return play_and_score(environment, sample, lambda workspace: gold_calls(workspace, sample))


@real
@pytest.mark.parametrize("category", CATEGORIES)
def test_gold_is_right_and_doing_nothing_is_not(conversations, category: str) -> None:
    samples = rows(category)
    for sample in samples:
        conversations.check(sample)
    wrong = []
    for sample in samples[::4]:
        outcome = play_gold(conversations, sample)
        if not outcome.correct:
            wrong.append((sample.id, outcome.detail, outcome.judge_error))
        idle = play_and_score(conversations, sample, [("say", {"message": "No."})] * 20)
        assert idle.score == 0 and not idle.judge_error
    assert wrong == []


def checked_by_bfcl(sample: Sample, turns: list[list[str]]) -> bool:
    """Return what the package's own checker says: it evaluates the calls, which are the data's own."""
    from bfcl_eval.eval_checker.multi_turn_eval.multi_turn_checker import multi_turn_checker

    entry = {
        "id": sample.id,
        "initial_config": sample.data["config"],
        "involved_classes": sample.data["classes"],
    }
    steps = [[[call] for call in calls] for calls in turns]
    category = sample.id.rpartition("_")[0]
    verdict = multi_turn_checker(steps, sample.data["gold"], entry, category, f"m{next(NUMBERS)}")
    return bool(verdict["valid"])


@real
@pytest.mark.parametrize("category", CATEGORIES)
def test_the_verdict_is_that_of_bfcl(conversations, category: str) -> None:
    """Of right calls of which one is lost, made twice, or made a turn late."""
    verdicts = []
    for seed, sample in enumerate(rows(category)[1::9]):
        source = random.Random(seed)
        turns = [list(calls) for calls in sample.data["gold"]]
        turn = source.choice([number for number, calls in enumerate(turns) if calls])
        change = source.choice(("lose", "repeat", "delay"))
        call = turns[turn].pop() if change != "repeat" else turns[turn][-1]
        if change != "lose":
            turns[min(turn + (change == "delay"), len(turns) - 1)].append(call)
        calls = [[named_call(text) for text in turn] for turn in turns]
        attempt = Attempt(sample.id, "", artifacts={"turns": json.dumps(calls)})
        ours = conversations.score(sample, attempt).correct
        assert ours == checked_by_bfcl(sample, turns), (sample.id, change)
        verdicts.append(ours)
    assert len(set(verdicts)) == 2


def named_call(text: str) -> dict[str, object]:
    name, positional, arguments = read_call(text)
    names = POSITIONAL.get(name, ())
    return {"name": name, "arguments": dict(zip(names, positional, strict=False)) | arguments}


@real
def test_the_example_of_the_page_learns(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert run_example("worlds", "Conversations")["answers"] == (0, 1)


@real
def test_a_random_agent_is_wrong(conversations) -> None:
    def wander(workspace):
        free = [spec.name for spec in workspace.tools() if not spec.required]
        for name in choose(3, free, 10):
            yield name, {}
            yield "say", {"message": "?"}

    outcome = play_and_score(conversations, FILES, wander)
    assert outcome.score == 0 and not outcome.judge_error


@real
def test_turns_are_judged_until_the_first_that_is_wrong(conversations) -> None:
    calls = [
        ("cd", {"folder": "a"}),
        ("say", {"message": "Done."}),
        ("mkdir", {"dir_name": "x"}),
        ("say", {"message": "Done."}),
    ]
    outcome = play_and_score(conversations, FILES, calls)
    assert outcome.score == 0.25
    assert outcome.missing[0].text.startswith("turn 2: GorillaFileSystem.root")
    assert outcome.topics == {"cd", "mkdir"} and "square_root" in outcome.label_topics
    assert play_gold(conversations, FILES).correct


@real
def test_tools_come_later_or_never(conversations) -> None:
    workspace = conversations.open(FILES)
    names = [{spec.name for spec in workspace.tools()}]
    for text in ("one", "two", "three"):
        heard = workspace.reply(text)
        assert heard is not None and heard.text == FILES.data["later"][len(names) - 1]
        names.append({spec.name for spec in workspace.tools()})
    assert ["square_root" in each for each in names] == [False, False, True, True]
    assert not any("rm" in each for each in names)
    assert workspace.reply("four") is None
    assert workspace.call(ToolCall("1", "pwd", {})).ends
    workspace.close()


@real
def test_wrong_calls_are_answered_and_nothing_is_evaluated(conversations) -> None:
    workspace = conversations.open(FILES)
    wrong = [
        ("rm", {"file_name": "a"}),
        ("_load_scenario", {"scenario": {}}),
        ("__class__", {}),
        ("cd", {}),
        ("cd", {"folder": 3}),
        ("cd", {"folder": "a", "x": 1}),
        ("ls", {"a": "yes"}),
        ("cd", {"folder": "nowhere"}),
        ("cd", {"folder": "__import__('os').system('true')"}),
    ]
    for name, arguments in wrong:
        seen = workspace.call(ToolCall("1", name, arguments))
        assert seen.failed and not seen.ends, (name, seen)
    assert workspace.call(ToolCall("1", "ls", {})).text == '{"current_directory_content": ["a"]}'
    workspace.close()


@real
def test_twenty_at_once_do_not_interfere(conversations) -> None:
    plays = []
    for number in range(20):
        right = number % 2 == 0
        plays.append((FILES, (lambda w: gold_calls(w, FILES)) if right else [("cd", {"folder": "a"})]))
    scores = [outcome.score for outcome in play_at_once(conversations, plays)]
    assert scores == [1.0, 0.25] * 10


@real
def test_a_service_that_hangs_is_one_failed_sample(conversations, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ace.task.environments.worlds.bfcl._SECONDS_TO_CALL", 1.0)
    calls = [("square_root", {"number": 2, "precision": 10**8}), ("pwd", {})]
    sample = Sample("m", "?", {**FILES.data, "held_out": {}})
    attempt = play(conversations, sample, calls)
    assert attempt.error and not attempt.artifacts and len(attempt.turns) == 1
    assert play_and_score(conversations, sample, calls).judge_error
    assert play_gold(conversations, FILES).correct


def test_rows_that_cannot_be_used_are_refused() -> None:
    environment = ConversationEnvironment()
    wrong = [
        {"classes": "MathAPI"},
        {"config": []},
        {"gold": []},
        {"gold": [["cd(open('x'))"]]},
        {"gold": [["a.b()"]]},
        {"gold": [["cd("]]},
    ]
    for fields in wrong:
        with pytest.raises(TaskError):
            environment.check(Sample("1", "?", {**FILES.data, **fields}))
    environment.check(FILES)
    assert json.loads(json.dumps(FILES.data)) == FILES.data
