"""One playbook: what takes its room, and runs in it that nobody has finished."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from ace.cli.doctor.finding import Finding, Health, Topic
from ace.errors import AceError
from ace.text.sizes import format_size

if TYPE_CHECKING:
    from ace.store.postgres.server_look import ServerSizes
    from ace.store.store_database import Place
    from ace.store.table_sizes import FileSizes

_MUCH_LOG = 100 * 10**6  # bytes


def check_playbook(path: Place) -> tuple[list[Finding], FileSizes | ServerSizes | None]:
    """Return what is to be said of a playbook, and its sizes; None where it cannot be read.

    The whole history is not checked: `ace playbook verify` does that.
    """
    from ace.cli.doctor.playbook_server import check_server
    from ace.store import Store
    from ace.store.process_mark import ProcessState, check_process
    from ace.store.table_sizes import read_table_sizes

    findings: list[Finding] = []
    sizes: FileSizes | ServerSizes | None = None
    try:
        if isinstance(path, Path):
            sizes = read_table_sizes(path)
            size, room = sizes.file, list(_check_room(path, sizes))
        else:
            findings, sizes = check_server(path)
            if sizes is None:
                return findings, None
            size, room = sizes.playbook, []
        with Store.open(path, create=False, read_only=True) as store:
            bullets = sum(store.count_by_section().values())
            head = store.head().number
            runs = store.runs(limit=20)
    except AceError as error:
        return [*findings, Finding(Topic.PLAYBOOK, Health.BROKEN, error.message, error.hint)], None
    text = f"{path}: {bullets} bullets, version {head}, {format_size(size)}"
    findings += [Finding(Topic.PLAYBOOK, Health.OK, text), *room]
    for run in runs:
        if run.status != "running":
            continue
        state = check_process(run.config.get("process"), path)
        text = f"run {run.id} ({run.kind} {run.task}) is under way"
        if state is ProcessState.ALIVE:
            findings.append(Finding(Topic.PLAYBOOK, Health.OK, text, f"ace watch {run.id} --playbook {path}"))
        elif state is ProcessState.ELSEWHERE and run is runs[-1]:
            text = (
                f"run {run.id} ({run.kind} {run.task}) was under way in the file that this one is a copy of"
            )
            findings.append(Finding(Topic.PLAYBOOK, Health.NOTE, text))
        elif state is ProcessState.GONE and run is runs[-1]:
            text = f"run {run.id} ({run.kind} {run.task}) was killed: its process is gone"
            fix = "the command that began it goes on with --resume"
            findings.append(Finding(Topic.PLAYBOOK, Health.WARNING, text, fix))
    return findings, sizes


def _check_room(path: Path, sizes: FileSizes) -> Iterator[Finding]:
    """Yield what of the file is not used, and a log that nobody folds into it."""
    if sizes.free > sizes.file / 4 and sizes.free > 10**6:
        text = f"{format_size(sizes.free)} of it are free: they are filled before it grows"
        yield Finding(Topic.PLAYBOOK, Health.NOTE, text)
    if sizes.log > _MUCH_LOG:
        text = f"its write-ahead log has {format_size(sizes.log)}: a program keeps it open, or was killed"
        fix = f"close what uses {path}; the next command that writes folds it in"
        yield Finding(Topic.PLAYBOOK, Health.WARNING, text, fix)
