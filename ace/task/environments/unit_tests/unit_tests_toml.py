"""The [tests] table of task.toml: the limits of a run of the tests."""

from __future__ import annotations

import os
from typing import Annotated

from pydantic import Field

from ace.task.environments.unit_tests.bounded_child import Limits
from ace.task.environments.unit_tests.unit_tests_environment import UnitTestsEnvironment
from ace.task.toml_models import TomlModel
from ace.task.toml_table import TomlTable

_LIMITS = Limits()


class UnitTestsTable(TomlModel):
    """Limit the tests of one answer."""

    seconds: Annotated[int, Field(ge=1)] = _LIMITS.seconds
    """Whole seconds of computing."""

    memory: Annotated[int, Field(ge=64)] = _LIMITS.memory
    """Megabytes of address space."""


def load_unit_tests_environment(table: TomlTable) -> UnitTestsEnvironment:
    """Return the environment that the table describes.

    Raises TaskError, also on a system that is not POSIX.
    """
    if os.name != "posix":
        message = "The environment 'tests' needs a POSIX system, which limits what runs the tests."
        raise table.problem("seconds", message)
    settings = table.validate(UnitTestsTable)
    return UnitTestsEnvironment(Limits(seconds=settings.seconds, memory=settings.memory))
