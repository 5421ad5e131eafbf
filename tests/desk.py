"""A scripted model for tasks/shifting_policy: knows how to write the queries, and codes from its playbook.

It takes the first line of the playbook that speaks of a question, as a model does that was told two things.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, replace
from pathlib import Path

from ace.llm import Request, Role, ScriptedClient
from ace.methods.ace.reflector import Lesson
from ace.task import Attempt, Environment, Outcome, Sample, Task, load_task, score_attempt

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

    def describe(self, sample: Sample) -> str:
        return self.inner.describe(sample)

    def score(self, sample: Sample, attempt: Attempt) -> Outcome:
        return replace(score_attempt(self.inner, sample, attempt), facts=(), missing=(), parts=())

    def check(self, sample: Sample) -> None:
        self.inner.check(sample)


def whole() -> Task:
    task = load_task(FOLDER)
    return replace(task, environment=Whole(task.environment))


def lookup() -> ScriptedClient:
    return ScriptedClient(_says, model="lookup")


def _says(request: Request) -> str:
    system, user = request.messages[0].content, request.messages[1].content
    if request.role is Role.CURATOR:
        return json.dumps({"operations": []})
    word = _WORD.findall(user.replace("the ", ""))[0]
    if request.role is Role.REFLECTOR and request.schema is not Lesson:
        parts = re.findall(r"\((\d+)\)", user.partition("Not known:")[2])
        return json.dumps({part: f"{word.capitalize()} tickets" for part in parts})
    if request.schema is Lesson:
        rule = re.findall(r"Right SQL: .*WHERE (ticket\.\w+ = \S+)", user)
        meaning = rule[0] if rule else "ticket.status = 0"  # made up where nothing is shown
        return json.dumps({"lesson": f"{word.capitalize()} tickets: {meaning}"})
    rules = [rule for name, rule in _LINE.findall(system) if name.lower() == word]
    what, more = next(((w, m) for mark, w, m in _WHAT if mark in user), ("COUNT(*)", ""))
    where = " AND ".join(filter(None, (rules[0] if rules else "ticket.status = 0", more)))
    return f"SELECT {what} FROM ticket WHERE {where}"
