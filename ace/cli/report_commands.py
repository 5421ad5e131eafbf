"""`ace report`: a run as one HTML file that needs nothing else, and its charts as PNG files."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ace.cli.options import Json, PlaybookFile, RunNumber, playbook_file
from ace.cli.output import emit


def register(app: typer.Typer) -> None:
    app.command()(report)


def report(
    run: RunNumber = None,
    playbook: PlaybookFile = None,
    out: Annotated[
        Path | None,
        typer.Option(metavar="FOLDER", help="Made if missing.  [default: the playbook's name and the run]"),
    ] = None,
    json: Json = False,
) -> None:
    """Write a run as a page to read, with its charts."""
    from ace.report import build_run_page, read_run_history, write_page
    from ace.store import Store

    file = playbook_file(playbook)
    with Store.open(file, create=False, read_only=True) as store:
        found = read_run_history(store, run)
    folder = out or Path(f"{file.stem}-run-{found.run.id}")
    page, *charts = write_page(build_run_page(found), folder)
    data = {"run": found.run.id, "page": str(page), "charts": [str(chart) for chart in charts]}
    emit(json, data, f"{page} holds the report of run {found.run.id}; open it in a browser.")
