"""A small task for runs on Ray, whose workers import what tests define from here."""

from __future__ import annotations

import os
import signal
import threading
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ace.llm import Client, RoleModels
from ace.loop import learn
from ace.settings import ExecutorKind, Profile, Settings
from ace.store import Store
from ace.task import Sample, Task, define_task
from tests.test_loop_parallel import NUMBER, THINGS

ON_RAY = Settings(
    executor=ExecutorKind.RAY, workers=2, batch_size=3, replays=0, seed=3, profile=Profile.SMALL
)
ON_THREADS = Settings(workers=2, batch_size=3, replays=0, seed=3, profile=Profile.SMALL)


def judge(sample: Sample, answer: str) -> bool:
    return answer == sample.data["answer"]


def things(judge: Callable[[Sample, str], bool] = judge, **more: Any) -> Task:
    """Three training samples and one that is asked before and after."""
    rows = [{"id": t, "question": f"Which number has {t}?", "answer": NUMBER[t]} for t in THINGS[:3]]
    test = [{**rows[0], "id": "test", "question": f"What about {THINGS[0]}?"}]
    return define_task("things", rows, judge, test=test, instructions="Answer by number.", **more)


def deadly_judge(marker: Path, sample: Sample, answer: str) -> bool:
    """Kill the process that asks, the first time."""
    if not marker.exists():
        marker.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return judge(sample, answer)


def left_by(path: Path) -> tuple[list[str], Counter[Any], list[str]]:
    """Return what a run leaves in its file: versions, calls, proposals."""
    with Store.open(path) as store:
        assert store.verify() == []
        run = store.run_summaries(limit=1)[0].id
        calls = Counter((call.key, call.text) for call in store.calls(run, replies=True))
        return [v.hash for v in store.log()], calls, [repr(p) for p in store.proposals(run)]


def learn_into(path: Path, task: Task, client: Client, settings: Settings, **more: Any) -> None:
    with Store.open(path) as store:
        learn(task, store, RoleModels.of(client, **more), settings)


def tell_node(question: str, context: str) -> str:
    """Answer, as an agent, with the node that this runs on."""
    import ray

    threading.Event().wait(0.5)  # long enough for the other item to have a node of its own
    return str(ray.get_runtime_context().get_node_id())
