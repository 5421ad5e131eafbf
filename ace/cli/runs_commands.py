"""`ace runs ...`: what was run, how it ended, what it cost, and which proposals it rejected."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ace.cli.bullet_commands import describe
from ace.cli.options import DEFAULT_MODEL, Json, PlaybookFile, RunNumber, playbook_file
from ace.cli.output import emit, width

if TYPE_CHECKING:
    from ace.store import Proposal, Run, Store

Faults = Mapping[str, Mapping[str, int]]


def register(app: typer.Typer) -> None:
    group = typer.Typer(help="What was run, and how it ended.", no_args_is_help=True)
    group.command("list")(list_)
    group.command("show")(show)
    app.add_typer(group, name="runs")


def list_(playbook: PlaybookFile = None, json: Json = False) -> None:
    """The runs that a playbook file holds."""
    from ace.runs.run_text import align_columns
    from ace.store import Store

    with Store.open(playbook_file(playbook), create=False, read_only=True) as store:
        runs = store.runs()
    text = align_columns(map(_row, runs), right=(0,)) if runs else "No runs yet."
    emit(json, {"runs": [asdict(run) for run in runs]}, text)


def show(
    run: RunNumber = None,
    rejected: Annotated[bool, typer.Option("--rejected", help="The proposals it rejected, and why.")] = False,
    cost: Annotated[
        bool, typer.Option("--cost", help="What its calls took: by role, phase, sample and bullet.")
    ] = False,
    credit: Annotated[
        bool, typer.Option("--credit", help="What each bullet contributed, and why attempts failed.")
    ] = False,
    playbook: PlaybookFile = None,
    json: Json = False,
) -> None:
    """A run's report, and the faults its calls met."""
    from ace.errors import UnknownVersion
    from ace.runs.cost import count_faults
    from ace.store import Store

    with Store.open(playbook_file(playbook), create=False, read_only=True) as store:
        if run is None and not (runs := store.runs()):
            raise UnknownVersion(f"no runs in {store.path} yet.", hint="`ace learn TASK` makes one.")
        found = max(runs, key=lambda r: r.id) if run is None else store.run(run)
        steps = len(store.steps(found.id))
        faults = count_faults(store.calls(found.id))
        more, texts = _parts(store, found, rejected=rejected, cost=cost, credit=credit)
        data = asdict(found) | {"steps": steps, "faults": faults} | more
        emit(json, data, "\n\n".join(texts) if texts else _text(found, steps, faults, store.path))


def _parts(
    store: Store, found: Run, *, rejected: bool, cost: bool, credit: bool
) -> tuple[dict[str, Any], list[str]]:
    """What was asked for instead of the report, as JSON and as text."""
    data: dict[str, Any] = {}
    texts = []
    run = found.id
    if rejected:
        proposals = [p for p in store.proposals(run) if p.outcome == "rejected"]
        data["rejected"] = [asdict(proposal) for proposal in proposals]
        texts.append("\n\n".join(map(_proposal, proposals)) or "Nothing was rejected.")
    if cost:
        from ace.report.cost_table import render_cost_tables
        from ace.runs.cost import compute_cost

        told = compute_cost(store.calls(run), store.steps(run))
        bullets = store.checkout(_outcome(store, found)).bullets
        data["cost"] = told.to_json()
        texts.append(render_cost_tables(told, {name: bullet.content for name, bullet in bullets.items()}))
    if credit:
        from ace.report.effects_table import render_credit_tables
        from ace.runs.bullet_effects import compute_credit

        measured = compute_credit(step.payload for step in store.steps(run))
        playbook = store.checkout(_outcome(store, found))
        votes = {b.id: {"helpful": b.helpful, "harmful": b.harmful} for b in playbook}
        data["credit"] = measured.to_json() | {"votes": votes}
        texts.append(render_credit_tables(measured, playbook.bullets))
    return data, texts


def _outcome(store: Store, run: Run) -> int:
    """The version that a run selected, or else that of its last step. Its branch may have moved on since."""
    if run.report and run.report.get("selected") is not None:
        return int(run.report["selected"])
    steps = store.steps(run.id)
    return steps[-1].version if steps else int(run.config.get("base", 0))


def _row(run: Run) -> tuple[str, ...]:
    from ace.runs.report import Score
    from ace.runs.run_text import format_score

    after = (run.report or {}).get("after")
    score = format_score(after and Score.from_json(after))
    return str(run.id), run.kind, run.task, run.status, run.started, score


def _text(run: Run, steps: int, faults: Faults, path: Path) -> str:
    from ace.report.cost_table import render_faults
    from ace.runs.report import Report
    from ace.runs.run_text import format_count, render_report

    times = f"started {run.started}, ended {run.ended or 'never'}"
    blocks = [f"run {run.id}, {run.status}, {format_count(steps, 'step')}, {times}", render_faults(faults)]
    if run.report:
        report = replace(Report.from_json(run.report), playbook=str(path))  # the file may have moved since
        blocks.append(render_report(report, model=_asked(run), width=width()))
    return "\n\n".join(filter(None, blocks))


def _asked(run: Run) -> str:
    """The option that names the model of a run, where it is not the default one. An address is not kept."""
    model = str(run.config.get("models", {}).get("generator", DEFAULT_MODEL))
    return "" if model == DEFAULT_MODEL else f"--model {quote(model)}"


def _proposal(proposal: Proposal) -> str:
    lines = [*map(describe, proposal.delta), f"  sample {proposal.sample_id}: {proposal.why}"]
    return "\n".join(lines + [f"  attempt: {attempt}" for attempt in proposal.attempts])
