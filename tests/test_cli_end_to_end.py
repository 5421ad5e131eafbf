"""`ace learn | online | eval` as a user types them: the real loop, the real litellm, a model on loopback."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from ace.llm import Request, Role
from ace.store import Store
from tests.cli import Ace, Done
from tests.model_server import ModelServer
from tests.pace import patience
from tests.world import says

ROOT = Path(__file__).parent.parent
# What scripts may rely on, and what else there is.
PROMISED = {
    "task", "model", "playbook", "before", "after", "p_value", "bullets", "versions", "proposed", "accepted",
    "rejected", "seconds", "usage",
}  # fmt: skip
MORE = {
    "kind", "learned", "models", "run", "selected", "stopped", "validated", "verified", "quarantined",
    "recorded", "skipped", "comparisons", "epochs", "learning_end", "learning_calls",
    "recent", "changes", "unjudged",
    "notes",
}  # fmt: skip
SCORE = {"correct", "total", "accuracy", "ci95"} | {"errors"}
USAGE = {"calls", "prompt_tokens", "cached_tokens", "completion_tokens", "seconds", "cost"}

Run = Callable[..., Done]
pytestmark = pytest.mark.usefixtures("colours")


def arguments(command: str, server: ModelServer, *more: str) -> list[str]:
    model = ["--model", "openai/tiny", "--api-base", server.api_base]
    batch = [] if command == "eval" else ["--batch-size", "3"]
    return [command, "colours", *model, *batch, *more]


@pytest.fixture
def run(ace: Ace, server: ModelServer) -> Run:
    """`ace COMMAND colours` with the model of this test."""
    return lambda command, *more: ace(*arguments(command, server, *more))


def hashes(playbook: str) -> list[str]:
    """Of all versions, newest first; the file is checked on the way."""
    with Store.open(playbook, create=False) as store:
        assert store.verify() == []
        return [version.hash for version in store.log()]


def statuses() -> list[str]:
    with Store.open("colours.db", create=False) as store:
        return [run.status for run in store.runs()]


def calls_by_step(playbook: str) -> list[int]:
    with Store.open(playbook, create=False) as store:
        usages = [step.payload["usage"].values() for step in store.steps(1)]
    return [sum(usage["calls"] for usage in step) for step in usages]


def test_learn_prints_what_it_did(run: Run, server: ModelServer) -> None:
    done = run("learn")
    assert done.code == 0, done.err
    for said in (
        "learn colours with openai/tiny",
        "before   0 of 10 right    0.0%  95% interval 0.0% to 27.8%",
        "after   10 of 10 right  100.0%  95% interval 72.2% to 100.0%",
        "exact McNemar: p = 0.002",
        "no validation ran",
        "Learned 10 bullets (10 proposed, 10 accepted, 0 rejected), each with the episodes that prove it",
        "red means twice 35001",
        "colours.db holds it all: 10 bullets, 4 versions, run 1.",
    ):
        assert said in done.out
    cells = {line.split()[0]: line.split() for line in done.out.splitlines() if line.split()}
    by_role = [int(cells[role][1]) for role in ("generator", "reflector", "curator")]
    assert sum(by_role) == int(cells["all"][1]) == server.calls
    assert cells["all"][-1] == "unknown"  # nobody knows the price of a model of one's own
    lines = done.err.splitlines()
    lessons = [line for line in lines if line.startswith("lesson ")]
    assert len(lessons) == 10 == done.err.count("\n    fixed: Which number has ")
    phases = [line.split()[0] for line in lines if not line.startswith(("lesson ", "    "))]
    assert phases == [name for name in ("before", "epoch", "refinement", "after") for _ in range(2)]


def test_next_steps_can_be_typed_as_they_are_printed(run: Run, ace: Ace) -> None:
    steps = run("learn").out.partition("Next\n")[2].splitlines()
    assert len(steps) == 2
    for step in steps:
        program, *args = step.split()
        assert (program, ace(*args).code) == ("ace", 0)
    assert statuses() == ["done", "done"]


@pytest.mark.parametrize(
    "options",
    [("--feedback", "execution"), ("--method", "few_shot", "--examples", "2"), ("--branch", "trial")],
    ids=lambda options: options[0],
)
def test_next_steps_have_the_method_and_the_branch_and_are_valid(
    run: Run, ace: Ace, options: tuple[str, ...]
) -> None:
    if "--branch" in options:
        run("eval")  # makes the file
        assert ace("playbook", "branch", "trial", "--playbook", "colours.db").code == 0
    steps = run("learn", *options).out.partition("Next\n")[2].splitlines()
    for step in steps:
        program, *args = step.split()
        assert (program, ace(*args).code) == ("ace", 0), step
        if args[0] in ("learn", "eval") and "--feedback" not in options:
            assert " ".join(options) in step
    if "--branch" in options:
        assert "--version trial" in steps[0]


def test_json_has_the_promised_keys(run: Run) -> None:
    report = json.loads(run("learn", "--json").out)
    assert set(report) == PROMISED | MORE
    assert set(report["before"]) == set(report["after"]) == SCORE
    assert sorted(report["usage"]) == ["curator", "generator", "reflector"]
    assert all(set(usage) == USAGE for usage in report["usage"].values())
    assert (report["before"]["correct"], report["after"]["correct"]) == (0, 10)
    assert report["usage"]["generator"]["prompt_tokens"] > 0


def test_online_then_eval_of_any_version(run: Run) -> None:
    served = json.loads(run("online", "--json").out)
    assert (served["before"], served["after"]["correct"], served["after"]["total"]) == (None, 0, 10)
    assert served["bullets"] == 10
    now, then = (json.loads(run("eval", "--json", *more).out) for more in ((), ("--version", "0")))
    assert (now["after"]["correct"], then["after"]["correct"]) == (10, 0)
    assert (now["selected"], then["selected"], now["versions"], now["proposed"]) == (4, 0, 0, 0)
    assert "10 of 10 right" in run("eval", "--split", "val").out


# Stopped half way


def start(server: ModelServer, *more: str) -> subprocess.Popen[str]:
    program = "from ace.cli.main import main; main()"
    command = [sys.executable, "-c", program, *arguments("learn", server, *more)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    # A shell that runs the tests in the background has SIGINT ignored, and children inherit that.
    heard = partial(signal.signal, signal.SIGINT, signal.SIG_DFL)
    return subprocess.Popen(command, stdout=-1, stderr=-1, text=True, env=environment, preexec_fn=heard)


@dataclass(frozen=True)
class Whole:
    """A run that nothing stopped: its versions, newest first, and its calls, step by step."""

    versions: list[str]
    calls: list[int]

    @property
    def in_the_second_batch(self) -> int:
        """A call that comes when the first batch is acknowledged and the second is half done."""
        return sum(self.calls[:2]) + self.calls[2] // 2 + 1


@pytest.fixture
def whole(run: Run, server: ModelServer) -> Whole:
    assert run("learn", "--playbook", "whole.db").code == 0
    calls, server.calls = calls_by_step("whole.db"), 0
    return Whole(hashes("whole.db"), calls)


def test_a_killed_run_resumes_to_the_same_versions(run: Run, server: ModelServer, whole: Whole) -> None:
    server.stalls_at = whole.in_the_second_batch
    process = start(server, "--workers", "1")
    assert server.stalled.wait(patience(60))
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert process.returncode == -signal.SIGKILL
    assert hashes("colours.db") == whole.versions[-2:]  # the first batch, and no part of the second
    assert statuses() == ["running"]
    server.go_on()
    server.calls = 0
    report = json.loads(run("learn", "--resume", "--json").out)
    assert hashes("colours.db") == whole.versions
    assert server.calls == sum(whole.calls) - (whole.in_the_second_batch - 1)  # what was answered is kept
    assert sum(usage["calls"] for usage in report["usage"].values()) == sum(whole.calls)
    assert statuses() == ["done"]


def test_an_interrupt_ends_at_once_and_says_how_to_continue(
    ace: Ace, server: ModelServer, whole: Whole
) -> None:
    server.stalls_at = whole.in_the_second_batch
    process = start(server, "--workers", "3")
    assert server.stalled.wait(patience(60))
    process.send_signal(signal.SIGINT)
    out, err = process.communicate()  # calls under way are not waited for: nobody answers them until `go_on`
    assert (process.returncode, out) == (130, "")
    assert "everything committed so far is in colours.db" in err
    assert "Traceback" not in err
    assert statuses() == ["interrupted"]
    assert hashes("colours.db") == whole.versions[-2:]
    server.go_on()
    command = err.partition("Continue with `ace ")[2].partition("`")[0]
    assert command.endswith(" --resume")
    assert ace(*command.split()).code == 0
    assert hashes("colours.db") == whole.versions


def test_a_cap_is_3_and_keeps_results(run: Run, ace: Ace, server: ModelServer, whole: Whole) -> None:
    done = run("learn", "--max-calls", "80", "--workers", "1")
    assert (done.code, server.calls) == (3, 80)
    assert "stopped early: The cap of 80 calls is reached" in done.out
    kept = hashes("colours.db")
    assert 1 < len(kept) < len(whole.versions) and kept == whole.versions[-len(kept) :]
    assert "each with the episodes that prove it" in done.out
    command = next(line.split() for line in done.out.splitlines() if line.endswith("--resume"))
    assert command[command.index("--max-calls") + 1] == "160"  # it counts from the start of the run
    assert ace(*command[1:]).code == 0
    assert hashes("colours.db") == whole.versions
    assert server.calls == sum(whole.calls)


def test_a_cap_counts_what_was_spent_before_a_resume(run: Run, server: ModelServer, whole: Whole) -> None:
    assert run("learn", "--max-calls", "30", "--workers", "3").code == 3
    again = run("learn", "--max-calls", "30", "--workers", "3", "--resume")
    assert (again.code, server.calls) == (3, 30)
    assert run("learn", "--resume").code == 0
    assert server.calls == sum(whole.calls)
    assert hashes("colours.db") == whole.versions


def test_a_capped_online_run_resumes_to_the_same_versions(run: Run, ace: Ace, server: ModelServer) -> None:
    whole = json.loads(run("online", "--playbook", "whole.db", "--json").out)
    done = run("online", "--max-calls", "80", "--workers", "1")
    assert done.code == 3
    versions = hashes("colours.db")
    assert 1 < len(versions) < len(hashes("whole.db"))
    command = next(line.split() for line in done.out.splitlines() if line.endswith("--resume"))
    assert command[:2] == ["ace", "online"] and command[command.index("--max-calls") + 1] == "160"
    resumed = run("online", "--resume", "--json")
    assert json.loads(resumed.out)["after"] == whole["after"]
    assert hashes("colours.db") == hashes("whole.db")
    assert statuses() == ["done"]


# Models that cannot be used


def test_a_missing_key_is_2_and_named(ace: Ace) -> None:
    done = ace("learn", "colours", "--model", "openai/tiny")
    assert (done.code, done.out) == (2, "")
    assert "openai/tiny needs an API key and OPENAI_API_KEY is not set" in done.err


@pytest.mark.parametrize("option", ["--model", "--reflector-model", "--curator-model"])
def test_a_model_nobody_serves_is_2_before_any_call(run: Run, server: ModelServer, option: str) -> None:
    done = run("learn", option, "nobody/knows-this")
    assert (done.code, done.out, server.calls) == (2, "", 0)
    assert "No provider serves a model called 'nobody/knows-this'" in done.err


def test_a_server_that_is_down_is_1_and_can_be_resumed(ace: Ace, run: Run, server: ModelServer) -> None:
    away = ModelServer()
    away.close()
    done = ace(*arguments("learn", away))
    assert (done.code, done.out) == (1, "")
    assert f"Is the server running at {away.api_base}?" in done.err
    assert statuses() == ["failed"]
    assert run("learn", "--resume").code == 0
    assert statuses() == ["done"]


# Models that say odd things


def test_a_model_that_answers_nothing_is_1(run: Run, server: ModelServer) -> None:
    server.say = lambda _: ""
    done = run("learn")
    assert (done.code, done.out) == (1, "")
    assert "the model answered nothing" in done.err


def is_reflector(request: Request) -> bool:
    return request.role is Role.REFLECTOR


ODD: dict[str, str] = {
    "nothing": "",
    "garbage": "\x00\ufffd{]<|im_end|>",
    "half an object": '{"lesson": "red mea',
    "another object": '{"operations": 7}',
    "a megabyte": "colours are numbers " * 50_000,
}


@pytest.mark.parametrize("odd", ODD.values(), ids=ODD)
def test_odd_lessons_are_recorded_and_none_is_kept(run: Run, server: ModelServer, odd: str) -> None:
    server.say = lambda request: odd if is_reflector(request) else says(request)
    report = json.loads(run("learn", "--json", "--limit", "3", "--tries", "1", "--replays", "0").out)
    assert (report["accepted"], report["bullets"]) == (0, 0) and report["proposed"] >= 3
    with Store.open("colours.db") as store:
        assert store.verify() == []
        assert all(proposal.why for proposal in store.proposals())


@pytest.mark.parametrize("odd", [ODD["garbage"], ODD["half an object"], ODD["a megabyte"]])
def test_odd_answers_are_wrong_answers(run: Run, server: ModelServer, odd: str) -> None:
    server.say = lambda request: says(request) if is_reflector(request) else odd
    done = run("learn", "--json", "--limit", "3", "--tries", "1")
    report: dict[str, Any] = json.loads(done.out)
    assert (done.code, report["after"]["correct"], report["bullets"]) == (0, 0, 0)
    assert len(done.out) < 20_000


def test_a_question_without_an_answer_is_a_wrong_answer(run: Run, server: ModelServer) -> None:
    server.say = lambda request: "" if "black" in request.messages[1].content else says(request)
    out = run("learn").out
    assert "9 of 10 right" in out
    assert "1 of them gave no answer" in out
