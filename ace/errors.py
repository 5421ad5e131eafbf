"""Every error that the engine raises on purpose, and the exit code that each one becomes.

    AceError                     1  something failed; the message says what to do
    ├── InputError               2  what the user gave cannot be used
    │   ├── TaskError               task.toml, data rows, gold answers (file, line, field)
    │   │   └── UntrustedCode           a task folder from elsewhere names code, which nobody has trusted
    │   ├── FormatError             a playbook text that does not parse (file, line)
    │   ├── ModelNameError          nobody serves this model, or its API key is missing
    │   ├── LessonRefused           a lesson from outside that must not be kept: an order, too long
    │   └── MemoryRefused           must not be remembered: a secret, an order, what is known already
    ├── ModelError               1  talking to a model failed
    │   ├── ModelUnavailable        still failing after every retry
    │   ├── MalformedReply          no valid structured reply after every repair
    │   ├── ContentRefused          a provider's content filter refused the request
    │   └── WeightsError            weights that cannot be fetched or fail their digest
    ├── StoreError               1  the playbook file
    │   ├── NotAPlaybook            another kind of file, or a damaged one
    │   ├── NewerSchema             written by a later release
    │   ├── StoreBusy               another process holds the write lock
    │   │   └── LeadLost            another process learns in the place of this one
    │   ├── StoreConflict           the head moved and the edits touch the same bullets
    │   │   └── MergeConflict           two branches changed the same bullets
    │   ├── StoreUnwritable         read-only or full disk
    │   │   └── StoreUnreachable        the playbook's server does not answer
    │   ├── DocumentsError          an index of documents that is missing or damaged, or another kind of file
    │   ├── UnknownVersion          no such version, branch, tag, run or bullet
    │   └── UnknownMemory           no such memory, or no such user
    ├── AgentFailed              1  somebody's own agent raised, crashed or took too long
    ├── JudgeFailed              1  no answer of a run can be scored, whatever it says
    ├── WorkspaceFailed          1  what an attempt acts on does not open, hangs, or cannot say its state
    ├── ContextError             1  no prompt could be put together for one question
    └── CapReached               3  a cap on calls, tokens, cost or seconds; work so far is kept
        └── BudgetSpent             the calls for learning are used up: learning ends, the run goes on

Errors pickle with their details, so they survive process pools and the journal.
"""

from __future__ import annotations

from functools import partial
from typing import Any


class AceError(Exception):
    """Report what failed. Every error that the package raises on purpose is one of these.

    Errors about model calls also have the details `usage` and `faults`: what the requests until then took and
    met.
    """

    exit_code = 1
    """What the command line ends with."""

    def __init__(self, message: str, *, hint: str = "", **details: Any) -> None:
        super().__init__(message)
        self.message = message
        """What failed, as one sentence."""
        self.hint = hint
        """What to do about it; "" where nobody knows."""
        self.details = details
        """Values for programs, by name; which there are, each subclass says."""

    def __str__(self) -> str:
        """Return the message and the hint, as people read them: two sentences."""
        message = self.message.strip()
        ends = message.endswith((".", "!", "?", ":", ";", ")", "`", "\u3002", "\u2026"))
        if message and self.hint and not ends:  # it ends with the words of somebody else
            message += "."
        return f"{message} {self.hint}".strip()

    def __reduce__(self) -> tuple[Any, ...]:
        """Return how to build the error again with its hint and details, for `pickle`."""
        return partial(type(self), hint=self.hint, **self.details), (self.message,)


class InputError(AceError):
    """Refuse what the user gave: an option, a file, a value. Nothing was changed.

    Details: `file` or `field`, where the fault is in one.
    """

    exit_code = 2


class TaskError(InputError):
    """Refuse a task folder: its task.toml, a row of its data, or a gold answer.

    Details: `file`, `line` (from 1) and `field`, where they are known.
    """

    def __str__(self) -> str:
        """Return the message behind the place that it is about, as "tasks/a/train.jsonl:3 [gold]: ..."."""
        file, line, field = (self.details.get(key) for key in ("file", "line", "field"))
        place = str(file) if file else ""
        if line:
            place = f"{file}:{line}" if file else f"line {line}"
        if field:
            place = f"{place} [{field}]".lstrip()
        return f"{place}: {super().__str__()}" if place else super().__str__()


class UntrustedCode(TaskError):
    """Refuse to run the code of a task folder that is neither in the project nor trusted.

    Details: `file` and `field`, where the code is named; `folder`, and `digest` of its code.
    """


class FormatError(TaskError):
    """Refuse a text that does not parse: a playbook, or a file of JSON lines.

    Details: `file` and `line` (from 1), where they are known.
    """


class ModelNameError(InputError):
    """Refuse a model name that nobody serves, or whose API key is missing or refused.

    Details: `model`, and `variables`, the environment variables one of which must hold the key.
    """


