"""Changes for the worse: found on the stream of answers, and what was learned proves itself again or goes."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ace.errors import InputError
from ace.llm import RoleModels
from ace.loop import online
from ace.methods.ace import Ace, Curator, Reflector
from ace.methods.ace.reflection import Reflect
from ace.methods.ace.reopened import keep_open, reopen_all, weigh_reopened
from ace.methods.protocol import Trial
from ace.playbook import Add, Operation, Pin, Playbook, Quarantine, Revise, apply
from ace.runs.drift import locate_onset, make_drift_detector
from ace.runs.records import Reason
from ace.runs.report import Report
from ace.runs.steps import Phase, PhaseKind, StepRecord
from ace.settings import Profile, Settings
from ace.store import Store
from ace.task import AnswerEnvironment, Attempt, Fact, Feedback, FeedbackKind, Sample, Task, load_task
from ace.task.environments.sql.lessons.sql_wording import SqlWording
from ace.testing import World
from tests.desk import FOLDER, lookup, whole
from tests.fake_lab import FakeLab, shown

PHASE = 80


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store.open(tmp_path / "desk.db") as store:
        yield store


def run(store: Store, task: Task | None = None, **options: object) -> tuple[Report, list[bool]]:
    """Over labels that are not taken apart, so that only the stream tells of a change, or another task."""
    settings = Settings(workers=1, batch_size=1, profile=Profile.SMALL, **options)  # type: ignore[arg-type]
    report = online(task or whole(), store, RoleModels.of(lookup()), settings)
    results = [r for step in store.steps(report.run) for r in step.payload["results"]]
    return report, [result["correct"] for result in results if result["phase"] == "online"]


def test_after_each_change_accuracy_is_back_within_forty_answers(store: Store) -> None:
    report, right = run(store)
    assert len(right) == 240 and len(report.changes) == 2
    for change in (PHASE, 2 * PHASE):
        level = sum(right[change - 20 : change])
        assert sum(right[change + 20 : change + 40]) >= level - 1  # 5 points of 20
    assert report.recent and (report.recent.correct, report.recent.total) == (20, 20)
    assert store.verify() == []


def test_a_rule_that_labels_contradict_is_corrected_at_once(store: Store) -> None:
    """What the right answer to the same words is made of now is another thing: no need to wait for more."""
    report, right = run(store, load_task(FOLDER))
    assert report.changes == ()
    for change in (PHASE, 2 * PHASE):
        assert right[change : change + 10].count(False) == 5  # each changed word once
        assert all(right[change + 10 : change + PHASE])
    corrected = [touch for bullet in store.checkout().active for touch in store.blame(bullet.id)]
    assert {touch.operation.op for touch in corrected} >= {"add", "revise"}
    assert store.verify() == []


def test_without_watching_it_is_never_back(store: Store) -> None:
    report, right = run(store, drift=False)
    assert report.changes == ()
    assert sum(right[PHASE - 20 : PHASE]) == 20 and sum(right[2 * PHASE - 20 : 2 * PHASE]) == 10


def test_what_was_decided_is_in_the_journal_with_its_reason(store: Store) -> None:
    report, _ = run(store)
    found = [step.payload["change"] for step in store.steps(report.run) if step.phase == "drift"]
    assert found == [{"after": place} for place in report.changes]
    decided = [made for made in store.proposals(report.run) if made.author == "drift"]
    kinds = {type(operation) for made in decided for operation in made.delta}
    assert kinds == {Quarantine, Revise}
    assert all("after the change" in made.why and made.episodes for made in decided)
    assert {made.reason for made in decided} == {Reason.HOLDS_AFTER_CHANGE, Reason.FAILS_AFTER_CHANGE}
    retired = next(made.delta[0] for made in decided if isinstance(made.delta[0], Quarantine))
    assert isinstance(retired, Quarantine)
    assert "drift" in {touch.version.author.split("+")[0] for touch in store.blame(retired.id)}


def test_it_is_the_same_for_one_worker_and_many(tmp_path: Path) -> None:
    def hashes(name: str, workers: int) -> list[str]:
        with Store.open(tmp_path / name) as store:
            settings = Settings(workers=workers, batch_size=4)
            online(load_task(FOLDER), store, RoleModels.of(lookup()), settings)
            return [version.hash for version in store.log()]

    assert hashes("one.db", 1) == hashes("four.db", 4)


def test_the_window_is_the_users(store: Store) -> None:
    report, right = run(store, window=7, limit=30)
    assert report.recent and (report.recent.correct, report.recent.total) == (sum(right[-7:]), 7)


# The test itself


def test_a_drop_is_found_soon_and_getting_better_is_none() -> None:
    delays = []
    for seed in range(40):
        chance, worse = random.Random(seed), make_drift_detector(True)
        found = [worse(chance.random() < (0.1 if n < 12 else 0.9 if n < 80 else 0.45)) for n in range(120)]
        assert not any(found[:80]), seed
        delays += [found.index(True) - 80] if any(found) else []
    assert len(delays) >= 38 and sum(delays) / len(delays) < 20


@pytest.mark.parametrize(
    ("right", "place"),
    [
        ("1111111100000", 8),
        ("1101111011100100", 11),
        ("0000111111", 0),  # better is no change for the worse
        ("1111", 0),
        ("0000", 0),
        ("10", 1),
        ("", 0),
    ],
)
def test_since_when_answers_are_worse(right: str, place: int) -> None:
    assert locate_onset([answer == "1" for answer in right]) == place


@given(st.lists(st.booleans(), max_size=40))
def test_behind_the_onset_answers_are_worse(right: list[bool]) -> None:
    place = locate_onset(right)
    assert place == 0 or sum(right[place:]) / len(right[place:]) < sum(right[:place]) / place


def test_only_what_was_wrong_since_the_change_is_learned_from_again(store: Store) -> None:
    """What was wrong before it may have another right answer by now."""
    run(store)
    again = [
        result["sample"]
        for step in store.steps(1)
        if step.phase == "replay 1"
        for result in step.payload["results"]
    ]
    assert again and all(name.startswith("phase2") for name in again)


def test_unwatched_finds_nothing() -> None:
    never = make_drift_detector(False)
    assert not any(never(n < 50) for n in range(200))


def test_what_is_not_installed_is_said_before_anything_runs(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(__import__("sys").modules, "river.drift.binary", None)
    with pytest.raises(InputError, match="--no-drift"):
        run(store)
    assert store.runs() == []
    assert run(store, drift=False, limit=3)[0].after


# Reopened bullets

TWO = "Phone tickets, letter tickets: ticket.channel = 'Q'"
ONE = "Solved tickets: ticket.status = 4"


def playbook(*contents: str) -> Playbook:
    made, _ = apply(Playbook(), [Add(f"b{n}", "lessons", text, ("e0",)) for n, text in enumerate(contents)])
    return made


def trial(question: str, right: bool, *facts: str) -> Trial:
    feedback = shown(right, facts=tuple(map(Fact, facts)))
    return Trial(Sample("s", question), Attempt("s", "x"), feedback, "e1")


@pytest.mark.parametrize(
    ("content", "told", "expected"),
    [
        (ONE, trial("How many solved tickets?", True), [Revise("b0", ONE, ("e0", "e1"))]),
        (ONE, trial("How many solved tickets?", False), [Quarantine("b0")]),
        (ONE, trial("How many pending tickets?", False), []),
        (ONE, trial("Solved tickets?", False, "ticket.status = 4"), [Revise("b0", ONE, ("e0", "e1"))]),
        (ONE, trial("Solved tickets?", True, "ticket.status = 9"), []),
        (
            TWO,
            trial("Which phone tickets?", False),
            [Revise("b0", "Letter tickets: ticket.channel = 'Q'")],
        ),
        ("red means 7", trial("Which number has red?", False), [Quarantine("b0")]),
    ],
    ids=["stands", "goes", "not spoken of", "vouched for", "luck", "one of two names", "no colon"],
)
def test_what_a_trial_says_of_a_reopened_bullet(content: str, told: Trial, expected: list[Operation]) -> None:
    open_ = reopen_all(playbook(content))
    assert [
        operation for made in weigh_reopened(told, open_, SqlWording()) for operation in made.delta
    ] == expected


def test_without_a_wording_the_nearest_bullet_is_the_one_that_is_spoken_of() -> None:
    open_ = reopen_all(
        playbook("Phone tickets go to queue 7.", "Letter tickets go to queue 9.", "Be polite.")
    )

    def decided(question: str, *cited: str) -> list[Operation]:
        told = replace(trial(question, False), cited=cited)
        return [operation for made in weigh_reopened(told, open_) for operation in made.delta]

    assert decided("Which queue has phone tickets?") == [Quarantine("b0")]
    assert decided("Which queue has letter tickets?") == [Quarantine("b1")]
    assert decided("Where is the lift?") == []
    assert decided("Where is the lift?", "b2") == [Quarantine("b2")]


def test_pinned_bullets_are_not_reopened_and_outcomes_that_show_nothing_decide_nothing() -> None:
    book, _ = apply(playbook(ONE, TWO), [Pin("b1")])
    assert set(reopen_all(book)) == {"b0"}
    silent = Trial(Sample("s", "Solved tickets?"), Attempt("s", "x"), Feedback(FeedbackKind.NONE, ""), "e1")
    assert list(weigh_reopened(silent, reopen_all(book))) == []


def test_a_drift_step_reopens_what_is_in_use_and_forgets_what_was_seen() -> None:
    """A later step that adds an episode to a bullet closes it again."""
    model = World()
    method = Ace(
        reflector=Reflector(model),
        reflect=Reflect(model, Profile.FULL),
        curator=Curator(model),
        settings=Settings(),
    )
    book, lab = playbook(ONE, TWO), FakeLab(phase=Phase(PhaseKind.DRIFT), online=True)
    task = Task("desk", "", AnswerEnvironment("exact"), (Sample("s", "How many solved tickets?"),))
    state = method.start(task, book, lab)
    state.evidence.record_result("s", {"ticket.status"}, True)
    state.evidence.record_proofs(book.bullets["b0"], ["s"])
    assert state.evidence.proofs(["b0"]) and not state.reopened
    change = StepRecord(run=1, number=9, phase=lab.phase, version=3, notes={"change": {"after": 80}})
    state = method.replay(state, change, book, lab)
    assert state.reopened == reopen_all(book) != {}
    assert state.evidence.proofs(["b0"]) == ()
    after, _ = apply(book, [Revise("b0", ONE, ("e0", "e1"))])
    online_step = StepRecord(run=1, number=10, phase=Phase(PhaseKind.ONLINE), version=4)
    assert set(method.replay(state, online_step, after, lab).reopened) == {"b1"}


@given(
    st.lists(st.tuples(st.sampled_from(["Solved", "Phone", "Letter", "Other"]), st.booleans()), max_size=8)
)
def test_each_bullet_is_decided_on_at_most_once_for_each_of_its_names(
    asked: list[tuple[str, bool]],
) -> None:
    book = playbook(ONE, TWO)
    open_, decided = reopen_all(book), list[Operation]()
    for word, right in asked:
        made = [
            operation
            for each in weigh_reopened(trial(f"{word} tickets?", right), open_, SqlWording())
            for operation in each.delta
        ]
        book, refused = apply(book, made)
        assert not refused
        open_, decided = keep_open(open_, book), decided + made
    assert len(decided) <= 3
