"""`ace report`: write a run as one self-contained HTML file, and its charts as PNG files."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ace.cli.options import Json, RunNumber
from ace.cli.output import emit
from ace.cli.playbook_places import PlaybookFile, playbook_file


def report(
    run: RunNumber = None,
    playbook: PlaybookFile = None,
    out: Annotated[
        Path | None,
        typer.Option(metavar="FOLDER", help="Made if missing.  [default: the playbook's name and the run]"),
    ] = None,
    json: Json = False,
) -> None:
    """Write a run as an HTML page with its charts."""
    from ace.report import build_run_page, read_run_history, write_page
    from ace.store import Store

    file = playbook_file(playbook)
    with Store.open(file, create=False, read_only=True) as store:
        run_history = read_run_history(store, run)
    number = run_history.run.id
    folder = out or Path(f"{file.stem}-run-{number}")
    page, *charts = write_page(build_run_page(run_history), folder)
    data = {"run": number, "page": str(page), "charts": [str(chart) for chart in charts]}
    emit(json, data, f"{page} holds the report of run {number}; open it in a browser.")
