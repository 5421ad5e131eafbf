"""What the pages of `ace ui` take with 10,000 bullets: milliseconds by page, of the clock and the processor.

    python benchmarks/review_pages.py --out benchmarks/results

The playbook is made up: a fiftieth of the bullets waits, each cites an attempt, and 2,000 steps of a run
prove them. A request is answered by the application itself, without a network. Writes review_pages.md.
"""

from __future__ import annotations

import argparse
import os
import platform
import random
import statistics
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

from starlette.testclient import TestClient

from ace.playbook import Add, Quarantine
from ace.servers.books import Books
from ace.servers.http_place import HttpPlace
from ace.servers.review.review_app import make_review_app
from ace.store import Store
from ace.task import Attempt, Episode, Feedback, FeedbackKind, Verdict

SIZE, STEPS, ROUNDS = 10_000, 2_000, 9
WORDS = [
    "order",
    "refund",
    "parcel",
    "island",
    "customer",
    "table",
    "date",
    "sort",
    "limit",
    "number",
    "status",
    "code",
]
PAGES = {
    "the queue, first page": "queue?kind=quarantined",
    "the queue, page 15": "queue?kind=quarantined&page=15",
    "the playbook, first page": "playbook",
    "the playbook, page 150": "playbook?page=150",
    "one section": "playbook?section=section+3",
    "one bullet": "bullet/b-3",
    "the history": "history",
    "a version of 10,200 operations": "version/1",
    "a run of 2,000 steps": "run/1",
    "search": "search?q=refund+of+a+manager",
}


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--out", type=Path, default=Path("benchmarks/results"))
    options = arguments.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        page = measure(make_playbook(Path(folder) / "big.db"))
    (options.out / "review_pages.md").write_text(page, encoding="utf-8")
    print(page)


def make_playbook(path: Path) -> Path:
    """Make a playbook of SIZE bullets that a run of STEPS steps has proven, or keeps in quarantine."""
    draw = random.Random(1)
    delta: list[Add | Quarantine] = []
    episodes = []
    for number in range(SIZE):
        text = f"Rule {number}: {' '.join(draw.choices(WORDS, k=18))}."
        delta.append(Add(f"b-{number}", f"section {number % 20}", text, (f"ep-{number}",)))
        if number % 50 == 0:
            delta.append(Quarantine(f"b-{number}"))
        attempt = Attempt(f"s-{number}", text, text)
        feedback = Feedback(FeedbackKind.LABELS, "an answer", passed=True)
        verdict = Verdict(True, 1.0)
        episode = Episode(
            id=f"ep-{number}",
            sample_id=f"s-{number}",
            question=text,
            attempt=attempt,
            feedback=feedback,
            verdict=verdict,
            context_version=0,
            phase="epoch 1",
        )
        episodes.append(episode)
    with Store.open(path) as store:
        run = store.start_run("learn", "made up", {"base": 0, "models": {}})
        store.commit(tuple(delta), author="curator", reason="made up", run=run, episodes=episodes)
        each = SIZE // STEPS
        for step in range(STEPS):
            names = range(step * each, step * each + each)
            results = [{"sample": f"s-{n}", "correct": True, "right": True} for n in names]
            payload = {"results": results, "kept": {f"b-{n}": [f"s-{n}", f"t-{n}"] for n in names}}
            store.commit((), author="curator", reason="", run=run, step=(step, "epoch 1", payload))
    return path


def measure(path: Path) -> str:
    """Return a table: of each page the first request, and the median and slowest of ROUNDS more."""
    load = os.getloadavg()[0]
    app = make_review_app(Books([path]), HttpPlace(), 8766)
    client = TestClient(app, base_url="http://127.0.0.1:8766")
    rows = []
    for name, address in PAGES.items():
        clock, used = [], []
        for _ in range(ROUNDS + 1):
            began = time.perf_counter(), time.process_time()
            answer = client.get(f"/p/{path.stem}/{address}")
            clock.append(1000 * (time.perf_counter() - began[0]))
            used.append(1000 * (time.process_time() - began[1]))
            assert answer.status_code == 200, answer.text
        cells = [clock[0], used[0], statistics.median(clock[1:]), statistics.median(used[1:]), max(used[1:])]
        size = len(answer.content) / 1000
        rows.append(f"| {name} | {' | '.join(f'{ms:,.0f}' for ms in cells)} | {size:,.0f} |")
    machine = f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores"
    return "\n".join(
        [
            f"# Review pages, {datetime.now(UTC).date().isoformat()}, {machine}",
            "",
            "    python benchmarks/review_pages.py",
            "",
            f"Python {platform.python_version()}; load {load:.1f} before, {os.getloadavg()[0]:.1f} after. "
            f"{SIZE:,} bullets, {SIZE // 50} of them waiting; {STEPS:,} steps, {SIZE:,} attempts.",
            "",
            f"| milliseconds | first, clock | first, processor | median of {ROUNDS}, clock "
            "| median, processor | slowest, processor | kB |",
            "| --- | --- | --- | --- | --- | --- | --- |",
            *rows,
            "",
            "Processor is about what an idle machine takes on the clock. The first request of all reads the "
            "playbook and the templates; the first search computes a vector for each bullet.",
            "",
        ]
    )


if __name__ == "__main__":
    main()
