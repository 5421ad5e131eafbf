"""The program of the process that records: `python -m ace.servers.proxy.recorder_main`.

The first line of stdin is its configuration; a further line makes it look at once; the end of stdin ends it,
also where the process that forwards was killed. Lines of stdout say what became of feedback.
"""

from __future__ import annotations

import json
import logging
import os
import select
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, TextIO

from ace import api
from ace.loop import AgentLearner, choose_agent_task
from ace.servers.proxy.recorder import Recorder
from ace.servers.proxy.recorder_process import FeedbackFate
from ace.servers.transports import log_to_stderr
from ace.store import Store
from ace.store.store_database import Place, parse_place
from ace.task import load_task

_LOOKS = 0.2  # seconds between looks into the spools
_SILENCE = 1800.0  # seconds after which a conversation is over
_NICE = 10  # who forwards goes first
_LOG = logging.getLogger("ace.learner")


def main() -> None:
    """Record until stdin ends."""
    log_to_stderr()
    with suppress(OSError):
        os.nice(_NICE)
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8", buffering=1)
    os.dup2(2, 1)  # what somebody else prints is no answer
    line = b""
    while not line.endswith(b"\n"):  # byte by byte: what is behind the line is left to `select`
        piece = os.read(0, 1)
        if not piece:
            return
        line += piece
    config = json.loads(line)
    recorders = []
    for row in config["projects"]:
        playbook = parse_place(row["playbook"])
        if not isinstance(playbook, Path):
            playbook = replace(playbook, secret=row["secret"])
        tell = partial(write_answer, answers)
        recorders.append(Recorder(playbook, partial(open_learner, playbook, row, config["trust"]), tell))
    is_open = True
    while is_open:
        more = [recorder.step(_SILENCE) for recorder in recorders]
        ready, _, _ = select.select([0], [], [], 0.0 if any(more) else _LOOKS)
        if ready:
            is_open = bool(os.read(0, 65_536))
    for recorder in recorders:
        recorder.close()


def open_learner(playbook: Place, row: Mapping[str, Any], trust: bool) -> AgentLearner:
    """Return the learner of a project. Raises errors of its task and its playbook."""
    if row["task"]:
        task = load_task(row["task"], trust=trust)
    else:
        task = choose_agent_task(None, row["name"], "", None)
    Store.open(playbook, create=False, read_only=True).close()  # a learner would make it anew
    settings: dict[str, Any] = {}
    if not row["model"]:
        settings["drift"] = False  # nothing is learned here, and what watches takes seconds to import
    return api.learner(playbook, row["model"] or None, task=task, raises=True, **settings)


def write_answer(target: TextIO, name: str, fate: FeedbackFate, episode: str) -> None:
    """Say what became of feedback. Nothing is raised where nobody listens any more."""
    with suppress(OSError, ValueError):
        target.write(json.dumps({"name": name, "fate": fate.value, "episode": episode}) + "\n")


if __name__ == "__main__":
    main()
