"""Scripted runs give the versions they always gave: the same trials, the same playbooks, the same hashes."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import ace
from ace.llm import Client
from ace.store import Store
from ace.task import Task, load_task
from tests import desk, orders, world

RECORDED = Path(__file__).parent / "data" / "version_hashes.json"
Case = tuple[Callable[[Path], Task], Callable[[], Client], str, dict[str, Any]]


def _colours(_: Path) -> Task:
    return world.world()


def _desk(_: Path) -> Task:
    return load_task(desk.FOLDER)


def _wrong() -> Client:
    return world.client(wrong=("red", "teal", "pink"))


SMALL = {"profile": "small"}  # puts the facts of SQL into words

CASES: dict[str, Case] = {
    "colours": (_colours, world.client, "learn", {}),
    "colours, small batches": (_colours, world.client, "learn", {"batch_size": 3, "workers": 1}),
    "colours, false lessons": (_colours, _wrong, "learn", {"batch_size": 3, "tries": 3}),
    "colours, two epochs": (_colours, _wrong, "learn", {"batch_size": 4, "epochs": 2, "replays": 2}),
    "colours, one large batch": (_colours, world.client, "learn", {"batch_size": 10}),
    "colours, unverified": (_colours, _wrong, "learn", {"without": "proof"}),
    "colours, without labels": (_colours, world.client, "learn", {"feedback": "execution"}),
    "colours, nothing shown": (_colours, world.client, "learn", {"feedback": "none"}),
    "colours, online": (_colours, world.client, "online", {"batch_size": 2}),
    "orders": (orders.orders, orders.client, "learn", SMALL | {"batch_size": 2}),
    "orders, two epochs": (orders.orders, orders.client, "learn", SMALL | {"epochs": 2}),
    "orders, one batch": (orders.orders, orders.client, "learn", SMALL | {"batch_size": 10}),
    "orders, execution": (orders.orders, orders.client, "learn", SMALL | {"feedback": "execution"}),
    "orders, nothing shown": (orders.orders, orders.client, "learn", SMALL | {"feedback": "none"}),
    "orders, online": (orders.orders, orders.client, "online", SMALL | {"batch_size": 1}),
    "desk, drift": (_desk, desk.lookup, "online", SMALL | {"batch_size": 4}),
    "desk, no drift": (_desk, desk.lookup, "online", SMALL | {"batch_size": 8, "drift": False}),
}


def hashes(folder: Path, name: str) -> list[str]:
    task, client, loop, options = CASES[name]
    with Store.open(folder / "run.db") as store:
        getattr(ace, loop)(task(folder), store, client(), **options)
        return [version.hash[:16] for version in store.log()]


@pytest.mark.parametrize("name", CASES)
def test_versions(name: str, tmp_path: Path) -> None:
    assert hashes(tmp_path, name) == json.loads(RECORDED.read_text(encoding="utf-8"))[name]
