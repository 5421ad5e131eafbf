"""What a playbook on a PostgreSQL server costs: a commit beside one INSERT, and commits with many writers.

    python benchmarks/postgres.py --out benchmarks/results

It starts a server of its own with PostgreSQL's own settings, which waits for the disk at every commit.
Commits of one operation and transactions of one INSERT take turns, so both meet the same disk. Then 1 to 16
processes add different bullets to one playbook, as fast as they can, in rounds; each measures the processor's
time that it and its session on the server take, which says how many commits the machine's cores are enough
for. Writes postgres.json and a table, postgres.md. On Linux only.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg

from ace.playbook import Add
from ace.store import Store
from tests.postgres_server import PostgresServer

ROOT = Path(__file__).resolve().parents[1]
WRITERS = (1, 2, 4, 8, 16)
WRITER = """
import sys, time
from pathlib import Path
from ace.playbook import Add
from ace.store import Store
place, name, count = sys.argv[1:]
with Store.open(place, timeout=600) as store:
    store.checkout()
    print("ready", flush=True)
    sys.stdin.readline()
    session = Path(f"/proc/{store._db.session.info.backend_pid}/schedstat")
    before = time.process_time_ns(), int(session.read_text().split()[0])
    for number in range(int(count)):
        delta = (Add(f"{name}-{number}", "notes", "text"),)
        store.commit(delta, author=name, reason=str(number), whole=False)
    print(time.process_time_ns() - before[0], int(session.read_text().split()[0]) - before[1])
