"""ace: an agent that gets better at its work by evolving its context instead of its weights.

    import ace

    task = ace.define_task("filters", rows, judge, test=others)  # rows: dicts with id and question
    with ace.open_playbook("filters.db") as store:
        report = ace.learn(task, store, "openai/gpt-4.1-mini")
        prompt = ace.as_context(store, budget=2000)

What `__all__` names is public and changes with notice only. Names are resolved on first use, so that
importing the package costs nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ace.lazy import import_lazily

if TYPE_CHECKING:
    from ace.api import (
        as_context,
        compare,
        evaluate,
        learn,
        learner,
        learning,
        list_runs,
        online,
        open_playbook,
        serve,
    )
    from ace.errors import AceError
    from ace.llm import Caps, RecordingClient, ReplayClient, RoleModels, ScriptedClient, connect
    from ace.loop.domains import open_domain, read_router
    from ace.runs.report import Report
    from ace.runs.study_report import Study
    from ace.settings import Settings
    from ace.store import Store
    from ace.store.study_file import read_study
    from ace.task import Sample, Task, define_task, load_task

    __version__: str
    """The version of the package, as "0.1.0"."""

__all__ = [
    "AceError",
    "Caps",
    "RecordingClient",
    "ReplayClient",
    "Report",
    "RoleModels",
    "Sample",
    "ScriptedClient",
    "Settings",
    "Store",
    "Study",
    "Task",
    "__version__",
    "as_context",
    "compare",
    "connect",
    "define_task",
    "evaluate",
    "learn",
    "learner",
    "learning",
    "list_runs",
    "load_task",
    "online",
    "open_domain",
    "open_playbook",
    "read_router",
    "read_study",
    "serve",
]

_HOMES = {
    "ace.api": (
        "as_context",
        "compare",
        "evaluate",
        "learn",
        "learner",
        "learning",
        "list_runs",
        "online",
        "open_playbook",
        "serve",
    ),
    "ace.errors": ("AceError",),
    "ace.llm": ("Caps", "RecordingClient", "ReplayClient", "ScriptedClient", "RoleModels", "connect"),
    "ace.loop.domains": ("open_domain", "read_router"),
    "ace.runs.report": ("Report",),
    "ace.runs.study_report": ("Study",),
    "ace.settings": ("Settings",),
    "ace.store": ("Store",),
    "ace.store.study_file": ("read_study",),
    "ace.task": ("Sample", "Task", "define_task", "load_task"),
}

if not TYPE_CHECKING:  # a checker that saw this would let every name pass
    _find = import_lazily(__name__, _HOMES)

    def __getattr__(name: str) -> Any:
        if name == "__version__":
            from importlib.metadata import version

            value: Any = version("ace-engine")
        else:
            value = _find(name)
        globals()[name] = value
        return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
