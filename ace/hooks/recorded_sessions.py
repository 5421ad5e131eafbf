"""Turns transcripts of coding agents into episodes of a playbook file, and those into traces to learn from.

A transcript is data: it is read as any other log, and nothing in it decides what is done.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from ace.errors import InputError, StoreError, TaskError
from ace.hooks.session import (
    MOST_BYTES,
    SessionNote,
    describe_fault,
    find_transcript,
    forget_note,
    keep_note,
    list_due,
    recording_alone,
)
from ace.runs.records import AnswerFeedback
from ace.store import Store
from ace.store.store_database import Place
from ace.task.traces import Trace, read_log
from ace.task.traces.record import Fault
from ace.task.types import Episode, FeedbackKind, Sample
from ace.text.sizes import format_size

PHASE = "session"
"""The phase of episodes that were recorded from transcripts. They belong to no run."""

AUTHOR = "hook"


def record_sessions(playbook: Place, folder: Path) -> list[str]:
    """Record every session that is due, and return a sentence for each that could not be.

    Such a session keeps its note, and is tried again a few times when another one ends. Sessions that end
    meanwhile are recorded, too. Raises InputError while another process records, StoreError for the playbook
    file.
    """
    problems = []
    tried = set[str]()
    with recording_alone(folder), Store.open(playbook) as store:
        while due := [note for note in list_due(folder) if note.file not in tried]:
            tried.update(note.file for note in due)
            for note in due:
                problem = _try_to_record(store, folder, note)
                if problem:
                    problems.append(f"session {note.session} is not recorded: {problem}")
    return problems


def record_session(store: Store, note: SessionNote, path: Path | None) -> list[Episode]:
    """Record the transcript of a session at a path as episodes, and return those that are new.

    A transcript that was recorded before adds nothing. One that has grown since is recorded whole, under the
    same name. A session in which nothing was said has no transcript, or an empty one, and adds nothing.
    Raises InputError for one that cannot be read.
    """
    if path is None:
        return []
    size = path.stat().st_size
    if path.is_file() and size == 0:
        return []
    if size > MOST_BYTES:
        raise InputError(f"{path} is larger than the {format_size(MOST_BYTES)} that are read.")
    try:
        traces = read_log(path).traces
    except TaskError as error:
        if error.details.get("fault") is Fault.EMPTY:
            return []
        raise
    episodes = _make_episodes(note, traces)
    known = {episode.id for episode in store.episodes(ids=[episode.id for episode in episodes])}
    new = [episode for episode in episodes if episode.id not in known]
    if new:
        store.commit((), author=AUTHOR, reason=f"session of {note.agent}", episodes=new, whole=False)
    return new


def list_sessions(store: Store) -> list[Episode]:
    """Return the recorded sessions, oldest first; of one that was recorded several times, the last."""
    latest = {episode.sample_id: episode for episode in store.episodes() if episode.phase == PHASE}
    return list(latest.values())


def read_sessions(store: Store) -> tuple[Trace, ...]:
    """Return the recorded sessions that no finished run has learned from, as traces.

    What a person said of a session is its label.
    """
    learned = set[str]()
    for run in store.runs():
        if run.kind == "learn" and run.status == "done":
            learned.update(episode.attempt.text for episode in store.episodes(run=run.id))
    verdicts = {feedback.episode: feedback for feedback in store.feedback()}  # the last one counts
    traces = []
    for episode in list_sessions(store):
        if episode.attempt.text not in learned:
            trace = _make_trace(episode, verdicts.get(episode.id))
            traces.append(replace(trace, file=str(store.path)))
    return tuple(traces)


def _try_to_record(store: Store, folder: Path, note: SessionNote) -> str:
    """Record one session, and return why that failed; "" where it did not.

    A try counts before it is made, so one that never comes back does not stop the others for good. Raises
    StoreError for the playbook file.
    """
    begun = keep_note(folder, replace(note, tries=note.tries + 1, error="It was not finished."))
    try:
        record_session(store, note, find_transcript(folder, note))
    except StoreError:
        keep_note(folder, note)  # the file's fault, and not the session's
        raise
    except Exception as error:  # a session becomes a record here, whatever is in its transcript
        problem = describe_fault(error)
        keep_note(folder, replace(begun, error=problem))
        return problem
    forget_note(folder, begun)
    return ""


def _make_episodes(note: SessionNote, traces: Sequence[Trace]) -> list[Episode]:
    """Return an episode for each attempt in a transcript, with what is known of its outcome.

    Its id depends on the session and on what happened in it, nothing else.
    """
    episodes = []
    for number, trace in enumerate(traces, start=1):
        name = f"{note.agent}-{note.session}" if number == 1 else f"{note.agent}-{note.session}-{number}"
        attempt = trace.attempt(Sample(name, trace.question))
        outcome = trace.outcome()
        identity = json.dumps((name, trace.question, attempt.text, attempt.error))
        episode = Episode(
            id=f"ep-{hashlib.sha256(identity.encode()).hexdigest()[:12]}",
            sample_id=name,
            question=trace.question,
            attempt=attempt,
            feedback=outcome.shown(FeedbackKind.LABELS),
            verdict=outcome.verdict,
            context_version=note.version,
            phase=PHASE,
        )
        episodes.append(episode)
    return episodes


def _make_trace(episode: Episode, verdict: AnswerFeedback | None) -> Trace:
    """Return a recorded session as a trace; `verdict` is what a person said of it since."""
    attempt, feedback = episode.attempt, episode.feedback
    trace = Trace(
        sample=episode.sample_id,
        question=episode.question,
        answer=attempt.answer,
        error=attempt.error,
        reasoning=attempt.reasoning,
        turns=attempt.turns,
        ran=feedback.ran,
        correct=feedback.passed,
        score=episode.verdict.score,
        expected=feedback.expected,
    )
    if verdict is None:
        return trace
    trace = replace(trace, expected=" or ".join(verdict.alternatives) or trace.expected, remark=verdict.text)
    right, score = verdict.right, verdict.score
    if right is None and score is not None:
        right = score == 1.0
    if right is None:
        return trace
    return replace(trace, correct=right, score=float(right) if score is None else score)
