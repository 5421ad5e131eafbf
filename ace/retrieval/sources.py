"""The sources of a run: what its task wants retrieved for every question.

A source joins by a line in `sources_of`: built from the task's `context`, the store and the task's embedder.
Sources are asked in the threads of a run, so one that reads SQLite opens connections of its own.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ace.context import Source, as_source
from ace.errors import InputError
from ace.llm.embedding import DEFAULT_EMBEDDER, connect_embedder
from ace.retrieval.documents import DocumentSource, IndexReport, index_file
from ace.retrieval.memory_source import MemorySource
from ace.store import Store
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
    """The folder `task.context.documents`, in an index beside the playbook that is brought up to date."""
    if task.context.documents is not None:
        wanted, file = task.context, index_file(store.path)
        embed = connect_embedder(wanted.embedder or DEFAULT_EMBEDDER)
        source = DocumentSource.open(task.context.documents, file, embed, most=wanted.passages)
        if not source.report.documents:
            raise _nothing(source.report)
        yield source


def _nothing(report: IndexReport) -> InputError:
    reasons = "; ".join(f"{each.path}: {each.reason}" for each in report.skipped[:5])
    hint = "Documents are Markdown, text, HTML or PDF files."
    return InputError(f"Nothing in {report.folder} can be indexed ({reasons}).", hint=hint)


def recorded(sources: Sequence[Source]) -> list[str] | None:
    """What a run keeps of its sources, to know whether it is resumed with the same ones."""
    return [" ".join((each.name, getattr(each, "fingerprint", ""))).strip() for each in sources] or None


def _memories(task: Task, store: Store) -> Iterator[Source]:
    """What `store` remembers of users and sessions, where `task.context.memories` wants it."""
    if task.context.memories:
        yield MemorySource(store.path, connect_embedder(task.context.embedder or DEFAULT_EMBEDDER))
