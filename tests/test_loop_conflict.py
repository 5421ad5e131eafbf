"""What a person edits while a run is under way stays as the person left it; the run goes on without it."""

from __future__ import annotations

from pathlib import Path

import pytest

from ace.errors import StoreConflict
from ace.llm import Request, Role, RoleModels, ScriptedClient
from ace.loop import learn
from ace.loop.progress import silent
from ace.loop.run import RunParts, StepWork, start_run
from ace.loop.run_outcome import finish
from ace.playbook import Add, Delta, Quarantine, Remove, Revise, Status, Vote
from ace.runs.report import Report
from ace.runs.steps import Phase, PhaseKind
from ace.settings import Settings
from ace.store import Store
from tests.world import says, team, world

EPOCH = Phase(PhaseKind.EPOCH, 1)


def parts(store: Store) -> RunParts:
    settings = Settings(workers=1)
    return RunParts(task=world(), store=store, models=team(), settings=settings, progress=silent)


def test_the_rest_of_a_step_is_committed_and_the_run_can_be_resumed(tmp_path: Path) -> None:
    path = tmp_path / "colours.db"
    with Store.open(path) as store, Store.open(path) as person:
        store.commit((Add("b-1", "lessons", "red is 1"),), author="user", reason="known")
        delta = (Revise("b-1", "red is 2"), Vote("b-1", 1, 0), Add("b-2", "lessons", "blue is 3"))
        with start_run("learn", parts(store)) as run:
            run.step(EPOCH, lambda: StepWork(reason="first"))
            person.commit((Revise("b-1", "red is 70001"),), author="human", reason="I know better")
            kept = {"b-1": ["train-red"], "b-2": ["train-blue"]}
            run.step(EPOCH, lambda: StepWork(delta=delta, reason="widened", author="reflector", proofs=kept))
            known = {bullet.id: bullet for bullet in run.playbook}
        assert known["b-1"].content == "red is 70001" and known["b-1"].helpful == 1
        assert known["b-2"].content == "blue is 3"
        (dropped,) = store.proposals(run=1)
        assert dropped.outcome == "rejected" and dropped.delta == delta[:1]
        assert dropped.why == "edited by another writer meanwhile: b-1"
        step = store.steps(1)[-1]
        assert step.payload["kept"] == {"b-2": ["train-blue"]} and step.payload["proposals"] == ["rejected"]
        assert store.verify() == []
        with start_run("learn", parts(store), resume=True) as run:
            assert run.step(EPOCH, lambda: StepWork(reason="first")).number == 0  # from the journal
            assert run.step(EPOCH, lambda: StepWork(delta=delta, reason="widened")).version == step.version


def test_two_learners_of_one_lesson_have_learned_it_once(tmp_path: Path) -> None:
    """The second keeps what it has proven; its score is that of the version it names."""
    path = tmp_path / "colours.db"
    settings = Settings(batch_size=3, workers=1)
    reports: list[Report] = []

    def meddles(request: Request) -> str:
        if request.role is not Role.GENERATOR and not reports:  # the other one has learned nothing yet
            with Store.open(path) as other:
                reports.append(learn(world(), other, team(), settings))
        return says(request)

    with Store.open(path) as store:
        second = learn(world(), store, RoleModels.of(ScriptedClient(meddles)), settings)
        (first,) = reports
        assert [report.after and report.after.correct for report in (first, second)] == [10, 10]
        assert second.rejected == 0 and second.accepted == 3 == len(second.learned)
        assert second.bullets == 10 == len({bullet.content for bullet in store.checkout(second.selected)})
        scored = [episode for episode in store.episodes(run=second.run) if episode.sample_id[:4] == "test"]
        assert {episode.context_version for episode in scored} == {0, second.selected}
        assert store.verify() == []


