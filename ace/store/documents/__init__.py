"""Documents as a source of context: a folder indexed in a SQLite file of its own, and searched."""

from ace.store.documents.folder import Skipped, documents
from ace.store.documents.index import Document, DocumentIndex, IndexReport
from ace.store.documents.search import Found, Search
from ace.store.documents.source import INDEX_SUFFIX, DocumentSource, index_file

__all__ = [
    "INDEX_SUFFIX",
    "Document",
    "DocumentIndex",
    "DocumentSource",
    "Found",
    "IndexReport",
    "Search",
    "Skipped",
    "documents",
    "index_file",
]
