"""`ace runs ...`: what was run, how it ended, and which proposals it rejected."""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ace.cli.options import Json, PlaybookFile, RunNumber, playbook_file
from ace.cli.output import emit, width

if TYPE_CHECKING:
    from ace.store import Proposal, Run


def register(app: typer.Typer) -> None:
    group = typer.Typer(help="What was run, and how it ended.", no_args_is_help=True)
    group.command("list")(list_)
    group.command("show")(show)
    app.add_typer(group, name="runs")


def list_(playbook: PlaybookFile = None, json: Json = False) -> None:
    """The runs that a playbook file holds."""
    from ace.runs.table import aligned
    from ace.store import Store

    with Store.open(playbook_file(playbook), create=False, read_only=True) as store:
        runs = store.runs()
    text = aligned(map(_row, runs), right=(0,)) if runs else "No runs yet."
    emit(json, {"runs": [asdict(run) for run in runs]}, text)


def show(
    run: RunNumber = None,
    rejected: Annotated[bool, typer.Option("--rejected", help="The proposals it rejected, and why.")] = False,
    playbook: PlaybookFile = None,
    json: Json = False,
) -> None:
    """A run's report."""
    from ace.errors import UnknownVersion
    from ace.store import Store

    with Store.open(playbook_file(playbook), create=False, read_only=True) as store:
        if run is None and not (runs := store.runs()):
            raise UnknownVersion(f"no runs in {store.path} yet.", hint="`ace learn TASK` makes one.")
        found = max(runs, key=lambda r: r.id) if run is None else store.run(run)
        proposals = [p for p in store.proposals(found.id) if p.outcome == "rejected"] if rejected else []
        steps = len(store.steps(found.id))
    data = asdict(found) | {"steps": steps}
    if not rejected:
        emit(json, data, _text(found, steps, store.path))
        return
    text = "\n\n".join(map(_proposal, proposals)) or "Nothing was rejected."
    emit(json, data | {"rejected": [asdict(proposal) for proposal in proposals]}, text)


def _row(run: Run) -> tuple[str, ...]:
    from ace.runs.report import Score
    from ace.runs.table import score_text

    after = (run.report or {}).get("after")
    score = score_text(after and Score.from_json(after))
    return str(run.id), run.kind, run.task, run.status, run.started, score


def _text(run: Run, steps: int, path: Path) -> str:
    from ace.runs.report import Report
    from ace.runs.table import closing, counted

    times = f"started {run.started}, ended {run.ended or 'never'}"
    head = f"run {run.id}, {run.status}, {counted(steps, 'step')}, {times}"
    if not run.report:
        return head
    report = replace(Report.from_json(run.report), playbook=str(path))  # the file may have moved since
    return f"{head}\n\n{closing(report, width=width())}"


def _proposal(proposal: Proposal) -> str:
    from ace.cli.playbook import describe

    lines = [*map(describe, proposal.delta), f"  sample {proposal.sample_id}: {proposal.why}"]
    return "\n".join(lines + [f"  attempt: {attempt}" for attempt in proposal.attempts])
