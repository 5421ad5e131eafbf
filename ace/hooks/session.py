"""Keeps a note of a coding agent's session, and a copy of its transcript, until it is recorded.

Notes, copies and a log of faults stand in a folder beside the playbook file. So a session whose recording
fails, or is cut off, is recorded when a later one begins or ends. An agent gives a hook little time: what is
imported here is little. Knows nothing about the command line.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from ace.errors import InputError, describe_error
from ace.hooks.coding_agent import CodingAgent
from ace.store.store_database import Place, locate_folder

LOG = "hooks.log"
MOST_TRIES = 3
MOST_BYTES = 64_000_000  # of a transcript
_LOCK_WAIT = 60.0  # seconds for the recording of another session
_FORSAKEN = 24 * 3600  # seconds without a word, after which a session counts as ended
_MOST_LOG = 1_000_000  # bytes, after which a new log begins; the one before it stays
_COPY = ".transcript"
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

    @property
    def copy(self) -> str:
        """Return the name of the copy of its transcript."""
        return f"{self.file}{_COPY}"


def locate_notes(playbook: Place) -> Path:
    """Return the folder of notes and log that belongs to a playbook."""
    return locate_folder(playbook, ".sessions")


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


def copy_transcript(folder: Path, note: SessionNote) -> None:
    """Copy a session's transcript beside its note, for only the user to read.

    The agent's own may be gone with its container before anybody has time to record it. Where there is no
    file of a size to record, nothing is copied. Raises OSError where the copy cannot be written.
    """
    path = Path(note.transcript)
    if not note.transcript or not path.is_file() or path.stat().st_size > MOST_BYTES:
        return
    unfinished = folder / f"{note.copy}.{os.getpid()}"
    try:
        unfinished.touch(0o600)
        shutil.copyfile(path, unfinished)
        unfinished.replace(folder / note.copy)
    finally:
        unfinished.unlink(missing_ok=True)


def find_transcript(folder: Path, note: SessionNote) -> Path | None:
    """Return the path of a session's transcript: the agent's own, else our copy, else None."""
    paths = [folder / note.copy]
    if note.transcript:
        paths.insert(0, Path(note.transcript))
    return next((path for path in paths if path.exists()), None)


def forget_note(folder: Path, note: SessionNote) -> None:
    """Remove the note of a session that is recorded, and the copy of its transcript.

    Both stay where the note has changed: the session has been continued meanwhile.
    """
    if _read_note(folder / note.file) != note:
        return
    (folder / note.copy).unlink(missing_ok=True)
    (folder / note.file).unlink(missing_ok=True)


def drop_copies(folder: Path) -> None:
    """Remove all copies of transcripts. Sessions that are not recorded yet have the agent's own, if any."""
    for copy in folder.glob(f"*{_COPY}"):
        copy.unlink(missing_ok=True)


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


def describe_fault(error: Exception) -> str:
    """Return the words of an error, for a line; with its type, where it is not the user's to mend."""
    return str(error) if isinstance(error, InputError) else describe_error(error)


def log_fault(folder: Path, moment: str, agent: str, text: str) -> None:
    """Add a line to the log. Secrets in it are hidden. Raises OSError where it cannot be written."""
    from ace.safety.secrets import hide_secrets

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
