"""Rows of feedback on answers, and which of them wait: those that no step has learned from yet.

A step's journal row names the feedback that it learned from. The table `waiting_feedback` is derived from
that: a row comes with the feedback, in its transaction, and goes in the transaction of the step. So what
waits is counted and read without a look at what has been learned. It has no checksums: `find_problems`
derives it again. Functions over a connection that is already inside a transaction.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from ace.errors import UnknownVersion
from ace.runs.records import AnswerFeedback
from ace.store import checked_rows
from ace.store.sqlite_text import now, read_column, to_json, to_text
from ace.store.store_database import Database

if TYPE_CHECKING:
    from sqlite_utils import Database as SqliteUtils

# Migration 16. Released: never edit it.

_TABLE = """CREATE TABLE waiting_feedback (     -- what no step has learned from yet, as the journals say
    feedback INTEGER PRIMARY KEY REFERENCES feedback,
    task TEXT                          -- of its run; NULL where it has none
) STRICT"""
_INDEX = "CREATE INDEX waiting_feedback_task ON waiting_feedback (task, feedback)"
_FILL = """INSERT INTO waiting_feedback
SELECT feedback.id, task FROM feedback LEFT JOIN runs ON runs.id = run
WHERE feedback.id NOT IN (
    SELECT CAST(value AS INTEGER)
    FROM steps, json_each(CASE WHEN json_valid(payload) THEN payload ELSE '{}' END, '$.feedback')
    WHERE value IS NOT NULL)"""


def m016_waiting_feedback(db: SqliteUtils) -> None:
    """Create the table of feedback that waits, and list what no step names."""
    for statement in (_TABLE, _INDEX, _FILL):
        db.conn.execute(statement)


# Since then

_COLUMNS = 'id, run, episode, "right", expected, text, author, created, score, unjudged'
# The run is looked up for each row: a list of all runs of the task would be longer than what is new.
_FEEDBACK = f"""SELECT {_COLUMNS} FROM feedback
WHERE id > ? AND (CAST(? AS TEXT) IS NULL OR (SELECT task FROM runs WHERE runs.id = feedback.run) = ?)
ORDER BY id LIMIT ?"""  # noqa: S608 (our own names)
_BY_NUMBER = f"""SELECT {_COLUMNS} FROM feedback
WHERE id IN (SELECT CAST(value AS BIGINT) FROM json_each(?)) ORDER BY id"""  # noqa: S608 (our own names)
_RUN_OF = """SELECT run, (SELECT task FROM runs WHERE id = places.run) FROM (
    SELECT run, rowid AS place FROM episodes WHERE id = :id
    UNION ALL SELECT run, 0 FROM episode_events WHERE episode = :id AND number = 0
) AS places ORDER BY place DESC LIMIT 1"""
_DERIVED = """SELECT feedback.id, runs.task FROM feedback LEFT JOIN runs ON runs.id = feedback.run
WHERE feedback.id IN (SELECT id FROM feedback
    EXCEPT SELECT CAST(value AS BIGINT) FROM steps, json_each(steps.payload, '$.feedback'))"""
_LISTED = "SELECT feedback, task FROM waiting_feedback"
# Without feedback that is not there, which the seal of its table tells of.
_SURPLUS = f"{_LISTED} WHERE feedback IN (SELECT id FROM feedback) EXCEPT {_DERIVED}"  # noqa: S608 (our own text)
_LIST = "INSERT INTO waiting_feedback (feedback, task) VALUES (?, ?)"


def add_feedback(db: Database, feedback: AnswerFeedback) -> AnswerFeedback:
    """Store feedback on an answer, which waits from now on; return it with its number, time and run.

    The episode may still go on. Raises UnknownVersion for one that is not in the file.
    """
    row = db.execute(_RUN_OF, {"id": feedback.episode}).fetchone()
    if row is None:
        raise UnknownVersion(
            f"There is no episode {feedback.episode!r:.60} in this file.",
            hint="An episode's id comes with its answer.",
        )
    run, task = row
    (number,) = db.execute("SELECT coalesce(max(id), 0) + 1 FROM feedback").fetchone()
    stored = replace(feedback, run=run, created=now(), number=int(number))
    texts = (to_text(stored.expected), to_text(stored.text), to_text(stored.author))
    values = (stored.number, stored.run, stored.episode, bool(stored.right), *texts, stored.created)
    checked_rows.insert(db, "feedback", [(*values, stored.score, stored.right is None)])
    db.execute(_LIST, [stored.number, task])
    return stored


def mark_learned(db: Database, numbers: Iterable[int]) -> None:
    """Take feedback off the list of what waits; the caller writes the step that names these numbers."""
    db.executemany("DELETE FROM waiting_feedback WHERE feedback = ?", [[number] for number in numbers])


def read_feedback(
    db: Database, task: str | None, *, after: int, unlearned: bool, limit: int | None
) -> list[AnswerFeedback]:
    """Return feedback, oldest first: of a task or of all, numbered above `after`, the first `limit` of it.

    `unlearned` leaves out what a step has learned from; then nothing of it is looked at.
    """
    most = -1 if limit is None else limit
    if not unlearned:
        return [_row_to_feedback(row) for row in db.execute(_FEEDBACK, [after, task, task, most])]
    test, values = "feedback > ?", list[int | str]([after])
    if task is not None:
        test, values = f"task = ? AND {test}", [task, after]
    listed = f"SELECT feedback FROM waiting_feedback WHERE {test} ORDER BY feedback LIMIT ?"  # noqa: S608
    numbers = read_column(db, listed, [*values, most])
    if not numbers:
        return []
    return [_row_to_feedback(row) for row in db.execute(_BY_NUMBER, [to_json(numbers)])]


def count_waiting(db: Database, task: str) -> int:
    """Return how much feedback on a task no step has learned from."""
    sql = "SELECT count(*) FROM waiting_feedback WHERE task = ?"
    (count,) = db.execute(sql, [task]).fetchone()
    return int(count)


def list_again(db: Database) -> None:
    """Derive what waits from all feedback and all journals, after rows of these came from elsewhere."""
    rows = db.execute(_DERIVED).fetchall()
    db.execute("DELETE FROM waiting_feedback")
    db.executemany(_LIST, rows)


def find_problems(db: Database) -> Iterator[str]:
    """Yield a sentence where the list of what waits is not what feedback and journals say."""
    for sql, problem in (
        (f"{_DERIVED} EXCEPT {_LISTED}", "waits, but is not listed: nothing would learn from it"),
        (_SURPLUS, "is listed as waiting, and is not: it would be learned from again"),
    ):
        numbers = sorted(number for number, _ in db.execute(sql).fetchall())
        if numbers:
            more = f" (and {len(numbers) - 1} more)" if len(numbers) > 1 else ""
            yield f"Feedback {numbers[0]}{more} {problem}."


def _row_to_feedback(row: tuple[Any, ...]) -> AnswerFeedback:
    """Read a row of `_COLUMNS`."""
    number, run, episode, right, expected, text, author, created, score, unjudged = row
    return AnswerFeedback(
        episode=episode,
        right=None if unjudged else bool(right),
        expected=expected,
        text=text,
        author=author,
        created=created,
        number=number,
        run=run,
        score=score,
    )
