"""Everyday work of a store: versions, history, reverting, rebasing, and the records of a run."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

from ace.errors import StoreConflict, StoreError, UnknownVersion
from ace.playbook import (
    Add,
    Delta,
    Merge,
    Move,
    Pin,
    Playbook,
    Promote,
    Quarantine,
    Remove,
    Revise,
    Vote,
    chain_hash,
    delta_to_json,
)
from ace.store import Proposal, Reason, Store
from ace.task.types import (
    Attempt,
    Episode,
    Fact,
    Failure,
    Feedback,
    FeedbackKind,
    FinishReason,
    Topic,
    Turn,
    TurnKind,
    Verdict,
)
from tests.postgres_server import FILE_ONLY, as_anybody

WHO: dict[str, Any] = {"author": "curator", "reason": "learned from s1"}
PRAGMAS = {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1}  # 2 is FULL
TWO: Delta = (Add("a", "joins", "use order_no"), Add("b", "money", "cents", ("e1",)))


@pytest.fixture
def store(place: Path | str) -> Iterator[Store]:
    with Store.open(place) as store:
        yield store


def episode(name: str, *, text: str = "SELECT 1", passed: bool | None = True) -> Episode:
    return Episode(
        id=name,
        sample_id="s1",
        question="How many?",
        attempt=Attempt(
            "s1",
            "SELECT 1",
            text,
            "timed out",
            Failure.FORMAT,
            reasoning="Let me count.",
            finish_reason=FinishReason.LENGTH,
            turns=(
                Turn(kind=TurnKind.THOUGHT, text="Which tables?"),
                Turn(kind=TurnKind.TOOL, tool="run", arguments='{"n": 1}', observation="no", failed=True),
            ),
            artifacts={"plan.md": "1. count"},
        ),
        feedback=Feedback(
            FeedbackKind.LABELS,
            "1 row",
            passed=passed,
            score=0.25,
            expected="2",
            expected_kind="SQL",
            label_error="no such table",
            topics=frozenset({Topic("orders"), Topic("b")}),
            ran=True,
            checked=True,
            missing=(Fact("ord.st = 5", frozenset({Topic("ord.st")})), Fact("a")),
            facts=(Fact("ord.st = 5", frozenset({Topic("ord.st")})), Fact("ord.tot > 9"), Fact("a")),
            parts=(Fact("ord.tot > 8", frozenset({Topic("ord"), Topic("tot")})),),
        ),
        verdict=Verdict(False, 0.25, "wrong count"),
        context_version=0,
        phase="epoch 1",
    )


def proposal(outcome: Any = "rejected") -> Proposal:
    return Proposal(
        "s1",
        "curator",
        (Remove("a"),),
        outcome,
        "still wrong",
        ("e1",),
        ("SELECT 2", "SELECT 3"),
        Reason.STILL_FAILS,
    )


def test_a_new_file_holds_the_empty_playbook_as_version_0(store: Store) -> None:
    head = store.head()
    assert (head.number, head.parent, head.operations) == (0, None, 0)
    assert store.checkout() == store.checkout(0) == Playbook()
    assert store.log() == [head]
    assert store.verify() == []


def test_a_commit_is_a_version_with_a_chained_hash(store: Store) -> None:
    root = store.head()
    done = store.commit(TWO, **WHO)
    assert done.version.hash == chain_hash(root.hash, delta_to_json(TWO), **WHO)
    assert (done.version.number, done.version.parent, done.version.operations) == (1, 0, 2)
    assert done.version == store.head() == store.log(1)[0]
    assert done.playbook == store.checkout() == store.checkout(1)
    assert store.operations(1) == TWO
    assert store.operations(0) == ()


def test_the_same_work_gives_the_same_hashes(tmp_path: Path) -> None:
    hashes = []
    for name in ("one.db", "two.db"):
        with Store.open(tmp_path / name) as store:
            run = store.start_run("learn", name, {}) if name == "two.db" else None
            store.commit(TWO, run=run, **WHO)
            hashes.append(store.commit((Vote("a", 1),), run=run, **WHO).version.hash)
    assert hashes[0] == hashes[1]


def test_only_what_applied_is_in_the_version_and_the_rest_is_kept(store: Store) -> None:
    again = Add("a", "joins", "again")
    done = store.commit((Vote("ghost", 1), *TWO, again), **WHO)
    assert [rejection.operation for rejection in done.rejections] == [Vote("ghost", 1), again]
    assert store.operations(1) == TWO
    rows = read(store, "SELECT operation, why, author, version FROM rejected_operations")
    assert [row[0] for row in rows] == [delta_to_json((op,))[1:-1] for op in (Vote("ghost", 1), again)]
    assert {row[2:] for row in rows} == {("curator", 1)}
    assert store.verify() == []


@pytest.mark.parametrize("delta", [(), (Vote("ghost", 1),)], ids=["empty", "wholly rejected"])
def test_a_delta_without_effect_makes_no_version_but_is_journaled(store: Store, delta: Delta) -> None:
    run = store.start_run("learn", "shop", {})
    done = store.commit(
        delta, run=run, step=(1, "epoch 1", {}), episodes=[episode("e1")], proposals=[proposal()], **WHO
    )
    assert done.version == store.head()
    assert done.version.number == 0
    assert len(store.steps(run)) == len(store.episodes()) == len(store.proposals()) == 1
    assert len(read(store, "SELECT * FROM rejected_operations")) == len(delta)


def test_history_survives_reopening(store: Store) -> None:
    store.commit(TWO, **WHO)
    done = store.commit((Revise("a", "use order_id"), Pin("b")), **WHO)
    store.close()
    with Store.open(store.path, create=False) as again:
        assert again.checkout() == done.playbook
        assert again.head() == done.version
        assert again.verify() == []


def test_what_is_in_use_follows_from_one_version_to_the_next(store: Store) -> None:
    store.commit(TWO, **WHO)
    last = store.commit((Revise("a", "use order_id"), Remove("b"), Add("c", "x", "y")), **WHO)
    store.close()
    with Store.open(store.path, create=False) as again:
        assert [bullet.id for bullet in again.checkout(1).active] == ["a", "b"]  # kept in their order
        assert [bullet.content for bullet in again.checkout(2).active] == ["use order_id", "y"]
        assert again.checkout(2).active == last.playbook.active


def test_revert_is_a_new_version_with_the_old_bullets(store: Store) -> None:
    before = store.commit(TWO, **WHO).playbook
    store.commit((Merge("a", ("b",), "both"), Vote("a", 3, 1), Move("a", "other"), Add("c", "x", "y")), **WHO)
    done = store.revert(1, author="user", reason="worse")
    assert done.version.number == 3
    assert done.rejections == ()
    assert [(b.content, b.helpful) for b in done.playbook] == [(b.content, b.helpful) for b in before]
    assert store.diff(3, 1) == ()
    assert store.revert(1, author="user", reason="again").version == done.version
    assert store.verify() == []


def test_diff_leads_from_one_version_to_the_other(store: Store) -> None:
    store.commit(TWO, **WHO)
    store.commit((Remove("a"), Vote("b", 2)), **WHO)
    assert store.diff(1, 2) == (Remove("a"), Vote("b", 2))
    assert store.diff(0, 1) == TWO


def test_blame_lists_every_operation_that_touched_a_bullet(store: Store) -> None:
    merge = Merge("a", ("b",), "both")
    for delta in (TWO, (Vote("a", 1),), (merge,)):
        store.commit(delta, **WHO)
    assert [(t.version.number, t.operation) for t in store.blame("b")] == [(1, TWO[1]), (3, merge)]
    assert [(t.version.number, t.operation) for t in store.blame("a")] == [
        (1, TWO[0]),
        (2, Vote("a", 1)),
        (3, merge),
    ]


def test_a_moved_head_is_rebased_onto_when_other_bullets_changed(store: Store) -> None:
    store.commit(TWO, **WHO)
    with Store.open(store.path) as other:
        other.commit((Revise("b", "integer cents"),), **WHO)
    done = store.commit((Revise("a", "use order_id"),), **WHO)
    assert done.version.number == 3
    assert {b.id: b.content for b in done.playbook} == {"a": "use order_id", "b": "integer cents"}
    assert store.verify() == []


def test_a_moved_head_is_a_conflict_when_the_same_bullet_changed(store: Store) -> None:
    store.commit(TWO, **WHO)
    with Store.open(store.path) as other:
        other.commit((Merge("b", ("a",), "both"), Pin("b")), **WHO)
    with pytest.raises(StoreConflict) as caught:
        store.commit((Move("a", "x"), Vote("b", 1), Add("c", "x", "y")), episodes=[episode("e1")], **WHO)
    assert caught.value.details == {"expected": 1, "found": 2, "bullets": ("a",)}
    assert store.head().number == 2
    assert store.episodes() == []
    assert store.commit((Vote("b", 1),), **WHO).version.number == 3  # it has seen the new head now


def test_votes_on_one_bullet_add_up(store: Store) -> None:
    store.commit(TWO, **WHO)
    with Store.open(store.path) as other:
        other.commit((Vote("a", 2),), **WHO)
    assert store.commit((Vote("a", 1, 1),), **WHO).playbook.bullets["a"].helpful == 3


def test_a_vote_adds_up_with_an_edit_of_its_bullet(store: Store) -> None:
    store.commit(TWO, **WHO)
    with Store.open(store.path) as other:
        other.commit((Revise("a", "use order_id"), Move("a", "x"), Pin("a")), **WHO)
    voted = store.commit((Vote("a", 2, 1),), **WHO).playbook.bullets["a"]
    assert (voted.content, voted.pinned, voted.helpful, voted.harmful) == ("use order_id", True, 2, 1)
    edit = (Revise("a", "use order_no and shop"),)
    edited = store.commit(edit, expect=2, **WHO).playbook.bullets["a"]  # decided before the vote
    assert (edited.content, edited.helpful) == ("use order_no and shop", 2)
    assert store.verify() == []


def test_a_vote_on_a_bullet_that_is_gone_by_now_is_recorded_as_rejected(store: Store) -> None:
    store.commit(TWO, **WHO)
    with Store.open(store.path) as other:
        other.commit((Remove("a"),), **WHO)
    done = store.commit((Vote("a", 1), Vote("b", 1)), **WHO)
    assert [(each.operation, each.reason) for each in done.rejections] == [
        (Vote("a", 1), "the bullet 'a' was removed")
    ]
    assert read(store, "SELECT version, why FROM rejected_operations") == [(3, "the bullet 'a' was removed")]
    assert done.playbook.bullets["b"].helpful == 1 and store.verify() == []


def test_expect_names_the_version_a_delta_was_decided_on(store: Store) -> None:
    store.commit(TWO, **WHO)
    store.commit((Revise("a", "use order_id"),), **WHO)
    with pytest.raises(StoreConflict):
        store.commit((Revise("a", "use both"),), expect=1, **WHO)
    assert store.commit((Revise("b", "integer cents"),), expect=1, **WHO).version.number == 3
    with pytest.raises(UnknownVersion):
        store.commit((Pin("a"),), expect=9, **WHO)


def test_readers_follow_other_writers(store: Store) -> None:
    with Store.open(store.path, read_only=True) as reader:
        assert reader.checkout() == Playbook()
        done = store.commit(TWO, **WHO)
        assert reader.checkout() == done.playbook
        assert reader.head() == done.version


def test_a_run_is_told_from_start_to_end(store: Store) -> None:
    run = store.start_run("learn", "shop", {"seed": 1, "models": ["m"]})
    assert store.last_unfinished("learn", "shop") == store.run(run)
    assert store.run(run).status == "running"
    store.finish_run(run, "done", {"after": 0.75})
    done = store.run(run)
    assert (done.kind, done.task, done.config) == ("learn", "shop", {"seed": 1, "models": ["m"]})
    assert (done.status, done.report) == ("done", {"after": 0.75})
    assert done.ended is not None
    assert done.started <= done.ended
    assert store.runs() == [done]


def test_the_last_unfinished_run_is_of_the_same_kind_and_task_and_the_latest(store: Store) -> None:
    killed = store.start_run("learn", "shop", {})
    store.start_run("online", "shop", {})
    store.start_run("learn", "other", {})
    assert getattr(store.last_unfinished("learn", "shop"), "id", None) == killed
    store.finish_run(killed, "capped", None)
    assert getattr(store.last_unfinished("learn", "shop"), "id", None) == killed
    store.finish_run(store.start_run("learn", "shop", {}), "done", {})
    assert store.last_unfinished("learn", "shop") is None


def test_steps_episodes_and_proposals_come_back_as_they_were(store: Store) -> None:
    run = store.start_run("learn", "shop", {})
    step = (1, "epoch 1", {"samples": ["s1"], "score": 0.5, "note": None})
    seen = [episode("e1"), episode("e2", text="a\0b\u202e\n", passed=None)]
    offers = [proposal(), proposal("accepted")]
    store.commit(TWO, run=run, step=step, episodes=seen, proposals=offers, **WHO)
    store.commit((), step=(2, "epoch 1", {}), run=run, **WHO)
    store.commit((), episodes=[episode("e9")], **WHO)
    assert [(s.number, s.phase, s.payload, s.version) for s in store.steps(run)] == [
        (*step, 1),
        (2, "epoch 1", {}, 1),
    ]
    assert store.episodes(run=run) == seen
    assert store.episodes(ids=["e9", "e2"]) == [seen[1], episode("e9")]
    assert store.episodes(run=run, ids=["e9"]) == store.episodes(ids=[]) == []
    assert store.proposals(run) == store.proposals() == offers
    assert store.verify() == []


def test_no_field_of_an_episode_is_forgotten(store: Store) -> None:
    """Every field comes back; a field that is added to these types must be set above, too."""
    one = episode("e1")
    for part in (one, one.attempt, one.feedback, one.verdict):
        default = {field.name for field in fields(part) if getattr(part, field.name) == field.default}
        assert default == set()
    store.commit((), episodes=[one], **WHO)
    assert store.episodes() == [one]


def test_an_episode_id_may_come_back_in_another_run(store: Store) -> None:
    """Ids leave out the run, so that the same work gives the same hashes."""
    for _ in range(2):
        store.commit((), run=store.start_run("learn", "shop", {}), episodes=[episode("e1")], **WHO)
    assert len(store.episodes(ids=["e1"])) == 2


def test_half_a_surrogate_pair_is_kept_as_its_escape(store: Store) -> None:
    run = store.start_run("learn", "shop", {})
    offer = Proposal("s1", "curator", (Add("a", "x", "\ud800"),), "rejected", "\ud800", attempts=("\ud800",))
    done = store.commit(
        (Add("a", "x", "\ud800"), Add("b", "x", "fine")),
        author="curator",
        reason="said \ud800",
        run=run,
        step=(1, "epoch 1", {"reply": "\ud800"}),
        episodes=[episode("e1", text="\ud800")],
        proposals=[offer],
    )
    assert [b.id for b in done.playbook] == ["b"]
    assert store.head().reason == r"said \ud800"
    assert store.steps(run)[0].payload == {"reply": "\ud800"}
    assert store.episodes()[0].attempt.text == r"\ud800"
    assert store.proposals()[0].attempts == ("\ud800",)
    assert store.proposals()[0].delta == offer.delta
    assert store.verify() == []


@pytest.mark.parametrize("stage", ["add_rejections", "add_episodes", "add_proposals", "add_step"])
def test_a_failure_halfway_leaves_nothing(store: Store, monkeypatch: pytest.MonkeyPatch, stage: str) -> None:
    run = store.start_run("learn", "shop", {})
    before = store.checkout()
    part = "store" if stage == "add_step" else "episode_rows"

    def fail(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(f"ace.store.{part}.{stage}", fail)
        with pytest.raises(KeyboardInterrupt):
            store.commit(
                TWO, run=run, step=(1, "e", {}), episodes=[episode("e1")], proposals=[proposal()], **WHO
            )
    assert store.head().number == 0
    assert store.checkout() == before
    assert not any((store.steps(run), store.episodes(), store.proposals()))
    assert store.verify() == []
    assert store.commit(TWO, **WHO).version.number == 1


def test_a_journal_step_is_written_once(store: Store) -> None:
    run = store.start_run("learn", "shop", {})
    store.commit(TWO, run=run, step=(1, "epoch 1", {}), **WHO)
    with pytest.raises(StoreError, match="once in a run"):
        store.commit((Vote("a", 1),), run=run, step=(1, "epoch 1", {}), **WHO)
    with pytest.raises(StoreError, match="Pass run="):
        store.commit((Vote("a", 1),), step=(2, "epoch 1", {}), **WHO)
    assert store.head().number == 1


def test_what_waits_in_quarantine_is_not_among_what_prompts_get(store: Store) -> None:
    store.commit((*TWO, Add("c", "joins", "third"), Quarantine("a"), Remove("b")), **WHO)
    assert read(store, "SELECT id, status FROM head_bullets") == [("c", "active")]
    assert read(store, "SELECT id, status FROM quarantined_bullets") == [("a", "quarantined")]
    assert [bullet.id for bullet in store.checkout().active] == ["c"]
    store.commit((Promote("a"),), **WHO)
    assert read(store, "SELECT id FROM head_bullets") == [("a",), ("c",)]


@FILE_ONLY
def test_the_file_explains_itself_to_other_readers(store: Store) -> None:
    store.commit((*TWO, Add("c", "joins", "third")), **WHO)
    store.commit((Remove("b"), Vote("c", 1)), **WHO)
    bullets = read(store, "SELECT id, section, content, helpful FROM head_bullets")
    assert bullets == [("a", "joins", "use order_no", 0), ("c", "joins", "third", 1)]
    assert read(store, "SELECT id FROM quarantined_bullets") == []
    history = read(store, "SELECT version, op, bullet FROM history WHERE version > 0")
    assert history == [
        (2, "remove", "b"),
        (2, "vote", "c"),
        (1, "add", "a"),
        (1, "add", "b"),
        (1, "add", "c"),
    ]
    tables = {name for (name,) in read(store, "SELECT name FROM sqlite_schema WHERE type = 'table'")}
    assert tables >= {
        "versions",
        "operations",
        "bullets",
        "episodes",
        "proposals",
        "runs",
        "steps",
        "branches",
        "tags",
    }


@FILE_ONLY
def test_commits_are_durable_and_rows_point_to_rows(store: Store) -> None:
    settings = {name: store._db.execute(f"PRAGMA {name}").fetchone()[0] for name in PRAGMAS}
    assert settings == PRAGMAS


def test_sqlite_utils_is_imported_only_to_migrate(store: Store) -> None:
    program = """
import sys
from ace.store import Store
with Store.open(sys.argv[1]) as store:
    store.head()
sys.exit("sqlite_utils" in sys.modules)
"""
    command = [sys.executable, "-c", program, str(store.path)]
    done = subprocess.run(command, check=False, cwd=Path(__file__).parent.parent)
    assert done.returncode == 0


def read(store: Store, sql: str) -> list[tuple[Any, ...]]:
    with as_anybody(store.path) as db:
        return db.execute(sql).fetchall()


def test_a_run_on_one_branch_does_not_close_one_on_another(store: Store) -> None:
    trial = store.start_run("learn", "shop", {"branch": "trial"})
    store.finish_run(trial, "capped", None)
    store.finish_run(store.start_run("learn", "shop", {"branch": "main"}), "done", None)
    store.branch("trial")
    assert store.last_unfinished("learn", "shop") is None
    store.switch("trial")
    found = store.last_unfinished("learn", "shop")
    assert found and found.id == trial


def test_a_branch_of_a_file_that_is_not_there_makes_no_file(tmp_path: Path) -> None:
    with pytest.raises(StoreError):
        Store.open(tmp_path / "new.db", branch="trial")
    assert not (tmp_path / "new.db").exists()
