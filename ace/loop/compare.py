"""Compare: run methods on the same samples with the same model and seeds, and keep it all in a study file.

Knows the file and the cells; how a cell is run is in `compare_cell`, what the numbers say in `ace.runs`.
"""

from __future__ import annotations

import platform
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from importlib.metadata import version
from pathlib import Path

from ace.errors import AceError, InputError, StoreBusy
from ace.llm.faults import hide
from ace.llm.role_models import RoleModels
from ace.loop.compare_cell import run_cell
from ace.loop.compare_plan import PlannedCell, StudyPlan
from ace.loop.progress import Progress, silent
from ace.runs.study_cells import Cell, CellState
from ace.runs.study_report import Study
from ace.store.study_file import StudyFile


def compare(plan: StudyPlan, path: Path, models: RoleModels, *, progress: Progress = silent) -> Study:
    """Do what is left of a plan, and return the whole study at `path`, with cells of earlier plans.

    Cells that are done stay as they are; one that was cut off goes on from its playbook file, in a folder
    beside the study. Each cell has a journal of its own, so no method is answered from another's calls.

    Raises InputError where the study was made with another task, model or settings, or where a playbook of
    another study stands in the place of a new one; StoreBusy where another process is at it; and what a cell
    raises, after which the same call goes on with it.
    """
    if getattr(sys.modules.get("litellm"), "cache", None) is not None:
        hint = "Set litellm.cache to None: methods must not be answered from each other's calls."
        raise InputError("A cache of replies is on in litellm.", hint=hint)
    folder = cells_folder(path)
    basis = plan.basis(models.models)
    with StudyFile.open(path) as study:
        study.plan(basis, [planned.cell for planned in plan.cells])
        folder.mkdir(exist_ok=True)
        with _claim(folder, path):
            work = partial(run_cell, task=plan.task, models=models, progress=progress)
            states = {(cell.method, cell.seed): cell.state for cell in study.read().cells}
            for planned in plan.cells:
                state = states[planned.cell.method, planned.cell.seed]
                if state is not CellState.DONE:
                    _do_cell(study, planned, state, work)
        return study.read()


def cells_folder(path: Path) -> Path:
    """Return the folder in which the cells of a study have their playbooks."""
    return path.with_name(f"{path.stem}-cells")


def _do_cell(study: StudyFile, planned: PlannedCell, state: CellState, work: Callable[..., Cell]) -> None:
    """Run a cell, or go on with it, and write down its results or what ended it."""
    cell = planned.cell
    file = cells_folder(study.path) / cell.file
    if state is CellState.PLANNED and file.exists():
        hint = "Move it away, or give another --study."
        raise InputError(f"{file} is not of this study, which would write there.", hint=hint)
    study.begin(cell, {"ace": version("ace-engine"), "python": platform.python_version()})
    try:
        result = work(cell, planned.variant, file)
    except AceError as error:
        study.fail(cell, hide(str(error)))
        raise
    study.finish(result)


@contextmanager
def _claim(folder: Path, path: Path) -> Iterator[None]:
    """Keep other processes from running the same study. Raises StoreBusy where one does."""
    from filelock import FileLock, Timeout

    lock = FileLock(folder / ".lock")
    try:
        lock.acquire(timeout=0)
    except Timeout as error:
        raise StoreBusy(f"Another process runs the study {path}.", hint="Wait for it.") from error
    try:
        yield
    finally:
        lock.release()
