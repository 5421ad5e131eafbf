"""`ace playbook`, the commands on versions: what they say, to people and as JSON, and how they fail."""

from __future__ import annotations

import contextlib
import json
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from ace.playbook import Add, Pin, Revise, Vote
from ace.store import Proposal, Store
from tests.cli import Ace

WHO = {"author": "curator", "reason": "s1"}


@pytest.fixture
def file(ace: Ace) -> Path:
    """Version 1 on main, 2 on trial, 3 on main; `prod` is version 1."""
    path = Path("shop.db")
    with Store.open(path) as store:
        store.commit((Add("a", "orders", "status 3: shipped"), Add("b", "prices", "cents")), **WHO)
        store.tag("prod")
        store.branch("trial")
        store.switch("trial")
        run = store.start_run("learn", "shop", {})
        delta = (Revise("a", "status 3: sent"), Add("c", "x", "new"))
        offer = Proposal("s1", "reflector", delta, "accepted", "solved", ("e1",))
        store.commit(delta, author="reflector", reason="better", run=run, proposals=[offer])
        store.switch("main")
        store.commit((Vote("b", 1),), **WHO)
    return path


def read(ace: Ace, *args: str) -> dict[str, Any]:
    done = ace("playbook", *args, "--json")
    assert done.code == 0, done.err
    found = json.loads(done.out)
    assert isinstance(found, dict)
    return found


def numbers(ace: Ace, *args: str) -> list[int]:
    return [version["number"] for version in read(ace, "log", *args)["versions"]]


def test_log_follows_a_branch_a_tag_or_all(ace: Ace, file: Path) -> None:
    assert numbers(ace) == [3, 1, 0]
    assert numbers(ace, "trial") == [2, 1, 0]
    assert numbers(ace, "prod") == [1, 0]
    assert numbers(ace, "--all", "--limit", "2") == [3, 2]
    lines = ace("playbook", "log", "--all").out.splitlines()
    assert "trial" in lines[1] and "run 1" in lines[1] and "[prod]" in lines[2]


@pytest.mark.parametrize("args", [["1", "2"], ["prod", "trial"], ["1", "trial"]])
def test_versions_go_by_number_tag_or_branch(ace: Ace, file: Path, args: list[str]) -> None:
    operations = read(ace, "diff", *args)["operations"]
    assert [(change["op"], change["id"]) for change in operations] == [("revise", "a"), ("add", "c")]
    assert "status 3: sent" in ace("playbook", "show", "--version", args[1]).out
    assert "status 3: sent" in ace("playbook", "export", "--version", args[1]).out


def test_a_version_that_is_not_there_names_those_that_are(ace: Ace, file: Path) -> None:
    for command in (
        ["diff", "none"],
        ["log", "99"],
        ["revert", "none"],
        ["merge", "none"],
        ["tag", "x", "9"],
    ):
        done = ace("playbook", *command)
        assert (done.code, done.out) == (1, "")
        assert "The versions here are 0 to 3; branches and tags: main, trial, prod." in done.err


def test_merge_takes_a_branch_in(ace: Ace, file: Path) -> None:
    assert "version 4 of main has taken in trial: 3 bullets" in ace("playbook", "merge", "trial").out
    assert "main has all of trial already" in ace("playbook", "merge", "trial").out
    assert "version 5 of trial has taken in main" in ace("playbook", "merge", "main", "--branch", "trial").out
    assert read(ace, "diff", "main", "trial") == {"operations": []}
    assert ace("playbook", "verify").code == 0


def test_a_conflict_stops_a_merge_until_somebody_decides(ace: Ace, file: Path) -> None:
    with Store.open(file) as store:
        store.commit((Revise("a", "status 3: on its way"),), **WHO)
    done = ace("playbook", "merge", "trial")
    assert (done.code, done.out) == (1, "")
    assert "Versions 4 and 2 both edited a since version 1." in done.err and "prefer" in done.err
    assert ace("playbook", "merge", "trial", "--prefer", "both").code == 2
    assert read(ace, "merge", "trial", "--prefer", "theirs")["version"]["merged"] == 2
    assert "status 3: sent" in ace("playbook", "show").out


def test_branches_are_listed_and_made(ace: Ace, file: Path) -> None:
    assert read(ace, "branch", "old", "--at", "prod")["branch"]["version"] == 1
    assert [branch["name"] for branch in read(ace, "branch")["branches"]] == ["main", "trial", "old"]
    assert "old    version 1  from version 1" in ace("playbook", "branch").out
    assert ace("playbook", "branch", "old").code == 2
    assert ace("playbook", "branch", "7").code == 2


