"""The tables of task.toml. A key that a model does not name is an error: a misspelling must not pass.

Imported on first use only, because pydantic is. `TomlTable.validate` makes errors of what does not fit.
"""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, field_validator

from ace.task.extraction import Extraction
from ace.task.samples import NAME
from ace.task.types import TaskContext

_CONTEXT = TaskContext()


class TomlModel(BaseModel):
    """Refuse unknown keys, and values of another type than the one that is asked for.

    "3" is no number, and 1 is not true. What a field's `description` says stands in the error.
    """

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False)


class TaskTable(TomlModel):
    """Hold the file itself, but for the table of its environment."""

    name: Annotated[str, Field(pattern=f"^{NAME.pattern}$", description="letters, digits, '_', '-' and '.'")]

    environment: str
    """A name of `ENVIRONMENTS`, or the "module:Class" of one of the task's own."""

    instructions: str = ""
    max_tokens: Annotated[int, Field(ge=1)] = 1024

    # Tables, each of which has a model of its own.
    data: dict[str, Any] = {}
    context: dict[str, Any] = {}
    solver: dict[str, Any] = {}
    answer: dict[str, Any] = {}


class DataTable(TomlModel):
    """Name JSONL files of samples, one for each split, by their paths from the task folder."""

    train: str
    val: str = ""
    test: str = ""


class ExtractionTable(TomlModel):
    """Say where in a reply the answer stands: the key of [answer] that every environment may have."""

    extract: str = ""

    @field_validator("extract")
    @classmethod
    def check_form(cls, text: str) -> str:
        """Raise ValueError for a form that nobody knows."""
        Extraction.parse(text)
        return text


class ContextTable(TomlModel):
    """Choose what a prompt holds beside instructions, playbook and question: see `TaskContext`."""

    documents: str | None = None
    passages: Annotated[int, Field(ge=1)] = _CONTEXT.passages
    memories: bool = _CONTEXT.memories
    embedder: str = _CONTEXT.embedder
    share: Annotated[float, Field(gt=0, lt=1, description="more than 0 and less than 1")] = _CONTEXT.share
    fields: Annotated[
        list[Annotated[str, Field(min_length=1)]],
        Field(description="names of fields"),
    ] = list(_CONTEXT.fields)
