"""`ace compare` as a user types it: the real loop, the real litellm, a model on loopback."""

from __future__ import annotations

import csv
import io
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from ace.store.study_file import read_study
from tests.cli import Ace, Done
from tests.model_server import ModelServer
from tests.pace import patience
from tests.test_runs_page import parsed

ROOT = Path(__file__).parent.parent
Run = Callable[..., Done]
pytestmark = pytest.mark.usefixtures("colours")


def arguments(server: ModelServer, *more: str) -> list[str]:
    model = ["--model", "openai/tiny", "--api-base", server.api_base]
    few = ["--methods", "ace", "--seeds", "0", "--replays", "0", "--limit", "4"]
    return ["compare", "colours", *model, *few, *more]


@pytest.fixture
def run(ace: Ace, server: ModelServer) -> Run:
    """`ace compare colours` with the model of this test, one method and one seed."""
    return lambda *more: ace(*arguments(server, *more))


def test_the_plan_comes_first_then_the_tables(run: Run, server: ModelServer) -> None:
    done = run("--seeds", "0,1")
    assert done.code == 0
    assert "4 of 4 cells to do, at least 24 calls" in done.err
    assert "ace, seed 1: epoch 1" in done.err
    assert "8 of 8" in done.out and "ace is better than zero_shot" not in done.out  # 4 samples prove nothing
    assert "No difference was shown between ace and zero_shot" in done.out
    assert Path("colours.study.db").exists() and Path("colours.study-cells/ace.seed-1.db").exists()
    calls = server.calls
    again = run("--seeds", "1,0")
    assert again.out == done.out and server.calls == calls
    assert "0 of 4 cells to do" in again.err


def test_a_dry_run_asks_nobody_and_makes_nothing(run: Run, server: ModelServer) -> None:
    done = run("--dry-run")
    assert "2 of 2 cells to do" in done.out
    assert json.loads(run("--dry-run", "--json").out)["calls_least"] == 12
    assert server.calls == 0 and not list(Path().glob("*.db"))


def test_every_form_can_be_read_by_a_program(run: Run, ace: Ace) -> None:
    study = json.loads(run("--json").out)
    assert {row["method"]: row["right"] for row in study["methods"]} == {"ace": 4, "zero_shot": 0}
    assert study["complete"] and study["models"]["generator"] == "openai/tiny"
    assert json.loads(ace("compare", "show", "--format", "json").out) == study
    for kind, size in (("methods", 2), ("pairs", 1), ("cells", 2), ("samples", 8), ("curve", 1)):
        text = ace("compare", "show", "colours.study.db", "--format", "csv", "--rows", kind).out
        rows = list(csv.DictReader(io.StringIO(text)))
        assert len(rows) == size == len(study[kind])
        assert set(rows[0]) == set(study[kind][0])
    page = ace("compare", "show", "--format", "markdown", "--reference", "zero_shot").out
    assert "| ace - zero\\_shot" in page or "| ace - zero_shot" in page
    assert page.startswith("# colours with openai/tiny: 2 of 2 cells done")


def test_the_page_holds_everything_and_loads_nothing(run: Run) -> None:
    pytest.importorskip("matplotlib")
    done = run("--out", "report.html")
    assert "report.html holds the study" in done.err
    page = Path("report.html").read_text(encoding="utf-8")
    tags = parsed(page)
    names = {tag for tag, _ in tags.tags}
    assert "script" not in names and "link" not in names
    sources = [attributes["src"] for tag, attributes in tags.tags if tag == "img"]
    assert len(sources) == 4 and all(str(source).startswith("data:image/png") for source in sources)
    assert "default-src 'none'" in page
    for text in ("Learning curves", "Paired differences", "Accuracy against cost", "test-red"):
        assert text in tags.text


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (("--methods", "aces"), "There is no method 'aces'"),
        (("--seeds", "a"), "--seeds is 'a'"),
        (("--seeds", ""), "There is no seed"),
        (("--reference", "few_shot"), "'few_shot' is not compared"),
    ],
)
def test_what_cannot_be_compared_is_refused_before_a_call(
    run: Run, server: ModelServer, more: tuple[str, ...], message: str
) -> None:
    done = run("--dry-run", *more)
    assert done.code == 2 and message in done.err
    assert server.calls == 0


def test_changed_data_are_refused(run: Run, server: ModelServer) -> None:
    assert run().code == 0
    calls = server.calls
    file = Path("colours/test.jsonl")
    file.write_text(file.read_text().replace("What about red?", "What of red?"))
    done = run("--seeds", "0,1")
    assert done.code == 2 and "the task's test samples" in done.err and "--study FILE" in done.err
    assert "goes on" not in done.err and server.calls == calls
    assert run("--study", "other.study.db").code == 0


def test_which_study_is_asked_for(ace: Ace) -> None:
    done = ace("compare", "show")
    assert done.code == 2 and "Which study?" in done.err
    assert ace("compare", "show", "none.study.db").code == 1
    assert ace("compare", "nowhere", "--dry-run").code == 2
    assert "ace compare TASK" in ace("compare", "--help").out


def test_a_study_is_no_playbook_to_choose(run: Run, ace: Ace) -> None:
    run()
    assert "Which playbook? The .db files here are: none." in ace("playbook", "show").err
    assert "study" not in ace("playbook", "list").out


def test_an_interrupt_says_how_to_go_on(ace: Ace, run: Run, server: ModelServer) -> None:
    server.stalls_at = 14  # in the middle of learning
    program = "from ace.cli.main import main; main()"
    command = [sys.executable, "-c", program, *arguments(server)]
    # A shell that runs the tests in the background has SIGINT ignored, and children inherit that.
    heard = partial(signal.signal, signal.SIGINT, signal.SIG_DFL)
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    process = subprocess.Popen(command, stdout=-1, stderr=-1, text=True, env=environment, preexec_fn=heard)
    assert server.stalled.wait(patience(60))
    process.send_signal(signal.SIGINT)
    out, err = process.communicate()
    assert (process.returncode, out) == (130, "")
    assert "1 of 2 cells done, in colours.study.db" in err and "Traceback" not in err
    server.go_on()
    line = err.partition("Continue with `ace ")[2].partition("`")[0]
    assert ace(*line.split()).code == 0
    assert {cell.state for cell in read_study("colours.study.db").cells} == {"done"}


def test_a_model_that_is_gone_ends_the_command_which_goes_on_later(run: Run, server: ModelServer) -> None:
    server.say = lambda request: (_ for _ in ()).throw(ConnectionError("gone"))  # type: ignore[assignment]
    done = run("--workers", "1")
    assert done.code == 1 and "The same command goes on from here." in done.err
    assert "Traceback" not in done.err.partition("ace: ")[2]
