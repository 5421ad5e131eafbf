"""Rows of episodes, of proposals, and of operations that could not apply.

Functions over a connection that is already inside a transaction. Rows are only ever added.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from ace.playbook.codec import delta_to_json
from ace.playbook.model import Rejection
from ace.runs.records import Proposal
from ace.store import checked_rows
from ace.store.sqlite_text import parse_strings, to_json, to_text
from ace.store.store_database import Database
from ace.task.attempt import Attempt, Failure, FinishReason, read_turns
from ace.task.types import Episode, Fact, Feedback, FeedbackKind, Topic, Verdict

if TYPE_CHECKING:
    from sqlite_utils import Database as SqliteUtils

_COLUMNS = checked_rows.SEALED["episodes"]
_EPISODES = f"SELECT {', '.join(_COLUMNS)} FROM episodes"  # noqa: S608 (our own names)

# What a right answer was stored as before it had columns of its own; only the migration reads such sentences.
_FAILS = re.compile(r"The right ([^:\n]{1,40}) fails: (.+)", re.DOTALL)
_RIGHT = re.compile(r"Right ([^:\n]{1,40}): (.+)", re.DOTALL)

_ATTEMPT_COLUMNS = (
    "failure TEXT NOT NULL DEFAULT '' /* why there is no answer, as one word */",
    "finish_reason TEXT NOT NULL DEFAULT '' /* why the model stopped writing */",
    "reasoning TEXT NOT NULL DEFAULT '' /* what the model thought */",
    "turns TEXT NOT NULL DEFAULT '[]' /* JSON list of objects: tool calls and what came back, in order */",
    "artifacts TEXT NOT NULL DEFAULT '{}' /* JSON object: texts beside the answer, by name */",
    "expected_kind TEXT NOT NULL DEFAULT 'answer' /* what expected is: answer, SQL ... */",
    "label_error TEXT NOT NULL DEFAULT '' /* why the right answer itself is broken */",
    "shown_score REAL /* what the learner was shown of the score */",
    "checked INTEGER NOT NULL DEFAULT 0 /* ran is the environment's own check of the answer */",
    "parts TEXT NOT NULL DEFAULT '[]' /* JSON list: what the attempt is made of */",
    "fact_topics TEXT NOT NULL DEFAULT '{}' /* JSON object: topics of what uses, missing and parts name */",
)


def m013_attempts(db: SqliteUtils) -> None:
    """Give all that is known of an attempt and its right answer columns of their own."""
    checked_rows.add_column(db.conn, "episodes", *_ATTEMPT_COLUMNS)
    sentences = "SELECT rowid, expected FROM episodes WHERE expected <> ''"
    for number, sentence in db.conn.execute(sentences).fetchall():
        kind, expected, label_error = parse_right_answer(sentence)
        changes = {"expected_kind": kind, "expected": expected, "label_error": label_error}
        checked_rows.update(db.conn, "episodes", changes, "rowid = ?", [number])


def add_episodes(db: Database, run: int | None, episodes: Iterable[Episode]) -> None:
    """Append episodes to a run, or to no run."""
    rows = []
    for episode in episodes:
        attempt = episode.attempt
        verdict = episode.verdict
        feedback = episode.feedback
        facts = (*feedback.facts, *feedback.missing, *feedback.parts)
        topics = {fact.text: sorted(fact.topics) for fact in facts if fact.topics}
        row = {
            "run": run,
            "id": to_text(episode.id),
            "phase": episode.phase,
            "context_version": episode.context_version,
            "sample_id": to_text(episode.sample_id),
            "question": to_text(episode.question),
            "answer": to_text(attempt.answer),
            "correct": verdict.correct,
            "score": float(verdict.score),
            "detail": to_text(verdict.detail),
            "error": to_text(attempt.error),
            "reply": to_text(attempt.text),
            "feedback_kind": feedback.kind.value,
            "feedback": to_text(feedback.text),
            "passed": feedback.passed,
            "ran": feedback.ran,
            "expected": to_text(feedback.expected),
            "subjects": to_json(sorted(feedback.topics)),
            "missing": to_json([fact.text for fact in feedback.missing]),
            "uses": to_json([fact.text for fact in feedback.facts]),
            "failure": attempt.failure or "",
            "finish_reason": attempt.finish_reason or "",
            "reasoning": to_text(attempt.reasoning),
            "turns": to_json([turn.to_json() for turn in attempt.turns]),
            "artifacts": to_json(dict(attempt.artifacts)),
            "expected_kind": to_text(feedback.expected_kind),
            "label_error": to_text(feedback.label_error),
            "shown_score": feedback.score,
            "checked": feedback.checked,
            "parts": to_json([fact.text for fact in feedback.parts]),
            "fact_topics": to_json(topics),
        }
        rows.append([row[name] for name in _COLUMNS])
    checked_rows.insert(db, "episodes", rows)


def read_episodes(db: Database, run: int | None, ids: Sequence[str] | None) -> list[Episode]:
    """Return episodes in the order in which they were stored; `run` and `ids` narrow the choice."""
    tests, values = ["1 = 1"], list[int | str]()
    if run is not None:
        tests.append("run = ?")
        values.append(run)
    if ids is not None:
        tests.append("id IN (SELECT value FROM json_each(?))")
        values.append(to_json(ids))
    rows = db.execute(f"{_EPISODES} WHERE {' AND '.join(tests)} ORDER BY rowid", values)
    return [_row_to_episode(row) for row in rows]


def add_proposals(db: Database, run: int | None, proposals: Iterable[Proposal], version: int) -> None:
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
    db: Database, run: int | None, author: str, rejections: Iterable[Rejection], version: int
) -> None:
    """Append operations that could not apply at a version."""
    rows = []
    for rejection in rejections:
        operation = delta_to_json((rejection.operation,))[1:-1]  # of a delta of one, without the brackets
        rows.append((run, to_text(author), operation, to_text(rejection.reason), version))
    checked_rows.insert(db, "rejected_operations", rows)


def _row_to_episode(values: tuple[Any, ...]) -> Episode:
    """Read a row of `_EPISODES`. A failure that only a later release knows reads as another one."""
    row = dict(zip(_COLUMNS, values, strict=True))
    topics = json.loads(row["fact_topics"])

    def read_facts(column: str) -> tuple[Fact, ...]:
        """Read a column of texts, each with the topics that are stored for it."""
        texts = parse_strings(row[column])
        return tuple(Fact(text, frozenset(map(Topic, topics.get(text, ())))) for text in texts)

    failure = row["failure"]
    finish_reason = row["finish_reason"]
    if failure and failure not in frozenset(Failure):
        failure = Failure.OTHER
    attempt = Attempt(
        row["sample_id"],
        row["answer"],
        row["reply"],
        row["error"],
        Failure(failure) if failure else None,
        reasoning=row["reasoning"],
        finish_reason=FinishReason.of(finish_reason) if finish_reason else None,
        turns=read_turns(json.loads(row["turns"])),
        artifacts=json.loads(row["artifacts"]),
    )
    feedback = Feedback(
        FeedbackKind(row["feedback_kind"]),
        row["feedback"],
        passed=None if row["passed"] is None else bool(row["passed"]),
        score=row["shown_score"],
        expected=row["expected"],
        expected_kind=row["expected_kind"],
        label_error=row["label_error"],
        topics=frozenset(map(Topic, parse_strings(row["subjects"]))),
        ran=None if row["ran"] is None else bool(row["ran"]),
        checked=bool(row["checked"]),
        missing=read_facts("missing"),
        facts=read_facts("uses"),
        parts=read_facts("parts"),
    )
    return Episode(
        id=row["id"],
        sample_id=row["sample_id"],
        question=row["question"],
        attempt=attempt,
        feedback=feedback,
        verdict=Verdict(bool(row["correct"]), row["score"], row["detail"]),
        context_version=row["context_version"],
        phase=row["phase"],
    )


def parse_right_answer(sentence: str) -> tuple[str, str, str]:
    """Return kind, right answer and label error of a sentence that an earlier release stored."""
    fails = _FAILS.fullmatch(sentence)
    if fails:
        return fails[1], "", fails[2]
    right = _RIGHT.fullmatch(sentence)
    if right:
        return right[1], right[2], ""
    kind = "" if sentence else "answer"
    return kind, sentence, ""
