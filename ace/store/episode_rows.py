"""Rows of episodes, of proposals, and of operations that could not apply.

Functions over a connection that is already inside a transaction. Rows are only ever added.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterable, Sequence
from typing import Any

from ace.playbook.codec import delta_to_json
from ace.playbook.model import Rejection
from ace.runs.records import Proposal
from ace.store import checked_rows
from ace.store.sqlite_text import parse_strings, to_json, to_text
from ace.task.types import Attempt, Episode, Fact, Feedback, FeedbackKind, Topic, Verdict

_EPISODES = """SELECT id, phase, context_version, sample_id, question, answer, correct, score, detail,
    error, reply, feedback_kind, feedback, passed, ran, expected, subjects, missing, uses FROM episodes"""
_FAILS = re.compile(r"The right ([^:\n]{1,40}) fails: (.+)", re.DOTALL)
_RIGHT = re.compile(r"Right ([^:\n]{1,40}): (.+)", re.DOTALL)


def add_episodes(db: sqlite3.Connection, run: int | None, episodes: Iterable[Episode]) -> None:
    """Append episodes to a run, or to no run."""
    rows = []
    for episode in episodes:
        attempt, verdict, feedback = episode.attempt, episode.verdict, episode.feedback
        row = (
            run,
            to_text(episode.id),
            episode.phase,
            episode.context_version,
            to_text(episode.sample_id),
            to_text(episode.question),
            to_text(attempt.answer),
            verdict.correct,
            float(verdict.score),
            to_text(verdict.detail),
            to_text(attempt.error),
            to_text(attempt.text),
            feedback.kind.value,
            to_text(feedback.text),
            feedback.passed,
            feedback.ran,
            to_text(feedback.right_answer),
            to_json(sorted(feedback.topics)),
            to_json([fact.text for fact in feedback.missing]),
            to_json([fact.text for fact in feedback.facts]),
        )
        rows.append(row)
    checked_rows.insert(db, "episodes", rows)


def read_episodes(db: sqlite3.Connection, run: int | None, ids: Sequence[str] | None) -> list[Episode]:
    """Return episodes in the order in which they were stored; `run` and `ids` narrow the choice."""
    tests, values = ["1"], list[int | str]()
    if run is not None:
        tests.append("run = ?")
        values.append(run)
    if ids is not None:
        tests.append("id IN (SELECT value FROM json_each(?))")
        values.append(to_json(ids))
    rows = db.execute(f"{_EPISODES} WHERE {' AND '.join(tests)} ORDER BY rowid", values)
    return [_row_to_episode(row) for row in rows]


def add_proposals(
    db: sqlite3.Connection, run: int | None, proposals: Iterable[Proposal], version: int
) -> None:
    """Append proposals that were decided at a version."""
    rows = []
    for proposal in proposals:
        row = (
            run,
            version,
            to_text(proposal.sample_id),
            to_text(proposal.author),
            delta_to_json(proposal.delta),
            proposal.outcome,
            to_text(proposal.why),
            to_json(proposal.episodes),
            to_json(proposal.attempts),
            proposal.reason.value,
        )
        rows.append(row)
    checked_rows.insert(db, "proposals", rows)


def add_rejections(
    db: sqlite3.Connection, run: int | None, author: str, rejections: Iterable[Rejection], version: int
) -> None:
    """Append operations that could not apply at a version."""
    rows = []
    for rejection in rejections:
        operation, why = delta_to_json((rejection.operation,))[1:-1], to_text(rejection.reason)
        rows.append((run, to_text(author), operation, why, version))
    checked_rows.insert(db, "rejected_operations", rows)


def _row_to_episode(row: tuple[Any, ...]) -> Episode:
    """Read a row of `_EPISODES`."""
    identity, phase, version, sample, question, *outcome = row
    answer, correct, score, detail, error, reply, *feedback = outcome
    kind, text, passed, ran, sentence, topics, missing, facts = feedback
    expected_kind, expected, label_error = _read_right_answer(sentence)
    return Episode(
        id=identity,
        sample_id=sample,
        question=question,
        attempt=Attempt(sample, answer, reply, error),
        feedback=Feedback(
            FeedbackKind(kind),
            text,
            passed=None if passed is None else bool(passed),
            expected=expected,
            expected_kind=expected_kind,
            label_error=label_error,
            topics=frozenset(map(Topic, parse_strings(topics))),
            ran=None if ran is None else bool(ran),
            missing=tuple(map(Fact, parse_strings(missing))),
            facts=tuple(map(Fact, parse_strings(facts))),
        ),
        verdict=Verdict(bool(correct), score, detail),
        context_version=version,
        phase=phase,
    )


def _read_right_answer(sentence: str) -> tuple[str, str, str]:
    """Return kind, right answer and label error of the feedback whose `right_answer` is `sentence`."""
    if match := _FAILS.fullmatch(sentence):
        return match[1], "", match[2]
    if match := _RIGHT.fullmatch(sentence):
        return match[1], match[2], ""
    return "" if sentence else "answer", sentence, ""
