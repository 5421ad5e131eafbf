"""`ace tasks ...`: find task folders and check them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ace.cli.options import Json, TaskFolder, Trust, load_folder
from ace.cli.output import emit
from ace.errors import TaskError

if TYPE_CHECKING:
    from ace.task import Task

SPLITS = ("train", "val", "test")


def list_(
    folder: Annotated[Path, typer.Argument(metavar="[FOLDER]", help="Where to look.")] = Path("tasks"),
    json: Json = False,
) -> None:
    """List the task folders in a folder."""
    from ace.task import find_tasks, load_task

    tasks = list[dict[str, Any]]()
    lines = list[str]()
    for path in find_tasks(folder):
        row: dict[str, Any] = {"folder": str(path), "problem": ""}
        try:
            row |= _summarize(load_task(path, check=False))
        except TaskError as error:  # one broken task must not hide the others
            row["problem"] = str(error)
        tasks.append(row)
        lines.append(f"{path}  {row['problem'] or _sizes(row)}")
    emit(json, {"tasks": tasks}, "\n".join(lines) or f"No task folders in {folder}.")


def check(task: TaskFolder, trust: Trust = False, json: Json = False) -> None:
    """Load a task and try every gold answer, so that learning does not meet the first bad row."""
    from ace.task import check_task

    loaded = load_folder(task, trust=trust, check=False)
    problems = [str(problem) for problem in check_task(loaded)]
    summary = _summarize(loaded)
    text = "\n".join(problems) or f"{loaded.name}: {_sizes(summary)}. Every sample can be used."
    emit(json, summary | {"problems": problems}, text)
    if problems:
        raise typer.Exit(TaskError.exit_code)


def _summarize(task: Task) -> dict[str, Any]:
    """Return the name of a task and the number of samples in each split, for a program."""
    return {"name": task.name, **{split: len(getattr(task, split)) for split in SPLITS}}


def _sizes(summary: dict[str, Any]) -> str:
    """Return the number of samples in each split, for a person."""
    return ", ".join(f"{summary[split]} {split}" for split in SPLITS)


ABOUT = "Find task folders and check them."
COMMANDS = (list_, check)
