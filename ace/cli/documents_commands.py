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
    from ace.retrieval.documents import DocumentIndex, IndexReport, Passage, SkippedFile

SUFFIX = ".documents.db"
_SHOWN = 20  # skipped files; --json has all
_WORDS_ONLY = "none"

IndexFile = Annotated[
    Path | None, typer.Option("--index", metavar="FILE", help=f"[default: the only {SUFFIX} file here]")
]
EmbedderName = Annotated[
    str | None, typer.Option(metavar="NAME", help="A litellm name, wordllama, or none for words alone.")
]


def register(app: typer.Typer) -> None:
    group = typer.Typer(help="Documents that questions are answered from.", no_args_is_help=True)
    group.command("index")(index)
    group.command("search")(search)
    group.command("list")(list_)
    app.add_typer(group, name="documents")


def index(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="Of Markdown, text, HTML or PDF files.")],
    into: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help=f"Made if missing.  [default: the folder's name + {SUFFIX}]"),
    ] = None,
    embedder: EmbedderName = "wordllama",
    api_base: ApiBase = None,
    json: Json = False,
) -> None:
    """Bring an index up to date with a folder: only what changed is read again."""
    from ace.retrieval.documents import DocumentIndex, list_documents

    file = into or Path(f"{folder.resolve().name or 'documents'}{SUFFIX}")
    list_documents(folder)  # before a file is made for it
    try:
        with progress() as show:
            report = DocumentIndex.open(file).update(folder, _embedder(embedder, api_base), show)
    except KeyboardInterrupt as error:
        kept = f"interrupted; what was indexed so far is in {file}."
        raise Interrupted(kept, hint="Run the command again to go on.") from error
    emit(json, {"index": str(file), "documents": report.documents, **asdict(report)}, _told(report, file))


def search(
    query: Annotated[str, typer.Argument(metavar="QUERY", help="A question, or words.")],
    index: IndexFile = None,
    most: Annotated[int, typer.Option("--most", metavar="N", min=1, help="Passages to show.")] = 5,
    embedder: Annotated[
        str | None, typer.Option(metavar="NAME", help="none for words alone.  [default: the index's own]")
    ] = None,
    api_base: ApiBase = None,
    json: Json = False,
) -> None:
    """The passages that fit a question best, as an agent is given them."""
    from ace.retrieval.documents import DocumentSearch

    opened = _opened(index)
    known = opened.embedder() or _WORDS_ONLY
    name = embedder or known
    if name not in (known, _WORDS_ONLY):
        note(f"ace: the index has no vectors of {name}, only of {known}: passages are found by words.")
    found = DocumentSearch(opened, _embedder(name, api_base))(query, most)
    text = "\n\n".join(_passage(each) for each in found) or "Nothing in the index fits."
    emit(json, {"query": query, "embedder": name, "found": [_row(each) for each in found]}, text)


def list_(index: IndexFile = None, json: Json = False) -> None:
    """The documents in an index, with their passages."""
    from ace.runs.run_text import align_columns, format_count

    opened = _opened(index)
    found, embedder, file = opened.documents(), opened.embedder(), opened.path
    rows = [(each.path, f"{each.bytes:,} bytes", format_count(each.chunks, "passage")) for each in found]
    total = format_count(sum(each.chunks for each in found), "passage")
    missing = sum(each.chunks - each.vectors for each in found)
    lack = f"; {format_count(missing, 'passage')} without a vector" if missing else ""
    last = f"{format_count(len(found), 'document')} with {total}; embedder: {embedder or 'none'}{lack}."
    data = {"index": str(file), "embedder": embedder, "documents": [asdict(each) for each in found]}
    emit(json, data, "\n".join(filter(None, [align_columns(rows, right=(1, 2)) if rows else "", last])))


def _embedder(name: str | None, api_base: str | None) -> Embedder | None:
    from ace.llm import DEFAULT_EMBEDDER, connect_embedder
    from ace.llm.providers import check_name

    if not name or name == _WORDS_ONLY:
        return None
    if name != DEFAULT_EMBEDDER:
        check_name(name, api_base=api_base)
    return connect_embedder(name, api_base=api_base)


def _opened(given: Path | None) -> DocumentIndex:
    from ace.retrieval.documents import DocumentIndex

    found = sorted(Path().glob(f"*{SUFFIX}"))
    if given is None and len(found) != 1:
        names = ", ".join(map(str, found)) or "none"
        hint = "Give one with --index; `ace documents index FOLDER` makes one."
        raise InputError(f"Which index? The {SUFFIX} files here are: {names}.", hint=hint)
    return DocumentIndex.open(given or found[0], create=False)


def _told(report: IndexReport, file: Path) -> str:
    from ace.runs.run_text import format_count

    news = {"new": report.added, "changed": report.changed, "gone": report.removed}
    parts = [f"{len(paths)} {word}" for word, paths in news.items() if paths]
    parts += [f"{report.unchanged} as before"] if report.unchanged else []
    size = f"{format_count(report.documents, 'document')} with {format_count(report.chunks, 'passage')} in {file}"
    lines = [f"{size} ({', '.join(parts)})." if parts else f"{size}."]
    if report.skipped:
        lines.append(f"Not indexed ({len(report.skipped)}):")
        lines += _skipped(report.skipped)
    return "\n".join(lines)


def _skipped(skipped: tuple[SkippedFile, ...]) -> list[str]:
    """The first of them by name, the rest by reason."""
    lines = [f"  {each.path}: {each.reason}" for each in skipped[:_SHOWN]]
    rest = Counter(each.reason for each in skipped[_SHOWN:])
    return lines + [f"  and {count} more: {reason}" for reason, count in rest.most_common()]


def _passage(found: Passage) -> str:
    ranks = {"words": found.by_words, "meaning": found.by_meaning}
    places = ", ".join(f"{name} {place}" for name, place in ranks.items() if place)
    heading = f"\n  {found.chunk.heading}" if found.chunk.heading else ""
    text = "\n".join(f"  {line}" for line in found.chunk.text.splitlines())
    return f"{found.citation}  ({places}){heading}\n{text}"


def _row(found: Passage) -> dict[str, Any]:
    return {
        "citation": found.citation,
        "document": found.document,
        **asdict(found.chunk),
        "score": found.score,
        "by_words": found.by_words,
        "by_meaning": found.by_meaning,
    }
