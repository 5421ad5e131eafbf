"""What a person edits while a run is under way stays as the person left it; the run goes on without it."""

from __future__ import annotations

from pathlib import Path

from ace.loop.progress import silent
from ace.loop.run import Work, session
from ace.playbook import Add, Revise, Vote
from ace.settings import Settings
from ace.store import Store
from tests.world import team, world


def test_the_rest_of_a_step_is_committed_and_the_run_can_be_resumed(tmp_path: Path) -> None:
    path, options = tmp_path / "colours.db", Settings(workers=1)
    with Store.open(path) as store, Store.open(path) as person:
        store.commit((Add("b-1", "lessons", "red is 1"),), author="user", reason="known")
        delta = (Revise("b-1", "red is 2"), Vote("b-1", 1, 0), Add("b-2", "lessons", "blue is 3"))
        with session("learn", world(), store, team(), options, silent, resume=False) as run:
            run.step("epoch 1", lambda: Work((), [], "first"))
            person.commit((Revise("b-1", "red is 70001"),), author="human", reason="I know better")
            kept = {"b-1": ["train-red"], "b-2": ["train-blue"]}
            run.step("epoch 1", lambda: Work(delta, [], "widened", "reflector", kept=kept))
            known = {bullet.id: bullet for bullet in run.playbook}
        assert known["b-1"].content == "red is 70001" and known["b-1"].helpful == 1
        assert known["b-2"].content == "blue is 3"
        (dropped,) = store.proposals(run=1)
        assert dropped.outcome == "rejected" and dropped.delta == delta[:1]
        assert dropped.why == "edited by another writer meanwhile: b-1"
        step = store.steps(1)[-1]
        assert step.payload["kept"] == {"b-2": ["train-blue"]} and step.payload["proposals"] == ["rejected"]
        assert store.verify() == []
        with session("learn", world(), store, team(), options, silent, resume=True) as run:
            assert run.step("epoch 1", lambda: Work((), [], "first")).number == 0  # from the journal
            assert run.step("epoch 1", lambda: Work(delta, [], "widened")).version == step.version
