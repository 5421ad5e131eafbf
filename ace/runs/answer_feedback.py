"""Read what somebody says of an answer: right or wrong, a score, the right answer, a text, or several."""

from __future__ import annotations

from typing import Any

from ace.errors import InputError
from ace.runs.records import AnswerFeedback
from ace.task.attempt import to_plain_text
from ace.task.guarded_scoring import require_score


def read_feedback(
    episode: str,
    feedback: str | bool | float | None = None,
    *,
    right: bool | None = None,
    score: float | None = None,
    expected: Any = "",
    text: str = "",
    author: str = "program",
) -> AnswerFeedback | None:
    """Return what was said of an answer as one record; None where nothing was.

    Raises InputError for what is no bool, no number from 0 to 1, or no text.
    """
    is_number = not isinstance(feedback, str) and feedback is not None
    if isinstance(feedback, str):
        text = "\n".join(filter(None, (feedback, text)))
    elif is_number and str(feedback) in ("True", "False"):  # those of numpy are no bool
        right = bool(feedback)
    elif is_number:
        score = feedback
    if right is not None:
        if isinstance(right, str) or str(right) not in ("True", "False", "1", "0"):
            raise InputError(f"right is {right!r:.60}.", hint="Give True or False, or a score.")
        right = bool(right)
    if score is not None:
        try:
            score = require_score(score)
        except ValueError as error:
            raise InputError(f"score is {score!r:.60}.", hint="Give a number from 0 to 1.") from error
    expected, text = to_plain_text(expected), to_plain_text(text)
    if right is None and score is None and not expected.strip() and not text.strip():
        return None
    return AnswerFeedback(episode, right, expected, text, author, score=score)
