"""`ace playbook refine`: what it shows, what it commits, and what it leaves to a person."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from ace.playbook import Add, Pin, Revise, Vote
from ace.store import Store
from ace.task import Attempt, Episode, Feedback, FeedbackKind, Verdict
from tests.cli import Ace

SAME = (
    Add("a", "x", "Send hardware questions to queue R7."),
    Add("b", "x", "Hardware questions go to queue R7."),
)
UNPROVEN = (Add("c", "x", "Use UTC for logs."), Add("d", "x", "Do not use UTC for logs."))
PROVEN = (
    Add("e", "x", "Close it within 14 days.", ("old",)),
    Add("f", "x", "Close it within 30 days.", ("new",)),
)
HARMS = (Add("g", "x", "Guess."), Vote("g", 0, 9))


def episode(name: str, right: bool = True, version: int = 1) -> Episode:
    feedback = Feedback(FeedbackKind.LABELS, "", passed=right)
    return Episode(name, "s", "When?", Attempt("s", "x"), feedback, Verdict(right, 1.0), version)


@pytest.fixture
def file(ace: Ace) -> Path:
    path = Path("desk.db")
    with Store.open(path) as store:
        delta = (*SAME, *UNPROVEN, *PROVEN, *HARMS)
        episodes = [episode("old"), episode("new")]
        store.commit(delta, author="me", reason="to begin with", episodes=episodes)
    return path


def refine(ace: Ace, *args: str) -> dict[str, Any]:
    done = ace("playbook", "refine", "--json", *args)
    assert done.code == 0, done.err
    found = json.loads(done.out)
    assert isinstance(found, dict)
    return found


def test_a_dry_run_shows_everything_and_changes_nothing(ace: Ace, file: Path) -> None:
    text = ace("playbook", "refine", "--dry-run").out
    assert "merge: says the same as b: other words, the same facts" in text
    assert "remove: 9 harmful, 0 helpful: at least 66% of its votes are harmful" in text
    assert "quarantine: contradicts f (number: 14 against 30): the other one has the newer proof" in text
    assert "open conflict: negation: only one of them denies it\n  c  Use UTC for logs.\n  d  Do not" in text
    assert "3 operations; nothing is changed" in text and "1 open conflict" in text
    assert refine(ace, "--dry-run")["version"] is None
    with Store.open(file) as store:
        assert store.head().number == 1


def test_it_commits_one_version_that_can_be_taken_back(ace: Ace, file: Path) -> None:
    found = refine(ace)
    assert found["version"] == 2
    assert [op["operation"]["op"] for op in found["operations"]] == ["merge", "remove", "quarantine"]
    assert found["operations"][0]["texts"] == {"a": SAME[0].content, "b": SAME[1].content}
    assert found["open_conflicts"] == [
        {
            "why": "negation: only one of them denies it",
            "texts": {"c": UNPROVEN[0].content, "d": UNPROVEN[1].content},
        }
    ]
    with Store.open(file) as store:
        head = store.head()
        assert (head.author, head.reason) == ("refiner", "refined: 1 merge, 1 quarantine, 1 remove")
        assert [bullet.id for bullet in store.checkout().active] == ["a", "c", "d", "f"]
        assert store.verify() == []
    again = ace("playbook", "refine").out
    assert again.startswith("open conflict") and "Nothing to change." in again
    assert ace("playbook", "revert", "1").code == 0
    assert refine(ace, "--dry-run")["operations"] == found["operations"]


def test_a_proof_that_failed_is_none_and_pinned_bullets_stay(ace: Ace) -> None:
    with Store.open("desk.db") as store:
        episodes = [episode("old"), episode("new", right=False)]
        delta = (*PROVEN, *HARMS, Pin("g"))
        store.commit(delta, author="me", reason="to begin with", episodes=episodes)
    found = refine(ace)
    assert (found["version"], found["operations"]) == (None, [])
    assert list(found["open_conflicts"][0]["texts"]) == ["e", "f"]


def test_unused_bullets_go_only_when_asked_and_after_enough_attempts(ace: Ace) -> None:
    with Store.open("desk.db") as store:
        store.commit(HARMS[:1], author="me", reason="to begin with")
        attempts = [episode(f"ep-{n}") for n in range(5)]  # with version 1 as their context
        store.commit((Add("h", "x", "Later."),), author="me", reason="later", episodes=attempts)
    assert refine(ace)["operations"] == []
    assert refine(ace, "--unused", "6", "--dry-run")["operations"] == []
    (gone,) = refine(ace, "--unused", "5")["operations"]
    assert (gone["operation"], gone["reason"]) == (
        {"id": "g", "op": "remove"},
        "no vote in 5 attempts that it was there for",
    )


def test_attempts_and_edits_on_another_branch_do_not_count(ace: Ace) -> None:
    with Store.open("desk.db") as store:
        store.commit(HARMS[:1], author="me", reason="to begin with")
        store.branch("trial")
        store.commit((Add("h", "x", "Later."),), author="me", reason="later")  # version 2
        shown = [episode(f"main-{n}", version=2) for n in range(3)]
        store.commit((), author="me", reason="attempts", episodes=shown)
        store.switch("trial")
        store.commit((Revise("g", "Ask first."),), author="me", reason="edited")  # version 3
        tried = [episode(f"trial-{n}", version=3) for n in range(2)]
        store.commit((), author="me", reason="attempts", episodes=tried)

    def gone(*args: str) -> list[str]:
        return [each["operation"]["id"] for each in refine(ace, "--dry-run", *args)["operations"]]

    assert gone("--unused", "3") == ["g", "h"]
    assert gone("--unused", "4") == []
    assert gone("--unused", "2", "--branch", "trial") == ["g"]
    assert gone("--unused", "3", "--branch", "trial") == []


def test_a_playbook_without_anything_to_do(ace: Ace) -> None:
    Store.open("empty.db").close()
    assert ace("playbook", "refine").out == "Nothing says the same, contradicts or harms.\n"
    assert ace("playbook", "refine", "--playbook", "gone.db").code == 1
    assert ace("playbook", "refine", "--unused", "0").code == 2
