"""What somebody else needs to make the same run again: the command, and the hashes that must agree."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from typing import Any

from ace.runs.records import Run, Version
from ace.task.traces import WITHOUT_A_TASK

_REPLAYS = {"replays", "graduate", "evict", "recheck"}
_LEARN_ONLY = {"epochs", "validate", "validate_every", "accept", "merge", "refine"} | _REPLAYS
_ONLINE_ONLY = {"window", "drift", "behind", "waiting"}
_LEARNING = {
    *("batch_size", "feedback", "tries", "neighbours", "verify", "agreement", "rerun", "measure_credit"),
    *_LEARN_ONLY,
}
_NOT_AN_OPTION = {"models", "prompts", "samples", "traces", "base", "measure", "sources"}
_SWITCHES_OFF = {"verify", "validate", "drift", "refine"}  # the others have no --no- form
_ROLES = ("reflector", "curator")


def command(run: Run) -> str:
    """The `ace` command with every option spelled out, so that later defaults change nothing.

    A run keeps the name of its task, the folder may be elsewhere; and where a model is served, or a log was,
    is not recorded.
    """
    config, kind = run.config, run.kind
    words = ["ace", kind, *_subject(run), *_models(config.get("models", {}), kind)]
    for name, value in config.items():
        if name not in _NOT_AN_OPTION and _applies(name, kind):
            words += _option(name, value)
    if kind == "eval" and run.report:
        words += ["--version", str(run.report.get("selected", config.get("base", 0)))]
    return shlex.join(words)


def _subject(run: Run) -> list[str]:
    """The task, and a placeholder for the file of recorded attempts: their fingerprint is among the facts."""
    traces = str(run.config.get("traces", ""))
    if not traces:
        return [run.task]
    task = ["--name", run.task] if traces.endswith(WITHOUT_A_TASK) else [run.task]
    return [*task, "--from-traces", "FILE"]


def _applies(name: str, kind: str) -> bool:
    if name == "split":
        return kind == "eval"
    if name in _LEARN_ONLY:
        return kind == "learn"
    if name in _ONLINE_ONLY:
        return kind == "online"
    return kind != "eval" or name not in _LEARNING


def _option(name: str, value: Any) -> list[str]:
    flag = name.replace("_", "-")
    match value:
        case None:
            return []
        case True:
            return [f"--{flag}"]
        case False:
            return [f"--no-{flag}"] if name in _SWITCHES_OFF else []
        case _:
            return [f"--{flag}", str(value)]


def _models(models: Mapping[str, str], kind: str) -> list[str]:
    generator = models.get("generator", "")
    words = ["--model", generator] if generator else []
    if kind != "eval":
        for role in _ROLES:
            if models.get(role, generator) != generator:
                words += [f"--{role}-model", models[role]]
    return words


def facts(run: Run, start: Version, final: Version) -> list[tuple[str, str]]:
    """Name and value of everything that decides a run's outcome, or identifies it."""
    config = run.config
    models = [(f"model of the {role}", model) for role, model in config.get("models", {}).items()]
    options = [
        (name.replace("_", " "), str(value))
        for name, value in config.items()
        if name not in _NOT_AN_OPTION and _applies(name, run.kind)
    ]
    return [
        *models,
        *options,
        ("prompts", str(config.get("prompts", ""))),
        ("samples", str(config.get("samples", ""))),
        *([("recorded attempts", str(config["traces"]))] if config.get("traces") else []),
        ("began with", f"version {start.number}, {start.hash}"),
        ("reported", f"version {final.number}, {final.hash}"),
        ("started", run.started),
        ("ended", f"{run.ended or 'not yet'} ({run.status})"),
    ]
