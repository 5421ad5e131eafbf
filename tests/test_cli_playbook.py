"""`ace playbook` over a real file: what it shows, that it goes back, and that text goes out and in."""

from __future__ import annotations

import contextlib
import json
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from ace.playbook import Add, Merge, Move, Pin, Promote, Quarantine, Remove, Revise, Vote
from ace.store import Store
from ace.task import Attempt, Episode, Feedback, FeedbackKind, Verdict
from tests.cli import Ace

FIRST = Add("status-1", "orders", "status 3 means shipped", provenance=("e1",))
SECOND = Add("cents-2", "prices", "amounts are in cents")


def episode() -> Episode:
    attempt = Attempt("s1", "SELECT 3", text="SELECT 3")
    feedback = Feedback(FeedbackKind.LABELS, "1 row", passed=False, expected="SELECT 4")
    return Episode("e1", "s1", "How many were shipped?", attempt, feedback, Verdict(False, 0.0), 0, "epoch 1")


@pytest.fixture
def file(ace: Ace) -> Path:
    """Version 1 adds a bullet, version 2 another, version 3 revises the first."""
    path = Path("shop.db")
    with Store.open(path) as store:
        store.commit((FIRST,), author="curator", reason="s1", episodes=[episode()])
        store.commit((SECOND,), author="curator", reason="s2")
        store.commit((Revise("status-1", "status 3: shipped"),), author="curator", reason="clearer")
    return path


def read(ace: Ace, *args: str) -> dict[str, Any]:
    done = ace("playbook", *args, "--json")
    assert done.code == 0, done.err
    found = json.loads(done.out)
    assert isinstance(found, dict)
    return found


def test_list_names_the_playbooks_and_passes_over_other_files(ace: Ace, file: Path) -> None:
    Path("other.db").write_text("not a playbook", encoding="utf-8")
    (only,) = read(ace, "list")["playbooks"]
    assert (only["playbook"], only["bullets"], only["head"]["number"]) == ("shop.db", 2, 3)
    assert "shop.db  2 bullets  version 3" in ace("playbook", "list").out


def test_list_names_a_playbook_it_cannot_read_beside_the_others(ace: Ace, file: Path) -> None:
    Store.open("newer.db").close()
    with contextlib.closing(sqlite3.connect("newer.db")) as db:
        db.execute("PRAGMA user_version = 99")
    text = ace("playbook", "list").out
    assert "newer.db has schema 99" in text and "shop.db  2 bullets" in text
    newer, shop = read(ace, "list")["playbooks"]
    assert "Upgrade the package" in newer["problem"] and not shop["problem"]


def test_show_is_markdown_of_any_version(ace: Ace, file: Path) -> None:
    assert "status 3: shipped" in ace("playbook", "show").out
    before = ace("playbook", "show", "--version", "1").out
    assert "status 3 means shipped" in before
    assert "cents" not in before
    assert [b["id"] for b in read(ace, "show")["bullets"]] == ["status-1", "cents-2"]


def test_show_a_bullet_with_its_proof_and_history(ace: Ace, file: Path) -> None:
    text = ace("playbook", "show", "status-1").out
    assert "How many were shipped?" in text
    assert "SELECT 3" in text
    found = read(ace, "show", "status-1")
    assert [episode["id"] for episode in found["episodes"]] == ["e1"]
    assert [change["operation"]["op"] for change in found["history"]] == ["add", "revise"]


def test_show_an_unknown_bullet(ace: Ace, file: Path) -> None:
    done = ace("playbook", "show", "nobody")
    assert done.code == 1
    assert "no bullet nobody" in done.err


def test_log_is_newest_first_and_can_be_short(ace: Ace, file: Path) -> None:
    assert [version["number"] for version in read(ace, "log")["versions"]] == [3, 2, 1, 0]
    assert [version["number"] for version in read(ace, "log", "--limit", "1")["versions"]] == [3]
    assert "clearer" in ace("playbook", "log").out


