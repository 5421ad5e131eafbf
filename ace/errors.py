"""Every error the engine raises on purpose, and the exit code each one becomes.

    AceError                     1  something failed; the message says what to do
    ├── InputError               2  what the user gave cannot be used
    │   ├── TaskError               task.toml, data rows, gold answers (file, line, field)
    │   ├── FormatError             a playbook text that does not parse (file, line)
    │   ├── ModelNameError          nobody serves this model, or its API key is missing
    │   └── MemoryRefused           what must not be remembered: a secret, an order, what is known already
    ├── ModelError               1  talking to a model failed
    │   ├── ModelUnavailable        still failing after every retry
    │   ├── MalformedReply          no valid structured reply after every repair
    │   ├── ContentRefused          a provider's content filter refused the request
    │   └── WeightsError            weights that cannot be fetched or fail their digest
    ├── StoreError               1  the playbook file
    │   ├── NotAPlaybook            some other file, or a damaged one
    │   ├── NewerSchema             written by a later release
    │   ├── StoreBusy               another process holds the write lock
    │   ├── StoreConflict           the head moved and the edits touch the same bullets
    │   │   └── MergeConflict           two branches changed the same bullets
    │   ├── StoreUnwritable         read-only or full disk
    │   ├── DocumentsError          an index of documents that is missing, damaged or something else
    │   ├── UnknownVersion          no such version, branch, tag, run or bullet
    │   └── UnknownMemory           no such memory, or no such user
    ├── ContextError             1  no prompt could be put together for one question
    └── CapReached               3  a cap on calls, tokens, cost or seconds; work so far is kept

Errors pickle with their details, so they survive process pools and the journal.
"""

from __future__ import annotations

from typing import Any


class AceError(Exception):
    """Base of the tree. `hint` is the sentence that says what to do about it."""

    exit_code = 1

    def __init__(self, message: str, *, hint: str = "", **details: Any) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.details = details

    def __str__(self) -> str:
        return f"{self.message} {self.hint}".strip()

    def __reduce__(self) -> tuple[Any, ...]:
        return _rebuild, (type(self), self.message, self.hint, self.details)


def _rebuild(kind: type[AceError], message: str, hint: str, details: dict[str, Any]) -> AceError:
    return kind(message, hint=hint, **details)


class InputError(AceError):
    """What the user gave cannot be used: an option, a file, a value."""

    exit_code = 2


class TaskError(InputError):
    """A task folder is wrong. Details: `file`, `line`, `field` where they are known."""

    def __str__(self) -> str:
        file, line, field = (self.details.get(key) for key in ("file", "line", "field"))
        place = f"{file}" if file else "line" if line else ""
        place += f"{':' if file else ' '}{line}" if line else ""
        place += f" [{field}]" if field else ""
        return f"{place}: {super().__str__()}" if place else super().__str__()


class FormatError(TaskError):
    """A playbook text that does not parse. Details: `file`, `line`."""


class ModelNameError(InputError):
    """A model name nobody serves, or one whose API key is missing."""


class MemoryRefused(InputError):
    """What must not be remembered. Details: `why`, which begins with the rule."""


class ModelError(AceError):
    """Talking to a model failed."""


class ModelUnavailable(ModelError):
    """The endpoint kept failing until the last retry. Details: `model`, `attempts`."""


class MalformedReply(ModelError):
    """No valid structured reply after every repair. Details: `text`, the last raw reply."""


class ContentRefused(ModelError):
    """A provider's content filter refused the request. Asking again would be refused again."""


class WeightsError(ModelError):
    """Weights that cannot be fetched, or that fail their digest."""


class StoreError(AceError):
    """Something about the playbook file."""


class NotAPlaybook(StoreError):
    """The file is not a playbook, or is damaged."""


class NewerSchema(StoreError):
    """The file was written by a later release of this package."""


class StoreBusy(StoreError):
    """Another process held the write lock for longer than the time-out."""


class StoreConflict(StoreError):
    """The head moved. Details: `expected`, `found`, `bullets`."""


class MergeConflict(StoreConflict):
    """Two branches changed the same bullets. Details: `base`, `ours`, `theirs`, `bullets`."""


class StoreUnwritable(StoreError):
    """The file or its folder is read-only, or the disk is full."""


class DocumentsError(StoreError):
    """An index of documents that is missing, damaged, or some other file. Details: `path`."""


class UnknownVersion(StoreError, KeyError):
    """No such version, branch, tag, run or bullet in this file."""

    __str__ = AceError.__str__


class UnknownMemory(StoreError, KeyError):
    """No such memory in this file, or none of such a user."""

    __str__ = AceError.__str__


class ContextError(AceError):
    """No prompt could be put together for one question: it is too long, or a source failed."""


class CapReached(AceError):
    """A cap was reached. Details: `cap`, `limit`, `used`."""

    exit_code = 3
