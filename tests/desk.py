"""A model for tasks/shifting_policy: knows how to write the queries, and codes from its playbook.

It takes the first line of the playbook that speaks of a question, as a model does that was told two things.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from pathlib import Path

from ace.llm import Request
from ace.task import Attempt, Environment, Outcome, Sample, Task, load_task, score_attempt
from ace.testing import World

FOLDER = Path(__file__).parent.parent / "tasks" / "shifting_policy"
_LINE = re.compile(r"(\w+) tickets: (ticket\.\w+ = (?:'\w'|\d+))")
_WORD = re.compile(r"(\w+) tickets?\b")
_WHAT = (
    ("in total", "SUM(ticket.minutes)", ""),
    ("Ada spend", "SUM(ticket.minutes)", "ticket.agent = 'Ada'"),
    ("List the ids", "ticket.id", "ticket.opened = '2024-03-14'"),
    ("Ada take", "COUNT(*)", "ticket.agent = 'Ada'"),
    ("Boris take", "COUNT(*)", "ticket.agent = 'Boris'"),
    ("more than 60", "COUNT(*)", "ticket.minutes > 60"),
    ("after 2024-06-30", "COUNT(*)", "ticket.opened > '2024-06-30'"),
)


@dataclass(frozen=True)
class Whole:
    """An environment that cannot take right answers apart: what a label says is all of it or nothing."""

    inner: Environment
    label_field = "gold_sql"

    def describe(self, sample: Sample) -> str:
        return self.inner.describe(sample)

    def score(self, sample: Sample, attempt: Attempt) -> Outcome:
        return replace(score_attempt(self.inner, sample, attempt), facts=(), missing=(), parts=())

    def check(self, sample: Sample) -> None:
        self.inner.check(sample)


def whole() -> Task:
    task = load_task(FOLDER)
    return replace(task, environment=Whole(task.environment))


def lookup() -> World:
    return World(_query, _lesson, model="lookup")


def _query(request: Request) -> str:
    assert request.sample is not None
    word, question = _word_of(request), request.sample.question
    lines = (_LINE.findall(said) for said in request.bullets)
    rules = [rule for found in lines for name, rule in found if name.lower() == word]
    what, more = next(((w, m) for mark, w, m in _WHAT if mark in question), ("COUNT(*)", ""))
    where = " AND ".join(filter(None, (rules[0] if rules else "ticket.status = 0", more)))
    return f"SELECT {what} FROM ticket WHERE {where}"


def _lesson(request: Request) -> str:
    """The first condition of the right query; one that is made up where nothing is shown."""
    expected = request.feedback.expected if request.feedback else ""
    rule = re.findall(r"WHERE (ticket\.\w+ = \S+)", expected) or ["ticket.status = 0"]
    return f"{_word_of(request).capitalize()} tickets: {rule[0]}"


def _word_of(request: Request) -> str:
    assert request.sample is not None
    return str(_WORD.findall(request.sample.question.replace("the ", ""))[0])
