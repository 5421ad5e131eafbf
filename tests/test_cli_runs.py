"""`ace runs` over a real file: how runs ended, and what they rejected."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ace.llm import DEFAULT_MODEL
from ace.llm.client import Usage
from ace.llm.journal import Call, Key
from ace.playbook import Add, Revise, Vote
from ace.runs.report import Report, Score
from ace.store import Proposal, Store
from tests.cli import Ace

PROPOSAL = Proposal(
    "s1", "curator", (Add("a-1", "orders", "status 3"),), "rejected", "still wrong", ("e1",), ("SELECT 9",)
)


@pytest.fixture
def file(ace: Ace) -> Path:
    """Run 1 is finished and rejected something; run 2 was killed."""
    path = Path("shop.db")
    with Store.open(path) as store:
        run = store.start_run("learn", "shop", {"seed": 0})
        store.commit(
            (), author="curator", reason="batch 1", run=run, step=(1, "epoch 1", {}), proposals=[PROPOSAL]
        )
        report = Report(kind="learn", task="shop", model="m", playbook="shop.db", after=Score(3, 4), run=run)
        store.finish_run(run, "done", report.to_json())
        store.start_run("eval", "shop", {})
    return path


def test_list_shows_only_the_newest_when_asked(ace: Ace, file: Path) -> None:
    with Store.open(file) as store:
        assert [run.id for run in store.runs(limit=1)] == [2]
        assert [run.id for run in store.run_summaries()] == [1, 2]
        for run, summary in zip(store.runs(), store.run_summaries(), strict=True):
            assert (summary.kind, summary.status, summary.ended) == (run.kind, run.status, run.ended)
            assert summary.after == (run.report or {}).get("after")
    lines = ace("runs", "list", "--limit", "1").out.splitlines()
    assert len(lines) == 1 and lines[0].startswith("2  eval")
    assert [run["id"] for run in json.loads(ace("runs", "list", "--limit", "1", "--json").out)["runs"]] == [2]


def test_list(ace: Ace, file: Path) -> None:
    text = ace("runs", "list").out
    assert "3 of 4 right" in text
    assert "not measured" in text
    runs = json.loads(ace("runs", "list", "--json").out)["runs"]
    assert {(run["id"], run["kind"], run["status"]) for run in runs} == {
        (1, "learn", "done"),
        (2, "eval", "running"),
    }


def test_show_a_finished_run(ace: Ace, file: Path) -> None:
    text = ace("runs", "show", "1").out
    assert text.startswith("run 1, done, 1 step, ")
    assert "3 of 4 right" in text
    assert json.loads(ace("runs", "show", "1", "--json").out)["report"]["after"]["correct"] == 3


def test_show_defaults_to_the_last_run_finished_or_not(ace: Ace, file: Path) -> None:
    assert ace("runs", "show").out.startswith("run 2, running, 0 steps, ")


def test_show_rejected_proposals_with_what_refuted_them(ace: Ace, file: Path) -> None:
    text = ace("runs", "show", "1", "--rejected").out
    for part in ("status 3", "sample s1: still wrong", "attempt: SELECT 9"):
        assert part in text
    found = json.loads(ace("runs", "show", "1", "--rejected", "--json").out)["rejected"]
    assert [proposal["why"] for proposal in found] == ["still wrong"]
    assert ace("runs", "show", "2", "--rejected").out == "Nothing was rejected.\n"


@pytest.mark.parametrize("args", [["show", "9"], ["show", "--playbook", "none.db"]], ids=" ".join)
def test_no_such_run_or_file(ace: Ace, file: Path, args: list[str]) -> None:
    assert ace("runs", *args).code == 1


def test_no_runs_yet(ace: Ace) -> None:
    Store.open("new.db").close()
    assert ace("runs", "list").out == "No runs yet.\n"
    assert "no runs in new.db yet" in ace("runs", "show").err


@pytest.mark.parametrize("done", [True, False], ids=["selected", "not finished"])
def test_cost_and_credit_are_of_the_version_that_the_run_came_to(ace: Ace, done: bool) -> None:
    payload = {"kept": {"a-1": ["s1"]}, "results": [{"sample": "s1"}]}
    with Store.open("later.db") as store:
        run = store.start_run("learn", "shop", {"base": 0})
        journal = store.call_journal(run)
        usage = Usage(calls=1, prompt_tokens=5, seconds=1.0)
        journal.write(Call(Key(1, "s1", "reflector", "asked", 0), "epoch 1", "m", "said", usage=usage))
        journal.close()
        delta = (Add("a-1", "orders", "as it was learned"), Vote("a-1", helpful=2))
        version = store.commit(delta, author="reflector", reason="x", run=run, step=(1, "epoch 1", payload))
        report = Report(kind="learn", task="shop", model="m", playbook="", selected=version.version.number)
        if done:
            store.finish_run(run, "done", report.to_json())
        later = (Revise("a-1", "as somebody put it later"), Vote("a-1", harmful=7))
        store.commit(later, author="person", reason="later")
    text = ace("runs", "show", "--cost", "--credit").out
    assert "as it was learned" in text and "later" not in text
    found = json.loads(ace("runs", "show", "--credit", "--json").out)["credit"]["votes"]
    assert found == {"a-1": {"helpful": 2, "harmful": 0}}


@pytest.mark.parametrize(("model", "told"), [("openai/x", " --model openai/x"), (DEFAULT_MODEL, "")])
def test_what_to_do_next_is_with_the_model_of_the_run(ace: Ace, model: str, told: str) -> None:
    with Store.open("later.db") as store:
        run = store.start_run("learn", "shop", {"base": 0, "models": {"generator": model}})
        report = Report(kind="learn", task="shop", model=model, playbook="", selected=0, stopped="capped")
        store.finish_run(run, "capped", report.to_json())
    assert "ace learn" not in ace("runs", "show").out  # nobody knows where its task is
    Path("tasks/shop").mkdir(parents=True)
    Path("tasks/shop/task.toml").touch()
    lines = ace("runs", "show").out.partition("Next\n")[2].splitlines()
    assert lines and bool(told) == any("--model" in line for line in lines)
    assert any(told in line for line in lines)
