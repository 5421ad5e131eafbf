"""`ace compare TASK` and `ace compare show`: run methods on the same samples, and say which is better."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup

from ace.cli.files import write_text
from ace.cli.options import (
    CompareOptions,
    Format,
    Json,
    Page,
    Reference,
    Rows,
    StudyFormat,
    load_folder,
    spell_options,
    takes,
)
from ace.cli.output import emit, note, width
from ace.cli.progress import progress
from ace.cli.run_session import Interrupted, connect_roles
from ace.errors import AceError, InputError

if TYPE_CHECKING:
    from ace.runs.study_report import Study


class TaskOrCommand(TyperGroup):
    """Read `ace compare TASK` as `ace compare run TASK`, so that the usual command needs no word of its own.

    A task in a folder that is named like a command is given as ./show.
    """

    default = "run"

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Put `run` before what is neither a command nor a question for help."""
        if args and args[0] not in (*self.commands, "--help"):
            args = [self.default, *args]
        return super().parse_args(ctx, args)


KIND = TaskOrCommand


@takes(CompareOptions)
def run(options: CompareOptions) -> None:
    """Run methods with the same samples, model and seeds, and compare them.

    The study file keeps every answer. The same command goes on with a study that was cut off, and more
    methods or seeds extend it.
    """
    from ace.loop import compare, plan_study
    from ace.store.study_file import read_study

    task = load_folder(options.task, trust=options.trust)
    path = options.study or Path(f"{task.name}.study.db")
    known = read_study(path) if path.exists() else None
    methods = [name.strip() for name in options.methods.split(",") if name.strip()]
    seeds = _read_seeds(options.seeds)
    plan = plan_study(task, options.settings, methods, seeds, floor=options.floor, known=known)
    cells = [planned.cell for planned in plan.cells] + list(known.cells if known else ())
    names = dict.fromkeys(cell.method for cell in cells)
    if options.reference and options.reference not in names:
        raise InputError(f"{options.reference!r} is not compared.", hint=f"There are: {', '.join(names)}.")
    if options.dry_run:
        emit(options.json, plan.to_json(), str(plan))
        return
    note(str(plan))
    with ExitStack() as stack:
        show_progress = stack.enter_context(progress())
        try:
            models = connect_roles(options, stack, show_progress)
            study = compare(plan, path, models, progress=show_progress)
        except KeyboardInterrupt as error:
            raise _interrupt(options, path) from error
        except AceError as error:
            if not isinstance(error, InputError):
                error.hint = f"{error.hint} The same command goes on from here.".strip()
            raise
    _close(study.refer_to(options.reference), options.format, options.rows, options.out, options.json)


def show(
    study: Annotated[
        Path | None,
        typer.Argument(metavar="[STUDY]", help="A study file.  [default: the only .study.db here]"),
    ] = None,
    reference: Reference = "",
    format: Format = StudyFormat.TABLE,  # noqa: A002 (it names the option)
    rows: Rows = "methods",
    out: Page = None,
    json: Json = False,
) -> None:
    """Print a study as far as it was made."""
    from ace.store.study_file import read_study

    if study is None:
        files = sorted(Path().glob("*.study.db"))
        if len(files) != 1:
            names = ", ".join(map(str, files)) or "none"
            raise InputError(f"Which study? The .study.db files here are: {names}.", hint="Name one.")
        study = files[0]
    _close(read_study(study).refer_to(reference), format, rows, out, json)


def _close(study: Study, form: StudyFormat, rows: str, out: Path | None, json: bool) -> None:
    """Print a study in one of its forms, and write its page where that was asked for."""
    from ace.runs.text_tables import render_csv

    if out is not None:
        from ace.report import build_study_page

        write_text(out, build_study_page(study))
        note(f"{out} holds the study; open it in a browser.")
    if json or form is StudyFormat.JSON:
        emit(True, study.to_json(), "")
    elif form is StudyFormat.CSV:
        emit(False, {}, render_csv(study.rows(rows)))
    elif form is StudyFormat.MARKDOWN:
        emit(False, {}, study.render_markdown())
    else:
        emit(False, {}, study.render(width()))


def _read_seeds(text: str) -> list[int]:
    """Return the numbers of a list with commas. Raises InputError for anything else."""
    try:
        return [int(word) for word in text.split(",") if word.strip()]
    except ValueError as error:
        raise InputError(f"--seeds is {text!r}.", hint="Give whole numbers, as 0,1,2.") from error


def _interrupt(options: CompareOptions, path: Path) -> Interrupted:
    """Return what a Ctrl-C ends with: how far the study is, and the command that goes on."""
    from ace.store.study_file import read_study

    progress_so_far = read_study(path).title() if path.exists() else "no cell was begun"
    command = f"ace compare {quote(options.task)} {spell_options(options)}".strip()
    return Interrupted(f"interrupted; {progress_so_far}.", hint=f"Continue with `{command}`.")


ABOUT = "Run methods on the same samples: `ace compare TASK` is `ace compare run TASK`."
COMMANDS = (run, show)
