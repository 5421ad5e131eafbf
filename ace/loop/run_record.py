"""The record that a run begins with in the file, and finding the one that a resumed run goes on with."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from ace.errors import InputError
from ace.llm.role_models import RoleModels
from ace.runs.report import Report
from ace.settings import REMOVED, Settings
from ace.store import Store
from ace.store.process_mark import mark_process
from ace.task.types import Task

_LABELS = {"sources": "documents, memories or sources (or another embedder)"}  # keys of a run's configuration
# Keys that may differ when a run is resumed: the head has moved, the process is another one, and sizes are
# those of the samples, which are compared.
_FREE = frozenset({"base", "process", "sizes"})


def open_record(kind: str, task: Task, store: Store, config: Mapping[str, Any], *, resume: bool) -> int:
    """Return the number of a run that begins with a configuration, or of the last unfinished one like it.

    The record says how many samples each split has, and which process is at work. Raises InputError when
    there is nothing to resume, or when it was started with another configuration.
    """
    sizes = {"train": len(task.train), "val": len(task.val), "test": len(task.test)}
    whole = {
        **config,
        "samples": fingerprint_samples(task),
        "sizes": sizes,
        "process": mark_process(store.path),
    }
    if not resume:
        return store.start_run(kind, task.name, whole)
    number = _find_resumable(kind, task, store, whole)
    store.continue_run(number, {"sizes": sizes, "process": whole["process"]})
    return number


def close_failed(number: int, store: Store, models: RoleModels, why: str) -> None:
    """Write down that an error ended a run, and `why`, without secrets: it is the report's `stopped`.

    Scores and lessons of a run that failed are in its journal only. Raises StoreError.
    """
    record = store.run(number)
    playbook = store.checkout()
    report = Report(
        kind=record.kind,
        task=record.task,
        model=models.generator.model,
        models=models.models,
        playbook=str(store.path),
        bullets=len(playbook),
        quarantined=len(playbook) - len(playbook.active),
        versions=store.versions_of(number),
        seconds=models.meter.seconds,
        usage=store.usage_since(number).usage,
        run=number,
        selected=store.head().number,
        stopped=why,
    )
    store.finish_run(number, "failed", report.to_json())


def fingerprint_samples(task: Task) -> str:
    """Return a hash that changes when a sample of the task does, or how it is solved."""
    samples = []
    for sample in (*task.train, *task.val, *task.test):
        samples.append([sample.id, sample.question, sorted(sample.data.items())])
    values: list[Any] = [task.instructions, str(task.solver), samples]
    if task.extract is not None:
        values.append(str(task.extract))
    text = json.dumps(values, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _find_resumable(kind: str, task: Task, store: Store, config: Mapping[str, Any]) -> int:
    """Return the number of the last unfinished run of this kind over this task.

    Raises InputError when there is none, or when it was started with another configuration, apart from what
    `_FREE` names.
    """
    unfinished = store.last_unfinished(kind, task.name)
    if unfinished is None:
        raise InputError(
            f"No unfinished {kind} run of {task.name} in {store.path}.", hint="Start one without --resume."
        )
    # A run of an earlier release may lack settings, and may have had some that are gone.
    expected = {**REMOVED, **config}
    older = {**REMOVED, **Settings().record(), **unfinished.config}
    changed = []
    for key, value in expected.items():
        if key not in _FREE and older.get(key) != value:
            changed.append(_LABELS.get(key, key))
    if changed:
        labels = ", ".join(changed)
        raise InputError(
            f"Run {unfinished.id} was started with other {labels}.",
            hint="Resume with the same ones, or start a new run.",
        )
    return unfinished.id
