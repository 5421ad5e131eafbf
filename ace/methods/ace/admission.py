"""What a trial may teach and what must wait: lessons that ask to be obeyed, and those that repeat a text.

A suspicious lesson (see `ace.safety.injection`) waits in quarantine for a person; no attempt can prove it,
since an answer can be right with an injection in the context as well. A lesson that repeats what the trial's
question, tools, documents or roles said waits for an attempt at another sample, which has not seen that text:
see `ace.methods.ace.quarantine`. Knows texts only; asks no model.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from ace.methods.protocol import Trial
from ace.playbook.model import Add, Bullet, Delta, Merge, Operation, Playbook, Promote, Quarantine, Revise
from ace.safety.copied import find_copied_sentence
from ace.safety.injection import find_suspicion
from ace.task.types import Attempt, Feedback

REPEATS = "repeats a text that nobody vouches for"


@dataclass(frozen=True, slots=True)
class Seen:
    """What was said beside the answer: by labels and the environment's names (`vouched`), or by anybody."""

    question: str
    others: tuple[str, ...] = ()
    vouched: tuple[str, ...] = ()

    def flaw(self, lesson: str) -> str:
        """Why a lesson must wait, or nothing."""
        return find_suspicion(lesson) or (REPEATS if self.repeated(lesson) else "")

    def repeated(self, lesson: str) -> bool:
        return bool(find_copied_sentence(lesson, self.question, self.others, self.vouched))


def seen(trial: Trial, more: Iterable[str] = ()) -> Seen:
    """Of a trial, as it went; `more` is what else the reflector was shown: words of other samples."""
    return seen_in(trial.sample.question, trial.attempt, trial.feedback, (*trial.shown, *more))


def seen_in(question: str, attempt: Attempt, feedback: Feedback, more: Iterable[str] = ()) -> Seen:
    """The same of an episode. What a model answered is no source: it has it from one of the others."""
    outcome = feedback.text.replace(attempt.answer, "") if attempt.answer else feedback.text
    return Seen(question, tuple(filter(None, (outcome, *more))), labelled(feedback))


def labelled(feedback: Feedback) -> tuple[str, ...]:
    """What labels say, without the words that introduce it, and the names of what was touched."""
    parts = [fact.text for fact in (*feedback.facts, *feedback.missing)]
    return (feedback.label_error or feedback.expected, *parts, *sorted(feedback.topics))


def waiting(held: Iterable[Add], playbook: Playbook) -> Delta:
    """Into quarantine, each once; what the playbook has or had is left as it is."""
    new = {add.id: add for add in held if add.id not in playbook.bullets}
    return tuple(operation for add in new.values() for operation in (add, Quarantine(add.id)))


def all_waits(delta: Delta) -> bool:
    """Whether a delta does nothing but put bullets into quarantine: there is nothing to try."""
    held = {operation.id for operation in delta if isinstance(operation, Quarantine)}
    return all(isinstance(op, Quarantine) or (isinstance(op, Add) and op.id in held) for op in delta)


def guarded(delta: Delta, playbook: Playbook) -> Delta:
    """The last look before a commit, whatever proposed it: nothing suspicious becomes active.

    What is added waits. A bullet that is there keeps the text it has, and one that waits goes on waiting.
    What a person has let in may stay, and be cited and voted for.
    """
    held = {op.id for op in delta if isinstance(op, Quarantine)}
    made: list[Operation] = []
    for operation in delta:
        match operation:
            case Add(id=name, content=content) if find_suspicion(content):
                made += [operation] if name in held else [operation, Quarantine(name)]
            case Revise(id=name, content=content) | Merge(into=name, content=content) if _new(
                playbook, name, content
            ) and find_suspicion(content):
                continue
            case Promote(id=name) if name in playbook.bullets and barred(playbook.bullets[name]):
                continue
            case _:
                made.append(operation)
    return tuple(made)


def barred(bullet: Bullet) -> bool:
    """Nothing but a person may let it out of quarantine."""
    return bool(find_suspicion(bullet.content))


def _new(playbook: Playbook, name: str, content: str) -> bool:
    return name not in playbook.bullets or playbook.bullets[name].content != content