def test_diff_defaults_to_the_head(ace: Ace, file: Path) -> None:
    assert [change["id"] for change in read(ace, "diff", "1")["operations"]] == ["status-1", "cents-2"]
    assert [change["id"] for change in read(ace, "diff", "1", "2")["operations"]] == ["cents-2"]
    assert "amounts are in cents" in ace("playbook", "diff", "1", "2").out
    assert ace("playbook", "diff", "3").out == "No difference.\n"


def test_diff_of_an_unknown_version(ace: Ace, file: Path) -> None:
    assert ace("playbook", "diff", "1", "99").code == 1


def test_revert_makes_a_new_version_equal_to_the_old_one(ace: Ace, file: Path) -> None:
    assert read(ace, "revert", "1")["version"]["number"] == 4
    assert read(ace, "diff", "1", "4") == {"operations": []}
    assert len(read(ace, "log")["versions"]) == 5


@pytest.mark.parametrize("name", ["out.md", "out.json"])
def test_export_and_import_give_the_same_playbook(ace: Ace, file: Path, name: str) -> None:
    assert ace("playbook", "export", name).out == f"2 bullets written to {name}\n"
    assert read(ace, "import", name, "--playbook", "copy.db")["bullets"] == 2
    assert Path(name).read_text(encoding="utf-8") == exported(ace, "copy.db", f"again-{name}")


def exported(ace: Ace, playbook: str, name: str) -> str:
    assert ace("playbook", "export", name, "--playbook", playbook).code == 0
    return Path(name).read_text(encoding="utf-8")


def test_export_to_stdout_is_the_same_text(ace: Ace, file: Path) -> None:
    assert ace("playbook", "export").out == exported(ace, "shop.db", "out.md")


def test_import_adds_and_removes_only_when_told(ace: Ace, file: Path) -> None:
    Path("one.md").write_text("## weights\n\n- weights are in grams\n", encoding="utf-8")
    assert read(ace, "import", "one.md")["bullets"] == 3
    assert read(ace, "import", "one.md")["bullets"] == 3
    assert read(ace, "import", "one.md", "--replace")["bullets"] == 1


def test_import_of_a_broken_file_changes_nothing(ace: Ace, file: Path) -> None:
    Path("bad.json").write_text('{"bullets": [', encoding="utf-8")
    done = ace("playbook", "import", "bad.json")
    assert done.code == 2
    assert "bad.json" in done.err
    assert read(ace, "log")["versions"][0]["number"] == 3


def test_import_of_a_file_that_is_not_text(ace: Ace, file: Path) -> None:
    Path("bad.md").write_bytes(b"\xff\xfe\x00")
    assert ace("playbook", "import", "bad.md").code == 2


def test_several_playbooks_need_a_choice(ace: Ace, file: Path) -> None:
    Store.open("other.db").close()
    done = ace("playbook", "log")
    assert done.code == 2
    assert "other.db, shop.db" in done.err
    assert ace("playbook", "log", "--playbook", "shop.db").code == 0


@pytest.mark.parametrize(
    ("operation", "text"),
    [
        (FIRST, "add         status-1  orders  status 3 means shipped  provenance e1"),
        (Revise("a", "new"), "revise      a  new"),
        (Merge("a", ("b", "c"), "both"), "merge       a  sources b, c  both"),
        (Remove("a"), "remove      a"),
        (Move("a", "s", 2), "move        a  s  position 2"),
        (Vote("a", helpful=1), "vote        a  helpful 1  harmful 0"),
        (Pin("a"), "pin         a  pinned True"),
        (Quarantine("a"), "quarantine  a"),
        (Promote("a"), "promote     a"),
    ],
    ids=lambda value: getattr(value, "op", ""),
)
def test_every_operation_can_be_read(operation: Any, text: str) -> None:
    from ace.cli.bullet_commands import describe

    assert describe(operation) == text
