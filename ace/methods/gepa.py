"""GEPA (Agrawal et al., arXiv 2507.19457) through the package `gepa` (the extra of that name).

An instruction evolves: a model reflects on a few attempts and writes another one, which is kept if it is
better on them, and then scored on the validation samples; parents are drawn from the Pareto front over those.
Here the package's own optimizer does that. Attempts and reflections are calls of the run, counted and
journaled like all others, so a run that was killed asks for none of them again. The instruction that is found
is one bullet.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from ace.context.render import Rendered
from ace.errors import AceError, BudgetSpent, CapReached, InputError, ModelError, ModelUnavailable
from ace.llm.client import Client, Message, Request, Role, Subject
from ace.llm.role_models import RoleModels
from ace.methods.grades import grade
from ace.methods.kept_text import describe_trial, find_longest, find_text, record_text, replace_text
from ace.methods.protocol import Chore, Chores, Equipment, Lab, Moment, State, Summary, Trial, Update
from ace.methods.shown_bullets import show_bullets
from ace.methods.stateless import Stateless
from ace.playbook.delta import apply
from ace.playbook.model import Playbook
from ace.runs.steps import Phase, PhaseKind
from ace.settings import FeedbackKind, Settings
from ace.task.types import Sample, Task
from ace.text import CountTokens

if TYPE_CHECKING:
    from gepa.core.adapter import EvaluationBatch

SECTION = "instructions"
_PASSES = 5  # over training and validation samples, where no number of calls is set
_TEMPERATURE = 1.0  # of reflections: the same examples may come again, and must not give the same text


@dataclass(frozen=True, slots=True)
class Gepa(Stateless):
    """Optimize an instruction over all training samples at once, in a chore of each epoch."""

    client: Client
    """The reflector's model."""

    settings: Settings
    """`calls` bounds the optimizer, `seed` makes it the same again."""

    longest: int
    """The most tokens of an instruction."""

    count_tokens: CountTokens
    """How a text counts against the room."""

    name: str = "gepa"

    def start(self, task: Task, playbook: Playbook, lab: Lab) -> Task:
        """Return the task. Raises InputError for a run that brings samples one by one, or shows no scores."""
        if lab.online:
            raise InputError(
                "gepa optimizes over a training set, and an online run has none.",
                hint="Use `ace learn`, or another --method.",
            )
        if self.settings.feedback is FeedbackKind.NONE:
            raise InputError(
                "gepa needs scores, and --feedback none shows none.", hint="Use labels or execution."
            )
        return task

    def context(self, state: State, playbook: Playbook, sample: Sample, room: int) -> Rendered:
        """Return the instruction that was found, if one was."""
        bullet = find_text(playbook, SECTION)
        return show_bullets((bullet,) if bullet else (), playbook, room, self.count_tokens)

    def learn(self, state: State, batch: Sequence[Trial], playbook: Playbook, lab: Lab) -> Update:
        """Change nothing: samples are not learned from one by one."""
        return Update(author=self.name)

    def summarize(self, state: State) -> Summary:
        """Ask for no attempts beside those of the optimizer."""
        return Summary(give_up=True)

    def maintain(self, state: State, playbook: Playbook, lab: Lab, moment: Moment, number: int) -> Chores:
        """Optimize once an epoch."""
        if moment is Moment.EPOCH:
            yield Chore(Phase(PhaseKind.CURATION, number), self.name, partial(self._optimize, state))

    def _optimize(self, task: Task, playbook: Playbook, lab: Lab) -> Update:
        """Run the optimizer until its calls are used up, and take the instruction that it found.

        Raises InputError where `gepa` is not installed, ModelUnavailable where no model can be reached.
        """
        try:
            from gepa.api import optimize
        except ImportError as error:
            hint = "Install it: pip install 'ace-engine[gepa]'"
            raise InputError("The method gepa needs the package gepa.", hint=hint) from error
        validation = task.val or task.train
        old = find_text(playbook, SECTION)
        seed = old.content if old else task.instructions
        arena = Arena(self, task.instructions, playbook, lab, best=seed)
        parts: dict[str, Any] = {"adapter": arena, "logger": arena, "callbacks": [arena]}
        with suppress(BudgetSpent):  # the best that was scored until then is taken
            optimize(
                seed_candidate={SECTION: seed},
                trainset=list(task.train),
                valset=list(validation),
                reflection_lm=arena.reflect,
                max_metric_calls=self.settings.calls or _PASSES * (len(task.train) + len(validation)),
                seed=lab.bench(self.name).seed(self.name) % 2**32,
                **parts,
            )
        text = arena.best.strip()
        changed = bool(text) and text != seed.strip()
        delta = replace_text(playbook, SECTION, text, ()) if changed else ()
        return record_text(self.name, (), delta, playbook)


