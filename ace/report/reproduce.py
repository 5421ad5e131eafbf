"""Reproducing a run: the command that makes it again, and the settings and hashes that must agree."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from typing import Any

from ace.runs.records import Run, Version
from ace.settings import REMOVED, declared_settings
from ace.task.traces import WITHOUT_A_TASK

_ROLES = ("reflector", "curator")


def build_command(run: Run) -> str:
    """Return the `ace` command with every option spelled out, so that later defaults change nothing.

    A run keeps the name of its task; the folder may be elsewhere. Where a model is served is not recorded.
    FILE stands for a file of recorded attempts, whose fingerprint is among the settings.
    """
    config = run.config
    words = ["ace", run.kind]
    traces = str(config.get("traces", ""))
    if traces.endswith(WITHOUT_A_TASK):
        words.append("--name")
    words.append(run.task)
    if traces:
        words += ["--from-traces", "FILE"]
    models = config.get("models", {})
    generator = models.get("generator", "")
    if generator:
        words += ["--model", generator]
    if run.kind != "eval":
        for role in _ROLES:
            model = models.get(role, generator)
            if model != generator:
                words += [f"--{role}-model", model]
    declared = declared_settings()
    for name, value in _select_options(run):
        flag = name.replace("_", "-")
        if name in REMOVED or value is None:
            continue
        if value is True:
            words.append(f"--{flag}")
        elif value is not False:
            words += [f"--{flag}", str(value)]
        elif declared[name].default is not False:  # the switches that are off need no --no-
            words.append(f"--no-{flag}")
    if run.kind == "eval" and run.report and run.status != "failed":
        words += ["--version", str(run.report.get("selected", config.get("base", 0)))]
    return shlex.join(words)


def list_settings(run: Run, start: Version, final: Version) -> Iterator[tuple[str, str]]:
    """Yield name and value of everything that decides a run's outcome, or identifies it."""
    config = run.config
    for role, model in config.get("models", {}).items():
        yield f"model of the {role}", model
    for name, value in _select_options(run):
        yield name.replace("_", " "), str(value)
    yield "prompts", str(config.get("prompts", ""))
    yield "samples", str(config.get("samples", ""))
    if config.get("traces"):
        yield "recorded attempts", str(config["traces"])
    yield "began with", f"version {start.number}, {start.hash}"
    yield "reported", f"version {final.number}, {final.hash}"
    yield "started", run.started
    yield "ended", f"{run.ended or 'not yet'} ({run.status})"


def _select_options(run: Run) -> Iterator[tuple[str, Any]]:
    """Yield the options in a run's configuration that its command takes."""
    declared = declared_settings()
    for name, value in run.config.items():
        setting = declared.get(name)
        if setting is None:
            is_option = name == "branch" or value != REMOVED.get(name, value)
        else:
            # Whether test questions are scored as well changes nothing of what is learned.
            is_option = run.kind in setting.about.commands and name != "measure"
        if is_option:
            yield name, value
