"""Tasks: samples and the environment they act on. What a model makes of them is not known here."""

from __future__ import annotations

from ace.task.define import define_task
from ace.task.environments.answer import AnswerEnvironment
from ace.task.environments.judge import JudgeEnvironment
from ace.task.environments.sql.database import Database, Result
from ace.task.environments.sql.sql_environment import SqlEnvironment
from ace.task.environments.sql.sqltext import extract_sql
from ace.task.folder import find_tasks, load_task
from ace.task.guarded_scoring import observe_attempt, score_attempt
from ace.task.samples import check_task
from ace.task.trajectory import show_trajectory
from ace.task.types import (
    Attempt,
    Difference,
    Environment,
    Episode,
    Explaining,
    Fact,
    Failure,
    Feedback,
    FeedbackKind,
    FinishReason,
    Observing,
    Outcome,
    Sample,
    Task,
    TaskContext,
    Topic,
    Turn,
    TurnKind,
    Verdict,
)

__all__ = [
    "AnswerEnvironment",
    "Attempt",
    "Database",
    "Difference",
    "Environment",
    "Episode",
    "Explaining",
    "Fact",
    "Failure",
    "Feedback",
    "FeedbackKind",
    "FinishReason",
    "JudgeEnvironment",
    "Observing",
    "Outcome",
    "Result",
    "Sample",
    "SqlEnvironment",
    "Task",
    "TaskContext",
    "Topic",
    "Turn",
    "TurnKind",
    "Verdict",
    "check_task",
    "define_task",
    "extract_sql",
    "find_tasks",
    "load_task",
    "observe_attempt",
    "score_attempt",
    "show_trajectory",
]
