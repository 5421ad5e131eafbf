"""A folder of documents as a source of context: what it says on a question, cited line by line.

Documents are the least trusted text but for users': items say so, and nothing here judges what stands
in them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ace.context.item import Item, Trust
from ace.retrieval.documents.document_folder import documents
from ace.retrieval.documents.document_index import DocumentIndex, IndexReport, Progress
from ace.retrieval.documents.document_search import Found, Search
from ace.text.tokens import estimate_tokens

if TYPE_CHECKING:
    from ace.llm.embedding import Embedder

MOST = 5  # chunks for a question; a budget may leave out the last of them


class DocumentSource:
    """Searches a folder that was indexed when the source was opened. Any thread may call it."""

    name = "documents"

    def __init__(self, search: Search, most: int, report: IndexReport, fingerprint: str) -> None:
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
        """Bring the index in `file` up to date with `folder`, and search that. Raises as `update` does."""
        documents(Path(folder))  # before a file is made for it
        index = DocumentIndex.open(file)
        report = index.update(folder, embed, progress)
        number = index.folder_id(folder)
        state = " ".join((index.fingerprint(number), embed.name if embed else "words", f"{most} passages"))
        return cls(Search(index, embed, folder=number), most, report, state)

    def items(self, question: str, data: Mapping[str, Any]) -> Sequence[Item]:
        """The chunks that fit best, best first."""
        return [self._item(found) for found in self._search(question, self._most)]

    def _item(self, found: Found) -> Item:
        text = found.chunk.shown
        return Item(
            text,
            estimate_tokens(text),
            source=found.document,
            utility=found.score,
            volatile=True,
            trust=Trust.DOCUMENT,
            provenance=found.citation,
        )


def index_file(playbook: str | Path) -> Path:
    """Where the index of a task's documents is: beside its playbook, `capitals.documents.db`."""
    path = Path(playbook)
    return path.with_name(f"{path.stem}{INDEX_SUFFIX}")


INDEX_SUFFIX = ".documents.db"
