"""Few-shot prompting: solved training samples as worked examples (Brown et al., arXiv 2005.14165).

An example is a bullet in the section "examples", so it is versioned, resumed and served like any other. With
labels it shows the right answer; without, an attempt that the environment itself has found right. `few_shot`
shows the first ones that were met, the same for every question; `few_shot_nearest` those nearest to the
question by vectors (Liu et al., arXiv 2101.06804).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ace.context.render import Rendered
from ace.llm.embedding import Embedder
from ace.llm.role_models import RoleModels
from ace.methods.protocol import Equipment, Lab, State, Trial, Update
from ace.methods.shown_bullets import list_others, question_line, show_bullets, show_nearest
from ace.methods.stateless import Stateless
from ace.playbook.model import Add, Playbook, bullet_id
from ace.runs.records import Proposal, Reason
from ace.safety.secrets import hide_secrets
from ace.settings import Settings
from ace.task.types import Sample
from ace.text import CountTokens

SECTION = "examples"


@dataclass(frozen=True, slots=True)
class FewShot(Stateless):
    """Show worked examples: with an embedder those nearest to the question, else the first."""

    examples: int
    """How many are shown at most, as room allows."""

    count_tokens: CountTokens
    """How a text counts against the room."""

    embedder: Embedder | None = None
    """Turns questions and examples into vectors of unit length, so their product is the cosine."""

    name: str = "few_shot"
    """The method's, which also stands as author of what it adds."""

    def context(self, state: State, playbook: Playbook, sample: Sample, room: int) -> Rendered:
        """Return the examples for a sample, never its own: fixed ones as text, nearest ones as items."""
        bullets = list_others(playbook, SECTION, sample)
        count, embedder = self.count_tokens, self.embedder
        if embedder is None:
            return show_bullets(bullets[: self.examples], playbook, room, count)
        return show_nearest(bullets, sample.question, room, count, embedder=embedder, most=self.examples)

    def learn(self, state: State, batch: Sequence[Trial], playbook: Playbook, lab: Lab) -> Update:
        """Add an example for every trial whose right answer is known, once a sample."""
        proposals = []
        contents = {bullet.content for bullet in playbook.bullets.values()}
        for trial in batch:
            feedback = trial.feedback
            # Where no label shows it, an attempt that the environment itself found right gives the answer.
            own_answer = trial.attempt.answer if feedback.is_solved and trial.sure else ""
            answer = feedback.expected or own_answer
            content = question_line(trial.sample) + hide_secrets(f"Answer: {answer}")
            if not answer or content in contents or trial.sample.owner:  # what is one user's is no example
                continue
            contents.add(content)
            add = Add(bullet_id(SECTION, content), SECTION, content, (trial.episode,))
            proposals.append(
                Proposal(
                    sample_id=trial.sample.id,
                    author=self.name,
                    delta=(add,),
                    outcome="accepted",
                    why="its right answer is known",
                    episodes=(trial.episode,),
                    reason=Reason.KEPT_UNPROVEN,
                )
            )
        delta = tuple(operation for proposal in proposals for operation in proposal.delta)
        return Update(delta=delta, proposals=tuple(proposals), author=self.name)


def build_few_shot(
    models: RoleModels, settings: Settings, equipment: Equipment, *, nearest: bool = False
) -> FewShot:
    """Return the method with fixed examples; with `nearest`, those nearest to each question.

    It asks no model. Without an embedder in the equipment the nearest are the first, too.
    """
    if nearest:
        return FewShot(settings.examples, equipment.count_tokens, equipment.embedder, "few_shot_nearest")
    return FewShot(settings.examples, equipment.count_tokens)
