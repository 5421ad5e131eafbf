"""`ace learn --from-traces` as a user types it: with a task, without one, and with what cannot be read."""

from __future__ import annotations

import json
import os
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest

from ace.report import build_run_page, read_run_history
from ace.store import Store
from tests.cli import Ace
from tests.model_server import ModelServer
from tests.world import SECRET, write_world


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ModelServer]:
    write_world(tmp_path / "colours")
    wrong = {"answer": "12", "correct": False}
    rows = [
        {"id": f"log {c}", "question": f"Which number has {c}?", "expected": number, **wrong}
        for c, number in SECRET.items()
    ]
    (tmp_path / "attempts.jsonl").write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    server = ModelServer()
    yield server
    server.close()


def model(server: ModelServer) -> list[str]:
    return ["--model", "openai/tiny", "--api-base", server.api_base]


LOG = ("--from-traces", "attempts.jsonl")


def test_with_a_task_its_lessons_are_proven(ace: Ace, server: ModelServer) -> None:
    done = ace("learn", "colours", *LOG, *model(server))
    assert done.code == 0, done.err
    for said in ("recorded   0 of 10 right", "after     10 of 10 right", "Learned 10 bullets"):
        assert said in done.out


def test_without_a_task_they_wait_and_a_task_proves_them(ace: Ace, server: ModelServer) -> None:
    done = ace("learn", *LOG, "--name", "colours", *model(server))
    assert done.code == 0, done.err
    assert "10 bullets in quarantine until an attempt proves them" in done.out
    for step in done.out.partition("Next\n")[2].splitlines():
        assert ace(*shlex.split(step)[1:]).code == 0
    told = json.loads(ace("learn", "colours", *model(server), "--json").out)
    assert told["quarantined"] == 0 and told["after"]["correct"] == 10 == len(told["learned"])


def test_the_name_is_the_files_by_default(ace: Ace, server: ModelServer) -> None:
    told = json.loads(ace("learn", *LOG, *model(server), "--json").out)
    assert (told["task"], told["recorded"]["total"], told["skipped"]) == ("attempts", 10, 0)
    assert Path("attempts.db").is_file()


@pytest.mark.parametrize("task", [["colours"], ["--name", "logs"]])
def test_a_report_says_how_to_make_it_again(task: list[str], ace: Ace, server: ModelServer) -> None:
    def made(playbook: str, *words: str) -> tuple[str, list[str]]:
        done = ace(*words, "--api-base", server.api_base, "--playbook", playbook)
        assert done.code == 0, done.err
        with Store.open(playbook, create=False) as store:
            return build_run_page(read_run_history(store)).command, [version.hash for version in store.log()]

    first = made("one.db", "learn", *task, *LOG, "--model", "openai/tiny", "--limit", "4")
    again = shlex.split(first[0].replace("FILE", "attempts.jsonl"))[1:]
    assert made("two.db", *again) == first
    assert ace("report", "--playbook", "one.db").code == 0


def test_it_can_be_stopped_and_resumed(ace: Ace, server: ModelServer) -> None:
    stopped = ace("learn", *LOG, "--name", "logs", *model(server), "--batch-size", "2", "--max-calls", "5")
    assert stopped.code == 3
    step = next(s for s in stopped.out.partition("Next\n")[2].splitlines() if s.endswith("--resume"))
    words = shlex.split(step)[1:]
    cap = words.index("--max-calls")
    assert words[cap + 1] == "10"  # caps count from the start of the run
    done = ace(*words[:cap], *words[cap + 2 :])
    assert done.code == 0, done.err
    assert "recorded  0 of 10 right" in done.out


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["learn"], "Missing TASK"),
        (["learn", "--name", "x"], "Missing TASK"),
        (["learn", "colours", *LOG, "--name", "x"], "Leave out --name"),
        (["learn", *LOG, "--name", "no/name"], "'no/name' cannot be the name of a playbook"),
        (["learn", "colours", *LOG, "--epochs", "2"], "gone over once"),
        (["learn", "colours", "--from-traces", "missing.jsonl"], "missing.jsonl: Cannot read the file"),
        (["learn", "colours", "--from-traces", "broken.jsonl"], "broken.jsonl:1: Not valid JSON"),
    ],
)
def test_what_cannot_be_used_is_2(words: list[str], said: str, ace: Ace, server: ModelServer) -> None:
    Path("broken.jsonl").write_text("{", encoding="utf-8")
    done = ace(*words, *model(server))
    assert done.code == 2 and said in done.err
    assert server.calls == 0


def test_a_log_on_an_unreadable_path(ace: Ace, server: ModelServer) -> None:
    done = ace("learn", "colours", "--from-traces", os.curdir, *model(server))
    assert done.code == 2 and "Cannot read the file" in done.err


def test_what_is_left_out_is_named_without_its_secrets(ace: Ace, server: ModelServer) -> None:
    token = "ghp_" + "0123456789abcdefghij" + "ABCDEFGHIJ012345"
    odd = {"id": "x", "question": "q", "answer": "a", "correct": f"maybe {token}"}
    with Path("attempts.jsonl").open("a", encoding="utf-8") as file:
        file.write("\n" + json.dumps(odd))
    done = ace("learn", *LOG, *model(server))
    assert done.code == 0 and "left out: attempts.jsonl:11 [correct]" in done.err
    assert token not in done.err + done.out and "[hidden]" in done.err
