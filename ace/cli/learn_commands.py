"""`ace learn | online | eval`: open what a run needs, run the loop, close with the report."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from ace.cli.hook_calls import record_left_over
from ace.cli.options import EvalOptions, LearnOptions, OnlineOptions, RunOptions, takes
from ace.cli.output import emit, note_left_out
from ace.cli.run_session import is_playbook, render_close, session, spell_resume
from ace.cli.serve_commands import close_lines, serve_lines
from ace.errors import InputError

if TYPE_CHECKING:
    from ace.runs.report import Report
    from ace.store.store_database import Place
    from ace.task.traces import Log

STOPPED_BY_A_CAP = 3


@takes(LearnOptions)
def learn(options: LearnOptions) -> None:
    """Learn from the training questions, or from recorded attempts.

    The test questions are scored before and after.
    """
    from ace import loop
    from ace.task.traces import Log

    log = _read_attempts(options.from_traces) if options.from_traces else Log(())
    note_left_out(log.left_out)
    with session(options) as (task, store, team, show):
        settings = options.settings
        resume = options.resume
        if log.traces:
            report = loop.learn_from_traces(
                task, log.traces, store, team, settings, progress=show, resume=resume
            )
            report = replace(report, notes=(*log.describe(), *report.notes))
        else:
            report = loop.learn(task, store, team, settings, progress=show, resume=resume)
    _close(report, options)


@takes(OnlineOptions)
def online(options: OnlineOptions) -> None:
    """Answer, score, then learn, one question at a time or batch by batch.

    Goes once over the training questions; the score is that of the answers as they were given. With --stdin
    questions come as JSON lines instead, are answered at once, and are learned from when feedback comes.
    """
    from ace import loop

    if options.resume and (options.stdin or options.settings.behind):
        raise InputError(
            "A run with --stdin or --behind cannot be resumed.",
            hint="Start a new one: it learns from the feedback that is in the file.",
        )
    with session(options) as (task, store, team, show):
        if options.stdin:
            report = serve_lines(task, store, team, options.settings, show)
        else:
            settings = options.settings
            resume = options.resume
            report = loop.online(task, store, team, settings, progress=show, resume=resume)
    if options.stdin:
        close_lines(report, options)
    else:
        _close(report, options)


@takes(EvalOptions)
def evaluate(options: EvalOptions) -> None:
    """Score one version of a playbook. Nothing is learned."""
    from ace import loop

    with session(options) as (task, store, team, show):
        settings = options.settings
        report = loop.evaluate(task, store, team, settings, progress=show, version=options.version)
    _close(report, options)


def _read_attempts(file: Place) -> Log:
    """Return the attempts of a log, or the sessions recorded in a playbook file that taught nothing yet.

    Raises InputError for a playbook file that holds none.
    """
    from ace.task.traces import Log, read_log

    if isinstance(file, Path) and not is_playbook(file):
        return read_log(file)
    from ace.hooks.recorded_sessions import read_sessions
    from ace.store import Store

    record_left_over(file)
    with Store.open(file, create=False, read_only=True) as store:
        traces = read_sessions(store)
    if not traces:
        problem = f"{file} holds no session of a coding agent that was not learned from."
        raise InputError(problem, hint="`ace hook status` shows what is recorded.")
    return Log(traces)


def _close(report: Report, options: RunOptions) -> None:
    """Print the report of a run with the commands to try next.

    Exits with code 3 where a cap ended the run, so that a script can tell.
    """
    resume = spell_resume(options, capped=bool(report.stopped))
    emit(options.json, report.to_json(), render_close(report, options, resume))
    if report.stopped:
        raise typer.Exit(STOPPED_BY_A_CAP)
