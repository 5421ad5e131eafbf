"""What the tools of the server return. Each attribute's docstring is its description in a tool's schema."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Result(BaseModel):
    """Say which playbook a result is from."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    playbook: str
    """The name of the playbook."""


class ShownContext(Result):
    """Hold what a prompt should hold for a question."""

    context_id: str
    """Give it to report_outcome, to say what became of the answer."""

    version: int
    """The version of the playbook that the text is made from."""

    bullets: list[str]
    """The ids of the bullets in the text."""

    text: str
    """Lessons, and what is remembered of the user; empty where there is nothing."""

    tokens: int
    """What the text takes, by an estimate that is meant to be high."""

    budget: int
    """The most that it might have taken."""


class OutcomeReceipt(Result):
    """Say that what became of an answer is in the file."""

    context_id: str
    """The context that the answer was given with."""

    answer_kept: bool
    """Whether the answer was kept: that of the first report is, and no later one."""


class FoundBullet(BaseModel):
    """Hold a lesson that was found."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    id: str
    section: str

    content: str
    """The lesson, safe to stand in a prompt."""

    helpful: int
    """Votes for it."""

    harmful: int
    """Votes against it."""


class FoundBullets(Result):
    """List lessons, the one that bears most on the query first."""

    version: int
    """The version that was searched."""

    bullets: list[FoundBullet]


class LessonReceipt(Result):
    """Say what became of a lesson that was proposed."""

    bullet: str
    """Its id."""

    status: str
    """"quarantined": it waits. Another status is that of a bullet that says so already."""

    version: int
    """The version that the playbook is at."""


class VersionRow(BaseModel):
    """Describe one version."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    number: int
    parent: int | None
    branch: str

    author: str
    """The role, person or program that made the change."""

    reason: str

    created: str
    """ISO 8601, UTC."""

    changes: int
    """How many operations it applied."""


class History(Result):
    """List versions, newest first."""

    versions: list[VersionRow]


class VersionPage(Result):
    """Show one version."""

    version: VersionRow

    changes: list[str]
    """What it changed, as "add ID"; at most 100."""

    bullets: list[str]
    """The ids of the bullets in the text."""

    left_out: int
    """How many active bullets there was no room for."""

    text: str
    """The active bullets."""


class PlaybookRow(BaseModel):
    """Describe one playbook that is served."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    name: str
    version: int
    bullets: int

    problem: str
    """Why it cannot be read; empty where it can."""