class LessonRefused(InputError):
    """Refuse a lesson that somebody else's agent proposes.

    Details: `rule`, the value of an `ace.servers.lessons.LessonRule`.
    """


class MemoryRefused(InputError):
    """Refuse what must not be remembered.

    Details: `why`, which begins with the rule (`ace.memory.acceptance.MemoryRule`).
    """


class ModelError(AceError):
    """Report that talking to a model failed.

    Details: `model`, where it is known, and `faults`, what the requests met until then.
    """


class ModelUnavailable(ModelError):
    """Report that a model or its server did not answer, until the last retry.

    A run that ends with it can be resumed: what was paid for is in its journal.
    Details: `model` and `faults`, where an endpoint failed.
    """


class MalformedReply(ModelError):
    """Report that no repair made a reply valid.

    Details: `text`, the last raw reply; `usage` and `faults` of all the requests that were made for it.
    """


class ContentRefused(ModelError):
    """Report that a provider's content filter refused a request. Another try would be refused too.

    Details: `model`.
    """


class WeightsError(ModelError):
    """Report weights that cannot be fetched, or that fail their digest.

    Details: `path`, where a damaged file has been deleted.
    """


class StoreError(AceError):
    """Report what is wrong with the playbook file. What was committed before is kept.

    Details: `path`, where SQLite itself reported it.
    """


class NotAPlaybook(StoreError):
    """Report that the file is no playbook, or is damaged.

    Nothing is mended by itself: a backup, or an export of an earlier version, is the way back.
    """


class NewerSchema(StoreError):
    """Report that the file was written by a later release of this package. That one can read it."""


class StoreBusy(StoreError):
    """Report that another process held the write lock for longer than the time-out.

    Nothing was written, so the same may be tried again.
    """


class LeadLost(StoreBusy):
    """Report that another process learns, or has learned, in the place of one whose connection was lost.

    Nothing was written. What was reported waits in the playbook for whoever learns next.
    """


class StoreConflict(StoreError):
    """Report that the head moved, and that both sides edited the same bullets. Nothing was written.

    Edits of other bullets are put on top of the new head without a word; here somebody has to decide.
    Details: `expected`, the version that was decided on; `found`, the head; `bullets`, the ids that both
    edited.
    """


class MergeConflict(StoreConflict):
    """Report that two branches changed the same bullets. Nothing was written.

    Details: the versions `base`, `ours` and `theirs`, and `bullets`, the ids in conflict.
    """


class StoreUnwritable(StoreError):
    """Report that the file or its folder is read-only, or that the disk is full.

    What was acknowledged until then is in the file.
    """


class StoreUnreachable(StoreUnwritable):
    """Report that the server of a playbook does not answer, or that the connection to it was lost.

    What was acknowledged until then is kept. Details: `again`, whether the same may simply be done again,
    because it is certain that nothing of it was kept.
    """


class DocumentsError(StoreError):
    """Report that an index of documents is missing or damaged, or another kind of file. Details: `path`."""


class UnknownVersion(StoreError, KeyError):
    """Report that this file has no such version, branch, tag, run or bullet.

    It is a KeyError, too, but reads as a sentence.
    """

    __str__ = AceError.__str__


class UnknownMemory(StoreError, KeyError):
    """Report that this file has no such memory, or none of such a user."""

    __str__ = AceError.__str__


class AgentFailed(AceError):
    """Report that somebody's own agent made no attempt: it raised, crashed or took too long.

    Details: `output`, what it wrote until then.
    """


class JudgeFailed(AceError):
    """Report that what scores a run's answers fails at all of them, or is out of reach for several in a row.

    A single answer that cannot be scored counts as wrong, and the run goes on. One that ends with this can be
    resumed.
    """


class WorkspaceFailed(AceError):
    """Report that what an attempt acts on does not work: it does not open, hangs, or cannot say its state.

    The attempt counts as wrong with this as its reason; the run goes on.
    """


class ContextError(AceError):
    """Report that no prompt fits one question: it is too long, or a source failed.

    The question counts as wrong with this as its reason; the run goes on.
    """


class CapReached(AceError):
    """Report that a cap was reached: the run ends, and the work so far is kept.

    Details: `cap` (calls, tokens, cost or seconds), `limit`, and `used`, which is None where the price is
    unknown.
    """

    exit_code = 3


class BudgetSpent(CapReached):
    """Report that learning has used up its calls (the setting `calls`). Learning ends, and the run goes on.

    Details: those of CapReached; `cap` is "calls".
    """


def describe_error(error: BaseException) -> str:
    """Return the type of an exception and its words. Never raises: words that cannot be read are left out."""
    try:
        return f"{type(error).__name__}: {error}"
    except Exception:  # of somebody else's code, whose text raises one itself
        return f"{type(error).__name__}: (its words cannot be read)"
