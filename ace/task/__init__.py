"""Tasks: samples and the environment they act on. What a model makes of them is not known here."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ace.lazy import import_lazily

if TYPE_CHECKING:
    from ace.task.define import define_task
    from ace.task.environments.answer import AnswerEnvironment
    from ace.task.environments.judge import JudgeEnvironment
    from ace.task.environments.sql.database import Database, Result
    from ace.task.environments.sql.sql_environment import SqlEnvironment
    from ace.task.environments.sql.sqltext import extract_sql
    from ace.task.folder import find_tasks, load_task
    from ace.task.guarded_scoring import Composing, observe_attempt, score_attempt
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
    from ace.task.workspace import Acting, Observation, ToolCall, ToolSpec, Workspace

__all__ = [
    "Acting",
    "AnswerEnvironment",
    "Attempt",
    "Composing",
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
    "Observation",
    "Observing",
    "Outcome",
    "Result",
    "Sample",
    "SqlEnvironment",
    "Task",
    "TaskContext",
    "ToolCall",
    "ToolSpec",
    "Topic",
    "Turn",
    "TurnKind",
    "Verdict",
    "Workspace",
    "check_task",
    "define_task",
    "extract_sql",
    "find_tasks",
    "load_task",
    "observe_attempt",
    "score_attempt",
    "show_trajectory",
]

_HOMES = {
    "ace.task.define": ("define_task",),
    "ace.task.environments.answer": ("AnswerEnvironment",),
    "ace.task.environments.judge": ("JudgeEnvironment",),
    "ace.task.environments.sql.database": (
        "Database",
        "Result",
    ),
    "ace.task.environments.sql.sql_environment": ("SqlEnvironment",),
    "ace.task.environments.sql.sqltext": ("extract_sql",),
    "ace.task.folder": (
        "find_tasks",
        "load_task",
    ),
    "ace.task.guarded_scoring": (
        "Composing",
        "observe_attempt",
        "score_attempt",
    ),
    "ace.task.samples": ("check_task",),
    "ace.task.trajectory": ("show_trajectory",),
    "ace.task.types": (
        "Attempt",
        "Difference",
        "Environment",
        "Episode",
        "Explaining",
        "Fact",
        "Failure",
        "Feedback",
        "FeedbackKind",
        "FinishReason",
        "Observing",
        "Outcome",
        "Sample",
        "Task",
        "TaskContext",
        "Topic",
        "Turn",
        "TurnKind",
        "Verdict",
    ),
    "ace.task.workspace": ("Acting", "Observation", "ToolCall", "ToolSpec", "Workspace"),
}
if not TYPE_CHECKING:  # a checker that saw this would let every name pass
    __getattr__ = import_lazily(__name__, _HOMES)
