"""What a person edits while a run is under way stays as the person left it; the run goes on without it."""

from __future__ import annotations

from pathlib import Path

from ace.loop.progress import silent
from ace.loop.run import RunParts, StepWork, start_run
from ace.playbook import Add, Revise, Vote
from ace.runs.steps import Phase, PhaseKind
from ace.settings import Settings
from ace.store import Store
from tests.world import team, world

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
