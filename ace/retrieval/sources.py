"""Sources of a run: documents, memories and retrievers of its task's own, asked for every question.

A source joins by a line in `build_sources`, built from the task's `context`, the store and the task's
embedder. Sources are asked in the threads of a run, so a source that reads SQLite opens its own connections.
"""

from __future__ import annotations

from collections.abc import Sequence

from ace.context import Source, as_source
from ace.errors import InputError
from ace.llm.embedding import DEFAULT_EMBEDDER, connect_embedder
from ace.retrieval.documents import DocumentSource, locate_index
from ace.retrieval.memory_source import MemorySource
from ace.store import Store
from ace.task.types import Task


def build_sources(task: Task, store: Store) -> tuple[Source, ...]:
    """Build the sources that the task's `context` asks for.

    Documents are indexed beside the playbook, and the index is brought up to date. Raises InputError for an
    object that is no source, two sources of one name, or documents of which none can be indexed.
    """
    wanted = task.context
    sources: list[Source] = []
    if wanted.documents is not None:
        embedder = connect_embedder(wanted.embedder or DEFAULT_EMBEDDER)
        file = locate_index(store.path)
        documents = DocumentSource.open(wanted.documents, file, embedder, most=wanted.passages)
        report = documents.report
        if not report.documents:
            reasons = "; ".join(f"{skipped.path}: {skipped.reason}" for skipped in report.skipped[:5])
            hint = "Documents are Markdown, text, HTML or PDF files."
            raise InputError(f"Nothing in {report.folder} can be indexed ({reasons}).", hint=hint)
        sources.append(documents)
    if wanted.memories:
        embedder = connect_embedder(wanted.embedder or DEFAULT_EMBEDDER)
        sources.append(MemorySource(store.path, embedder))
    sources += map(as_source, wanted.sources)
    names = [source.name for source in sources]
    for name in names:
        if names.count(name) > 1:
            raise InputError(f"Two sources are called {name!r}.", hint="Give each a name of its own.")
    return tuple(sources)


def fingerprint_sources(sources: Sequence[Source]) -> list[str] | None:
    """Return what tells whether a run is resumed with the same sources; None where there are none.

    That is a source's name, and its `fingerprint` where it has one.
    """
    prints = []
    for source in sources:
        fingerprint = getattr(source, "fingerprint", "")
        prints.append(f"{source.name} {fingerprint}".strip())
    return prints or None
