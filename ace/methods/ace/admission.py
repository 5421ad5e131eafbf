"""Decide what a trial may teach, and which lessons wait: those that ask to be obeyed or repeat a text.

A suspicious lesson (see `ace.safety.injection`) waits in quarantine for a person; no attempt can prove it,
since an answer can be right with an injection in the context as well. A lesson that repeats what the trial's
question, tools, documents or roles said waits for an attempt at another sample, which has not seen that text:
see `ace.methods.ace.quarantine`. Knows texts only; asks no model.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from ace.methods.ace.pool import Labelled
from ace.methods.protocol import Trial
from ace.playbook.model import Add, Delta, Playbook, Quarantine
from ace.safety.copied import find_copied_sentence, holds_private
from ace.safety.injection import find_suspicion
from ace.task.types import Attempt, Feedback, TurnKind
from ace.text.mentions import find_mentions

_DIGITS = 3  # of a number that tells of somebody

PRIVATE = "holds what one user said"
REPEATS = "repeats a text that nobody vouches for"


@dataclass(frozen=True, slots=True)
class SourceTexts:
    """Hold the texts that stood beside an answer, from which a lesson may have been copied."""

    question: str
    """That of the sample."""

    others: tuple[str, ...] = ()
    """What anybody may have written: outcomes, tool results, documents, questions of other samples."""

    vouched: tuple[str, ...] = ()
    """What a lesson may repeat: right answers, the facts they are made of, the names of topics."""

    private: tuple[str, ...] = ()
    """What belongs to one user, and may stand in no bullet, not even in one that waits."""

    def find_flaw(self, lesson: str) -> str:
        """Return why a lesson must wait, or an empty text."""
        if self.is_private(lesson):
            return PRIVATE
        return find_suspicion(lesson) or (REPEATS if self.has_copied(lesson) else "")

    def is_private(self, lesson: str) -> bool:
        """Return whether a lesson must not be kept at all: it holds what one user said."""
        return holds_private(lesson, self.private)

    def has_copied(self, lesson: str) -> bool:
        """Return whether a lesson repeats what nobody vouches for."""
        return bool(find_copied_sentence(lesson, self.question, self.others, self.vouched))


def collect_trial_texts(trial: Trial, more: Iterable[str] = ()) -> SourceTexts:
    """Return the texts of a trial; `more` is what else the reflector saw: words of other samples."""
    texts = collect_texts(trial.sample.question, trial.attempt, trial.feedback, (*trial.sources, *more))
    return replace(texts, private=trial.private)


def list_private(trials: Iterable[Trial], labelled: Iterable[Labelled]) -> tuple[str, ...]:
    """Return what belongs to single users, as far as trials and known right answers show it.

    That is their memories, and of their questions what tells of them: the right answer, what they said on the
    way, names and long numbers. An answer that is right for somebody else's question as well is nobody's own.
    """
    private = list[str]()
    for trial in trials:
        private += trial.private
        if trial.sample.owner:
            private += [turn.text for turn in trial.attempt.turns if turn.kind is TurnKind.USER]
            for mention in find_mentions(trial.sample.question):
                if " " in mention.text or sum(map(str.isdigit, mention.text)) >= _DIGITS:
                    private.append(mention.text)
    owners: dict[str, set[str]] = {}
    for label in labelled:
        owners.setdefault(label.expected.strip().casefold(), set()).add(label.sample.owner)
    private += [expected for expected, names in owners.items() if len(names) == 1 and names != {""}]
    return tuple(dict.fromkeys(private))


def collect_texts(
    question: str, attempt: Attempt, feedback: Feedback, more: Iterable[str] = ()
) -> SourceTexts:
    """Return the texts of an episode. A model's answer is no source: it has it from one of the others."""
    outcome = feedback.text.replace(attempt.answer, "") if attempt.answer else feedback.text
    # Labels count without the words that introduce them, together with the names of what was touched.
    parts = [fact.text for fact in (*feedback.facts, *feedback.missing)]
    vouched = (feedback.label_error or feedback.expected, *parts, *sorted(feedback.topics))
    return SourceTexts(question, tuple(filter(None, (outcome, *more))), vouched)


def quarantine_new(adds: Iterable[Add], playbook: Playbook) -> Delta:
    """Return the delta that puts lessons into quarantine, each once, except those the playbook has or had."""
    new = {add.id: add for add in adds if add.id not in playbook.bullets}
    return tuple(operation for add in new.values() for operation in (add, Quarantine(add.id)))
