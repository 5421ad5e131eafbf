"""A task as a folder: task.toml, its data, and whatever its environment needs, all inside that folder."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from pathlib import Path

from ace.errors import TaskError, describe_error
from ace.task.define import choose_solver
from ace.task.environments import ENVIRONMENTS
from ace.task.extraction import Extraction
from ace.task.own_module import CLASS_NAME, find_claims, load_class
from ace.task.samples import label_field, read_samples, require_valid
from ace.task.toml_table import TomlTable
from ace.task.trust import require_trust
from ace.task.types import Environment, Sample, Task, TaskContext

_FILE = "task.toml"
# Keys of [answer] that only the environment of that name has.
_SCORING = ("scorer", "ordered", "case", "tolerance")
# What an environment of the task's own must have.
_METHODS = ("describe", "score", "check")


def load_task(folder: str | Path, *, check: bool = True, trust: bool = False) -> Task:
    """Return the task in `folder`, which is described by its task.toml.

    Raises TaskError for what cannot be read. With `check` also for the first sample that cannot be used, such
    as one whose gold answer fails. An environment or a solver of the task's own is code, which is run, and
    databases may lie outside of the folder: of a folder outside the project only with `trust`, or where the
    command has been told to trust it; otherwise UntrustedCode is raised.
    """
    from ace.task.solver_toml import load_solver
    from ace.task.toml_models import DataTable, ExtractionTable, TaskTable

    file = Path(folder) / _FILE
    if not file.is_file():
        raise TaskError("No such file.", hint=f"A task is a folder with a {_FILE}.", file=str(file))
    table = TomlTable.from_file(file)
    kind = table.values.get("environment")
    if isinstance(kind, str) and kind not in ENVIRONMENTS and not CLASS_NAME.fullmatch(kind):
        built_in = ", ".join(repr(name) for name in ENVIRONMENTS)
        raise table.problem("environment", f"Expected {built_in} or 'module:Class', found {kind!r}.")
    own_table = "options"  # the table that the environment reads
    if isinstance(kind, str) and kind in ENVIRONMENTS:
        own_table = kind
    settings = table.validate(TaskTable, ignore=[own_table])
    claims, code_files = find_claims(table)
    if claims and not trust:
        require_trust(table.file.parent, *next(iter(claims.items())), code_files)
    data = table.table("data")
    splits = data.validate(DataTable)
    environment = _load_environment(table, settings.environment, table.table(own_table))
    others = _SCORING if own_table == "answer" else ()
    answer = table.table("answer").validate(ExtractionTable, ignore=others)
    samples: dict[str, tuple[Sample, ...]] = {}
    for split, path in splits:
        if path or split == "train":
            file = data.resolve_path(split, path)
            samples[split] = read_samples(file)
            if split == "train" and not samples[split]:
                hint = "Learning needs at least one row."
                raise TaskError("The file has no rows.", hint=hint, file=str(file))
    task = Task(
        settings.name,
        settings.instructions.strip(),
        environment,
        train=samples["train"],
        val=samples.get("val", ()),
        test=samples.get("test", ()),
        max_tokens=settings.max_tokens,
        context=_load_context(table.table("context"), environment),
        solver=load_solver(table.table("solver"), choose_solver(environment)),
        extract=Extraction.parse(answer.extract),
    )
    return require_valid(task) if check else task


def find_tasks(folder: str | Path) -> tuple[Path, ...]:
    """Return the task folders directly inside `folder`, sorted by name; none where it does not exist."""
    files = Path(folder).glob(f"*/{_FILE}")
    return tuple(sorted(file.parent for file in files))


def _load_context(table: TomlTable, environment: Environment) -> TaskContext:
    """Return what the [context] table says.

    Raises TaskError, also for a field that is a label, and for documents that hold the task's own files.
    """
    from ace.task.toml_models import ContextTable

    settings = table.validate(ContextTable)
    for field in settings.fields:
        if field in ("answer", label_field(environment)):
            message = f"{field} is a label: what is retrieved must not depend on it."
            raise table.problem("fields", message, "Remove it from the list.")
    documents = None
    if settings.documents is not None:
        documents = table.resolve_path("documents", settings.documents, folder=True)
        if documents.resolve() == table.file.parent.resolve():
            message = "The task folder itself holds the questions and their answers."
            raise table.problem("documents", message, "Give a folder inside it.")
    return TaskContext(
        documents=documents,
        passages=settings.passages,
        memories=settings.memories,
        embedder=settings.embedder.strip(),
        share=settings.share,
        fields=tuple(settings.fields),
    )


def _load_environment(table: TomlTable, kind: str, options: TomlTable) -> Environment:
    """Return the environment that `kind` names, made with its own table.

    `kind` is a name of ENVIRONMENTS, or the "module:Class" of an environment of the task's own, which is made
    with the task folder and a dict of its options. Raises TaskError.
    """
    if kind in ENVIRONMENTS:
        module, _, function = ENVIRONMENTS[kind].partition(":")
        load: Callable[[TomlTable], Environment] = getattr(import_module(module), function)
        return load(options)
    folder = table.file.parent.resolve()
    try:
        environment = load_class(folder, kind)(folder, dict(options.values))
    except TaskError:
        raise
    except (Exception, SystemExit) as error:  # of the user's own code: this is the field to look at
        reason = describe_error(error)
        raise table.problem("environment", f"{kind} does not load ({reason}).") from error
    missing = [method for method in _METHODS if not callable(getattr(environment, method, None))]
    if missing:
        message = f"{kind} has no method {', '.join(missing)}."
        hint = "`score(sample, attempt)` returns an Outcome." if "score" in missing else ""
        raise table.problem("environment", message, hint)
    return environment  # type: ignore[no-any-return]  # checked just above
