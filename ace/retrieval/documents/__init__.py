"""Documents as a source of context: a folder indexed in a SQLite file of its own, and searched."""

from ace.retrieval.documents.document_folder import Skipped, documents
from ace.retrieval.documents.document_index import Document, DocumentIndex, IndexReport
from ace.retrieval.documents.document_search import Found, Search
from ace.retrieval.documents.document_source import INDEX_SUFFIX, DocumentSource, index_file

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
