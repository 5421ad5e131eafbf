"""Answers the calls of a coding agent at the start and the end of a session.

An agent gives a hook little time, and a busy machine makes that less. So what `ace hook install` has written
down is read here, without the options of all other commands, and nothing is imported before it is needed.
Whatever goes wrong is a line in a log: a fault of ours must not break somebody's session.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from ace.cli.output import note
from ace.errors import AceError
from ace.hooks.coding_agent import Moment, find_agent
from ace.hooks.session import (
    copy_transcript,
    describe_fault,
    keep_note,
    list_due,
    locate_notes,
    log_fault,
    read_payload,
)
from ace.hooks.session_recorder import record_waiting, run_apart
from ace.store.store_database import Place, parse_place

ROOM = 2_000  # tokens for lessons
_MOST_STDIN = 1_000_000  # characters


@dataclass(frozen=True, slots=True)
class HookCall:
    """Hold what a coding agent calls for."""

    moment: Moment
    agent: str
    """As the call names it; nobody may have that name."""

    playbook: Place
    budget: int = ROOM
    """The tokens for lessons at a session's start."""


def is_called_by_agent(words: Sequence[str]) -> bool:
    """Tell whether the words of a command line are a call that must exit with 0, whatever happens."""
    return words[:1] == ["hook"] and words[1:2] in ([Moment.START], [Moment.END])


def read_call(words: Sequence[str]) -> HookCall | None:
    """Return a call as `ace hook install` writes it down; None for any other, which typer reads.

    Raises InputError for the URL of a playbook that cannot be read.
    """
    match words:
        case ["hook", Moment.END.value, agent, "--playbook", place]:
            return HookCall(Moment.END, agent, parse_place(place))
        case ["hook", Moment.START.value, agent, "--playbook", place, "--budget", tokens] if (
            tokens.isdecimal() and int(tokens) > 0
        ):
            return HookCall(Moment.START, agent, parse_place(place), int(tokens))
    return None


def answer_call(call: HookCall) -> None:
    """Do what a call asks for. Raises OSError where the folder of notes cannot be named."""
    _ANSWERS[call.moment](call, locate_notes(call.playbook))


def record_left_over(playbook: Place) -> None:
    """Record the sessions of a playbook that are due, and print which could not be.

    For commands that go over what is recorded: the process that a hook started may not have come to it.
    """
    folder = locate_notes(playbook)
    is_missing = isinstance(playbook, Path) and not playbook.exists()
    if is_missing or not list_due(folder):
        return
    from ace.hooks.recorded_sessions import record_sessions

    try:
        problems = record_sessions(playbook, folder)
    except AceError as error:  # the file may be there for reading only
        problems = [str(error)]
    for problem in problems:
        note(f"ace: {problem}")


def _begin_session(call: HookCall, folder: Path) -> None:
    """Print the lessons, keep a note of the session, and have recorded what earlier ones left behind."""
    version = 0
    with _logging_faults(call, folder):
        from ace.hooks.session_lessons import read_lessons

        text, version = read_lessons(call.playbook, find_agent(call.agent), call.budget)
        if text:
            sys.stdout.write(f"{text}\n")
            sys.stdout.flush()
    with _logging_faults(call, folder):
        session = read_payload(_read_stdin(), find_agent(call.agent))
        keep_note(folder, replace(session, version=version))
        if list_due(folder):
            run_apart(lambda: None, partial(record_waiting, call.playbook, call.agent))


def _end_session(call: HookCall, folder: Path) -> None:
    """Keep a note of a session's end, and its transcript; it is recorded after this has returned."""
    run_apart(partial(_note_end, call, folder), partial(record_waiting, call.playbook, call.agent))


def _note_end(call: HookCall, folder: Path) -> None:
    """Keep what is needed to record a session later."""
    with _logging_faults(call, folder):
        session = read_payload(_read_stdin(), find_agent(call.agent))
        ended = keep_note(folder, replace(session, ended=True))
        copy_transcript(folder, ended)


_ANSWERS = {Moment.START: _begin_session, Moment.END: _end_session}


@contextmanager
def _logging_faults(call: HookCall, folder: Path) -> Iterator[None]:
    """Turn whatever goes wrong in the block into a line of the log, or of stderr without one."""
    try:
        yield
    except Exception as error:
        text = describe_fault(error)
        try:
            log_fault(folder, call.moment, call.agent, text)
        except OSError:
            note(f"ace hook {call.moment} {call.agent}: {text}")


def _read_stdin() -> str:
    """Return what an agent says on stdin; nothing from a terminal, where nobody says anything."""
    if sys.stdin is None or sys.stdin.isatty():
        return ""
    return sys.stdin.read(_MOST_STDIN)
