"""What a method answers to the loop that remembers nothing, and maintains nothing, beside its playbook."""

from __future__ import annotations

from ace.methods.protocol import Chores, Lab, Moment, State, Summary
from ace.playbook.model import Playbook
from ace.runs.steps import StepRecord
from ace.task.types import Task


class Stateless:
    """Answer what the loop asks beside `context` and `learn`, which a method that derives from it adds."""

    __slots__ = ()

    cites = False
    """No method that shows its bullets without labels asks which were used."""

    replays = False
    """Each sample comes once an epoch, as published methods have it."""

    def start(self, task: Task, playbook: Playbook, lab: Lab) -> State:
        """Remember nothing."""
        return None

    def maintain(self, state: State, playbook: Playbook, lab: Lab, moment: Moment, number: int) -> Chores:
        """Yield nothing."""
        yield from ()

    def summarize(self, state: State) -> Summary:
        """Say nothing, and go on."""
        return Summary()

    def replay(self, state: State, step: StepRecord, playbook: Playbook, lab: Lab) -> State:
        """Remember nothing: what a step has committed stands in the playbook."""
        return state
