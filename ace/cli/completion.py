"""What a shell completes: paths, tasks, bullets, runs and models that are here. Nothing heavy is imported.

Every function is given what was typed so far and yields what may follow. None raises: a shell that asks gets
nothing instead.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ace.errors import AceError

if TYPE_CHECKING:
    from ace.store import Store
    from ace.store.store_database import Place

Completer = Callable[[Any, str], list[tuple[str, str]]]

MODELS = (
    ("local/qwen2.5-coder-1.5b", "runs here, 1.1 GB"),
    ("local/smollm2-135m", "runs here, 98 MB, for plumbing only"),
    ("openai/", "with OPENAI_API_KEY, or an address of your own"),
    ("anthropic/", "with ANTHROPIC_API_KEY"),
    ("gemini/", "with GEMINI_API_KEY"),
    ("ollama_chat/", "served by Ollama"),
    ("hosted_vllm/", "served by vLLM"),
)
"""Names, and beginnings of names, with a word on each. A test compares the local ones with those known."""

# Of tables that `ace init` reads. A test compares them with its readers.
TABLE_ENDINGS = (".csv", ".tsv", ".jsonl", ".ndjson", ".json", ".xlsx", ".xls", ".xlsb", ".ods", ".txt")
_MOST = 200  # that are offered


def quietly(complete: Callable[[Any, str], Iterator[tuple[str, str]]]) -> Completer:
    """Return a completer that offers nothing where the function fails, and no more than a screen holds."""

    def offer(ctx: Any, incomplete: str) -> list[tuple[str, str]]:
        offered: list[tuple[str, str]] = []
        try:
            for value, about in complete(ctx, incomplete):
                if value.startswith(incomplete):
                    offered.append((value, about))
                if len(offered) == _MOST:
                    break
        except (AceError, OSError, ValueError):
            pass  # nobody reads an error in the middle of a line
        return offered

    return offer


def list_paths(incomplete: str, endings: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    """Yield the files with these endings and the folders that begin so; a folder ends with a slash."""
    folder, slash, beginning = incomplete.rpartition("/")
    base = Path(f"{folder}{slash}") if slash else Path()
    for path in sorted(base.iterdir()):
        if path.name.startswith(".") and not beginning.startswith("."):
            continue
        if path.is_dir():
            yield f"{folder}{slash}{path.name}/", "folder"
        elif path.name.endswith(endings):
            yield f"{folder}{slash}{path.name}", ""


@quietly
def complete_table(ctx: Any, incomplete: str) -> Iterator[tuple[str, str]]:
    """Yield tables that `ace init` reads, and "-" for typed questions."""
    yield "-", "type questions"
    yield from list_paths(incomplete, TABLE_ENDINGS)


@quietly
def complete_playbook(ctx: Any, incomplete: str) -> Iterator[tuple[str, str]]:
    """Yield playbook files and folders."""
    from ace.servers.books import NO_PLAYBOOKS

    for value, about in list_paths(incomplete, (".db",)):
        if not value.endswith(NO_PLAYBOOKS):
            yield value, about


@quietly
def complete_task(ctx: Any, incomplete: str) -> Iterator[tuple[str, str]]:
    """Yield task folders: by name for those in ./tasks, and by path."""
    if "/" not in incomplete:
        for file in sorted(Path("tasks").glob("*/task.toml")):
            yield file.parent.name, "task"
    for value, about in list_paths(incomplete, ()):
        is_task = (Path(value) / "task.toml").is_file()
        yield (value.rstrip("/"), "task") if is_task else (value, about)


@quietly
def complete_model(ctx: Any, incomplete: str) -> Iterator[tuple[str, str]]:
    """Yield models that run here, providers, and what was used with the playbooks of this folder."""
    from ace.cli.playbook_places import list_playbooks_here

    yield from MODELS
    for file in list_playbooks_here()[:20]:
        try:
            with _open(file) as store:
                runs = store.runs(limit=5)
        except AceError:
            continue
        for run in runs:
            for name in run.config.get("models", {}).values():
                if name not in dict(MODELS):
                    yield str(name), f"used in {file}"


@quietly
def complete_run(ctx: Any, incomplete: str) -> Iterator[tuple[str, str]]:
    """Yield the numbers of the newest runs of the playbook at hand."""
    with _open(_find_playbook(ctx)) as store:
        for run in reversed(store.run_summaries(limit=50)):
            yield str(run.id), f"{run.kind} {run.task}, {run.status}"


@quietly
def complete_watched(ctx: Any, incomplete: str) -> Iterator[tuple[str, str]]:
    """Yield playbook files, and the numbers of runs of the playbook at hand."""
    yield from complete_playbook(ctx, incomplete)
    yield from complete_run(ctx, incomplete)


@quietly
def complete_bullet(ctx: Any, incomplete: str) -> Iterator[tuple[str, str]]:
    """Yield the ids of bullets of the playbook at hand, with what they say."""
    with _open(_find_playbook(ctx)) as store:
        ids = list(store.list_ids(incomplete))[:_MOST]
        bullets = store.checkout_part(ids).bullets
    for name in ids:
        content = " ".join(bullets[name].content.split()) if name in bullets else ""
        yield name, content[:60]


def _open(file: Place) -> Store:
    """Open a playbook to read. Raises StoreError."""
    from ace.store import Store

    return Store.open(file, create=False, read_only=True, timeout=0.2)


def _find_playbook(ctx: Any) -> Place:
    """Return the file that the line names with --playbook, or the only one here. Raises InputError."""
    from ace.cli.playbook_places import playbook_file, read_place

    named = (getattr(ctx, "params", None) or {}).get("playbook")
    return playbook_file(read_place(str(named)) if named else None)
