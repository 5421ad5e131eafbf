"""`ace documents ...`: index a folder of documents, see what is in the index, and search it."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ace.cli.options import ApiBase, Json
from ace.cli.output import emit, note
from ace.cli.progress import progress
from ace.cli.run_session import Interrupted
from ace.errors import InputError

if TYPE_CHECKING:
    from ace.llm import Embedder
    from ace.retrieval.documents import DocumentIndex, IndexReport

SUFFIX = ".documents.db"
_SHOWN = 20  # skipped files; --json has all
_WORDS_ONLY = "none"

IndexFile = Annotated[
    Path | None, typer.Option("--index", metavar="FILE", help=f"[default: the only {SUFFIX} file here]")
]
EmbedderName = Annotated[
    str | None, typer.Option(metavar="NAME", help='A litellm name, wordllama, or "none" for words alone.')
]


def index(
    folder: Annotated[
        Path, typer.Argument(metavar="FOLDER", help="A folder of Markdown, text, HTML or PDF.")
    ],
    into: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help=f"Made if missing.  [default: the folder's name + {SUFFIX}]"),
    ] = None,
    embedder: EmbedderName = "wordllama",
    api_base: ApiBase = None,
    json: Json = False,
) -> None:
    """Bring an index up to date with a folder. Only changed files are read again."""
    from ace.retrieval.documents import DocumentIndex, list_documents

    file = into or Path(f"{folder.resolve().name or 'documents'}{SUFFIX}")
    list_documents(folder)  # before a file is made for it
    try:
        with progress() as show:
            report = DocumentIndex.open(file).update(folder, _embedder(embedder, api_base), show)
    except KeyboardInterrupt as error:
        message = f"interrupted; what was indexed so far is in {file}."
        raise Interrupted(message, hint="Run the command again to go on.") from error
    data = {"index": str(file), "documents": report.documents, **asdict(report)}
    emit(json, data, _report_text(report, file))


def search(
    query: Annotated[str, typer.Argument(metavar="QUERY", help="A question, or words.")],
    index: IndexFile = None,
    most: Annotated[int, typer.Option("--most", metavar="N", min=1, help="Passages to show.")] = 5,
    embedder: Annotated[
        str | None, typer.Option(metavar="NAME", help='"none" for words alone.  [default: the index\'s own]')
    ] = None,
    api_base: ApiBase = None,
    json: Json = False,
) -> None:
    """Show the passages that fit a question best, as an agent is given them."""
    from ace.retrieval.documents import DocumentSearch

    if not query.strip():
        raise InputError("There is nothing to search for.", hint="Give a question, or words.")
    source = _open_index(index)
    own = source.embedder() or _WORDS_ONLY
    name = embedder or own
    if name not in (own, _WORDS_ONLY):
        note(f"ace: the index has no vectors of {name}, only of {own}: passages are found by words.")
    passages = DocumentSearch(source, _embedder(name, api_base))(query, most)
    rows = list[dict[str, Any]]()
    texts = list[str]()
    for passage in passages:
        places = {"by_words": passage.by_words, "by_meaning": passage.by_meaning}
        names = {"citation": passage.citation, "document": passage.document}
        rows.append({**names, **asdict(passage.chunk), "score": passage.score, **places})
        ranks = [f"{how.removeprefix('by_')} {place}" for how, place in places.items() if place]
        heading = [passage.chunk.heading] if passage.chunk.heading else []
        lines = [f"  {line}" for line in (*heading, *passage.chunk.text.splitlines())]
        texts.append("\n".join([f"{passage.citation}  ({', '.join(ranks)})", *lines]))
    text = "\n\n".join(texts) or "Nothing in the index fits."
    emit(json, {"query": query, "embedder": name, "found": rows}, text)


def list_(index: IndexFile = None, json: Json = False) -> None:
    """List the documents in an index, with their passages."""
    from ace.runs.run_text import align_columns, format_count
    from ace.text.sizes import format_size

    source = _open_index(index)
    documents = source.documents()
    embedder = source.embedder()
    rows = list[tuple[str, ...]]()
    chunks = 0
    missing = 0
    for item in documents:
        rows.append((item.path, format_size(item.bytes), format_count(item.chunks, "passage")))
        chunks += item.chunks
        missing += item.chunks - item.vectors
    lack = f"; {format_count(missing, 'passage')} without a vector" if missing else ""
    total = f"{format_count(len(documents), 'document')} with {format_count(chunks, 'passage')}"
    lines = [align_columns(rows, right=(1, 2))] if rows else []
    lines.append(f"{total}; embedder: {embedder or 'none'}{lack}.")
    data = {
        "index": str(source.path),
        "embedder": embedder,
        "documents": [asdict(item) for item in documents],
    }
    emit(json, data, "\n".join(lines))


def _embedder(name: str | None, api_base: str | None) -> Embedder | None:
    """Return the embedder of this name, or None for an index of words only. Raises ModelNameError."""
    from ace.llm import DEFAULT_EMBEDDER, connect_embedder
    from ace.llm.providers import check_name

    if not name or name == _WORDS_ONLY:
        return None
    if name != DEFAULT_EMBEDDER:
        check_name(name, api_base=api_base)
    return connect_embedder(name, api_base=api_base)


def _open_index(file: Path | None) -> DocumentIndex:
    """Open the index that was named, or the only one in this folder. Raises InputError where none is."""
    from ace.retrieval.documents import DocumentIndex

    files = [file] if file else sorted(Path().glob(f"*{SUFFIX}"))
    if len(files) != 1:
        names = ", ".join(map(str, files)) or "none"
        hint = "Give one with --index; `ace documents index FOLDER` makes one."
        raise InputError(f"Which index? The {SUFFIX} files here are: {names}.", hint=hint)
    return DocumentIndex.open(files[0], create=False)


def _report_text(report: IndexReport, file: Path) -> str:
    """Say how large the index is, what changed, and which files were left out: most by reason alone."""
    from ace.runs.run_text import format_count

    changes = {
        "new": len(report.added),
        "changed": len(report.changed),
        "gone": len(report.removed),
        "as before": report.unchanged,
    }
    parts = [f"{count} {word}" for word, count in changes.items() if count]
    passages = format_count(report.chunks, "passage")
    size = f"{format_count(report.documents, 'document')} with {passages} in {file}"
    lines = [f"{size} ({', '.join(parts)})." if parts else f"{size}."]
    if report.skipped:
        lines.append(f"Not indexed ({len(report.skipped)}):")
    for item in report.skipped[:_SHOWN]:
        lines.append(f"  {item.path}: {item.reason}")
    rest = Counter(item.reason for item in report.skipped[_SHOWN:])
    for reason, count in rest.most_common():
        lines.append(f"  and {count} more: {reason}")
    return "\n".join(lines)


ABOUT = "Documents that questions are answered from."
COMMANDS = (index, search, list_)
