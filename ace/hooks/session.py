"""Gives a coding agent's session its lessons, and keeps a note of it until its transcript is recorded.

Notes and a log of faults stand in a folder beside the playbook file. So a session whose recording fails, or
is cut off, is recorded when a later one ends. Knows nothing about the command line.
"""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from math import ceil
from pathlib import Path

from ace.context import render_playbook
from ace.errors import InputError
from ace.hooks.coding_agent import EVENTS, CodingAgent, Moment
from ace.safety.secrets import hide_secrets
from ace.store import Store
from ace.store.store_database import Place, locate_folder
from ace.text import estimate_tokens

LOG = "hooks.log"
MOST_TRIES = 3
HEADING = "# Lessons\n\nWhat was learned in earlier work. Use the lessons that apply.\n\n"
_WAIT = 2.0  # seconds for a playbook that somebody else is writing to: a person waits for the session
_LOCK_WAIT = 10.0  # seconds for the recording of another session
_FORSAKEN = 24 * 3600  # seconds without a word, after which a session counts as ended
_MOST_LOG = 1_000_000  # bytes, after which a new log begins; the one before it stays
_LONGEST_NAME = 200  # characters of a session's id


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionNote:
    """Hold what is known of a session that is not recorded yet."""

    agent: str
    """The name of the coding agent."""

    session: str
    """The id that the agent gave it."""

    transcript: str = ""
    """The path of its transcript; "" where the agent has named none."""

    version: int = 0
    """That of the playbook it was shown; 0 for none."""

    ended: bool = False
    """Whether the agent has said that it is over."""

    tries: int = 0
    """How many recordings of it failed."""

    error: str = ""
    """Why the last one did; "" where none did."""

    @property
    def file(self) -> str:
        """Return the name of its file: a hash, because an id from elsewhere could be any path."""
        identity = f"{self.agent} {self.session}"
        return f"{hashlib.sha256(identity.encode('utf-8', 'replace')).hexdigest()[:16]}.json"


def locate_notes(playbook: Place) -> Path:
    """Return the folder of notes and log that belongs to a playbook."""
    return locate_folder(playbook, ".sessions")


def read_lessons(playbook: Place, agent: CodingAgent, budget: int) -> tuple[str, int]:
    """Return what an agent prints for a session's start, and the playbook's version; "" without lessons.

    The lessons count at most `budget` tokens, and never more bytes than the agent shows. Raises StoreError.
    """
    with Store.open(playbook, create=False, read_only=True, timeout=_WAIT) as store:
        value, version = store.checkout(), store.head().number

    def count(text: str) -> int:
        """Count tokens, or as many as the part of the bytes stands for, if that is more."""
        share = len(text.encode()) / agent.most_bytes
        return max(estimate_tokens(text), ceil(share * budget))

    rendered = render_playbook(value, budget - count(HEADING), count)
    if not rendered.text:
        return "", version
    output = {"hookEventName": EVENTS[Moment.START], "additionalContext": HEADING + rendered.text}
    return json.dumps({"hookSpecificOutput": output}), version


def read_payload(text: str, agent: CodingAgent) -> SessionNote:
    """Return what an agent says of a session on stdin. Raises InputError for anything else."""
    try:
        values = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InputError(f"What {agent.title} said on stdin is not JSON ({error}).") from error
    match values:
        case {"session_id": str(session)} if 0 < len(session.strip()) <= _LONGEST_NAME:
            transcript = values.get("transcript_path")
            path = transcript if isinstance(transcript, str) else ""
            return SessionNote(agent=agent.name, session=session.strip(), transcript=path)
    raise InputError(f"What {agent.title} said on stdin names no session.")


def keep_note(folder: Path, note: SessionNote) -> SessionNote:
    """Write down a session in one step, with what an earlier note says of it; return both as one."""
    earlier = _read_note(folder / note.file)
    if earlier is not None:
        version = note.version or earlier.version
        transcript = note.transcript or earlier.transcript
        note = replace(note, version=version, transcript=transcript)
    folder.mkdir(exist_ok=True)
    unfinished = folder / f"{note.file}.{os.getpid()}"
    unfinished.write_text(json.dumps(asdict(note), indent=2), encoding="utf-8")
    unfinished.replace(folder / note.file)
    return note


def list_notes(folder: Path) -> list[SessionNote]:
    """Return the sessions that are not recorded."""
    notes = map(_read_note, sorted(folder.glob("*.json")))
    return [note for note in notes if note is not None]


def list_due(folder: Path) -> list[SessionNote]:
    """Return the sessions to record: those that ended, or were not heard of for a day.

    One that could not be recorded several times is left to a person.
    """
    due = []
    for note in list_notes(folder):
        times = [0.0]
        paths = [folder / note.file]
        if note.transcript:
            paths.append(Path(note.transcript))
        for path in paths:
            with suppress(OSError, ValueError):
                times.append(path.stat().st_mtime)
        is_over = note.ended or time.time() - max(times) > _FORSAKEN
        if is_over and note.tries < MOST_TRIES:
            due.append(note)
    return due


@contextmanager
def recording_alone(folder: Path) -> Iterator[None]:
    """Keep other processes from recording the same sessions. Raises InputError where one takes long."""
    from filelock import FileLock, Timeout

    folder.mkdir(exist_ok=True)
    try:
        with FileLock(folder / ".lock", timeout=_LOCK_WAIT):
            yield
    except Timeout as error:
        raise InputError(
            f"Another process records sessions in {folder}.", hint="It takes this one, too."
        ) from error


def log_fault(folder: Path, moment: str, agent: str, text: str) -> None:
    """Add a line to the log. Secrets in it are hidden. Raises OSError where it cannot be written."""
    folder.mkdir(exist_ok=True)
    log = folder / LOG
    if log.exists() and log.stat().st_size > _MOST_LOG:
        log.replace(log.with_suffix(".log.1"))
    now = datetime.now(UTC).isoformat(timespec="seconds")
    line = f"{now} {moment} {agent}: {' '.join(hide_secrets(text).split())}\n"
    with log.open("a", encoding="utf-8", errors="backslashreplace") as out:
        out.write(line)


def _read_note(file: Path) -> SessionNote | None:
    """Return the note in a file, None where it holds none or a damaged one, which must hold nobody up."""
    try:
        values = json.loads(file.read_text(encoding="utf-8"))
        note = SessionNote(**values)
    except (OSError, ValueError, TypeError):
        return None
    kinds = {name: type(value) for name, value in asdict(SessionNote(agent="", session="")).items()}
    is_sound = all(type(value) is kinds[name] for name, value in values.items())
    return note if is_sound else None
