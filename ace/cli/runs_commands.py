"""`ace runs ...`: list runs, and show how one ended, what it cost, and which proposals it rejected."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, replace
from datetime import timedelta
from functools import partial
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ace.cli.bullet_commands import describe
from ace.cli.options import DEFAULT_MODEL, Json, RunNumber
from ace.cli.output import emit, width
from ace.cli.playbook_places import PlaybookFile, playbook_file
from ace.errors import InputError

if TYPE_CHECKING:
    from ace.store import Run, Store
    from ace.store.store_database import Place

Faults = Mapping[str, Mapping[str, int]]
Part = tuple[str, Any, str]
"""The name of what was asked for instead of the report; its JSON; its text."""


def list_(
    limit: Annotated[int | None, typer.Option(metavar="N", min=1, help="Show only the newest.")] = None,
    playbook: PlaybookFile = None,
    json: Json = False,
) -> None:
    """List the runs that a playbook file holds, oldest first."""
    from ace.runs.run_text import align_columns, format_score
    from ace.runs.score import Score
    from ace.store import Store

    with Store.open(playbook_file(playbook), create=False, read_only=True) as store:
        if json:
            emit(json, {"runs": [asdict(run) for run in store.runs(limit)]}, "")
            return
        runs = store.run_summaries(limit)
    rows = []
    for run in runs:
        score = format_score(Score.from_json(run.after) if run.after else None)
        rows.append((str(run.id), run.kind, run.task, run.status, run.started, score))
    text = align_columns(rows, right=(0,)) if rows else "No runs yet."
    emit(json, {}, text)


def show(
    run: RunNumber = None,
    rejected: Annotated[bool, typer.Option("--rejected", help="Show rejected proposals, and why.")] = False,
    cost: Annotated[
        bool, typer.Option("--cost", help="Show what its calls took: by role, phase, sample and bullet.")
    ] = False,
    credit: Annotated[
        bool, typer.Option("--credit", help="Show the votes of bullets, and why attempts failed.")
    ] = False,
    episode: Annotated[
        str | None, typer.Option(metavar="ID", help="Show one attempt: its calls and what came of them.")
    ] = None,
    playbook: PlaybookFile = None,
    json: Json = False,
) -> None:
    """Show a run's report, and the faults that its calls met."""
    from ace.errors import UnknownVersion
    from ace.runs.cost import count_faults
    from ace.store import Store

    with Store.open(playbook_file(playbook), create=False, read_only=True) as store:
        if episode is not None:
            data, text = _show_episode(store, episode)
            emit(json, data, text)
            return
        if run is None:
            newest = store.runs(limit=1)
            if not newest:
                raise UnknownVersion(f"no runs in {store.path} yet.", hint="`ace learn TASK` makes one.")
            record = newest[0]
        else:
            record = store.run(run)
        parts = list[Part]()
        if rejected:
            parts.append(_show_rejected(store, record))
        if cost:
            parts.append(_show_cost(store, record))
        if credit:
            parts.append(_show_credit(store, record))
        data = asdict(record)
        steps, calls = store.steps(record.id), store.calls(record.id)
        data["steps"] = len(steps)
        data["faults"] = count_faults(calls)
        made = sum(usage["calls"] for step in steps for usage in step.payload.get("usage", {}).values())
        data["pruned_calls"] = max(0, made - sum(call.usage.calls for call in calls))
        for name, value, _ in parts:
            data[name] = value
        texts = [text for _, _, text in parts] or [
            _report_text(record, data["steps"], data["faults"], store.path)
        ]
        if data["pruned_calls"]:
            texts.append(
                f"{data['pruned_calls']:,} of its calls are not in the file any more (`ace runs prune`): "
                "faults and --cost are those of the others."
            )
        emit(json, data, "\n\n".join(texts))


def _show_episode(store: Store, name: str) -> tuple[dict[str, Any], str]:
    """Return one attempt, as JSON and as a person reads it. Raises UnknownVersion for an id of none."""
    from ace.errors import UnknownVersion
    from ace.runs.trajectory_text import render_episode

    episodes = store.episodes(ids=[name])
    if not episodes:
        hint = "`ace runs show --rejected` names ids."
        raise UnknownVersion(f"no episode {name} in {store.path}.", hint=hint)
    episode = episodes[-1]
    return asdict(episode), render_episode(episode)


def export(
    otel: Annotated[
        str,
        typer.Option(metavar="FILE|URL", help="Where spans go: a file of OTLP in JSON, or a collector."),
    ],
    run: RunNumber = None,
    content: Annotated[
        bool, typer.Option("--content", help="With questions, answers, thoughts, results of tools, labels.")
    ] = False,
    playbook: PlaybookFile = None,
    json: Json = False,
) -> None:
    """Write a run as spans of OpenTelemetry."""
    from ace.report import export_run
    from ace.store import Store

    with Store.open(playbook_file(playbook), create=False, read_only=True) as store:
        count = export_run(store, otel, run, content=content)
    emit(json, {"spans": count, "target": otel}, f"{otel} has {count} spans of the run.")


