"""The commands that edit a playbook by hand, over a real file: one version each, or none."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from ace.playbook import Add, Pin, Quarantine, Revise, Vote
from ace.playbook.exchange import Alias
from ace.store import Store
from tests.cli import Ace

WHO = {"author": "user", "reason": "test"}


@pytest.fixture
def file(ace: Ace) -> Path:
    """Of these `units-2` is pinned, `orders-2` waits in quarantine, and `orders-1` has the alias `str-1`."""
    path = Path("shop.db")
    added = (
        Add("orders-1", "orders", "status 3: shipped", ("e1",)),
        Add("orders-2", "orders", "status 4: packed"),
        Add("units-2", "units", "amounts are in cents"),
        Vote("orders-1", helpful=2),
        Pin("units-2"),
        Quarantine("orders-2"),
    )
    with Store.open(path) as store:
        store.commit(added, aliases=[Alias("a.txt", "str-1", "orders-1", "orders", "")], **WHO)
    return path


def edit(ace: Ace, *args: str) -> dict[str, Any]:
    done = ace("playbook", *args, "--json")
    assert done.code == 0, done.err
    found = json.loads(done.out)
    assert isinstance(found, dict)
    return found


def head(file: Path) -> int:
    with Store.open(file, read_only=True) as store:
        assert store.verify() == []
        return store.head().number


@pytest.mark.parametrize(
    ("args", "operations", "reason"),
    [
        (["edit", "str-1", " status 3: sent\n"], [{"op": "revise", "id": "orders-1"}], "edited by hand"),
        (["remove", "orders-1", "units"], [{"op": "remove"}, {"op": "remove"}], "removed by hand"),
        (["pin", "orders-1", "orders-1"], [{"op": "pin", "pinned": True}], "pinned by hand"),
        (["unpin", "u"], [{"op": "pin", "id": "units-2", "pinned": False}], "unpinned by hand"),
        (["quarantine", "orders-1", "--reason", "doubt"], [{"op": "quarantine"}], "doubt"),
        (["promote", "orders-2"], [{"op": "promote", "id": "orders-2"}], "promoted by hand"),
        (["move", "units-2", "--section", "orders"], [{"op": "move", "section": "orders"}], "moved by hand"),
    ],
    ids=lambda value: value[0] if isinstance(value, list) and isinstance(value[0], str) else "",
)
def test_each_edit_is_one_version_by_a_person(
    ace: Ace, file: Path, args: list[str], operations: list[dict[str, Any]], reason: str
) -> None:
    told = edit(ace, *args)
    assert (told["version"]["number"], told["version"]["author"]) == (2, "person")
    assert told["version"]["reason"] == reason
    assert len(told["operations"]) == len(operations)
    for made, wanted in zip(told["operations"], operations, strict=True):
        assert wanted.items() <= made.items()
    assert head(file) == 2


def test_add_writes_a_bullet_that_is_used_at_once(ace: Ace, file: Path) -> None:
    done = ace("playbook", "add", "status 7: cancelled\nnot returned", "--section", "orders")
    assert done.out.startswith("version 2 of main: 4 bullets\nadd ")
    assert r"status 7: cancelled\nnot returned" in done.out
    with Store.open(file, read_only=True) as store:
        added = store.checkout().active[-2]
    assert (added.section, added.content) == ("orders", "status 7: cancelled\nnot returned")
    assert (
        "Gifts is a new section; the others are orders, units."
        in ace("playbook", "add", "wrap", "--section", "Gifts").out
    )


def test_add_makes_the_file_but_not_for_a_text_that_cannot_be_kept(ace: Ace) -> None:
    for args in (["  "], ["x", "--section", "a\nb"], ["x", "--section", " "]):
        done = ace("playbook", "add", *args, "--playbook", "new.db")
        assert done.code == 2 and "cannot be a bullet" in done.err
    assert not Path("new.db").exists()
    assert edit(ace, "add", "use UTC", "--playbook", "new.db")["operations"][0]["section"] == "General"
    assert ace("playbook", "pin", "x", "--playbook", "other.db").code == 1
    assert not Path("other.db").exists()


def test_the_text_of_an_edit_is_all_that_changes(ace: Ace, file: Path) -> None:
    edit(ace, "edit", "orders-1", "status 3: sent")
    with Store.open(file, read_only=True) as store:
        found = store.checkout().bullets["orders-1"]
    assert (found.content, found.helpful, found.provenance) == ("status 3: sent", 2, ("e1",))


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (["add", "amounts are in cents "], "units-2 says that already."),
        (["add", "status 4: packed"], "It waits in quarantine: `ace playbook promote orders-2`."),
        (["edit", "units-2", "amounts are in cents"], "units-2 says that already."),
        (["pin", "units-2"], "units-2 is pinned already."),
        (["unpin", "orders-1"], "orders-1 is not pinned."),
        (["quarantine", "orders-2"], "orders-2 is in quarantine already."),
        (["promote", "orders-1", "units-2"], "orders-1 is in use already.\nunits-2 is in use already."),
        (["move", "orders-1", "--section", " orders "], "orders-1 is in orders already."),
    ],
    ids=" ".join,
)
def test_nothing_to_do_makes_no_version(ace: Ace, file: Path, args: list[str], said: str) -> None:
    done = ace("playbook", *args)
    assert (done.code, done.err) == (0, "")
    assert said in done.out and "Nothing to do: main stays at version 1." in done.out
    assert edit(ace, *args)["operations"] == []
    assert head(file) == 1


def test_what_is_so_already_is_told_beside_what_was_done(ace: Ace, file: Path) -> None:
    told = edit(ace, "pin", "orders-1", "units-2")
    assert [operation["id"] for operation in told["operations"]] == ["orders-1"]
    assert told["notes"] == ["units-2 is pinned already."]


def test_removed_bullets_are_promoted_back_and_not_changed_before(ace: Ace, file: Path) -> None:
    edit(ace, "remove", "units-2")
    assert "was removed already" in ace("playbook", "remove", "units-2").out
    for args in (["edit", "units-2", "x"], ["pin", "units-2"], ["move", "units-2", "--section", "x"]):
        done = ace("playbook", *args)
        assert done.code == 2
        assert "units-2 was removed. `ace playbook promote units-2` brings it back." in done.err
    edit(ace, "promote", "units-2")
    assert edit(ace, "unpin", "units-2")["version"]["number"] == 4


@pytest.mark.parametrize("command", ["show", "blame", "pin", "remove"])
@pytest.mark.parametrize(
    ("name", "code", "said"),
    [
        ("orders", 2, "2 bullets have an id that begins with orders: orders-1, orders-2. Give more of it."),
        ("ordres-2", 1, "Did you mean orders-2"),
        ("unts", 1, "Did you mean units-2?"),
        ("nothing", 1, "shop.db has no bullet nothing. `ace playbook show` lists them."),
        ("", 1, "has no bullet"),
    ],
)
def test_a_name_that_does_not_tell_which(
    ace: Ace, file: Path, command: str, name: str, code: int, said: str
) -> None:
    done = ace("playbook", command, name)
    assert (done.code, done.out) == (code, "")
    assert said in done.err
    assert head(file) == 1


def test_one_bad_name_stops_all(ace: Ace, file: Path) -> None:
    assert ace("playbook", "remove", "units-2", "nothing").code == 1
    assert head(file) == 1


def test_a_beginning_means_what_is_live(ace: Ace, file: Path) -> None:
    edit(ace, "remove", "orders-1")
    assert edit(ace, "promote", "orders")["operations"] == [{"id": "orders-2", "op": "promote"}]


def test_an_edit_does_not_repeat_another_bullet(ace: Ace, file: Path) -> None:
    done = ace("playbook", "edit", "orders-1", "amounts are in cents")
    assert done.code == 2
    assert "units-2 says that already. `ace playbook remove orders-1`" in done.err


def test_edits_on_a_branch(ace: Ace, file: Path) -> None:
    ace("playbook", "branch", "trial")
    assert edit(ace, "edit", "orders-1", "sent", "--branch", "trial")["version"]["branch"] == "trial"
    assert "Nothing to do: trial stays" in ace("playbook", "pin", "units-2", "--branch", "trial").out
    assert ace("playbook", "pin", "units-2", "--branch", "none").code == 1
    with Store.open(file) as store:
        assert store.checkout().bullets["orders-1"].content == "status 3: shipped"
        store.switch("trial")
        store.commit((Add("trial-1", "x", "only there"), Revise("units-2", "cents")), **WHO)
    assert "only there" in ace("playbook", "blame", "trial-1").out


def test_move_needs_a_section(ace: Ace, file: Path) -> None:
    assert ace("playbook", "move", "orders-1").code == 2
    done = ace("playbook", "move", "orders-1", "--section", "a\nb")
    assert done.code == 2 and "a section name is one trimmed line" in done.err


@pytest.mark.parametrize("command", [("add",), ("edit", "units-1")])
def test_a_secret_is_no_bullet(ace: Ace, file: Path, command: tuple[str, ...]) -> None:
    token = "ghp_" + "0123456789abcdefghij" + "ABCDEFGHIJ012345"
    before = head(file)
    done = ace("playbook", *command, f"Push with {token}.", "--playbook", str(file))
    assert done.code == 2 and "looks like a secret" in done.err and token not in done.err
    assert head(file) == before
