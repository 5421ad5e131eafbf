"""`ace online --stdin`, `--behind`, `ace feedback`: real processes, the real litellm, a model on loopback."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from ace.store import Store
from tests.cli import Ace
from tests.model_server import ModelServer
from tests.pace import patience
from tests.world import LESSON, SECRET, write_world


@pytest.fixture(autouse=True)
def colours(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    write_world(tmp_path / "colours")


class Server:
    """`ace online --stdin` in a process of its own, in a folder."""

    def __init__(self, folder: Path, model: ModelServer, *more: str) -> None:
        program = "from ace.cli.main import main; main()"
        named = ["--model", "openai/tiny", "--api-base", model.api_base]
        self.process = subprocess.Popen(
            [sys.executable, "-c", program, "online", "colours", "--stdin", *named, *more],
            cwd=folder,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            preexec_fn=partial(signal.signal, signal.SIGINT, signal.SIG_DFL),  # a background shell ignores it
        )

    def ask(self, row: dict[str, Any] | str) -> dict[str, Any]:
        assert self.process.stdin and self.process.stdout
        self.process.stdin.write((row if isinstance(row, str) else json.dumps(row)) + "\n")
        self.process.stdin.flush()
        said: dict[str, Any] = json.loads(self.process.stdout.readline())
        return said

    def end(self) -> tuple[str, str]:
        return self.process.communicate(timeout=patience(60))


def test_questions_and_feedback_as_lines(tmp_path: Path, server: ModelServer) -> None:
    agent = Server(tmp_path, server, "--json")
    first = agent.ask({"question": "Which number has red?"})
    assert (first["answer"], first["error"]) == ("no idea", "")
    told = agent.ask({"feedback": first["episode"], "right": False, "expected": SECRET["red"]})
    assert told == {"feedback": first["episode"], "kept": True}
    assert "line 3" in agent.ask("{half")["error"]
    assert "says nothing" in agent.ask({"feedback": first["episode"]})["error"]
    assert "EPISODE" in agent.ask({"right": True})["error"]
    assert "ep-none" in agent.ask({"feedback": "ep-none", "right": True})["error"]
    out, _ = agent.end()
    report = json.loads(out)["report"]
    assert (report["after"]["total"], report["bullets"], report["unjudged"]) == (1, 1, 0)
    assert report["recent"]["ci95"] == report["after"]["ci95"]
    assert agent.process.returncode == 0


def test_feedback_of_a_person_reaches_a_server_that_runs(
    tmp_path: Path, server: ModelServer, ace: Ace
) -> None:
    agent = Server(tmp_path, server)
    episode = agent.ask({"question": "Which number has red?"})["episode"]
    done = ace("feedback", episode, "--wrong", "--expected", SECRET["red"], "--json")
    assert done.code == 0 and json.loads(done.out)["author"] == "person"
    for _ in range(200):
        if agent.ask({"question": "Which number has red?"})["answer"] == SECRET["red"]:
            break
        time.sleep(0.05)
    else:
        pytest.fail("it was not learned")
    _, told = agent.end()
    assert "without feedback so far" in told


def test_feedback_may_be_a_score_the_right_answer_or_a_text(
    tmp_path: Path, server: ModelServer, ace: Ace
) -> None:
    agent = Server(tmp_path, server)
    episode = agent.ask({"question": "Which number has red?"})["episode"]
    told = agent.ask({"feedback": episode, "score": 0.25, "text": "nearly"})
    assert told == {"feedback": episode, "kept": True}
    for row, word in (
        ({"right": "False"}, "right"),
        ({"score": 2}, "score"),
        ({"score": "much"}, "score"),
        ({"expected": 5}, "expected"),
        ({"text": " "}, "says nothing"),
        ({"rihgt": True}, "right, score, expected, text"),
    ):
        assert word in agent.ask({"feedback": episode, **row})["error"], row
    agent.end()
    for options, said in (
        (("--score", "0.25"), "score 0.25"),
        (("--wrong", "--score", "0"), "wrong, score 0.0"),
        (("--expected", "Lima"), "expected Lima"),
        (("--text", "Too long."), "text Too long."),
    ):
        done = ace("feedback", episode, *options)  # late: nothing serves any more
        assert (done.code, done.out) == (0, f"Kept: {episode}: {said}.\n")
    for options, word in (
        ((), "--score"),
        (("--score", "1.5"), "from 0 to 1"),
        (("--score", "nan"), "from 0 to 1"),
    ):
        done = ace("feedback", episode, *options)
        assert done.code == 2 and word in done.err
    assert "ep-none" in ace("feedback", "ep-none", "--score", "1").err
    with Store.open(tmp_path / "colours.db") as store:
        rows = [(row.right, row.score, row.expected, row.text, row.author) for row in store.feedback()]
    assert rows == [
        (None, 0.25, "", "nearly", "program"),
        (None, 0.25, "", "", "person"),
        (False, 0.0, "", "", "person"),
        (None, None, "Lima", "", "person"),
        (None, None, "", "Too long.", "person"),
    ]


def test_a_score_that_comes_late_is_learned_from(tmp_path: Path, server: ModelServer, ace: Ace) -> None:
    agent = Server(tmp_path, server)
    episode = agent.ask({"question": "Which number has red?"})["episode"]
    agent.end()
    assert ace("feedback", episode, "--score", "0.3", "--expected", SECRET["red"]).code == 0
    Server(tmp_path, server).end()
    with Store.open(tmp_path / "colours.db") as store:
        assert [bullet.content for bullet in store.checkout()] == [LESSON["red"]]


def test_an_interrupt_is_130_and_the_next_one_learns_what_was_left(
    tmp_path: Path, server: ModelServer, ace: Ace
) -> None:
    agent = Server(tmp_path, server)
    episode = agent.ask({"question": "Which number has red?"})["episode"]
    agent.process.send_signal(signal.SIGINT)
    _, told = agent.end()
    assert agent.process.returncode == 130 and "committed so far" in told
    assert ace("feedback", episode, "--wrong").code == 0
    Server(tmp_path, server).end()
    with Store.open(tmp_path / "colours.db") as store:
        assert [bullet.content for bullet in store.checkout()] == [LESSON["red"]]
        assert store.runs()[0].status == "interrupted" and store.verify() == []


def test_a_reader_that_has_gone_ends_a_server_without_a_word(tmp_path: Path, server: ModelServer) -> None:
    agent = Server(tmp_path, server)
    agent.ask({"question": "Which number has red?"})
    assert agent.process.stdin and agent.process.stdout and agent.process.stderr
    agent.process.stdout.close()
    agent.process.stdin.write('{"question": "Which number has red?"}\n')
    agent.process.stdin.flush()  # and it stays open: the server must not wait for more
    assert agent.process.wait(patience(60)) == 0
    told = agent.process.stderr.read()
    assert "Broken pipe" not in told and "Traceback" not in told and "ace:" not in told
    with Store.open(tmp_path / "colours.db") as store:
        assert len(store.episodes()) == 2 and store.verify() == []


def test_feedback_on_an_episode_that_is_not_there(ace: Ace) -> None:
    with Store.open("colours.db"):
        pass
    done = ace("feedback", "ep-none", "--right")
    assert done.code == 1 and "ep-none" in done.err


def test_learning_behind_ends_with_the_usual_report(ace: Ace, server: ModelServer) -> None:
    model = ["--model", "openai/tiny", "--api-base", server.api_base]
    done = ace("online", "colours", "--behind", "--window", "4", *model, "--json")
    report = json.loads(done.out)
    assert done.code == 0
    assert (report["after"]["total"], report["recent"]["total"], report["bullets"]) == (10, 4, 10)
    assert "online 10/10" in done.err and "last 4:" in done.err
