"""`ace report` as a user types it, and that the command a report prints makes the same run again."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest

from ace.playbook import Add
from ace.report import build_run_page, read_run_history
from ace.store import Store
from tests.cli import Ace
from tests.model_server import ModelServer
from tests.world import SECRET, write_world


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ModelServer]:
    write_world(tmp_path / "colours")
    server = ModelServer()
    yield server
    server.close()


def command_and_hashes(playbook: str) -> tuple[str, list[str]]:
    with Store.open(playbook, create=False) as store:
        return build_run_page(read_run_history(store)).command, [version.hash for version in store.log()]


@pytest.mark.parametrize(
    "command",
    [
        "learn colours --batch-size 4 --epochs 2 --limit 5 --seed 3 --no-validate",
        "learn colours --without proof --feedback none --limit 4",
        "online colours --batch-size 2 --neighbours 0 --limit 4",
        "eval colours --split val --limit 4",
    ],
)
def test_the_command_of_a_report_makes_the_same_run(command: str, ace: Ace, server: ModelServer) -> None:
    served = ["--api-base", server.api_base]
    first = ace(*shlex.split(command), "--model", "openai/tiny", *served, "--playbook", "one.db")
    assert first.code == 0, first.err
    again, hashes = command_and_hashes("one.db")
    second = ace(*shlex.split(again)[1:], *served, "--playbook", "two.db")
    assert second.code == 0, second.err
    assert command_and_hashes("two.db") == (again, hashes)


@pytest.mark.parametrize(
    "command", ["learn colours --branch trial", "online colours --branch trial --limit 3"]
)
def test_the_command_names_the_branch(command: str, ace: Ace, server: ModelServer) -> None:
    runs = []
    for playbook in ("one.db", "two.db"):
        with Store.open(playbook) as store:
            store.commit((Add("own-1", "x", "only on main"),), author="user", reason="test")
            store.branch("trial", 0)
        again = shlex.split(runs[0][0])[1:] if runs else [*shlex.split(command), "--model", "openai/tiny"]
        outcome = ace(*again, "--api-base", server.api_base, "--playbook", playbook)
        assert outcome.code == 0, outcome.err
        with Store.open(playbook, branch="trial") as store:
            runs.append(
                (build_run_page(read_run_history(store)).command, [version.hash for version in store.log()])
            )
            assert store.log(version="main")[0].number == 1 and len(runs[0][1]) > 1
    assert "--branch trial" in runs[0][0] and runs[0] == runs[1]
    assert ace("report", "--playbook", "one.db", "--out", "page").code == 0
    page = Path("page/report.html").read_text(encoding="utf-8")
    assert "--branch trial" in page and "only on main" not in page


@pytest.mark.parametrize("subject", ["colours", "--name colours"])
def test_the_command_of_a_run_on_recorded_attempts(subject: str, ace: Ace, server: ModelServer) -> None:
    rows = [
        {
            "id": f"log {c}",
            "question": f"Which number has {c}?",
            "answer": "12",
            "correct": False,
            "expected": n,
        }
        for c, n in list(SECRET.items())[:4]
    ]
    Path("attempts.jsonl").write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    served = ["--api-base", server.api_base]
    options = [*shlex.split(subject), "--from-traces", "attempts.jsonl", "--model", "openai/tiny"]
    assert ace("learn", *options, *served, "--playbook", "one.db").code == 0
    again, hashes = command_and_hashes("one.db")
    words = [word.replace("FILE", "attempts.jsonl") for word in shlex.split(again)[1:]]
    assert ace(*words, *served, "--playbook", "two.db").code == 0
    assert command_and_hashes("two.db") == (again, hashes) and len(hashes) > 1
    assert ace("report", "--playbook", "one.db", "--out", "page").code == 0
    assert "--from-traces FILE" in Path("page/report.html").read_text(encoding="utf-8")


def test_writes_the_page_and_says_where(ace: Ace, server: ModelServer) -> None:
    ace("learn", "colours", "--model", "openai/tiny", "--api-base", server.api_base, "--limit", "2")
    before = Path("colours.db").read_bytes()
    outcome = ace("report")
    assert outcome.code == 0, outcome.err
    assert Path("colours-run-1/report.html").is_file() and "colours-run-1/report.html" in outcome.out
    data = json.loads(ace("report", "1", "--json", "--out", "elsewhere", "--playbook", "colours.db").out)
    assert data["run"] == 1 and all(Path(name).is_file() for name in [data["page"], *data["charts"]])
    assert Path("colours.db").read_bytes() == before


def test_no_such_run(ace: Ace, server: ModelServer) -> None:
    ace("learn", "colours", "--model", "openai/tiny", "--api-base", server.api_base, "--limit", "1")
    outcome = ace("report", "9")
    assert outcome.code == 1 and "no run 9" in outcome.err
