"""What the playbook store costs: commits, opening, looking back, bytes and memory, at several sizes.

    python benchmarks/store.py --out benchmarks/results

Commits are durable (synchronous=FULL) and hold one operation. Right after each one, plain SQLite writes the
same rows with the same pragmas to a copy of the file, so both meet the same disk. Sizes take turns, because
machines are never quiet. Writes store.json and a table, store.md.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import random
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ace.playbook import Add, Delta, Revise, Vote
from ace.store import Store

SIZES = (100, 1_000, 10_000, 100_000)
VERSIONS = 10_000
ROUNDS, COMMITS = 6, 60  # over the sizes; of each size in a round
TEXT = "Orders that were sent back: ord.status = 7, the money is in ord.refund, in cents; from question {}."
HOLD = """
import resource, sys
from ace.store import Store
with Store.open(sys.argv[1]) as store:
    assert len(store.checkout()) >= 100_000
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024))
"""


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--out", type=Path, default=Path("benchmarks/results"))
    arguments.add_argument("--work", type=Path, help="Where the files go.  [default: a temporary folder]")
    given = arguments.parse_args()
    with tempfile.TemporaryDirectory(dir=given.work) as folder:
        found = measured(Path(folder))
    (given.out / "store.json").write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    (given.out / "store.md").write_text(table(found), encoding="utf-8")
    print(table(found))


def measured(folder: Path) -> dict[str, Any]:
    return {
        "date": datetime.now(UTC).date().isoformat(),
        "command": "python benchmarks/store.py",
        "machine": f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores",
        "python": platform.python_version(),
        "sqlite": sqlite3.sqlite_version,
        "load_before": os.getloadavg()[0],
        "commits": commits(folder),
        "history": history(folder),
        "memory_mb": memory(folder / f"{SIZES[-1]}.db"),
        "load_after": os.getloadavg()[0],
    }


# Commits


def commits(folder: Path) -> list[dict[str, Any]]:
    """Milliseconds by size, ours and plain SQLite's."""
    pairs = {size: Pair(folder, size) for size in SIZES}
    for number in range(ROUNDS):
        for size in SIZES:
            print(f"round {number + 1} of {ROUNDS}, {size:,} bullets", file=sys.stderr)
            pairs[size].commit(COMMITS)
    return [pair.result() for pair in pairs.values()]


class Pair:
    """A store and a plain copy of its file."""

    def __init__(self, folder: Path, size: int) -> None:
        self.size, self.done = size, 0
        self.ours: list[tuple[float, float]] = []
        self.plain: list[tuple[float, float]] = []
        self.store = Store.open(folder / f"{size}.db")
        for start in range(0, size, 1000):
            delta = tuple(add(number) for number in range(start, min(start + 1000, size)))
            self.store.commit(delta, author="user", reason="a playbook to begin with")
        self.copy = sqlite3.connect(self.store.backup(folder / f"{size}.copy"), isolation_level=None)
        for pragma in ("journal_mode = WAL", "synchronous = FULL", "foreign_keys = ON"):
            self.copy.execute(f"PRAGMA {pragma}")

    def commit(self, count: int) -> None:
        for _ in range(count):
            delta, self.done = self.delta(self.done), self.done + 1
            note = {"author": "curator", "reason": "epoch 1: s-17"}
            self.ours.append(both(lambda d=delta, n=note: self.store.commit(d, **n)))
            rows = written(self.store._db)
            self.plain.append(both(lambda r=rows: write(self.copy, r)))

    def delta(self, number: int) -> Delta:
        name = f"notes-{random.Random(number).randrange(self.size):08x}"
        kinds = add(self.size + number), Revise(name, TEXT.format(-number)), Vote(name, 1)
        return (kinds[number % 3],)

    def result(self) -> dict[str, Any]:
        return {"bullets": self.size, "ours": told(self.ours), "sqlite": told(self.plain)}


def told(pairs: list[tuple[float, float]]) -> dict[str, float]:
    """Milliseconds. The fastest tenth is what neither the disk nor other programs held up."""
    clock, processor = zip(*pairs, strict=True)
    tenths, median = statistics.quantiles(clock, n=10), statistics.median(clock)
    used = statistics.median(processor)
    return {"median": median, "fastest_tenth": tenths[0], "processor": used, "n": len(pairs)}


def add(number: int) -> Add:
    return Add(f"notes-{number:08x}", f"section {number % 7}", TEXT.format(number), (f"episode-{number}",))


def written(db: sqlite3.Connection) -> dict[str, list[tuple[Any, ...]]]:
    """The rows of the newest version, by table."""
    number = "(SELECT max(number) FROM versions)"
    state = "section, content, provenance, status, pinned, helpful, harmful, position"
    found = {
        "versions": f"SELECT * FROM versions WHERE number = {number}",
        "operations": f"SELECT * FROM operations WHERE version = {number}",
        "bullet_history": f"SELECT * FROM bullet_history WHERE version = {number}",
        "bullets": f"SELECT bullet, {state} FROM bullet_history WHERE version = {number}",
        "branches": "SELECT version, checksum, name FROM branches",
        "seals": "SELECT \"rows\", digest, checksum, name FROM seals WHERE name IN ('versions', 'branches')",
    }
    return {table: db.execute(sql).fetchall() for table, sql in found.items()}


