"""The [tau2] table of task.toml: which desk, and its policy."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Literal

from ace.task.environments.worlds.tau2_environment import Tau2Environment
from ace.task.environments.worlds.tau2_workspace import MODULE
from ace.task.read_text import read_text
from ace.task.toml_models import TomlModel
from ace.task.toml_table import TomlTable


class Tau2Table(TomlModel):
    """Name the desk."""

    domain: Literal["retail", "airline", "mock"]
    """The desk whose tasks the rows are."""

    policy: str = ""
    """A file of the task folder, which the agent reads."""


def load_tau2_environment(table: TomlTable) -> Tau2Environment:
    """Return the environment that the table describes. Raises TaskError, also where a package is missing."""
    settings = table.validate(Tau2Table)
    package = f"tau2-{settings.domain}-mcp-eval"
    if find_spec("mcp") is None or find_spec(MODULE.format(settings.domain)) is None:
        message = f"The desk {settings.domain!r} needs the packages mcp and {package}."
        raise table.problem("domain", message, f"pip install ace-engine[mcp] {package}")
    policy = ""
    if settings.policy:
        policy = read_text(table.resolve_path("policy", settings.policy)).strip()
    return Tau2Environment(settings.domain, policy)
