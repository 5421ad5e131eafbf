"""Environments that score an attempt: by its answer, by SQL, by unit tests, or with a function of your own.

A new one is a file or a folder here and a line in `ENVIRONMENTS`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module
from types import MappingProxyType

from ace.task.toml_table import TomlTable
from ace.task.types import Environment

ENVIRONMENTS: Mapping[str, str] = MappingProxyType(
    {
        "sql": "ace.task.environments.sql.sql_toml:load_sql_environment",
        "answer": "ace.task.environments.answer_toml:load_answer_environment",
        "tests": "ace.task.environments.unit_tests.unit_tests_toml:load_unit_tests_environment",
    }
)
"""The names that task.toml may give, each with the function that reads the table of that name."""


def load_built_in(name: str, table: TomlTable) -> Environment:
    """Return the environment that ENVIRONMENTS has under `name`, made with its table. Raises TaskError."""
    module, _, function = ENVIRONMENTS[name].partition(":")
    load: Callable[[TomlTable], Environment] = getattr(import_module(module), function)
    return load(table)
