"""Branches, tags and merges: what each line sees, what a merge takes, and what it refuses."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ace.errors import InputError, MergeConflict, StoreConflict, UnknownVersion
from ace.playbook import (
    Add,
    Delta,
    Merge,
    Move,
    Operation,
    Pin,
    Playbook,
    Promote,
    Quarantine,
    Remove,
    Revise,
    Side,
    Vote,
)
from ace.store import Proposal, Store, bullet_history
from tests.postgres_server import as_anybody
from tests.strategies import live

WHO: dict[str, Any] = {"author": "curator", "reason": "r"}
TWO: Delta = (Add("a", "joins", "use order_no"), Add("b", "money", "cents", ("e1",)))


@pytest.fixture
def store(place: Path | str) -> Iterator[Store]:
    """Version 1 on main, and a branch `trial` that begins there."""
    with Store.open(place) as store:
        store.commit(TWO, **WHO)
        store.branch("trial")
        yield store


@pytest.fixture
def trial(store: Store) -> Iterator[Store]:
    with Store.open(store.path, branch="trial") as trial:
        yield trial


def contents(playbook: Playbook) -> dict[str, str]:
    return {bullet.id: bullet.content for bullet in playbook}


def test_a_branch_begins_where_it_is_made_and_goes_its_own_way(store: Store, trial: Store) -> None:
    assert trial.head().number == 1 and trial.checkout() == store.checkout()
    ours = store.commit((Revise("a", "ours"), Add("c", "new", "on main")), **WHO)
    theirs = trial.commit((Revise("a", "theirs"), Add("d", "other", "on trial")), **WHO)
    assert (ours.version.number, theirs.version.number) == (2, 3)
    assert (ours.version.branch, theirs.version.branch) == ("main", "trial")
    assert theirs.version.parent == 1
    assert contents(store.checkout()) == {"a": "ours", "b": "cents", "c": "on main"}
    assert contents(trial.checkout()) == {"a": "theirs", "b": "cents", "d": "on trial"}
    assert store.checkout().section_names == ("joins", "money", "new")
    assert trial.checkout().section_names == ("joins", "money", "other")
    assert store.checkout("trial") == trial.checkout() == store.checkout(3) == theirs.playbook
    assert [v.number for v in store.log()] == [2, 1, 0]
    assert [v.number for v in trial.log()] == [v.number for v in store.log(version="trial")] == [3, 1, 0]
    assert [v.number for v in store.log(2, every_branch=True)] == [3, 2]
    assert store.verify() == []


def test_a_branch_of_a_branch_and_of_an_old_version(store: Store, trial: Store) -> None:
    trial.commit((Add("d", "other", "on trial"),), **WHO)
    store.commit((Add("c", "new", "on main"),), **WHO)
    trial.branch("deep")
    store.branch("old", at=0)
    with Store.open(store.path, branch="deep") as deep, Store.open(store.path, branch="old") as old:
        deep.commit((Revise("d", "deeper"),), **WHO)
        trial.commit((Remove("d"),), **WHO)
        old.commit((Add("a", "x", "another a"),), **WHO)
        assert contents(deep.checkout()) == {"a": "use order_no", "b": "cents", "d": "deeper"}
        assert contents(old.checkout()) == {"a": "another a"}
        assert [v.number for v in deep.log()] == [4, 2, 1, 0]
        assert [branch.name for branch in deep.branches()] == ["main", "trial", "deep", "old"]
    with Store.open(store.path, branch="deep") as again:
        assert contents(again.checkout("old")) == {"a": "another a"}
        assert contents(again.checkout()) == {"a": "use order_no", "b": "cents", "d": "deeper"}
    assert store.verify() == []


def test_the_same_work_on_a_branch_gives_the_same_hash(store: Store, trial: Store) -> None:
    one, two = (each.commit((Revise("a", "same"),), **WHO) for each in (store, trial))
    assert one.version.hash == two.version.hash


def test_a_merge_takes_what_the_other_side_changed(store: Store, trial: Store) -> None:
    trial.commit((Revise("a", "theirs"), Add("d", "other", "on trial"), Vote("b", 1), Pin("b")), **WHO)
    store.commit((Add("c", "new", "on main"),), **WHO)
    done = store.merge("trial", author="user")
    assert done.rejections == ()
    assert (done.version.parent, done.version.merged, done.version.reason) == (3, 2, "merge of trial")
    assert contents(done.playbook) == {"a": "theirs", "b": "cents", "c": "on main", "d": "on trial"}
    assert done.playbook.bullets["b"].helpful == 1 and done.playbook.bullets["b"].pinned
    assert store.merge("trial", author="user").version == done.version  # nothing new there
    assert store.verify() == []


def test_merges_go_on_from_the_last_one(store: Store, trial: Store) -> None:
    trial.commit((Revise("a", "one"),), **WHO)
    store.merge("trial", author="user")
    trial.commit((Revise("a", "two"),), **WHO)
    assert contents(store.merge("trial", author="user").playbook)["a"] == "two"
    back = trial.merge("main", author="user")
    assert (back.version.operations, live(back.playbook)) == (0, live(store.checkout()))
    store.commit((Revise("a", "three"),), **WHO)
    assert contents(trial.merge("main", author="user").playbook)["a"] == "three"
    assert store.verify() == []


def test_votes_of_both_sides_add_up(store: Store, trial: Store) -> None:
    store.commit((Vote("a", 2),), **WHO)
    trial.commit((Vote("a", 3, 1),), **WHO)
    voted = store.merge("trial", author="user").playbook.bullets["a"]
    assert (voted.helpful, voted.harmful) == (5, 1)


@pytest.mark.parametrize("prefer", [None, "ours", "theirs"])
@pytest.mark.parametrize("edit", [Revise("a", "new"), Pin("a"), Move("a", "x"), Quarantine("a"), Remove("a")])
def test_votes_add_up_with_an_edit_on_the_other_side(
    store: Store, trial: Store, edit: Operation, prefer: Side | None
) -> None:
    store.commit((Vote("a", 2),), **WHO)
    trial.commit((edit, Vote("b", 1)), **WHO)
    edited = trial.checkout().bullets["a"]
    done = store.merge("trial", author="user", prefer=prefer)
    bullet = done.playbook.bullets["a"]
    assert done.rejections == () and replace(edited, helpful=2, position=bullet.position) == bullet
    back = trial.merge("main", author="user", prefer=prefer)
    assert back.playbook.bullets["a"].helpful == (0 if isinstance(edit, Remove) else 2)
    assert store.verify() == []


def test_a_vote_on_a_bullet_that_this_side_removed_is_recorded_as_rejected(
    store: Store, trial: Store
) -> None:
    store.commit((Remove("a"),), **WHO)
    trial.commit((Vote("a", 2), Vote("b", 1)), **WHO)
    done = store.merge("trial", author="user")
    assert [each.operation for each in done.rejections] == [Vote("a", 2)]
    assert (done.playbook.bullets["a"].live, done.playbook.bullets["b"].helpful) == (False, 1)
    with as_anybody(store.path) as db:
        found = db.execute("SELECT version, author, why FROM rejected_operations").fetchall()
    assert found == [(done.version.number, "user", "the bullet 'a' was removed")]
    assert store.verify() == []


CONFLICTS: dict[str, tuple[Delta, Delta]] = {
    "text": ((Revise("a", "ours"),), (Revise("a", "theirs"),)),
    "removed and revised": ((Remove("a"),), (Revise("a", "theirs"),)),
    "sections": ((Move("a", "ours"),), (Move("a", "theirs"),)),
    "merge and revise": ((Merge("b", ("a",), "both"),), (Revise("a", "theirs"),)),
    "two new ones": ((Add("c", "x", "ours"),), (Add("c", "x", "theirs"),)),
}


@pytest.mark.parametrize("case", CONFLICTS)
def test_what_both_sides_changed_is_a_conflict_that_names_the_bullet(
    store: Store, trial: Store, case: str
) -> None:
    ours, theirs = CONFLICTS[case]
    bullet = "c" if case == "two new ones" else "a"
    store.commit((*ours, Add("x1", "x", "mine")), **WHO)
    trial.commit((*theirs, Add("x2", "x", "yours")), **WHO)
    with pytest.raises(MergeConflict, match=f"both edited {bullet} since version 1") as caught:
        store.merge("trial", author="user")
    assert isinstance(caught.value, StoreConflict) and caught.value.hint
    assert caught.value.details == {"base": 1, "ours": 2, "theirs": 3, "bullets": (bullet,)}
    assert store.head().number == 2
    mine, other = store.checkout(2).bullets[bullet], trial.checkout().bullets[bullet]
    kept = store.merge("trial", author="user", prefer="ours").playbook.bullets
    assert (kept[bullet].content, kept[bullet].status) == (mine.content, mine.status)
    assert kept["x1"].live and kept["x2"].live
    store.branch("again", at=2)
    store.switch("again")
    kept = store.merge("trial", author="user", prefer="theirs").playbook.bullets
    assert (kept[bullet].content, kept[bullet].status) == (other.content, other.status)
    assert store.verify() == []


def test_the_same_edit_on_both_sides_is_taken_once(store: Store, trial: Store) -> None:
    edit = (Revise("a", "same"), Pin("b"), Add("c", "x", "added twice", ("e1",)))
    store.commit((Add("first", "x", "takes a place"), *edit), **WHO)
    trial.commit((*edit[:2], Add("c", "x", "added twice", ("e2",)), Vote("c", 1)), **WHO)
    done = store.merge("trial", author="user")
    assert done.playbook.bullets["c"].provenance == ("e1", "e2")
    assert done.playbook.bullets["c"].helpful == 1
    assert len(done.playbook) == 4


def test_a_tag_names_a_version_and_can_move(store: Store) -> None:
    assert store.tag("prod").version == 1
    store.commit((Vote("a", 1),), **WHO)
    assert store.find_version("prod") == store.find_version("1") == store.find_version(1) == 1
    assert store.tag("prod", "main").version == 2
    assert store.tag("best", 0).version == 0
    assert [(tag.name, tag.version) for tag in store.tags()] == [("best", 0), ("prod", 2)]
    assert store.diff("best", "prod") == store.diff(0, 2)
    assert store.revert("best", author="user", reason="r").playbook.active == ()
    store.untag("prod")
    assert [tag.name for tag in store.tags()] == ["best"]
    with pytest.raises(UnknownVersion, match=r"There is no tag 'prod'\. Tags here: best\."):
        store.untag("prod")
    with pytest.raises(UnknownVersion, match="prod") as caught:
        store.checkout("prod")
    assert "main, trial, best" in caught.value.hint
    assert store.verify() == []


@pytest.mark.parametrize("name", ["7", "-x", "", "two words", "x" * 101, "a\n", "main", "trial"])
def test_a_name_that_would_be_mistaken_is_refused(store: Store, name: str) -> None:
    with pytest.raises(InputError):
        store.tag(name)
    with pytest.raises(InputError):
        store.branch(name)
    store.tag("prod")
    with pytest.raises(InputError, match="There is a tag prod already"):
        store.branch("prod")
    with pytest.raises(InputError, match="There is a branch trial already"):
        store.tag("trial")
    assert len(store.branches()) == 2


def test_switching_goes_to_the_other_branch_and_back(store: Store) -> None:
    assert store.switch("trial").number == 1
    store.commit((Add("d", "x", "on trial"),), **WHO)
    assert store.switch("main").number == 1
    assert contents(store.checkout()) == {"a": "use order_no", "b": "cents"}
    store.commit((Revise("a", "ours"),), **WHO)
    assert contents(store.checkout("trial"))["a"] == "use order_no"
    with pytest.raises(UnknownVersion, match="nowhere"):
        store.switch("nowhere")
    assert store.branch_name == "main"
    with pytest.raises(UnknownVersion, match="nowhere"):
        Store.open(store.path, branch="nowhere")


def test_a_delta_decided_on_another_branch_is_refused(store: Store, trial: Store) -> None:
    trial.commit((Pin("a"),), **WHO)
    with pytest.raises(
        StoreConflict, match=r"not behind version 1 of branch main.* merge the other"
    ) as caught:
        store.commit((Vote("b", 1),), expect=2, **WHO)
    assert caught.value.details == {"expected": 2, "found": 1, "bullets": ()}
    assert store.commit((Pin("b"),), expect=1, **WHO).version.number == 3


def test_rebasing_looks_at_ones_own_branch_only(store: Store, trial: Store) -> None:
    store.head()
    trial.commit((Revise("a", "theirs"),), **WHO)
    with Store.open(store.path) as other:
        other.commit((Vote("b", 1),), **WHO)
    assert store.commit((Revise("a", "ours"),), **WHO).version.number == 4


def test_blame_tells_branch_run_and_episodes(store: Store, trial: Store) -> None:
    run = trial.start_run("learn", "shop", {})
    delta = (Revise("a", "theirs", ("e0",)),)
    offers = [
        Proposal("s1", "reflector", delta, "accepted", "solved", ("e7", "e8")),
        Proposal("s2", "reflector", (Pin("a"),), "rejected", "no", ("e9",)),
        Proposal("s3", "reflector", (Pin("b"),), "accepted", "solved", ("e10",)),
    ]
    trial.commit(delta, author="reflector", reason="epoch 1", run=run, proposals=offers)
    added, revised = store.blame("a")
    assert (added.version.branch, added.version.run, added.episodes) == ("main", None, ())
    assert (revised.version.branch, revised.version.run, revised.version.author) == (
        "trial",
        run,
        "reflector",
    )
    assert (revised.operation, revised.episodes) == (delta[0], ("e0", "e7", "e8"))
    assert store.blame("b")[0].episodes == ("e1",)


def test_a_removed_bullet_comes_back_through_a_merge(store: Store, trial: Store) -> None:
    store.commit((Remove("a"),), **WHO)
    trial.merge("main", author="user")
    trial.commit((Promote("a"), Revise("a", "back")), **WHO)
    assert contents(store.merge("trial", author="user").playbook)["a"] == "back"


def test_a_step_reads_what_changed_and_nothing_else(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Do what a loop does at each step, while others commit on both branches of a large playbook."""
    store.commit(tuple(Add(f"n-{number}", "notes", "text") for number in range(3000)), **WHO)
    rows: list[int] = []
    read = bullet_history.rows_to_bullets

    def counted(found: Any) -> Any:
        found = list(found)
        rows.append(len(found))
        return read(found)

    with Store.open(store.path) as other, Store.open(store.path, branch="trial") as third:
        for each in (store, other, third):
            each.checkout()
        monkeypatch.setattr(bullet_history, "rows_to_bullets", counted)
        version = store.head().number
        for number in range(10):
            playbook = store.checkout(version)
            other.commit((Vote(f"n-{number}", 1),), **WHO)
            third.commit((Vote("a", 1),), **WHO)
            assert store.checkout(version) is playbook
            version = store.commit((Vote("n-2999", 1),), expect=version, **WHO).version.number
        assert len(store.checkout(version - 20)) == 3002
    assert sum(rows) < 200 and max(rows) < 30
    with Store.open(store.path) as again:
        rows.clear()
        for step in range(4, version + 1):  # what resuming a run does with its journal
            again.checkout(step)
        assert sum(rows) < 2 * 3002 + 500
