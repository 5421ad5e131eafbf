"""Tasks: samples and the environment they act on. What a model makes of them is not known here."""

from __future__ import annotations

from ace.task.define import JudgeEnvironment, define_task
from ace.task.environments.answer import AnswerEnvironment
from ace.task.environments.sql.database import Database, Result
from ace.task.environments.sql.sql_environment import SqlEnvironment
from ace.task.environments.sql.sqltext import extract_sql
from ace.task.folder import find_tasks, load_task
from ace.task.samples import check_task
from ace.task.types import (
    Attempt,
    Dissecting,
    Environment,
    Episode,
    Feedback,
    FeedbackKind,
    Sample,
    SelfChecking,
    Task,
    TaskContext,
    Verdict,
)

__all__ = [
    "AnswerEnvironment",
    "Attempt",
    "Database",
    "Dissecting",
    "Environment",
    "Episode",
    "Feedback",
    "FeedbackKind",
    "JudgeEnvironment",
    "Result",
    "Sample",
    "SelfChecking",
    "SqlEnvironment",
    "Task",
    "TaskContext",
    "Verdict",
    "check_task",
    "define_task",
    "extract_sql",
    "find_tasks",
    "load_task",
]
