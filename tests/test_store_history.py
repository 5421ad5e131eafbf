"""History of a store, to the letter: logs, merges, conflicts, switching, the records of a run."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from ace.errors import InputError, MergeConflict, NotAPlaybook, StoreConflict, StoreError, UnknownVersion
from ace.playbook import Add, Delta, Pin, Revise, Vote, chain_hash, delta_to_json
from ace.store import Proposal, Store, schema
from ace.task.types import Attempt, Episode, Feedback, FeedbackKind, Verdict
from tests.postgres_server import FILE_ONLY, as_anybody

WHO: dict[str, Any] = {"author": "curator", "reason": "r"}
TWO: Delta = (Add("a", "joins", "use order_no"), Add("b", "money", "cents"))


@pytest.fixture
def store(place: Path | str) -> Iterator[Store]:
    """Version 1 on main, and a branch `trial` that begins there."""
    with Store.open(place) as store:
        store.commit(TWO, **WHO)
        store.branch("trial")
        yield store


def on_trial(store: Store, *delta: Any) -> int:
    with Store.open(store.path, branch="trial") as trial:
        return trial.commit(delta, **WHO).version.number


def test_a_log_is_as_long_as_it_was_asked_to_be(store: Store) -> None:
    store.commit((Vote("a", 1),), **WHO)
    assert [v.number for v in store.log(2)] == [2, 1]
    assert [v.number for v in store.log(1, version=1)] == [1]
    assert [v.number for v in store.log(0)] == []
    assert [v.number for v in store.log(1, every_branch=True)] == [2]


def test_a_version_tells_who_made_it_and_when(store: Store) -> None:
    run = store.start_run("learn", "shop", {})
    before = datetime.now(UTC) - timedelta(seconds=1)
    made = store.commit((Vote("a", 1),), author="reflector", reason="said so", run=run).version
    assert (made.author, made.reason, made.run, made.branch) == ("reflector", "said so", run, "main")
    assert (made.number, made.parent, made.merged, made.operations) == (2, 1, None, 1)
    when = datetime.fromisoformat(made.created)
    assert before <= when <= datetime.now(UTC) and re.fullmatch(r".*\.\d{3}\+00:00", made.created)
    assert store.versions_of(run) == 1 and store.log()[0] == made


def test_a_merge_says_why_when_it_is_told(store: Store) -> None:
    on_trial(store, Revise("a", "theirs"))
    assert store.merge("trial", author="user", reason="it was better").version.reason == "it was better"
    again = store.merge("trial", author="user")
    assert (again.version.number, again.rejections) == (3, ())


def test_a_merge_vouches_for_both_that_it_came_from(store: Store) -> None:
    """Files in the field hold such hashes, so this one must never change."""
    on_trial(store, Revise("a", "theirs"), Add("c", "x", "new"))
    store.commit((Vote("b", 1),), **WHO)
    ours, theirs = store.head(), store.log(version="trial")[0]
    merge = store.merge("trial", author="user", reason="both").version
    delta = delta_to_json(store.operations(merge.number))
    assert merge.hash == chain_hash(f"{ours.hash} {theirs.hash}", delta, "user", "both")
    assert (merge.parent, merge.merged) == (ours.number, theirs.number)


def test_every_version_can_be_looked_at_again_in_any_order(store: Store) -> None:
    for number in range(2, 12):
        store.commit((Revise("a", f"text {number}"),), **WHO)
    with Store.open(store.path, read_only=True) as reader:
        for number in (2, 3, 4, 5, 6, 7, 11, 2, 8, 3, 10, 4, 11, 5, 9, 6):
            assert reader.checkout(number).bullets["a"].content == f"text {number}"


def test_a_delta_decided_elsewhere_is_refused_in_these_words(store: Store) -> None:
    number = on_trial(store, Pin("a"))
    with pytest.raises(StoreConflict) as caught:
        store.commit((Vote("b", 1),), expect=number, **WHO)
    assert str(caught.value) == (
        "Version 2 is not behind version 1 of branch main. "
        "Decide on a version of this branch, or merge the other branch."
    )


@pytest.mark.parametrize(
    ("sql", "says"),
    [
        ("UPDATE bullets SET provenance = '[],[]'", "A bullet's list of episodes cannot be read."),
        ("UPDATE bullets SET provenance = '5'", "Bullet a cannot be read."),
        ("UPDATE bullets SET status = 'lost' WHERE id = 'b'", "Bullet b cannot be read."),
        ("UPDATE branches SET base = 0 WHERE name = 'main'", "Version 0 is missing, or on no branch."),
    ],
)
def test_a_head_that_cannot_be_read_is_told_in_these_words(store: Store, sql: str, says: str) -> None:
    assert read_damaged(store, sql) == (says, schema.DAMAGED)


@FILE_ONLY  # a server keeps a row that others point to
@pytest.mark.parametrize(
    ("sql", "says"),
    [
        ("UPDATE branches SET version = 9", "Version 9 is missing, or on no branch."),
        ("DELETE FROM branches", "The playbook's branch main is missing."),
    ],
)
def test_a_row_that_others_point_to_is_missed(store: Store, sql: str, says: str) -> None:
    assert read_damaged(store, sql) == (says, schema.DAMAGED)


def read_damaged(store: Store, sql: str) -> tuple[str, str]:
    """Return what is said of a file, and what to do, after somebody changed it by hand."""
    with as_anybody(store.path) as db:
        db.execute(sql)
    with Store.open(store.path) as again, pytest.raises(NotAPlaybook) as caught:
        again.checkout()
    return caught.value.message, caught.value.hint


def test_a_branch_that_was_read_by_way_of_main_leaves_main_readable(tmp_path: Path) -> None:
    path = tmp_path / "many.db"
    with Store.open(path) as store:
        store.commit(tuple(Add(f"n-{number}", "notes", "text") for number in range(20)), **WHO)
        store.branch("trial")
        on_trial(store, Add("last", "notes", "on trial"))
    with Store.open(path, branch="trial") as fresh:
        assert [len(fresh.checkout(version)) for version in (None, "main", 0, 1, "trial")] == [
            21,
            20,
            0,
            20,
            21,
        ]


def test_a_verdict_comes_back_right_or_wrong(store: Store) -> None:
    told = Feedback(FeedbackKind.NONE, "")
    seen = [
        Episode(f"e{right}", "s1", "?", Attempt("s1", "1", "1"), told, Verdict(right, 0.5), 0)
        for right in (True, False)
    ]
    store.commit((), episodes=seen, **WHO)
    assert store.episodes() == seen


def test_an_operation_that_could_not_apply_is_kept_with_its_run(store: Store) -> None:
    run = store.start_run("learn", "shop", {})
    store.commit((Vote("ghost", 1),), run=run, **WHO)
    store.finish_run(run, "failed", None)
    with as_anybody(store.path) as db:
        assert db.execute("SELECT run FROM rejected_operations").fetchall() == [(run,)]
        assert db.execute("SELECT report FROM runs").fetchall() == [(None,)]


def test_a_version_that_is_not_there_is_named_when_a_delta_was_decided_on_it(store: Store) -> None:
    with pytest.raises(UnknownVersion, match=r"There is no version 9\. The versions here are 0 to 1;"):
        store.commit((Vote("a", 1),), expect=9, **WHO)


def test_a_list_that_is_none_is_told_in_these_words(store: Store) -> None:
    store.commit((), proposals=[Proposal("s1", "curator", (), "rejected", "no")], **WHO)
    with as_anybody(store.path) as db:
        db.execute("UPDATE proposals SET episodes = '{}'")
    with pytest.raises(NotAPlaybook) as caught:
        store.proposals()
    assert caught.value.message == f"{store.path} holds a row that cannot be read ('{{}}' is not a list.)."


def test_a_conflict_names_every_bullet_and_says_what_to_do(store: Store) -> None:
    on_trial(store, Revise("b", "theirs"), Revise("a", "theirs"))
    store.commit((Revise("a", "ours"), Revise("b", "ours")), **WHO)
    with pytest.raises(MergeConflict) as caught:
        store.merge("trial", author="user")
    assert str(caught.value) == (
        "Versions 3 and 2 both edited a, b since version 1. "
        "Make one of them like the other, or say which to prefer: ours or theirs."
    )
    assert caught.value.details == {"base": 1, "ours": 3, "theirs": 2, "bullets": ("a", "b")}


def test_a_head_that_moved_names_every_bullet_and_says_what_to_do(store: Store) -> None:
    store.commit((Pin("b"), Pin("a")), **WHO)
    with pytest.raises(StoreConflict) as caught:
        store.commit((Revise("b", "x"), Revise("a", "y")), expect=1, **WHO)
    assert str(caught.value) == (
        "The playbook moved from version 1 to 2, and both edited a, b. "
        "Read the playbook again, decide again, and commit that."
    )
    assert caught.value.details == {"expected": 1, "found": 2, "bullets": ("a", "b")}


def test_a_store_that_has_not_looked_yet_can_switch(store: Store) -> None:
    number = on_trial(store, Revise("a", "theirs"))
    with Store.open(store.path) as fresh:
        assert fresh.switch("trial").number == number
        assert fresh.checkout().bullets["a"].content == "theirs"


@pytest.mark.parametrize(
    ("ask", "says"),
    [
        (lambda s: s.switch("x"), "There is no branch 'x'. Branches here: main, trial."),
        (lambda s: s.untag("x"), "There is no tag 'x'. Tags here: none."),
        (
            lambda s: s.checkout("x"),
            "There is no version x. The versions here are 0 to 1; branches and tags: main, trial, best.",
        ),
        (lambda s: s.run(7), "There is no run 7 in this file. `ace runs list` shows the runs."),
        (
            lambda s: s.blame("x"),
            "There is no bullet x in this playbook. `ace playbook show` lists the ids.",
        ),
    ],
)
def test_what_is_not_there_is_said_in_these_words(store: Store, ask: Any, says: str) -> None:
    if "best" in says:
        store.tag("best")
    with pytest.raises(UnknownVersion) as caught:
        ask(store)
    assert str(caught.value) == says


@pytest.mark.parametrize(
    ("ask", "says"),
    [
        (lambda s: s.branch("trial"), "There is a branch trial already. Choose another name."),
        (lambda s: s.branch("best"), "There is a tag best already. Choose another name."),
        (lambda s: s.tag("trial"), "There is a branch trial already. Choose another name."),
        (
            lambda s: s.tag("7"),
            "'7' cannot name a version. "
            "A letter first, then letters, digits and any of . _ / -, at most 100.",
        ),
    ],
)
def test_a_name_that_cannot_be_given_is_refused_in_these_words(store: Store, ask: Any, says: str) -> None:
    store.tag("best")
    with pytest.raises(InputError) as caught:
        ask(store)
    assert str(caught.value) == says


def test_a_step_without_a_run_is_refused_in_these_words(store: Store) -> None:
    with pytest.raises(StoreError) as caught:
        store.commit((), step=(1, "epoch 1", {}), **WHO)
    assert str(caught.value) == "A journal step needs the run it belongs to. Pass run= beside step=."


def test_what_a_run_left_is_told_from_what_others_left(store: Store) -> None:
    runs = [store.start_run("learn", "shop", {}) for _ in range(2)]
    for run in runs:
        offer = Proposal(f"s{run}", "curator", (Pin("a"),), "rejected", "no", ("e1",), ("x",))
        step = (4, f"epoch {run}", {"of": run})
        store.commit((), run=run, step=step, proposals=[offer], author="curator", reason="r")
    assert [p.sample_id for p in store.proposals()] == ["s1", "s2"]
    assert [p.sample_id for p in store.proposals(2)] == ["s2"]
    assert [(s.run, s.number, s.phase, s.payload) for s in store.steps(2)] == [(2, 4, "epoch 2", {"of": 2})]
    assert [store.versions_of(run) for run in runs] == [0, 0]
    assert [run.status for run in store.runs()] == ["running", "running"]
    store.finish_run(1, "failed", None)
    first, second = store.runs()
    assert (first.status, first.report, second.status, second.ended) == ("failed", None, "running", None)


def test_a_branch_and_a_tag_tell_where_they_are_and_since_when(store: Store) -> None:
    main, trial = store.branches()
    assert (main.name, main.version, main.base) == ("main", 1, None)
    assert (trial.name, trial.version, trial.base) == ("trial", 1, 1)
    tag = store.tag("best", 0)
    assert (tag.name, tag.version) == ("best", 0) and store.tags() == [tag]
    for made in (main, trial, tag):
        assert datetime.fromisoformat(made.created).utcoffset() == timedelta(0)