def write(db: sqlite3.Connection, rows: dict[str, list[tuple[Any, ...]]]) -> None:
    db.execute("BEGIN IMMEDIATE")
    for name in ("versions", "operations", "bullet_history"):
        marks = ", ".join("?" * len(rows[name][0]))
        db.executemany(f"INSERT INTO {name} VALUES ({marks})", rows[name])
    db.executemany(
        """INSERT INTO bullets VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO UPDATE SET
        content = excluded.content, helpful = excluded.helpful""",
        rows["bullets"],
    )
    db.executemany("UPDATE branches SET version = ?, checksum = ? WHERE name = ?", rows["branches"])
    db.executemany('UPDATE seals SET "rows" = ?, digest = ?, checksum = ? WHERE name = ?', rows["seals"])
    db.execute("COMMIT")


def timed(work: Callable[[], object]) -> float:
    """Milliseconds."""
    started = time.perf_counter()
    work()
    return 1000 * (time.perf_counter() - started)


# History


def history(folder: Path) -> dict[str, Any]:
    """Ten thousand versions of one operation: opening the head, looking back, bytes for each."""
    file, chance = folder / "history.db", random.Random(1)
    with Store.open(file) as store:
        empty = file.stat().st_size
        for number in range(VERSIONS):
            store.commit((add(number),), author="curator", reason="epoch 1: s-17")
    places = [0, VERSIONS // 2, VERSIONS, *(chance.randrange(VERSIONS) for _ in range(40))]
    found: dict[str, Any] = {
        "versions": VERSIONS,
        "bullets": VERSIONS,
        "open": [both(lambda: opened(file, None)) for _ in range(15)],
        "cold": [both(lambda at=at: opened(file, at)) for at in places],
    }
    with Store.open(file) as store:
        store.checkout()
        found["warm"] = [both(lambda at=at: store.checkout(at)) for at in places]
        found["verify"] = [both(store.verify)]
    return found | {"bytes_per_version": (file.stat().st_size - empty) / VERSIONS}


def both(work: Callable[[], object]) -> tuple[float, float]:
    """Milliseconds on the clock, and of the processor."""
    began = time.process_time()
    return timed(work), 1000 * (time.process_time() - began)


def opened(file: Path, version: int | None) -> None:
    with Store.open(file) as store:
        store.checkout(version)


def memory(file: Path) -> float:
    """The most that a process which holds the largest playbook had resident."""
    command = [sys.executable, "-c", HOLD, str(file)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=Path(__file__).parents[1])
    with closing(sqlite3.connect(file)) as db:
        db.execute("PRAGMA wal_checkpoint")
    return int(done.stdout) / 1e6


def table(found: dict[str, Any]) -> str:
    rows, past = found["commits"], found["history"]
    growth = [
        rows[-1]["ours"][measure] / rows[0]["ours"][measure]
        for measure in ("median", "fastest_tenth", "processor")
    ]
    size, versions = f"{past['bullets']:,}", f"{past['versions']:,}"
    lines = [
        f"# The playbook store, {found['date']}, {found['machine']}",
        "",
        f"    {found['command']}",
        "",
        f"Python {found['python']}, SQLite {found['sqlite']}; load {found['load_before']:.1f} before and "
        f"{found['load_after']:.1f} after.",
        "",
        "A durable commit of one operation, milliseconds:",
        "",
        "| bullets | median | fastest tenth | processor | SQLite: median | fastest tenth | processor |",
        "| --- | --- | --- | --- | --- | --- | --- |",
        *(f"| {each['bullets']:,} | {cells(each['ours'])} | {cells(each['sqlite'])} |" for each in rows),
        "",
        f"From {rows[0]['bullets']:,} to {rows[-1]['bullets']:,} bullets the three grow {growth[0]:.2f}, "
        f"{growth[1]:.2f} and {growth[2]:.2f} times. SQLite writes the same rows with nothing around it.",
        "",
        "Milliseconds on the clock, and of the processor (about what an idle machine takes):",
        "",
        "| | clock | processor |",
        "| --- | --- | --- |",
        past_row(f"opening a head of {size} bullets, median", past["open"], statistics.median),
        past_row(f"opening the file at any of {versions} versions, median", past["cold"], statistics.median),
        past_row("the slowest of them", past["cold"], max),
        past_row("from a store that holds the head, the slowest", past["warm"], max),
        past_row(f"verifying {versions} versions", past["verify"], max),
        "",
        "| | |",
        "| --- | --- |",
        f"| file size for each version of one operation | {past['bytes_per_version']:,.0f} bytes |",
        f"| memory of a process that holds {rows[-1]['bullets']:,} bullets | {found['memory_mb']:.0f} MB |",
    ]
    return "\n".join(lines) + "\n"


def cells(measures: dict[str, float]) -> str:
    return " | ".join(f"{measures[name]:.2f}" for name in ("median", "fastest_tenth", "processor"))


def past_row(what: str, pairs: list[tuple[float, float]], of: Callable[[list[float]], float]) -> str:
    clock, processor = (of([pair[at] for pair in pairs]) for at in (0, 1))
    return f"| {what} | {clock:.0f} ms | {processor:.0f} ms |"


if __name__ == "__main__":
    main()
