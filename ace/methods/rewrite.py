"""Rewriting: after each batch a model writes the whole playbook anew, in one piece.

This is what the paper of ACE warns of (arXiv 2510.04618, section 2.2, "context collapse"): a model that is
given a long context to update now and then returns a short one, and what is not repeated is lost.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ace.context.render import Rendered, render_playbook
from ace.errors import ModelError
from ace.llm.client import Client, Subject
from ace.llm.prompts import quote_text
from ace.llm.role_models import RoleModels
from ace.methods.failed_replies import record_failure
from ace.methods.kept_text import (
    ask_for_text,
    describe_trial,
    find_longest,
    find_text,
    is_for_all,
    record_text,
    replace_text,
)
from ace.methods.protocol import Equipment, Lab, State, Trial, Update
from ace.methods.stateless import Stateless
from ace.playbook.model import Bullet, Playbook, Remove
from ace.settings import Settings
from ace.task.types import Sample
from ace.text import CountTokens

SECTION = "playbook"


@dataclass(frozen=True, slots=True)
class Rewrite(Stateless):
    """Put what a model writes in the place of all that the playbook held; pinned bullets stay beside it."""

    client: Client
    """The curator's model, which rewrites."""

    longest: int
    """The most tokens of a playbook."""

    count_tokens: CountTokens
    """How a text counts against the room."""

    name: str = "rewrite"

    def context(self, state: State, playbook: Playbook, sample: Sample, room: int) -> Rendered:
        """Return the whole playbook, as far as there is room."""
        return render_playbook(playbook, room, self.count_tokens)

    def learn(self, state: State, batch: Sequence[Trial], playbook: Playbook, lab: Lab) -> Update:
        """Replace the playbook by what the model makes of it and of the batch. One call a batch."""
        trials = [trial for trial in batch if is_for_all(trial)]
        if not trials:
            return Update(author=self.name)
        share = max(100, 2 * self.longest // len(trials))
        bullets, tokens = list[Bullet](), 0
        for bullet in playbook.active:  # those for which a prompt has no room stay, as pinned ones do
            tokens += 0 if bullet.pinned else self.count_tokens(bullet.content)
            if not bullet.pinned and tokens <= 2 * self.longest:
                bullets.append(bullet)
        with lab.counting_for(lab.bench_of(trials[0]).calls_for):
            try:
                text = ask_for_text(
                    self.client,
                    "rewrite",
                    self.longest,
                    Subject(
                        trials[0].sample,
                        tuple(bullet.content for bullet in bullets),
                        trials[0].attempt,
                        trials[0].feedback,
                    ),
                    playbook=[quote_text(bullet.content, 4 * self.longest) for bullet in bullets],
                    trials=[describe_trial(trial, share) for trial in trials],
                )
            except ModelError as error:
                return Update(proposals=(record_failure(trials[0], self.name, error),), author=self.name)
        episodes = [trial.episode for trial in trials]
        old = find_text(playbook, SECTION)
        delta = replace_text(playbook, SECTION, text, episodes) if text else ()
        removals = tuple(Remove(bullet.id) for bullet in bullets if old is None or bullet.id != old.id)
        return record_text(self.name, trials, (*removals, *delta) if delta else (), playbook)


def build_rewrite(models: RoleModels, settings: Settings, equipment: Equipment) -> Rewrite:
    """Return the method; the curator's model rewrites."""
    return Rewrite(models.curator, find_longest(models.curator, settings), equipment.count_tokens)
