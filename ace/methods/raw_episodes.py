"""Raw episodes: past attempts with their outcome in the context, as they are, as many as the room allows.

Nothing is distilled, so it tells what distilling is worth. This is the full history of Dynamic Cheatsheet
(arXiv 2504.07952, "full-history appending"), with outcomes; `raw_episodes_nearest` shows those nearest to the
question instead of the newest, as case-based agents do (Memento, arXiv 2508.16153).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ace.context.render import Rendered
from ace.llm.embedding import Embedder
from ace.llm.role_models import RoleModels
from ace.methods.kept_text import describe_trial, is_for_all, record_text
from ace.methods.protocol import Equipment, Lab, State, Trial, Update
from ace.methods.shown_bullets import list_others, question_line, show_bullets, show_nearest
from ace.methods.stateless import Stateless
from ace.playbook.model import Add, Playbook, bullet_id
from ace.settings import Settings
from ace.task.types import Sample
from ace.text import CountTokens

SECTION = "episodes"
_LONGEST = 1_000  # tokens of an attempt that is kept, about


@dataclass(frozen=True, slots=True)
class RawEpisodes(Stateless):
    """Show past attempts: with an embedder those nearest to the question, else the newest."""

    count_tokens: CountTokens
    """How a text counts against the room."""

    embedder: Embedder | None = None
    """Turns questions and episodes into vectors of unit length."""

    name: str = "raw_episodes"
    """The method's, which also stands as author of what it adds."""

    def context(self, state: State, playbook: Playbook, sample: Sample, room: int) -> Rendered:
        """Return the episodes for a sample, never its own: the newest as text, the nearest as items."""
        bullets = list_others(playbook, SECTION, sample)
        count, embedder = self.count_tokens, self.embedder
        if embedder is None:
            return show_bullets(bullets, playbook, room, count, lambda bullet: bullet.position)
        return show_nearest(bullets, sample.question, room, count, embedder=embedder)

    def learn(self, state: State, batch: Sequence[Trial], playbook: Playbook, lab: Lab) -> Update:
        """Keep every trial with what may be seen of its outcome, right or wrong."""
        delta = []
        for trial in filter(is_for_all, batch):
            shown = describe_trial(trial, _LONGEST)
            content = f"{question_line(trial.sample)}Attempt: {shown['answer']}"
            if shown["outcome"]:
                content = f"{content}\nOutcome: {shown['outcome']}"
            name = bullet_id(SECTION, content, trial.episode)
            delta.append(Add(name, SECTION, content, (trial.episode,)))
        return record_text(self.name, batch, tuple(delta), playbook)


def build_raw_episodes(
    models: RoleModels, settings: Settings, equipment: Equipment, *, nearest: bool = False
) -> RawEpisodes:
    """Return the method that shows the newest episodes; with `nearest`, those nearest to each question.

    It asks no model. Without an embedder in the equipment the newest stand for the nearest.
    """
    if nearest:
        return RawEpisodes(equipment.count_tokens, equipment.embedder, "raw_episodes_nearest")
    return RawEpisodes(equipment.count_tokens)
