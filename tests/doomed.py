"""A learn run in a process of its own, to be killed. Importing this imports what takes long to import."""

from __future__ import annotations

import faulthandler
import importlib
import traceback
from pathlib import Path

from ace.llm import Endpoint, Retry, RoleModels
from ace.llm.providers import load_litellm
from ace.loop import learn
from ace.runs.report import Report
from ace.settings import Settings
from ace.store import Store
from tests.world import world

_LONG = 100  # seconds

load_litellm()
importlib.import_module("openai")


def run(path: Path, api_base: str, workers: int, *, resume: bool = False) -> Report:
    """Two epochs with validation."""
    retry = Retry(attempts=3, first_wait=0.001, max_wait=0.05)
    endpoint = Endpoint("openai/m", api_base=api_base, api_key="none", timeout=60.0, retry=retry)
    options = Settings(workers=workers, batch_size=4, epochs=2, tries=2)
    with Store.open(path, timeout=60) as store:
        return learn(world(), store, RoleModels.of(endpoint), options, resume=resume)


def die(path: Path, api_base: str, workers: int) -> None:
    """Should it not be killed, what it was doing is beside the file."""
    with path.with_suffix(".log").open("w") as log:
        faulthandler.dump_traceback_later(_LONG, file=log)
        try:
            run(path, api_base, workers)
        except BaseException:
            traceback.print_exc(file=log)
            raise
