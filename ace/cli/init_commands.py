"""`ace init`: a task folder from a table that somebody has, or from a few questions that are typed."""

from __future__ import annotations

import sys
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ace.cli.completion import complete_table
from ace.cli.options import Json
from ace.cli.output import emit, note
from ace.errors import InputError

if TYPE_CHECKING:
    from ace.task.new_task.row_table import ReadOptions, RowTable
    from ace.task.new_task.start_task import StartedTask

TYPED = "-"
_NAMED = 5  # rows that are left out, on a screen
_FEW = 4  # questions from which on some are kept for a test

Source = Annotated[
    str,
    typer.Argument(
        metavar="FILE|-",
        help="A table as .csv, .tsv, .jsonl, .json, .xlsx or .ods; - asks for questions on the terminal.",
        autocompletion=complete_table,
    ),
]
Folder = Annotated[Path | None, typer.Option(metavar="FOLDER", help="[default: tasks/ and the file's name]")]
TaskName = Annotated[str, typer.Option(metavar="NAME", help="Of the task.  [default: the folder's]")]
Column = Annotated[str, typer.Option(metavar="COLUMN", help="Its column.  [default: guessed]")]
IdColumn = Annotated[str, typer.Option("--id", metavar="COLUMN", help="Its column.  [default: guessed]")]
Columns = Annotated[
    list[str] | None, typer.Option(metavar="COLUMN", help="Its columns; may be repeated.  [default: guessed]")
]
ScorerName = Annotated[
    str, typer.Option(metavar="NAME", help="exact, numeric, short, labels or json.  [default: proposed]")
]
Extract = Annotated[
    str | None,
    typer.Option(
        metavar="FORM", help="last line, json:FIELD, regex:PATTERN or nothing.  [default: proposed]"
    ),
]
Instructions = Annotated[
    str, typer.Option(metavar="TEXT", help="What the agent is told.  [default: proposed]")
]
Size = Annotated[int | None, typer.Option(metavar="N", min=0, help="Rows, at most.")]
Seed = Annotated[int, typer.Option(metavar="N", min=0, help="Draws the splits.")]
Encoding = Annotated[str, typer.Option(metavar="NAME", help="Of the file.  [default: found out]")]
Delimiter = Annotated[str, typer.Option(metavar="SIGN", help="Between cells.  [default: found out]")]
Sheet = Annotated[str, typer.Option(metavar="NAME", help="[default: the first with rows]")]
Header = Annotated[bool, typer.Option(help="The first row names the columns.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Show what would be written, and stop.")]


def init(
    source: Source,
    out: Folder = None,
    name: TaskName = "",
    question: Column = "",
    answer: Column = "",
    id_: IdColumn = "",
    split: Column = "",
    context: Columns = None,
    choices: Columns = None,
    scorer: ScorerName = "",
    extract: Extract = None,
    instructions: Instructions = "",
    train: Size = None,
    val: Size = None,
    test: Size = None,
    seed: Seed = 0,
    encoding: Encoding = "",
    delimiter: Delimiter = "",
    sheet: Sheet = "",
    header: Header = True,
    dry_run: DryRun = False,
    json: Json = False,
) -> None:
    """Make a task folder from a table of questions and answers, or from questions that you type.

    It says which column it takes for what, which scorer fits, and why. An option decides otherwise.
    Questions are split into train, val and test so that none stands in two of them. Nothing is overwritten.
    """
    from ace.task.new_task.column_roles import ColumnRole
    from ace.task.new_task.row_table import ReadOptions
    from ace.task.new_task.start_task import StartOptions, name_task, start_task

    wanted = {"train": train, "val": val, "test": test}
    sizes = {part: size for part, size in wanted.items() if size is not None}
    reading = ReadOptions(encoding=encoding, delimiter=delimiter, sheet=sheet, header=header, seed=seed)
    table, typed = _read_table(source, reading, asked=sum(sizes.values()))
    single = {
        ColumnRole.QUESTION: question,
        ColumnRole.ANSWER: answer,
        ColumnRole.ID: id_,
        ColumnRole.SPLIT: split,
    }
    columns = {role: [column] for role, column in single.items() if column}
    stem = "my_task" if source == TYPED else name_task(Path(source).stem)
    options = StartOptions(
        out=out or Path("tasks") / (name or stem),
        name=name,
        columns={**columns, ColumnRole.CONTEXT: context or [], ColumnRole.CHOICES: choices or []},
        scorer=scorer,
        extract=extract,
        instructions=instructions or typed,
        sizes=sizes,
        seed=seed,
    )
    started = start_task(table, options, write=not dry_run)
    if started.scoring.warning:
        note(f"warning: {started.scoring.warning}")
    emit(json, _to_json(started, written=not dry_run), _render(started, seed, written=not dry_run))