def test_a_score_is_of_the_version_it_names_when_others_write_meanwhile(tmp_path: Path) -> None:
    path = tmp_path / "colours.db"

    def meddles(request: Request) -> str:
        if "What about teal" in request.messages[-1].content:
            with Store.open(path) as other:
                version = other.head().number
                add = Add(f"b-{version}", "notes", f"The note {version}.")
                other.commit((add,), author="person", reason="a note")
        return says(request)

    with Store.open(path) as store:
        models = RoleModels.of(ScriptedClient(meddles))
        report = learn(world(), store, models, Settings(batch_size=3, workers=1))
        scored = [episode for episode in store.episodes(run=report.run) if episode.sample_id[:4] == "test"]
        assert {episode.context_version for episode in scored} == {0, report.selected}
        assert report.selected == store.head().number - 1
        assert any(f"the score is of version {report.selected}" in note for note in report.notes)
        assert all(bullet.section != "notes" for bullet in report.learned)


def test_a_vote_on_what_another_has_added_is_nothing_learned(tmp_path: Path) -> None:
    path = tmp_path / "colours.db"
    add = Add("b-other", "notes", "Something new.")
    with Store.open(path) as store, start_run("online", parts(store)) as run:
        with Store.open(path) as other:
            other.commit((add,), author="person", reason="a note")
        mine = Add("b-mine", "notes", "Something else.")
        run.step(EPOCH, lambda: StepWork(delta=(mine, Vote("b-other", 1)), reason="both"))
        assert run.bullets == 2
        assert [bullet.id for bullet in finish(run, PhaseKind.ONLINE).learned] == ["b-mine"]


ADD = Add("b-1", "lessons", "red is 7", ("e1",))
AGAIN = Add("b-1", "lessons", "red is 7", ("e2", "e1"))


@pytest.mark.parametrize(
    ("theirs", "ours", "status"),
    [
        ((ADD,), (AGAIN,), Status.ACTIVE),
        ((ADD,), (AGAIN, Quarantine("b-1")), Status.ACTIVE),
        ((ADD, Quarantine("b-1")), (AGAIN,), Status.ACTIVE),
        ((ADD, Quarantine("b-1")), (AGAIN, Quarantine("b-1")), Status.QUARANTINED),
    ],
)
def test_who_adds_the_same_bullet_adds_the_grounds_for_it(
    tmp_path: Path, theirs: Delta, ours: Delta, status: Status
) -> None:
    path = tmp_path / "p.db"
    with Store.open(path) as store, Store.open(path) as other:
        other.commit((*theirs, Vote("b-1", 1)), author="curator", reason="first")
        done = store.commit((*ours, Vote("b-1", 1)), author="curator", reason="second", expect=0)
        assert done.rejections == () and store.verify() == []
        (bullet,) = store.checkout()
        assert (bullet.provenance, bullet.status, bullet.helpful) == (("e1", "e2"), status, 2)
        again = store.commit((AGAIN,), author="curator", reason="third", expect=0)
        assert again.playbook.bullets["b-1"].provenance == ("e1", "e2")


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        ((Add("b-1", "lessons", "red is 8"),), (ADD,)),
        ((Add("b-1", "notes", "red is 7"),), (ADD,)),
        ((ADD, Revise("b-1", "red is 9")), (AGAIN,)),
        ((ADD, Revise("b-1", "red is 9"), Revise("b-1", "red is 7")), (AGAIN,)),
        ((ADD, Remove("b-1")), (AGAIN,)),
        ((ADD,), (AGAIN, Remove("b-1"))),
    ],
)
def test_what_else_two_do_with_one_bullet_is_a_conflict(tmp_path: Path, theirs: Delta, ours: Delta) -> None:
    path = tmp_path / "p.db"
    with Store.open(path) as store, Store.open(path) as other:
        other.commit(theirs, author="curator", reason="first")
        with pytest.raises(StoreConflict):
            store.commit(ours, author="curator", reason="second", expect=0)
        assert store.head().number == 1


def test_a_person_s_quarantine_stays_when_a_learner_adds_the_bullet_again(tmp_path: Path) -> None:
    path = tmp_path / "p.db"
    with Store.open(path) as store, Store.open(path) as person:
        person.commit((ADD,), author="curator", reason="first")
        person.commit((Quarantine("b-1"),), author="person", reason="I doubt it")
        (bullet,) = store.commit((AGAIN,), author="curator", reason="second", expect=0).playbook
        assert bullet.status is Status.QUARANTINED and bullet.provenance == ("e1", "e2")
