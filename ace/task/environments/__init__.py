"""Environments that score an attempt: by its answer, by SQL, by unit tests, or with a function of your own.

A new one is a file or a folder here and a line in `ENVIRONMENTS`.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

ENVIRONMENTS: Mapping[str, str] = MappingProxyType(
    {
        "sql": "ace.task.environments.sql.sql_toml:load_sql_environment",
        "answer": "ace.task.environments.answer_toml:load_answer_environment",
        "tools": "ace.task.environments.tools.tools_toml:load_tools_environment",
        "tau2": "ace.task.environments.worlds.tau2_toml:load_tau2_environment",
        "tests": "ace.task.environments.unit_tests.unit_tests_toml:load_unit_tests_environment",
        "textworld": "ace.task.environments.worlds.text_game_toml:load_textworld_environment",
        "scienceworld": "ace.task.environments.worlds.text_game_toml:load_scienceworld_environment",
        "bfcl": "ace.task.environments.worlds.bfcl_toml:load_bfcl_environment",
        "tables": "ace.task.environments.worlds.tables_toml:load_tables_environment",
        "arithmetic": "ace.task.environments.arithmetic_toml:load_arithmetic_environment",
    }
)
"""The names that task.toml may give, each with the function that reads the table of that name.

Such a function is given a `TomlTable` and returns an `Environment`. It is imported when a task names it.
"""
