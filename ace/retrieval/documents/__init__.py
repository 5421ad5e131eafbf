"""Documents as a source of context: a folder indexed in a SQLite file of its own, and searched."""

from ace.retrieval.documents.document_folder import SkippedFile, list_documents
from ace.retrieval.documents.document_index import Document, DocumentIndex, IndexReport
from ace.retrieval.documents.document_search import DocumentSearch, Passage
from ace.retrieval.documents.document_source import INDEX_SUFFIX, DocumentSource, locate_index

__all__ = [
    "INDEX_SUFFIX",
    "Document",
    "DocumentIndex",
    "DocumentSearch",
    "DocumentSource",
    "IndexReport",
    "Passage",
    "SkippedFile",
    "list_documents",
    "locate_index",
]
