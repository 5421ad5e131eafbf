"""A task as a folder: task.toml, its data, and whatever its environment needs, all inside that folder."""

from __future__ import annotations

import importlib
import re
import sys
from collections.abc import Callable, Mapping
from importlib.machinery import SourceFileLoader
from pathlib import Path
from types import ModuleType
from typing import Any

from ace.errors import TaskError
from ace.task.config import Table, inside
from ace.task.context import read_context
from ace.task.environments.answer import SCORERS, AnswerEnvironment
from ace.task.environments.sql.database import Database
from ace.task.environments.sql.sql_environment import SqlEnvironment
from ace.task.samples import NAME, checked, read_samples
from ace.task.solving import read_solver
from ace.task.types import Environment, Sample, Task

_FILE = "task.toml"
_CLASS = re.compile(r"(?P<module>[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*):(?P<name>[A-Za-z_]\w*)")


def load_task(folder: str | Path, *, check: bool = True) -> Task:
    """The task in `folder`. With `check` its first problem is raised, gold answers that fail included."""
    file = Path(folder) / _FILE
    if not file.is_file():
        raise TaskError("No such file.", hint=f"A task is a folder with a {_FILE}.", file=str(file))
    table = Table.read(file)
    name = _name(table)
    instructions = table.take("instructions", str, "")
    max_tokens = table.take("max_tokens", int, 1024)
    if max_tokens < 1:
        raise TaskError(f"Expected at least 1, found {max_tokens}.", file=str(file), field="max_tokens")
    data = table.table("data")
    splits = {split: _samples(data, split) for split in ("train", "val", "test")}
    data.done()
    environment = _environment(table)
    context = read_context(table.table("context"))
    solver = read_solver(table.table("solver"))
    table.done()
    words = instructions.strip()
    task = Task(name, words, environment, max_tokens=max_tokens, context=context, solver=solver, **splits)
    return checked(task) if check else task


def find_tasks(folder: str | Path) -> tuple[Path, ...]:
    """The task folders directly inside `folder`, sorted by name."""
    return tuple(sorted(file.parent for file in Path(folder).glob(f"*/{_FILE}")))


def _name(table: Table) -> str:
    name = table.take("name", str)
    if not NAME.fullmatch(name):
        raise table.problem("name", f"Expected letters, digits, '_', '-' and '.', found {name!r}.")
    return name


def _samples(data: Table, split: str) -> tuple[Sample, ...]:
    path = data.take(split, str) if split == "train" else data.take(split, str, "")
    return read_samples(inside(data, split, path)) if path else ()


def _environment(table: Table) -> Environment:
    kind = table.take("environment", str)
    if match := _CLASS.fullmatch(kind):
        return _custom(table, match["module"], match["name"])
    if kind not in _BUILT_IN:
        known = ", ".join(repr(name) for name in _BUILT_IN)
        raise table.problem("environment", f"Expected {known} or 'module:Class', found {kind!r}.")
    options = table.table(kind)
    environment = _BUILT_IN[kind](options)
    options.done()
    return environment


def _sql(options: Table) -> Environment:
    limits: dict[str, Any] = {
        "time_limit": options.take("time_limit", float, 2.0),
        "row_limit": options.take("row_limit", int, 1000),
    }
    for key, limit in limits.items():
        if limit <= 0:
            raise options.problem(key, f"Expected more than 0, found {limit}.")
    paths = _databases(options)
    return SqlEnvironment({path.stem: Database.open(path, **limits) for path in paths})


def _databases(options: Table) -> list[Path]:
    if "databases" not in options:
        return [inside(options, "database", options.take("database", str))]
    pattern = options.take("databases", str)
    root = options.file.parent
    try:
        found = [str(path.relative_to(root)) for path in sorted(root.glob(pattern))]
    except (ValueError, NotImplementedError) as error:  # what pathlib says of an empty or absolute pattern
        message = f"Expected a pattern inside the task folder, found {pattern!r}."
        raise options.problem("databases", message) from error
    if not found:
        raise options.problem("databases", f"No file matches {pattern!r}.")
    paths = [inside(options, "databases", path) for path in found]
    if len({path.stem for path in paths}) < len(paths):
        raise options.problem("databases", "Two files have the same name; rows could not tell them apart.")
    return paths


def _answer(options: Table) -> Environment:
    scorer = options.take("scorer", str, "exact")
    if scorer not in SCORERS:
        raise options.problem("scorer", f"Expected one of {', '.join(SCORERS)}, found {scorer!r}.")
    ordered = options.take("ordered", bool, True) if scorer == "labels" else True
    return AnswerEnvironment(scorer, ordered=ordered)


_BUILT_IN: Mapping[str, Callable[[Table], Environment]] = {"sql": _sql, "answer": _answer}


def _custom(table: Table, module_name: str, class_name: str) -> Environment:
    """Class(folder, options): `options` is the [options] table, which the class checks itself."""
    options = table.table("options").rest()
    folder = table.file.parent.resolve()
    try:
        environment = getattr(_module(folder, module_name), class_name)(folder, options)
    except TaskError:
        raise
    except Exception as error:  # the user's own code: whatever it raises, the field to look at is this one
        what = f"{type(error).__name__}: {error}"
        raise table.problem("environment", f"{module_name}:{class_name} does not load ({what}).") from error
    methods = ("describe", "score", "check")
    if missing := [name for name in methods if not callable(getattr(environment, name, None))]:
        raise table.problem("environment", f"{class_name} has no method {', '.join(missing)}.")
    return environment  # type: ignore[no-any-return]  # checked just above


def _module(folder: Path, name: str) -> ModuleType:
    """From the task's own folder, else from the import path; folders must not shadow each other."""
    file = folder.joinpath(*name.split(".")).with_suffix(".py")
    if not file.is_file():
        return importlib.import_module(name)
    loader = SourceFileLoader(f"ace_task:{folder}:{name}", str(file))
    module = ModuleType(loader.name)
    module.__file__ = str(file)
    sys.modules[loader.name] = module  # dataclasses look their module up
    loader.exec_module(module)
    return module
