"""`ace learn | online | eval`: options reach the loop, reports the reader, and stops have their codes."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ace.llm import ScriptedClient
from ace.runs.report import Report, Score
from ace.store import Store
from ace.task import FeedbackKind
from tests.cli import Ace
from tests.test_cli_tasks import tasks as tasks  # a fixture

REPORT = Report(
    kind="learn", task="capitals", model="m", playbook="capitals.db", after=Score(3, 4), selected=2
)


class Scripted(ScriptedClient):
    """A client that can be closed, as connect's can."""

    def __enter__(self) -> Scripted:
        return self

    def __exit__(self, *_: object) -> None:
        CLOSED.append(self.model)


CLOSED: list[str] = []


class Loop:
    """Stands for ace.loop: keeps what it was given, does what it was told."""

    def __init__(self, result: Report | BaseException) -> None:
        self.result = result
        self.begins = False
        self.given: dict[str, Any] = {}

    def __call__(self, task: Any, store: Any, team: Any, options: Any, **rest: Any) -> Report:
        self.given = {"task": task, "store": store.path, "team": team, "options": options, **rest}
        rest["progress"]("before", 1, 1)
        if self.begins:
            store.start_run("learn", task.name, {})
        if isinstance(self.result, BaseException):
            raise self.result
        return self.result


@pytest.fixture
def loop(monkeypatch: pytest.MonkeyPatch, tasks: Path) -> Callable[[Report | BaseException], Loop]:
    """Puts a stand-in in the loop's place, and scripted clients in the models'."""
    CLOSED.clear()
    monkeypatch.setattr("ace.llm.connect", lambda name, **_: Scripted([], model=name))
    monkeypatch.setattr("ace.llm.check_model_name", lambda name, **_: None)

    def put(result: Report | BaseException) -> Loop:
        stand_in = Loop(result)
        for name in ("learn", "online", "evaluate"):
            monkeypatch.setattr(f"ace.loop.{name}", stand_in)
        return stand_in

    return put


Put = Callable[[Report | BaseException], Loop]


def test_defaults(ace: Ace, loop: Put) -> None:
    used = loop(REPORT)
    assert ace("learn", "capitals").code == 0
    options = used.given["options"]
    assert (options.seed, options.workers, options.epochs, options.limit) == (0, 4, 1, None)
    assert options.feedback is FeedbackKind.LABELS
    assert options.without is None
    assert used.given["team"].generator.model == "local/qwen2.5-coder-1.5b"
    assert used.given["store"] == Path("capitals.db")
    assert used.given["resume"] is False


def test_options_reach_the_loop(ace: Ace, loop: Put) -> None:
    used = loop(REPORT)
    Store.open("mine.db").close()
    numbers = "--seed 7 --limit 3 --epochs 2 --workers 1 --batch-size 5"
    others = "--feedback execution --without proof --playbook mine.db --resume"
    ace("learn", "tasks/capitals", *numbers.split(), *others.split())
    options = used.given["options"]
    assert (options.seed, options.limit, options.epochs, options.workers, options.batch_size) == (
        7,
        3,
        2,
        1,
        5,
    )
    assert options.feedback is FeedbackKind.EXECUTION
    assert options.without == "proof"
    assert used.given["store"] == Path("mine.db")
    assert used.given["resume"] is True


def test_roles_may_have_their_own_models_and_share_one_otherwise(ace: Ace, loop: Put) -> None:
    team = loop(REPORT)
    ace("learn", "capitals", "--model", "openai/small", "--reflector-model", "openai/large")
    used = team.given["team"]
    assert [role.model for role in (used.generator, used.reflector, used.curator)] == [
        "openai/small", "openai/large", "openai/small"
    ]  # fmt: skip
    assert sorted(CLOSED) == ["openai/large", "openai/small"]


def test_caps_reach_the_meter(ace: Ace, loop: Put) -> None:
    used = loop(REPORT)
    ace(
        "online",
        "capitals",
        "--max-calls",
        "9",
        "--max-tokens",
        "8",
        "--max-cost",
        "0.5",
        "--max-seconds",
        "60",
    )
    caps = used.given["team"].meter.caps
    assert (caps.calls, caps.tokens, caps.cost, caps.seconds) == (9, 8, 0.5, 60)


def test_eval_takes_a_version_and_a_split(ace: Ace, loop: Put) -> None:
    used = loop(replace(REPORT, kind="eval"))
    assert ace("eval", "capitals", "--version", "0", "--split", "val").code == 0
    assert used.given["version"] == "0"
    assert used.given["options"].split == "val"


def test_the_report_is_text_or_one_object(ace: Ace, loop: Put) -> None:
    loop(REPORT)
    done = ace("learn", "capitals")
    assert "3 of 4 right" in done.out
    assert "ace learn capitals --playbook capitals.db --epochs 2" in done.out
    assert json.loads(ace("learn", "capitals", "--json").out) == json.loads(json.dumps(REPORT.to_json()))


def test_progress_goes_to_stderr(ace: Ace, loop: Put) -> None:
    loop(REPORT)
    assert ace("learn", "capitals", "--json").err == "before 1/1\n"


def test_a_cap_is_3_and_the_report_is_still_there(ace: Ace, loop: Put) -> None:
    loop(replace(REPORT, stopped="cap on calls: 10"))
    done = ace("learn", "capitals", "--json")
    assert done.code == 3
    assert json.loads(done.out)["stopped"] == "cap on calls: 10"


@pytest.mark.parametrize(
    ("command", "begins", "hint"),
    [
        ("learn", True, "ace learn capitals --resume"),
        ("learn", False, "Run the command again."),
        ("learn --resume", False, "ace learn capitals --resume"),
        ("online", True, "ace online capitals --resume"),
        ("online --behind", True, "Run the command again."),
        ("eval", True, "Run the command again."),
    ],
)
def test_an_interrupt_is_130_and_says_what_was_kept(
    ace: Ace, loop: Put, command: str, begins: bool, hint: str
) -> None:
    loop(KeyboardInterrupt()).begins = begins
    name, *more = command.split()
    Store.open("capitals.db").close()
    done = ace(name, "capitals", *more)
    assert (done.code, done.out) == (130, "")
    assert "committed so far is in capitals.db" in done.err
    assert hint in done.err
    assert CLOSED


def test_a_broken_task_starts_no_model_and_makes_no_file(ace: Ace, loop: Put) -> None:
    used = loop(REPORT)
    assert ace("learn", "broken").code == 2
    assert not used.given
    assert not list(Path().glob("*.db"))