def _read_table(source: str, options: ReadOptions, *, asked: int) -> tuple[RowTable, str]:
    """Return the rows of a file, or those that somebody types, with the instructions that are typed.

    `asked` is how many rows somebody wants, which may be more than are looked at otherwise. Raises InputError
    for typed questions without a terminal.
    """
    from dataclasses import replace

    from ace.task.new_task.read_rows import read_rows

    if source != TYPED:
        return read_rows(Path(source), replace(options, most=max(options.most, 2 * asked))), ""
    if not sys.stdin.isatty():
        hint = "Give a file: .csv, .jsonl or another table."
        raise InputError("Questions are typed on a terminal, and this is none.", hint=hint)
    return _ask_for_rows()


def _ask_for_rows() -> tuple[RowTable, str]:
    """Ask for instructions, then for questions and answers until a question is empty. Raises InputError."""
    from ace.task.new_task.row_table import RowCollector

    typer.echo("What shall the agent do? One sentence, or nothing for a proposal.", err=True)
    instructions = typer.prompt("Instructions", default="", show_default=False, err=True).strip()
    typer.echo("Questions with their right answers; an empty question ends.", err=True)
    collector = RowCollector("typed", most=1_000, seed=0)
    while True:
        number = collector.total + 1
        question = typer.prompt(f"Question {number}", default="", show_default=False, err=True).strip()
        if not question:
            break
        answer = typer.prompt("  Right answer", default="", show_default=False, err=True).strip()
        if answer:
            collector.add(number, {"question": question, "answer": answer})
        else:
            typer.echo("  Without a right answer it is left out.", err=True)
    if not collector.total:
        raise InputError("No question was typed.", hint="A task needs one at least, and a lesson two.")
    if collector.total < _FEW:
        typer.echo(f"All are learned from; with {_FEW} or more, some would be kept for a test.", err=True)
    return collector.finish(("question", "answer"), ()), instructions


def _to_json(started: StartedTask, *, written: bool) -> dict[str, Any]:
    """Return what was guessed, proposed and written, for a program."""
    scoring = started.scoring
    return {
        "folder": str(started.folder),
        "written": written,
        **started.sizes,
        "spare": started.spare,
        "columns": {role.value: list(names) for role, names in started.roles.columns.items()},
        "reasons": {role.value: reason for role, reason in started.roles.reasons.items()},
        "unused": list(started.roles.unused),
        "scorer": scoring.scorer,
        "options": dict(scoring.options),
        "extract": scoring.extract,
        "instructions": scoring.instructions,
        "why": {"scorer": scoring.why_scorer, "extract": scoring.why_extract},
        "warning": scoring.warning,
        "notes": [*started.table.notes, *started.roles.notes],
        "left_out": dict(started.left_out),
    }


def _render(started: StartedTask, seed: int, *, written: bool) -> str:
    """Return what was guessed, proposed and written, and what to do next, for a person."""
    from ace.runs.run_text import align_columns, format_count

    table = started.table
    scoring = started.scoring
    notes = ", ".join(table.notes)
    about = f" ({notes})" if notes else ""
    lines = [f"{table.file}: {format_count(table.total, 'row')}{about}", ""]
    rows = []
    for role, names in started.roles.columns.items():
        rows.append((f"  {role}", ", ".join(names), started.roles.reasons.get(role, "")))
    if started.roles.unused:
        rows.append(("  not used", ", ".join(started.roles.unused), ""))
    lines.append(align_columns(rows))
    lines += [f"  {remark}" for remark in started.roles.notes]
    options = "".join(f", {key} = {str(value).lower()}" for key, value in scoring.options.items())
    lines += [
        "",
        f"Scorer        {scoring.scorer}{options}: {scoring.why_scorer}",
        f"Extraction    {scoring.extract or 'none'}: {scoring.why_extract}",
        f"Instructions  {scoring.instructions}",
        "",
    ]
    if started.left_out:
        lines.append(f"Left out: {format_count(len(started.left_out), 'row')}")
        for place, reason in list(started.left_out.items())[:_NAMED]:
            lines.append(f"  {place}: {reason}")
        if len(started.left_out) > _NAMED:
            lines.append(f"  and {len(started.left_out) - _NAMED} more; --json names them")
    sizes = ", ".join(f"{size} {split}" for split, size in started.sizes.items())
    verb = "" if written else " would have"
    lines.append(f"{started.folder}{verb}: {sizes} (seed {seed})")
    if started.spare:
        lines.append(f"  {format_count(started.spare, 'row')} spare: --train, --val and --test take more")
    if not started.sizes["test"]:
        lines.append("  no test: what learning is worth is not measured; give more rows, or --test N")
    folder = quote(str(started.folder))
    if written:
        lines += [
            "",
            "Next",
            f"  ace tasks check {folder}",
            f"  ace learn {folder}",
            f"  (read {folder}/task.toml first: the instructions are yours to improve)",
        ]
    return "\n".join(lines)
