"""Take the answer out of what an agent wrote, in the way that a task names: once, where attempts are made.

Knows no task and no environment. Patterns of regular expressions are somebody's own, and so are bounded in
time.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from enum import StrEnum

from ace.task.attempt import Attempt, Failure, to_plain_text
from ace.text.json_values import find_json_values

FORMS = '"last line", "json:FIELD" or "regex:PATTERN"'
"""What `extract` of a task may say, for messages."""

_SECONDS = 1.0  # of computing that a pattern may take on one text
_MOST = 200_000  # characters from the end of a text that are looked at
_MARKS = "*_`# \t"  # of Markdown, around an answer on its last line
# A line that opens or closes a fence of Markdown.
_FENCE = re.compile(r"[`~]{3,}\w*")


class ExtractionKind(StrEnum):
    """Name where an answer stands in a text."""

    LAST_LINE = "last line"
    JSON = "json"
    REGEX = "regex"


@dataclass(frozen=True, slots=True)
class Extraction:
    """Say where an answer stands: the last line, a field of a JSON object, or what a pattern matches."""

    kind: ExtractionKind

    detail: str = ""
    """The path of a field, as "result.total" or "steps.0"; or a pattern, of which the last match counts.

    Of a match the group "answer" is taken, else its first group, else all of it.
    """

    @classmethod
    def parse(cls, text: str) -> Extraction | None:
        """Read the form that task.toml has: "last line", "json:FIELD" or "regex:PATTERN".

        None for an empty one: the whole reply is the answer. Raises ValueError with what is wrong.
        """
        if not text:
            return None
        name, colon, detail = text.partition(":")
        if name == ExtractionKind.LAST_LINE and not colon:
            return cls(ExtractionKind.LAST_LINE)
        if name not in (ExtractionKind.JSON, ExtractionKind.REGEX) or not detail.strip():
            raise ValueError(f"Expected {FORMS}, found {text!r:.60}.")
        if name == ExtractionKind.JSON:
            return cls(ExtractionKind.JSON, detail.strip())
        import regex

        try:
            regex.compile(detail)
        except regex.error as error:
            raise ValueError(f"{detail!r:.60} is not a regular expression: {error}.") from error
        return cls(ExtractionKind.REGEX, detail)

    def __str__(self) -> str:
        """Return the form that `parse` reads."""
        return f"{self.kind.value}:{self.detail}" if self.detail else self.kind.value

    def find(self, text: str) -> str:
        """Return the answer in a text, of which the last 200,000 characters are looked at.

        Raises ValueError with the reason where there is none.
        """
        text = text[-_MOST:]
        match self.kind:
            case ExtractionKind.LAST_LINE:
                answer = _find_last_line(text)
            case ExtractionKind.JSON:
                answer = _find_field(text, self.detail)
            case ExtractionKind.REGEX:
                answer = _find_match(text, self.detail)
        if not answer:
            raise ValueError(f"It holds no answer in the form {str(self)!r:.80}.")
        return answer


def extract_answer(attempt: Attempt, extraction: Extraction | None, *, lenient: bool = False) -> Attempt:
    """Return the attempt with the answer that its answer text holds. The raw text stays what it is.

    Where there is none, the answer is empty, with the failure FORMAT and the reason; a `lenient` caller keeps
    the text, for logs that may hold answers which were taken out before. Without an `extraction`, or an
    answer, the attempt comes back as it is. Never raises.
    """
    if extraction is None or not attempt.answer.strip():
        return attempt
    try:
        return replace(attempt, answer=extraction.find(attempt.answer))
    except ValueError as error:
        if lenient:
            return attempt
        raw = attempt.text or attempt.answer
        return replace(attempt, answer="", text=raw, error=str(error), failure=Failure.FORMAT)


def _find_last_line(text: str) -> str:
    """Return the last line that is not blank and no fence, without the marks of Markdown around it, or ""."""
    for line in reversed(text.splitlines()):
        bare = line.strip(_MARKS)
        if bare and not _FENCE.fullmatch(line.strip()):
            return bare
    return ""


def _find_field(text: str, path: str) -> str:
    """Return the field of the last JSON object that has it, as text, or "".

    The object may stand in prose or in a fence. A number in the path is the place in a list, from 0.
    """
    values = [value for value, _ in find_json_values(text)]
    for value in reversed(values):
        for key in path.split("."):
            if isinstance(value, list) and key.isdecimal() and int(key) < len(value):
                value = value[int(key)]
            elif isinstance(value, dict):
                value = value.get(key)
            else:
                value = None
        if value is not None:
            return to_plain_text(value).strip()
    return ""


def _find_match(text: str, pattern: str) -> str:
    """Return what a pattern matches last, or "". Raises ValueError for one that takes too long."""
    import regex

    try:
        matches = list(regex.finditer(pattern, text, timeout=_SECONDS, concurrent=True))
    except TimeoutError as error:
        raise ValueError(f"The expression {pattern!r:.60} takes more than {_SECONDS:g} s on it.") from error
    if not matches:
        return ""
    last = matches[-1]
    group: str | int = 0
    if last.re.groups:
        group = "answer" if "answer" in last.re.groupindex else 1
    return str(last[group] or "").strip()
