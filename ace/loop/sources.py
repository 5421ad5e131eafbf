"""The sources of a run: what its task wants retrieved for every question.

A source joins by a line in `sources_of`: built from the task's `context`, the store and the task's embedder.
Sources are asked in the threads of a run, so one that reads SQLite opens connections of its own.
"""

from __future__ import annotations

from collections.abc import Iterator

from ace.context import Source, as_source
from ace.errors import InputError
from ace.llm.embedding import DEFAULT_EMBEDDER, connect_embedder
from ace.store import Store
from ace.store.memory_source import MemorySource
from ace.task.types import Task


def sources_of(task: Task, store: Store) -> tuple[Source, ...]:
    """InputError for something that is no source, and for two of the same name."""
    found = (*_documents(task, store), *_memories(task, store), *map(as_source, task.context.sources))
    names = [source.name for source in found]
    for name in names:
        if names.count(name) > 1:
            raise InputError(f"Two sources are called {name!r}.", hint="Give each a name of its own.")
    return found


def _documents(task: Task, store: Store) -> Iterator[Source]:
    """The folder `task.context.documents`."""
    if task.context.documents is not None:
        raise InputError(
            f"Task {task.name} wants documents, which this release cannot search yet.",
            hint="Leave out [context] documents, or give a source of your own in Python.",
        )
    yield from ()


def _memories(task: Task, store: Store) -> Iterator[Source]:
    """What `store` remembers of users and sessions, where `task.context.memories` wants it."""
    if task.context.memories:
        yield MemorySource(store.path, connect_embedder(task.context.embedder or DEFAULT_EMBEDDER))
