"""What it takes to count and to read the feedback that waits, where ever more has been learned from.

    taskset -c 1 python benchmarks/backlog.py

A playbook in a file, and one on a server, gets 2,000, 20,000 and 200,000 rows of feedback, each with the step
that learned from it, but for a few that wait. They are loaded in bulk, with checksums and seals, and `verify`
goes over them at the end. A step's journal row is as long as that of a real one, and a run has 200 of them.
Needs no model. The server is PostgreSQL as it is found, with its own settings.
"""

from __future__ import annotations

import argparse
import os
import statistics
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from ace.runs.records import AnswerFeedback
from ace.store import Store, feedback_rows
from ace.store.sqlite_text import now, to_json
from ace.task.types import Attempt, Episode, Feedback, FeedbackKind, Verdict
from benchmarks.day_of_traffic import open_place, time_call
from benchmarks.measured_pages import write_result
from benchmarks.measuring import RESULTS, describe_measurement, run_script
from benchmarks.traffic_gauges import read_server_version
from benchmarks.traffic_rows import load_rows, refresh_statistics

TASK = "backlog"
_KINDS = ("file", "server")
_ABOUT = "Milliseconds on the clock, medians; the database is on the same machine, whose load was {:.1f}."
_PER_RUN = 200  # pieces of feedback on the answers of one run
_PAGE = 500  # rows that a learner reads together
_RESULT = {
    "phase": "online",
    "sample": "asked-1-1",
    "correct": False,
    "right": False,
    "cause": "missing knowledge",
    "situation": "4f53cda18c2baa0c",
    "diagnosis": "gap",
    "controls": [1, 0],
    "episode": "ep-152281f019f1",
}
_USAGE = {"calls": 6, "prompt_tokens": 138, "cached_tokens": 0, "completion_tokens": 6, "seconds": 0.1}
_STEP = {
    "results": [_RESULT],
    "kept": {"lessons-9a52f631": ["asked-1-1"]},
    "usage": {"generator": _USAGE, "reflector": _USAGE, "curator": _USAGE},
    "started": 1795892742.8561718,
    "seconds": 0.4912340509981732,
}


def read_options(words: Sequence[str]) -> argparse.Namespace:
    """Read the options."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, nargs="+", default=[2_000, 20_000, 200_000])
    parser.add_argument("--waiting", type=int, default=20, help="of each load, spread evenly (default 20)")
    parser.add_argument("--most", type=int, default=10_000, help="more that wait in the end (default 10,000)")
    parser.add_argument("--repeats", type=int, default=25)
    parser.add_argument("--kinds", nargs="+", choices=_KINDS, default=_KINDS)
    parser.add_argument("--out", type=Path, default=RESULTS)
    return parser.parse_args(words)


def measure(options: argparse.Namespace, words: Sequence[str]) -> str:
    """Measure at each size, write the page, and return it."""
    record = describe_measurement("backlog.py", words, "no model")
    record["kinds"] = []
    for kind in options.kinds:
        where = argparse.Namespace(place="", sqlite=kind == "file")
        with open_place(where) as (place, _), Store.open(place, timeout=600) as store:
            shares = list(measure_shares(store, place, options))
            problems = [str(problem) for problem in store.verify()]
            figures = {"database": read_server_version(place), "shares": shares, "problems": problems}
            record["kinds"].append(figures)
    record["load"] = os.getloadavg()[0]
    return write_result(
        options.out, "backlog", record, [_ABOUT.format(record["load"]), *map(render, record["kinds"])]
    )


def measure_shares(store: Store, place: str, options: argparse.Namespace) -> Iterator[dict[str, Any]]:
    """Load what is missing of each size, and yield its figures; then those with a long backlog."""
    there = 0
    for rows in sorted(options.rows):
        new = rows - there
        load_feedback(store, place, new, each_waits=max(1, new // options.waiting))
        there = rows
        yield {"rows": there, **measure_share(store, options.repeats)}
    load_feedback(store, place, options.most, each_waits=1)
    yield {"rows": there + options.most, **measure_share(store, options.repeats)}


def load_feedback(store: Store, place: str, count: int, each_waits: int) -> None:
    """Load feedback, and a step for each piece but every `each_waits`-th, which waits."""
    first = store.newest_feedback() + 1
    numbers = range(first, first + count)
    runs: dict[int, int] = {}
    for number in numbers:
        if number // _PER_RUN not in runs:
            runs[number // _PER_RUN] = store.start_run("online", TASK, {"branch": "main"})
    created = now()

    def list_feedback() -> Iterator[tuple[Any, ...]]:
        """Yield rows of feedback."""
        for number in numbers:
            words = ("4", "not what the door says", "person", created)
            yield (number, runs[number // _PER_RUN], f"ep-{number:012x}", 0, *words, None, 0)

    def list_steps() -> Iterator[tuple[Any, ...]]:
        """Yield the rows of steps that learned from them."""
        for number in numbers:
            if number % each_waits:
                payload = to_json({**_STEP, "feedback": [number]})
                yield (runs[number // _PER_RUN], number, "online", payload, 0)

    load_rows(store, place, "feedback", list_feedback())
    load_rows(store, place, "steps", list_steps())
    with store._writing() as db:
        feedback_rows.list_again(db)
    refresh_statistics(place)


def measure_share(store: Store, repeats: int) -> dict[str, Any]:
    """Return how much waits, and the milliseconds of what learners and watchers do: medians."""
    run = store.start_run("online", TASK, {"branch": "main"})
    name = f"e-{run}"
    shown = Feedback(FeedbackKind.NONE, "")
    episode = Episode(name, "s", "?", Attempt("s", "1", "1"), shown, Verdict(False, 0.0), 0)
    store.commit((), author="a", reason="r", run=run, episodes=[episode])
    waiting = store.count_unlearned(TASK)
    newest = store.newest_feedback()
    numbers: list[int] = []

    def learn() -> None:
        """Commit a step that learned from the newest piece."""
        step = (len(numbers), "online", {**_STEP, "feedback": [numbers.pop()]})
        store.commit((), author="a", reason="r", run=run, step=step)

    calls: dict[str, Callable[[], object]] = {
        "count": lambda: store.count_unlearned(TASK),
        "all": lambda: store.feedback(TASK, unlearned=True),
        "page": lambda: store.feedback(TASK, unlearned=True, limit=_PAGE),
        "new": lambda: store.feedback(TASK, after=newest, limit=_PAGE),
        "say": lambda: numbers.append(store.add_feedback(AnswerFeedback(name, right=False)).number),
        "learn": learn,
    }
    figures = {}
    for call, work in calls.items():
        times = [1000 * time_call(work) for _ in range(repeats)]
        figures[call] = statistics.median(times)
    return {"waiting": waiting, **figures}


def render(figures: dict[str, Any]) -> str:
    """Return the table of one database."""
    lines = [
        f"## {figures['database']}",
        "",
        "| feedback there | of it waits | `count_unlearned` | `feedback(unlearned=True)`, all | the first 500"
        " | a look for what is new | `add_feedback` | a step that learned from one |",
        "| --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for share in figures["shares"]:
        times = (f"{share[name]:.2f}" for name in ("count", "all", "page", "new", "say", "learn"))
        lines.append(f"| {share['rows']:,} | {share['waiting']:,} | {' | '.join(times)} |")
    return "\n".join([*lines, "", f"`verify` found {len(figures['problems'])} problems."])


if __name__ == "__main__":
    run_script(read_options, measure)
