"""Every error that the engine raises on purpose, and the exit code that each one becomes.

    AceError                     1  something failed; the message says what to do
    ├── InputError               2  what the user gave cannot be used
    │   ├── TaskError               task.toml, data rows, gold answers (file, line, field)
    │   ├── FormatError             a playbook text that does not parse (file, line)
    │   ├── ModelNameError          nobody serves this model, or its API key is missing
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
    │   ├── StoreConflict           the head moved and the edits touch the same bullets
    │   │   └── MergeConflict           two branches changed the same bullets
    │   ├── StoreUnwritable         read-only or full disk
    │   ├── DocumentsError          an index of documents that is missing or damaged, or another kind of file
    │   ├── UnknownVersion          no such version, branch, tag, run or bullet
    │   └── UnknownMemory           no such memory, or no such user
    ├── AgentFailed              1  somebody's own agent raised, crashed or took too long
    ├── ContextError             1  no prompt could be put together for one question
    └── CapReached               3  a cap on calls, tokens, cost or seconds; work so far is kept

Errors pickle with their details, so they survive process pools and the journal.
"""

from __future__ import annotations

from functools import partial
from typing import Any


class AceError(Exception):
    """Report what failed in `message`; `hint` is the sentence that says what to do about it."""

    exit_code = 1

    def __init__(self, message: str, *, hint: str = "", **details: Any) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.details = details

    def __str__(self) -> str:
        return f"{self.message} {self.hint}".strip()

    def __reduce__(self) -> tuple[Any, ...]:
        return partial(type(self), hint=self.hint, **self.details), (self.message,)


class InputError(AceError):
    """Refuse what the user gave: an option, a file, a value."""

    exit_code = 2


class TaskError(InputError):
    """Refuse a task folder. Details: `file`, `line`, `field` where they are known."""

    def __str__(self) -> str:
        file, line, field = (self.details.get(key) for key in ("file", "line", "field"))
        place = str(file) if file else ""
        if line:
            place = f"{file}:{line}" if file else f"line {line}"
        if field:
            place = f"{place} [{field}]"
        return f"{place}: {super().__str__()}" if place else super().__str__()


class FormatError(TaskError):
    """Refuse a playbook text that does not parse. Details: `file`, `line`."""


class ModelNameError(InputError):
    """Refuse a model name that nobody serves, or whose API key is missing."""


class MemoryRefused(InputError):
    """Refuse what must not be remembered. Details: `why`, which begins with the rule."""


class ModelError(AceError):
    """Report that talking to a model failed."""


class ModelUnavailable(ModelError):
    """Report that the endpoint failed until the last retry. Details: `model`, `attempts`."""


class MalformedReply(ModelError):
    """Report that no repair made a reply valid. Details: `text`, the last raw reply."""


class ContentRefused(ModelError):
    """Report that a provider's content filter refused a request. Another try would be refused too."""


class WeightsError(ModelError):
    """Report weights that cannot be fetched, or that fail their digest."""


class StoreError(AceError):
    """Report what is wrong with the playbook file."""


class NotAPlaybook(StoreError):
    """Report that the file is no playbook, or is damaged."""


class NewerSchema(StoreError):
    """Report that the file was written by a later release of this package."""


class StoreBusy(StoreError):
    """Report that another process held the write lock for longer than the time-out."""


class StoreConflict(StoreError):
    """Report that the head moved. Details: `expected`, `found`, `bullets`."""


class MergeConflict(StoreConflict):
    """Report that two branches changed the same bullets. Details: `base`, `ours`, `theirs`, `bullets`."""


class StoreUnwritable(StoreError):
    """Report that the file or its folder is read-only, or that the disk is full."""


class DocumentsError(StoreError):
    """Report that an index of documents is missing or damaged, or another kind of file. Details: `path`."""


class UnknownVersion(StoreError, KeyError):
    """Report that this file has no such version, branch, tag, run or bullet."""

    __str__ = AceError.__str__


class UnknownMemory(StoreError, KeyError):
    """Report that this file has no such memory, or none of such a user."""

    __str__ = AceError.__str__


class AgentFailed(AceError):
    """Report that somebody's own agent made no attempt. Details: `output`, what it wrote until then."""


class ContextError(AceError):
    """Report that no prompt fits one question: it is too long, or a source failed."""


class CapReached(AceError):
    """Report that a cap was reached. Details: `cap`, `limit`, `used`."""

    exit_code = 3