"""


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--out", type=Path, default=Path("benchmarks/results"))
    arguments.add_argument("--commits", type=int, default=400, help="Pairs of a commit and an INSERT.")
    arguments.add_argument("--deltas", type=int, default=800, help="Of all writers together, in a round.")
    arguments.add_argument("--rounds", type=int, default=3, help="Over the numbers of writers.")
    given = arguments.parse_args()
    server = PostgresServer()
    load = os.getloadavg()[0]
    measured = {
        "date": datetime.now(UTC).date().isoformat(),
        "command": f"python benchmarks/postgres.py {' '.join(sys.argv[1:])}".strip(),
        "machine": f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores",
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        "psycopg": psycopg.__version__,
        **compare_commits(server, given.commits),
        "writers": count_commits(server, given.deltas, given.rounds),
        "load": [load, os.getloadavg()[0]],
    }
    server.remove()
    (given.out / "postgres.json").write_text(json.dumps(measured, indent=1) + "\n", encoding="utf-8")
    (given.out / "postgres.md").write_text(write_page(measured), encoding="utf-8")
    print(write_page(measured))


def compare_commits(server: PostgresServer, count: int) -> dict[str, Any]:
    """Return milliseconds of commits and of transactions of one INSERT, which take turns."""
    place = server.address()
    raw = psycopg.connect(place.partition("?")[0], autocommit=True)
    raw.execute("CREATE TABLE plain (id BIGINT PRIMARY KEY, text TEXT NOT NULL)")
    version = raw.info.parameter_status("server_version")

    def insert(number: int) -> None:
        with raw.transaction():
            raw.execute("INSERT INTO plain VALUES (%s, %s)", [number, "text"])

    ours, plain = [], []
    with Store.open(place) as store:
        for number in range(count + 20):
            delta = (Add(f"b-{number}", "notes", "text"),)
            plain.append(time_call(lambda number=number: insert(number)))
            ours.append(time_call(lambda delta=delta: store.commit(delta, author="a", reason="r")))
        assert store.verify() == []
    raw.close()
    return {"server": version, "commit": describe(ours[20:]), "insert": describe(plain[20:])}


def count_commits(server: PostgresServer, deltas: int, rounds: int) -> list[dict[str, Any]]:
    """Return commits a second by the number of writers, each round and their median; and what one computes.

    That is milliseconds of the processor, in the writer and in its session on the server.
    """
    measured = defaultdict[int, list[tuple[float, float, float]]](list)
    for _ in range(rounds):
        for writers in WRITERS:
            measured[writers].append(run_writers(server.address(), writers, deltas // writers))
    rows = []
    for writers in WRITERS:
        rates, client, session = zip(*measured[writers], strict=True)
        row = {"writers": writers, "rates": rates, "median": statistics.median(rates)}
        rows.append(row | {"client": statistics.median(client), "session": statistics.median(session)})
    return rows


def run_writers(place: str, writers: int, count: int) -> tuple[float, float, float]:
    """Return commits a second of so many processes, from when all are ready until the last is done.

    With them come the milliseconds of the processor that a commit takes in a writer, and in its session.
    """
    Store.open(place).close()
    processes = []
    for number in range(writers):
        command = [sys.executable, "-c", WRITER, place, f"p{number}", str(count)]
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
        processes.append(subprocess.Popen(command, cwd=ROOT, text=True, **pipes))
    for process in processes:
        assert process.stdout and process.stdout.readline() == "ready\n"
    began = time.perf_counter()
    for process in processes:
        assert process.stdin
        process.stdin.write("go\n")
        process.stdin.flush()
    computed = [0, 0]  # nanoseconds
    for process in processes:
        assert process.stdout
        client, session = map(int, process.stdout.read().split())
        computed = [computed[0] + client, computed[1] + session]
        assert process.wait() == 0
    seconds = time.perf_counter() - began
    client_ms, session_ms = (part / 1e6 / writers / count for part in computed)
    with Store.open(place, read_only=True) as store:
        assert store.head().number == len(store.checkout()) == writers * count
        assert store.verify() == []
    return writers * count / seconds, client_ms, session_ms


def time_call(work: Callable[[], object]) -> float:
    """Return milliseconds."""
    began = time.perf_counter()
    work()
    return 1000 * (time.perf_counter() - began)


def describe(times: list[float]) -> dict[str, float]:
    """Return the median, and the fastest tenth: what neither the disk nor other programs held up."""
    return {"median": statistics.median(times), "fastest_tenth": statistics.quantiles(times, n=10)[0]}


def write_page(measured: dict[str, Any]) -> str:
    """Return the results as a page."""
    commit, insert = measured["commit"], measured["insert"]
    first = measured["writers"][0]["median"]
    lines = [
        f"# A playbook on a PostgreSQL server, {measured['date']}, {measured['machine']}",
        "",
        f"    {measured['command']}",
        "",
        f"PostgreSQL {measured['server']}, psycopg {measured['psycopg']}, Python {measured['python']}; load"
        f" {measured['load'][0]:.1f} before and {measured['load'][1]:.1f} after. Server and writers share the"
        " machine.",
        "",
        "Durable commits of one operation, and transactions of one INSERT beside them, milliseconds:",
        "",
        "| | median | fastest tenth |",
        "| --- | --- | --- |",
        f"| commit | {commit['median']:.2f} | {commit['fastest_tenth']:.2f} |",
        f"| INSERT | {insert['median']:.2f} | {insert['fastest_tenth']:.2f} |",
        f"| ratio | {commit['median'] / insert['median']:.2f} |"
        f" {commit['fastest_tenth'] / insert['fastest_tenth']:.2f} |",
        "",
        "Commits a second of processes that add different bullets to one playbook; none was lost, and all"
        " hashes verify:",
        "",
        "| writers | median | rounds | of one writer | processor: writer | its session | enough for |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    for row in measured["writers"]:
        rounds = ", ".join(f"{rate:.0f}" for rate in row["rates"])
        ceiling = 1000 * measured["cores"] / (row["client"] + row["session"])
        lines.append(
            f"| {row['writers']} | {row['median']:.0f} | {rounds} | {row['median'] / first:.2f}"
            f" | {row['client']:.2f} ms | {row['session']:.2f} ms | {ceiling:.0f} |"
        )
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
