"""A folder of documents as a source of context: passages on a question, cited line by line.

Documents are the least trusted text but for users': items say so, and nothing here judges what stands in
them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ace.context.item import Item, Trust
from ace.retrieval.documents.document_folder import list_documents
from ace.retrieval.documents.document_index import DocumentIndex, IndexReport, Progress
from ace.retrieval.documents.document_search import DocumentSearch
from ace.store.store_database import Place, name_beside, parse_place
from ace.text.tokens import estimate_tokens

if TYPE_CHECKING:
    from ace.llm.embedding import Embedder

INDEX_SUFFIX = ".documents.db"
MOST = 5  # chunks for a question; a budget may leave out the last of them


class DocumentSource:
    """Searches a folder that was indexed when the source was opened. Any thread may call it.

    `report` is what indexing came to. `fingerprint` changes with the documents, the embedder and the number
    of passages: a run is resumed only where it is the same.
    """

    name = "documents"

    def __init__(self, search: DocumentSearch, most: int, report: IndexReport, fingerprint: str) -> None:
        self.report = report
        self.fingerprint = fingerprint
        self._search = search
        self._most = most

    @classmethod
    def open(
        cls,
        folder: str | Path,
        file: str | Path,
        embed: Embedder | None,
        *,
        most: int = MOST,
        progress: Progress = lambda *_: None,
    ) -> DocumentSource:
        """Bring the index in `file` up to date with `folder`, and search that.

        At most `most` passages are found for a question. Without `embed` only words are searched. Raises as
        `DocumentIndex.update` does.
        """
        list_documents(Path(folder))  # before a file is made for it
        index = DocumentIndex.open(file)
        report = index.update(folder, embed, progress)
        number = index.folder_id(folder)
        embedder = embed.name if embed else "words"
        fingerprint = f"{index.fingerprint(number)} {embedder} {most} passages"
        return cls(DocumentSearch(index, embed, folder=number), most, report, fingerprint)

    def items(self, question: str, data: Mapping[str, Any]) -> Sequence[Item]:
        """Return the chunks that fit best as items, best first; `data` is not looked at.

        Raises ModelUnavailable as the embedder does.
        """
        items = []
        for passage in self._search(question, self._most):
            text = passage.chunk.full_text
            item = Item(
                text,
                estimate_tokens(text),
                source=passage.document,
                utility=passage.score,
                volatile=True,
                trust=Trust.DOCUMENT,
                provenance=passage.citation,
            )
            items.append(item)
        return items


def locate_index(playbook: str | Place) -> Path:
    """Return the path of the index of a task's documents: beside its playbook, `capitals.documents.db`."""
    return name_beside(parse_place(playbook), INDEX_SUFFIX)
