"""Rows of what happened and what was proposed: episodes, proposals, operations that could not apply.

Functions over a connection that is already inside a transaction. Rows are only ever added.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterable, Sequence
from typing import Any

from ace.playbook.codec import delta_from_json, delta_to_json
from ace.playbook.model import Operation, Rejection
from ace.runs.records import Proposal, Reason
from ace.store import checked_rows
from ace.store.sqlite_text import strings, to_json, to_text
from ace.task.types import Attempt, Episode, Fact, Feedback, FeedbackKind, Topic, Verdict

_EPISODES = """SELECT id, phase, context_version, sample_id, question, answer, correct, score, detail,
    error, reply, feedback_kind, feedback, passed, ran, expected, subjects, missing, uses FROM episodes"""
_PROPOSALS = "SELECT sample_id, author, delta, outcome, why, episodes, attempts, reason FROM proposals"
_REASONS = {reason.value: reason for reason in Reason}
_FAILS = re.compile(r"The right ([^:\n]{1,40}) fails: (.+)", re.DOTALL)
_RIGHT = re.compile(r"Right ([^:\n]{1,40}): (.+)", re.DOTALL)


def add_episodes(db: sqlite3.Connection, run: int | None, episodes: Iterable[Episode]) -> None:
    checked_rows.insert(db, "episodes", [(run, *_episode_row(episode)) for episode in episodes])


def episodes(db: sqlite3.Connection, run: int | None, ids: Sequence[str] | None) -> list[Episode]:
    """In the order they were stored; `run` and `ids` narrow the choice."""
    tests = {"run = ?": run, "id IN (SELECT value FROM json_each(?))": None if ids is None else to_json(ids)}
    chosen = {test: value for test, value in tests.items() if value is not None}
    where = f"WHERE {' AND '.join(chosen)}" if chosen else ""
    found = db.execute(f"{_EPISODES} {where} ORDER BY rowid", [*chosen.values()])
    return [_episode(row) for row in found]


def add_proposals(
    db: sqlite3.Connection, run: int | None, proposals: Iterable[Proposal], version: int
) -> None:
    checked_rows.insert(db, "proposals", [(run, version, *_proposal_row(proposal)) for proposal in proposals])


def proposals(db: sqlite3.Connection, run: int | None) -> list[Proposal]:
    where, values = ("", []) if run is None else ("WHERE run = ?", [run])
    found = db.execute(f"{_PROPOSALS} {where} ORDER BY rowid", values)
    return [_proposal(row) for row in found]


def add_rejections(
    db: sqlite3.Connection, run: int | None, author: str, rejections: Iterable[Rejection], version: int
) -> None:
    refused = [
        (run, to_text(author), operation_to_json(r.operation), to_text(r.reason), version) for r in rejections
    ]
    checked_rows.insert(db, "rejected_operations", refused)


def operation_to_json(operation: Operation) -> str:
    """Canonical JSON of one operation: that of a delta of one, without the brackets."""
    return delta_to_json((operation,))[1:-1]


def _proposal_row(p: Proposal) -> tuple[Any, ...]:
    asked = to_text(p.sample_id), to_text(p.author), delta_to_json(p.delta), p.outcome, to_text(p.why)
    return (*asked, to_json(p.episodes), to_json(p.attempts), p.reason.value)


def _proposal(row: tuple[Any, ...]) -> Proposal:
    """A reason that a later release has added reads as unknown."""
    sample, author, delta, outcome, why, cited, attempts, reason = row
    return Proposal(
        sample_id=sample,
        author=author,
        delta=delta_from_json(delta),
        outcome=outcome,
        why=why,
        episodes=strings(cited),
        attempts=strings(attempts),
        reason=_REASONS.get(reason, Reason.UNKNOWN),
    )


def _episode_row(e: Episode) -> tuple[Any, ...]:
    asked = to_text(e.id), e.phase, e.context_version, to_text(e.sample_id), to_text(e.question)
    scored = to_text(e.attempt.answer), e.verdict.correct, float(e.verdict.score), to_text(e.verdict.detail)
    said = to_text(e.attempt.error), to_text(e.attempt.text)
    shown = e.feedback.kind.value, to_text(e.feedback.text), e.feedback.passed, e.feedback.ran
    missing, facts = ([fact.text for fact in some] for some in (e.feedback.missing, e.feedback.facts))
    parts = to_json(missing), to_json(facts)
    gold = to_text(e.feedback.right_answer), to_json(sorted(e.feedback.topics)), *parts
    return (*asked, *scored, *said, *shown, *gold)


def _episode(row: tuple[Any, ...]) -> Episode:
    identity, phase, version, sample, question, answer, correct, score, detail, error, reply, *shown = row
    kind, text, passed, ran, expected, subjects, missing, uses = shown
    expected_kind, right_answer, label_error = _expected(expected)
    return Episode(
        id=identity,
        sample_id=sample,
        question=question,
        attempt=Attempt(sample, answer, reply, error),
        feedback=Feedback(
            FeedbackKind(kind),
            text,
            passed=_maybe(passed),
            expected=right_answer,
            expected_kind=expected_kind,
            label_error=label_error,
            topics=frozenset(map(Topic, strings(subjects))),
            ran=_maybe(ran),
            missing=tuple(map(Fact, strings(missing))),
            facts=tuple(map(Fact, strings(uses))),
        ),
        verdict=Verdict(bool(correct), score, detail),
        context_version=version,
        phase=phase,
    )


def _expected(sentence: str) -> tuple[str, str, str]:
    """Return kind, right answer and label error of the feedback whose `right_answer` is `sentence`."""
    if match := _FAILS.fullmatch(sentence):
        return match[1], "", match[2]
    if match := _RIGHT.fullmatch(sentence):
        return match[1], match[2], ""
    return "" if sentence else "answer", sentence, ""


def _maybe(value: int | None) -> bool | None:
    return None if value is None else bool(value)