@dataclass(slots=True)
class Arena:
    """Be the adapter, the logger and the callback of one run of the optimizer."""

    method: Gepa
    instructions: str
    """The task's own, which stand in every prompt: as a candidate they are shown as no playbook."""

    playbook: Playbook
    lab: Lab
    best: str
    """The best instruction so far, by the validation samples."""

    current: str = ""
    """The instruction that is reflected on."""

    propose_new_texts: None = None
    """The optimizer words its own reflections."""

    reflections: int = 0
    """How many there were."""

    failure: AceError | None = None
    """What ends the optimizer with its next step; None as long as nothing does."""

    def evaluate(
        self, batch: Sequence[Sample], candidate: Mapping[str, str], capture_traces: bool = False
    ) -> EvaluationBatch[Trial, Trial]:
        """Attempt a batch of samples with an instruction; the score is what a learner may see, or 0."""
        from gepa.core.adapter import EvaluationBatch

        if self.failure is not None:
            raise self.failure
        text = candidate[SECTION].strip()
        playbook = self.playbook
        if text and text != self.instructions.strip():
            playbook, _ = apply(playbook, replace_text(playbook, SECTION, text, ()))
        # A sample may be in a batch twice, and a bench belongs to one thread at a time.
        benches = [self.lab.bench(f"{sample.id}, {place}") for place, sample in enumerate(batch)]
        trials = list(
            self.lab.map(
                lambda place: benches[place].solve(batch[place], playbook),
                range(len(batch)),
                lambda place: batch[place].id,
            )
        )
        scores = [grade(trial.feedback) or 0.0 for trial in trials]
        return EvaluationBatch(outputs=trials, scores=scores, trajectories=trials if capture_traces else None)

    def make_reflective_dataset(
        self,
        candidate: Mapping[str, str],
        eval_batch: EvaluationBatch[Trial, Trial],
        components_to_update: Sequence[str],
    ) -> dict[str, list[dict[str, Any]]]:
        """Return the attempts as examples: question, answer, and what is known of the outcome."""
        self.current = candidate[SECTION]
        records = []
        for trial in eval_batch.trajectories or ():
            shown = describe_trial(trial, self.method.longest // 2)  # of three, as a rule
            records.append(
                {
                    "Inputs": shown["question"],
                    "Generated Outputs": shown["answer"],
                    "Feedback": shown["outcome"] or f"score {grade(trial.feedback) or 0.0:.2f}",
                }
            )
        return dict.fromkeys(components_to_update, records)

    def reflect(self, prompt: str | list[dict[str, Any]]) -> str:
        """Answer the optimizer's request for another instruction; where that fails, with the same one.

        Raises ModelUnavailable where the model cannot be reached, CapReached at a cap.
        """
        self.reflections += 1
        bench = self.lab.bench(self.method.name)
        request = Request(
            role=Role.REFLECTOR,
            messages=(Message("user", str(prompt)),),
            temperature=_TEMPERATURE,
            seed=bench.seed(self.method.name, self.reflections),
            max_tokens=self.method.longest,
            subject=Subject(bullets=(self.current,), draw=self.reflections - 1),
        )
        if self.failure is not None:
            raise self.failure
        try:
            return self.method.client.complete(request).text
        except (CapReached, ModelUnavailable) as error:  # the optimizer goes on after an error here
            self.failure = error
            raise
        except ModelError:  # what the call met is in the journal
            return f"```\n{self.current}\n```"

    def on_valset_evaluated(self, event: Mapping[str, Any]) -> None:
        """Remember the best instruction: learning may end before the optimizer does."""
        if event["is_best_program"]:
            self.best = event["candidate"][SECTION]

    def log(self, message: str) -> None:
        """Write nothing: what happens is in the run's journal."""


def build_gepa(models: RoleModels, settings: Settings, equipment: Equipment) -> Gepa:
    """Return the method; the reflector's model proposes instructions."""
    longest = find_longest(models.reflector, settings)
    return Gepa(models.reflector, settings, longest, equipment.count_tokens)
