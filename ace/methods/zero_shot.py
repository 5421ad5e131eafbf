"""Zero-shot prompting: the instructions and the question alone, the floor for every other method."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ace.context.render import Rendered
from ace.llm.role_models import RoleModels
from ace.methods.protocol import Chores, Equipment, Lab, Moment, State, Summary, Trial, Update
from ace.playbook.model import Playbook
from ace.runs.steps import StepRecord
from ace.settings import Settings
from ace.task.types import Sample, Task


@dataclass(frozen=True, slots=True)
class ZeroShot:
    """Show no playbook and learn nothing, whatever the file holds."""

    name: str = "zero_shot"

    def start(self, task: Task, playbook: Playbook, lab: Lab) -> State:
        """Remember nothing."""
        return None

    def context(self, state: State, playbook: Playbook, sample: Sample, room: int) -> Rendered:
        """Return an empty text."""
        return Rendered("", 0, (), ())

    def learn(self, state: State, batch: Sequence[Trial], playbook: Playbook, lab: Lab) -> Update:
        """Change nothing."""
        return Update(author=self.name)

    def maintain(self, state: State, playbook: Playbook, lab: Lab, moment: Moment, number: int) -> Chores:
        """Yield nothing."""
        yield from ()

    def summarize(self, state: State) -> Summary:
        """Say nothing, and go on."""
        return Summary()

    def replay(self, state: State, step: StepRecord, playbook: Playbook, lab: Lab) -> State:
        """Remember nothing."""
        return state


def build_zero_shot(models: RoleModels, settings: Settings, equipment: Equipment) -> ZeroShot:
    """Return the method; it needs no model."""
    return ZeroShot()
