"""A comparison in a process of its own, to be killed. Importing this imports what takes long to import."""

from __future__ import annotations

import importlib
from pathlib import Path

import ace
from ace.llm import Endpoint, Retry
from ace.llm.providers import load_litellm
from ace.runs.study_report import Study
from tests.world import world

load_litellm()
importlib.import_module("openai")

METHODS = ("ace", "few_shot")


def run(path: Path, api_base: str, seeds: tuple[int, ...] = (0,)) -> Study:
    """Compare two methods and the floor; the version is chosen on validation samples."""
    retry = Retry(attempts=3, first_wait=0.001, max_wait=0.05)
    endpoint = Endpoint("openai/m", api_base=api_base, api_key="none", timeout=60.0, retry=retry)
    options = {"validate": True, "batch_size": 4, "workers": 2}
    return ace.compare(world(), client=endpoint, methods=METHODS, seeds=seeds, study=path, **options)
