"""`ace tasks ...`: add, find and check task folders."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ace.cli.options import Json, TaskFolder, Trust, load_folder
from ace.cli.output import emit, note
from ace.errors import TaskError

if TYPE_CHECKING:
    from ace.agent.command_check import CommandTrial
    from ace.task import Task

SPLITS = ("train", "val", "test")
DataFolder = Annotated[Path | None, typer.Option(metavar="DIR", help="Where its data lies.")]
OutFolder = Annotated[Path | None, typer.Option(metavar="FOLDER", help="[default: tasks/NAME]")]
Names = Annotated[list[str] | None, typer.Option(metavar="NAME", help="May be repeated.")]
Rows = Annotated[int | None, typer.Option(metavar="N", help="Rows, at most.  [default: the benchmark's own]")]


def list_(
    folder: Annotated[Path, typer.Argument(metavar="[FOLDER]", help="Where to look.")] = Path("tasks"),
    json: Json = False,
) -> None:
    """List the task folders in a folder, and what `ace tasks add` can make."""
    from ace.task import find_tasks, load_task
    from ace.task.makers.catalog import read_catalog

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
    lines = lines or [f"No task folders in {folder}."]
    lines += ["", "To be added with `ace tasks add NAME`:"]
    benchmarks = list[dict[str, Any]]()
    for benchmark in read_catalog().values():
        benchmarks.append(asdict(benchmark))
        needs = f"--data with {', '.join(benchmark.files)}" if benchmark.files else "no data, --seed"
        lines += [
            "",
            f"{benchmark.name}  {benchmark.about}",
            f"  needs {needs}",
            f"  from {benchmark.source} ({benchmark.licence})",
            f"  known defects: {benchmark.defects}",
        ]
    emit(json, {"tasks": tasks, "benchmarks": benchmarks}, "\n".join(lines))


def add(
    name: Annotated[str, typer.Argument(metavar="NAME", help="What to add; `ace tasks list` has the names.")],
    data: DataFolder = None,
    out: OutFolder = None,
    seed: Annotated[int, typer.Option(metavar="N", help="Draws the splits, or all of a generator.")] = 0,
    train: Rows = None,
    val: Rows = None,
    test: Rows = None,
    absolute: Annotated[bool, typer.Option("--absolute", help="Name data by absolute paths.")] = False,
    database: Names = None,
    test_database: Names = None,
    single: Annotated[bool, typer.Option("--single", help="One question at a time.")] = False,
    without_wrong: Annotated[bool, typer.Option("--without-wrong", help="Leave out wrong labels.")] = False,
    category: Annotated[str, typer.Option(metavar="NAME", help="A part of the data.")] = "",
    language: Annotated[str, typer.Option(metavar="CODE", help="Of a generator's questions.")] = "en",
    json: Json = False,
) -> None:
    """Make the task folder of a benchmark from its data, or of a generator from a seed.

    With --test-database a test is about these databases, and learning about the others. `ace tasks list` says
    which data each benchmark needs. Not every one takes every option.
    """
    from ace.task.makers.add_task import add_task

    sizes = {"train": train, "val": val, "test": test}
    added = add_task(
        name,
        out=out or Path("tasks") / name,
        data=data,
        sizes={split: size for split, size in sizes.items() if size is not None},
        seed=seed,
        absolute=absolute,
        databases=tuple(database or ()),
        test_databases=tuple(test_database or ()),
        single=single,
        without_wrong=without_wrong,
        category=category,
        language=language,
    )
    for row, reason in added.left_out.items():
        note(f"left out: {row}: {reason}")
    for file in added.changed:
        note(f"warning: {file} is another version than the one that was tried")
    left_out = len(added.left_out)
    text = f"{added.folder}: {_sizes(added.sizes)}. {left_out} rows left out."
    result = {
        "folder": str(added.folder),
        **added.sizes,
        "left_out": added.left_out,
        "changed": added.changed,
    }
    emit(json, result, text)


def check(task: TaskFolder, trust: Trust = False, json: Json = False) -> None:
    """Load a task and score every gold answer, and doing nothing, so that learning meets no bad row.

    Where the task's agent is a command, it is started once, on the first sample, with the time and the memory
    of a run.
    """
    from ace.agent.command_check import try_command
    from ace.task import check_task
    from ace.task.gold_check import check_gold
    from ace.task.samples import find_contradictions

    loaded = load_folder(task, trust=trust, check=False)
    problems = [str(problem) for problem in check_task(loaded)]
    summary = _summarize(loaded)
    lines = list(problems) or [f"{loaded.name}: {_sizes(summary)}. Every sample can be used."]
    notes = list(find_contradictions(loaded))
    lines += [f"note: {text} Remove or correct one." for text in notes]
    rows = list(check_gold(loaded))
    wrong = {row.sample.id: row.gold_problem for row in rows if row.gold_problem}
    idle = {row.sample.id: row.nothing.score for row in rows if row.nothing.score}
    if rows:
        lines.append(f"Gold answers: {len(rows) - len(wrong)} of {len(rows)} right.")
        lines += [f"  {name}: {reason}" for name, reason in wrong.items()]
        lines.append(f"Doing nothing: {sum(idle.values()):g} of {len(rows)}.")
        lines += [f"  {name}: {score:g}" for name, score in idle.items()]
    trial = try_command(loaded) if not problems else None
    if trial is not None:
        lines.append(_describe_trial(trial))
    elif loaded.solver.kind == "class":
        lines.append("The agent was not tried: it is made with the model of a run.")
    gold = {"rows": len(rows), "right": len(rows) - len(wrong), "wrong": wrong}
    emit(
        json,
        summary
        | {
            "problems": problems,
            "notes": notes,
            "gold": gold,
            "nothing": idle,
            "agent": asdict(trial) if trial is not None else None,
        },
        "\n".join(lines),
    )
    if problems or wrong or (trial is not None and trial.attempt.error and not trial.lacks_model):
        raise typer.Exit(TaskError.exit_code)


def _describe_trial(trial: CommandTrial) -> str:
    """Return what came of starting the task's own command once, for a person."""
    attempt = trial.attempt
    if not attempt.error:
        return f"Agent: {trial.command} answered sample {attempt.sample_id}: {attempt.answer:.200}"
    text = f"Agent: sample {attempt.sample_id} failed: {attempt.error}"
    if trial.lacks_model:
        text = f"{text}\n  It was offered no model, as a run does; set ACE_MODEL_URL to try it with one."
    return text


def _summarize(task: Task) -> dict[str, Any]:
    """Return the name of a task and the number of samples in each split, for a program."""
    return {"name": task.name, **{split: len(getattr(task, split)) for split in SPLITS}}


def _sizes(summary: Mapping[str, Any]) -> str:
    """Return the number of samples in each split, for a person."""
    return ", ".join(f"{summary[split]} {split}" for split in SPLITS)


ABOUT = "Add, find and check task folders."
COMMANDS = (list_, add, check)