def prune(
    keep: Annotated[
        int | None, typer.Option(metavar="N", min=0, help="Leave the newest runs as they are.")
    ] = None,
    older_than: Annotated[
        float | None, typer.Option(metavar="DAYS", min=0, help="Only of runs that ended longer ago.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would go, and stop.")] = False,
    vacuum: Annotated[
        bool,
        typer.Option("--vacuum", help="Make the file shorter: it is written anew, which takes its room."),
    ] = False,
    playbook: PlaybookFile = None,
    json: Json = False,
) -> None:
    """Delete calls and attempts of old runs that nothing rests on.

    What a bullet cites at any version, what proved a lesson and what feedback is about stays, with the calls
    for it; so do all runs, their reports and journals, and the history. A run that may be resumed is left
    alone.
    """
    from ace.cli.progress import progress_on_terminal
    from ace.store import Store
    from ace.text.sizes import format_size

    file = playbook_file(playbook)
    try:
        age = None if older_than is None else timedelta(days=older_than)
    except OverflowError as error:
        raise InputError(f"--older-than {older_than}: no run is so old.", hint="Give fewer days.") from error
    with (
        Store.open(file, create=False, read_only=dry_run) as store,
        progress_on_terminal(file, json=json) as show,
    ):
        pruned = store.prune(
            keep=keep, older_than=age, dry_run=dry_run, vacuum=vacuum, show=partial(show, "pruning: runs")
        )
    would = "would go" if dry_run else "are gone"
    text = (
        f"{pruned.calls:,} calls and {pruned.episodes:,} attempts of {pruned.runs:,} runs {would}: "
        f"{format_size(pruned.bytes)}. {pruned.kept_calls:,} calls and {pruned.kept_episodes:,} attempts of "
        "them stay, because the playbook rests on them."
    )
    if pruned.returned:
        text += f" The file is {format_size(pruned.returned)} shorter."
    elif pruned.bytes and not dry_run:
        text += " The room is used again; --vacuum makes the file shorter."
    emit(json, asdict(pruned), text)


def _show_rejected(store: Store, run: Run) -> Part:
    """Return the proposals that a run rejected: their operations, why, and the attempts that decided."""
    proposals = [proposal for proposal in store.proposals(run.id) if proposal.outcome == "rejected"]
    texts = []
    for proposal in proposals:
        lines = [describe(operation) for operation in proposal.delta]
        lines.append(f"  sample {proposal.sample_id}: {proposal.why}")
        lines += [f"  attempt: {attempt}" for attempt in proposal.attempts]
        texts.append("\n".join(lines))
    text = "\n\n".join(texts) or "Nothing was rejected."
    return "rejected", [asdict(proposal) for proposal in proposals], text


def _show_cost(store: Store, run: Run) -> Part:
    """Return what the calls of a run took: by role, phase, sample and bullet."""
    from ace.report.cost_table import render_cost_tables
    from ace.runs.cost import compute_cost
    from ace.runs.steps import read_journal

    cost = compute_cost(store.calls(run.id), read_journal(store.steps(run.id)))
    bullets = store.checkout(_final_version(store, run)).bullets
    contents = {name: bullet.content for name, bullet in bullets.items()}
    return "cost", asdict(cost), render_cost_tables(cost, contents)


def _show_credit(store: Store, run: Run) -> Part:
    """Return the votes of the bullets that a run ended with, and why its attempts failed."""
    from ace.report.credit_table import render_credit_table
    from ace.runs.causes import count_causes
    from ace.runs.steps import read_journal

    causes = count_causes(read_journal(store.steps(run.id)))
    playbook = store.checkout(_final_version(store, run))
    votes = {bullet.id: {"helpful": bullet.helpful, "harmful": bullet.harmful} for bullet in playbook}
    table = render_credit_table(causes, playbook.bullets)
    return "credit", {"causes": causes, "votes": votes}, table


def _final_version(store: Store, run: Run) -> int:
    """Return the version that a run selected, or else that of its last step; its branch may have moved on."""
    if run.report and run.report.get("selected") is not None:
        return int(run.report["selected"])
    steps = store.steps(run.id)
    return steps[-1].version if steps else int(run.config.get("base", 0))


def _report_text(run: Run, steps: int, faults: Faults, path: Place) -> str:
    """Return the run's report, with the model, the method and the branch that were not the default ones."""
    from ace.report.cost_table import render_faults
    from ace.runs.report import Report
    from ace.runs.run_text import format_count, render_report

    times = f"started {run.started}, ended {run.ended or 'never'}"
    blocks = [f"run {run.id}, {run.status}, {format_count(steps, 'step')}, {times}", render_faults(faults)]
    if run.report and run.status == "failed":
        going_on = "What was committed is kept: the command that began it goes on with --resume."
        blocks.append(f"It failed: {run.report.get('stopped', '')}\n{going_on}")
    elif run.report:
        report = replace(Report.from_json(run.report), playbook=str(path))  # the file may have moved since
        model = str(run.config.get("models", {}).get("generator", DEFAULT_MODEL))
        branch = str(run.config.get("branch", "main"))
        chosen = {"model": model, "branch": branch, "method": str(run.config.get("method", "ace"))}
        defaults = {"model": DEFAULT_MODEL, "branch": "main", "method": "ace"}
        words = [f"--{name} {quote(value)}" for name, value in chosen.items() if value != defaults[name]]
        is_known = (Path("tasks") / report.task / "task.toml").is_file()
        folder = report.task if is_known else ""  # where else the task is, the file does not say
        text = render_report(report, folder=folder, model=" ".join(words), branch=branch, width=width())
        blocks.append(text)
    return "\n\n".join(filter(None, blocks))


ABOUT = "What was run, and how it ended."
COMMANDS = (list_, show, export, prune)
