"""`ace watch`: follow a run from another terminal. It reads the playbook file, and changes nothing."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ace.cli.completion import complete_watched
from ace.cli.output import emit, emit_line, note
from ace.cli.playbook_places import PlaybookFile, choose_word, playbook_file, read_place
from ace.cli.progress import progress
from ace.errors import CapReached, StoreBusy, UnknownVersion

if TYPE_CHECKING:
    from ace.loop.run_watch import RunLook
    from ace.store import Store

_EVERY = 0.5  # seconds between two looks
_NEWEST = 20  # runs among which one is looked for that learns: servers that stand by have one each
_SILENT = 120.0  # seconds without a call, after which one is printed where the process cannot be seen
_LOST = 3_600.0  # seconds without a call, after which a run of such a process is followed no longer
_BOUNDED = ("learn", "eval")  # kinds of runs that go from call to call; others wait for questions
_EXIT = {"done": 0, "capped": CapReached.exit_code}
_ENDS = {
    "done": "run {run} is done",
    "failed": "run {run} failed",
    "capped": "run {run} was stopped by a cap",
    "interrupted": "run {run} was interrupted",
    "killed": "run {run} was killed: its process is gone, and what was committed is in the file",
    "copied": "run {run} was under way in another file, of which this one is a copy: nothing more comes here",
    "running": "run {run} has been silent for {silence}, and its process cannot be seen from here: it is "
    "followed no longer",
}


def watch(
    target: Annotated[
        str,
        typer.Argument(
            metavar="[RUN|PLAYBOOK]",
            help="A run's number, or a playbook, whose newest run is followed.  [default: the last run]",
            show_default=False,
            autocompletion=complete_watched,
        ),
    ] = "",
    playbook: PlaybookFile = None,
    json: Annotated[bool, typer.Option("--json", help="Print a JSON object a line, as it happens.")] = False,
) -> None:
    """Follow a run from another terminal: how far it is, each lesson as it is proven, and the time left.

    The file is only read. It ends when the run ends: with 0 where that is done, 3 where a cap stopped it, and
    1 where it failed, was interrupted or was killed, or goes on in another file or machine, if at all.
    """
    from ace.store import Store

    number = int(target) if target.isdecimal() else None
    if target and number is None:
        playbook = choose_word(read_place(target), playbook)
    with Store.open(playbook_file(playbook), create=False, read_only=True) as store:
        if number is None:
            number = _choose_run(store)
        looks = _look_until_the_end(store, number)
        last = _print_lines(store, looks) if json else _draw(store, looks)
    code = _EXIT.get(last.state.value, 1)
    if code:
        raise typer.Exit(code)


def _choose_run(store: Store) -> int:
    """Return the newest run that goes on and learns, or else the newest. Raises UnknownVersion for none."""
    from ace.store.process_mark import ProcessState, check_process

    runs = store.run_summaries(limit=_NEWEST)
    if not runs:
        raise UnknownVersion(f"no runs in {store.path} yet.", hint="`ace learn TASK` makes one.")
    gone = (ProcessState.GONE, ProcessState.ELSEWHERE)
    for run in reversed(runs):
        process = check_process(store.run(run.id).config.get("process"), store.path)
        if run.status == "running" and run.kind != "agent" and process not in gone:
            return run.id
    return runs[-1].id


def _look_until_the_end(store: Store, number: int) -> Iterator[RunLook]:
    """Yield a look at a run twice a second, the last when it has ended. Waits for a file that is locked."""
    from ace.loop.run_watch import RunState, RunWatch
    from ace.store.process_mark import ProcessState

    followed = RunWatch(store, number)
    warned = False
    while True:
        try:
            look = followed.look()
        except StoreBusy:
            time.sleep(_EVERY)
            continue
        yield look
        if look.state is not RunState.RUNNING:
            return
        is_lost = look.process is ProcessState.UNKNOWN and look.silence > _LOST
        if is_lost and look.run.kind in _BOUNDED:
            return
        if look.process is ProcessState.UNKNOWN and look.silence > _SILENT and not warned:
            warned = True
            note(f"no call has ended for {look.silence:.0f} s; its process cannot be seen from this machine")
        time.sleep(_EVERY)


def _draw(store: Store, looks: Iterator[RunLook]) -> RunLook:
    """Draw bars and lessons as they come, then say how the run ended, and return the last look."""
    from ace.runs.run_text import format_score
    from ace.runs.score import Score

    look = next(looks)
    run = look.run
    note(f"run {run.id} of {store.path}: {run.kind} {run.task}, since {run.started}")
    drawn: dict[str, tuple[int, int, int]] = {}  # phase -> how far it was when it was drawn last
    leader = ""  # as it was printed last
    with progress() as show:
        while True:
            if look.leader != leader:
                leader = look.leader
                note(f"{leader or 'nobody'} learns; feedback that waits: {look.backlog}")
            for setback in look.setbacks:
                what = "is set aside" if setback.set_aside else "could not be learned from"
                note(f"feedback {setback.feedback} {what} (run {setback.run}): {setback.error}")
            if look.lessons:
                show.show_lessons(look.lessons)
            show.show_left(look.left)
            for phase in look.phases:
                is_newest = phase is look.phases[-1]
                mark = (phase.done, *((look.totals.calls, look.backlog) if is_newest else (0, 0)))
                if drawn.get(phase.phase) == mark:
                    continue
                drawn[phase.phase] = mark
                words = [f"{phase.right} of {phase.done} right"] if phase.done else []
                if is_newest:
                    words += [f"{look.bullets} bullets", f"{look.totals.calls} calls"]
                    words += [f"{look.backlog} to learn from"] if look.backlog else []
                show(phase.phase, phase.done, phase.total, ", ".join(words))
            following = next(looks, None)
            if following is None:
                break
            look = following
    state = look.state.value
    text = _ENDS[state].format(run=run.id, silence=f"{look.silence / 60:.0f} min")
    after = (look.run.report or {}).get("after")
    if after:
        text = f"{text}: {format_score(Score.from_json(after))}"
    elif state == "failed" and look.run.report:
        text = f"{text}: {look.run.report.get('stopped', '')}"
    lines = [text, f"  ace runs show {run.id} --playbook {store.path}"]
    if state != "done":
        lines.append("  the command that began it goes on with --resume")
    emit(False, {}, "\n".join(lines))
    return look


def _print_lines(store: Store, looks: Iterator[RunLook]) -> RunLook:
    """Print what happens as JSON lines, and return the last look. Raises BrokenPipeError without a reader."""
    look = next(looks)
    run = look.run
    about = {"run": run.id, "kind": run.kind, "task": run.task, "started": run.started}
    emit_line({"event": "run", **about, "playbook": str(store.path), "state": look.state.value})
    printed: dict[str, Any] = {}
    while True:
        for lesson in look.lessons:
            emit_line({"event": "lesson", **asdict(lesson)})
        for setback in look.setbacks:
            emit_line({"event": "setback", **asdict(setback)})
        event = {
            "event": "progress",
            "phases": [asdict(phase) for phase in look.phases],
            "bullets": look.bullets,
            "calls": look.totals.calls,
            "tokens": look.totals.tokens,
            "leader": look.leader,
            "backlog": look.backlog,
        }
        if event != printed:
            printed = event
            estimate = asdict(look.left) if look.left is not None else None
            emit_line(event | {"left": estimate})
        following = next(looks, None)
        if following is None:
            break
        look = following
    ended = {"event": "end", "state": look.state.value, "ended": look.run.ended, "report": look.run.report}
    emit_line(ended)
    return look
