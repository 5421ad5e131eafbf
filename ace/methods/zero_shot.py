"""Zero-shot prompting: the instructions and the question alone, the floor for every other method.

Methods that learn nothing and ask in another manner show nothing else: their solvers are in
`ace.agent.MANNERS`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ace.context.render import Rendered
from ace.llm.role_models import RoleModels
from ace.methods.protocol import Equipment, Lab, State, Summary, Trial, Update
from ace.methods.stateless import Stateless
from ace.playbook.model import Playbook
from ace.settings import Settings
from ace.task.types import Sample


@dataclass(frozen=True, slots=True)
class ZeroShot(Stateless):
    """Show no playbook and learn nothing, whatever the file holds."""

    name: str = "zero_shot"

    def context(self, state: State, playbook: Playbook, sample: Sample, room: int) -> Rendered:
        """Return an empty text."""
        return Rendered("", 0, (), ())

    def learn(self, state: State, batch: Sequence[Trial], playbook: Playbook, lab: Lab) -> Update:
        """Change nothing."""
        return Update(author=self.name)

    def summarize(self, state: State) -> Summary:
        """Ask for no training samples: nothing comes of them."""
        return Summary(give_up=True)


def build_zero_shot(
    models: RoleModels, settings: Settings, equipment: Equipment, *, name: str = "zero_shot"
) -> ZeroShot:
    """Return the method under a name; it needs no model."""
    return ZeroShot(name)