def test_tags_are_listed_set_moved_and_deleted(ace: Ace, file: Path) -> None:
    assert ace("playbook", "tag", "best", "trial").out == "best is version 2\n"
    assert ace("playbook", "tag", "best").out == "best is version 3\n"
    assert [tag["name"] for tag in read(ace, "tag")["tags"]] == ["best", "prod"]
    assert ace("playbook", "tag", "best", "--delete").code == 0
    assert ace("playbook", "tag", "prod", "--delete").code == 0
    assert ace("playbook", "tag").out == "No tags yet.\n"
    assert "no tag 'prod'" in ace("playbook", "tag", "prod", "--delete").err


def test_blame_says_who_why_and_on_what(ace: Ace, file: Path) -> None:
    touches = read(ace, "blame", "a")["touches"]
    assert [(t["version"]["branch"], t["operation"]["op"], t["episodes"]) for t in touches] == [
        ("main", "add", []),
        ("trial", "revise", ["e1"]),
    ]
    text = ace("playbook", "blame", "a").out.partition("version 2")[2]
    assert all(word in text for word in ("trial", "reflector", "run 1", "better", "episodes e1", "sent"))
    assert max(map(len, text.splitlines())) < 110
    assert ace("playbook", "blame", "nobody").code == 1


def test_revert_goes_back_on_any_branch(ace: Ace, file: Path) -> None:
    done = ace("playbook", "revert", "prod", "--branch", "trial")
    assert done.out == "version 4 equals version 1: 2 bullets\n"
    assert read(ace, "diff", "prod", "trial") == {"operations": []}


def test_verify_names_the_version_and_fails(ace: Ace, file: Path) -> None:
    assert ace("playbook", "verify").out == "shop.db is whole: 4 versions derived again.\n"
    assert read(ace, "verify") == {"playbook": "shop.db", "problems": []}
    with contextlib.closing(sqlite3.connect(file)) as db, db:
        db.execute("UPDATE operations SET operation = replace(operation, 'sent', 'lost') WHERE version = 2")
    done = ace("playbook", "verify")
    assert done.code == 1
    assert "Version 2 does not match its hash." in done.out and "restore" in done.out
    found = json.loads(ace("playbook", "verify", "--json").out)["problems"]
    assert {problem["version"] for problem in found} == {2}


def test_backup_and_restore(ace: Ace, file: Path) -> None:
    assert ace("playbook", "backup", "copy").out == "shop.db copied to copy\n"
    assert ace("playbook", "backup", "copy").code == 2
    with Store.open(file) as store:
        store.commit((Pin("a"),), **WHO)
    kept = read(ace, "restore", "copy")["kept"]
    assert numbers(ace) == [3, 1, 0]
    assert numbers(ace, "--playbook", kept) == [4, 3, 1, 0]
    Path("copy").write_bytes(b"nonsense")
    done = ace("playbook", "restore", "copy")
    assert done.code == 1 and "copy is not a playbook file" in done.err
    assert numbers(ace) == [3, 1, 0]


EXIT_CODES = {
    "verify --playbook missing.db": 1,
    "verify --playbook text.md": 1,
    "merge clash": 1,
    "restore damaged.copy": 1,
    "diff 0 99": 1,
    "merge nobody": 1,
    "tag --delete nobody": 1,
    "blame nobody": 1,
    "branch trial": 2,
    "tag trial": 2,
    "tag 7": 2,
    "backup text.md": 2,
    "import bad.json": 2,
    "merge trial --prefer nobody": 2,
}


@pytest.mark.parametrize("command", EXIT_CODES)
def test_exit_codes_are_those_of_the_page(ace: Ace, file: Path, command: str) -> None:
    Path("text.md").write_text("no playbook " * 100, encoding="utf-8")
    Path("bad.json").write_text('{"half', encoding="utf-8")
    with Store.open(file) as store:
        store.backup("damaged.copy")
        store.branch("clash")
        store.switch("clash")
        store.commit((Revise("b", "euros"),), **WHO)
        store.switch("main")
        store.commit((Revise("b", "integer cents"),), **WHO)
    with contextlib.closing(sqlite3.connect("damaged.copy")) as db, db:
        db.execute("DELETE FROM tags")
    done = ace("playbook", *command.split())
    assert (done.code, bool(done.err)) == (EXIT_CODES[command], True), done
