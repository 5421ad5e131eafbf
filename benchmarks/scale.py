"""What single commands cost where a playbook holds 100,000 bullets and 10,000 runs.

    python benchmarks/scale.py --out benchmarks/results [--work FOLDER]

Every command is a process of its own, start of the interpreter included. Processor seconds and peak memory
are what the operating system counted for it, so other programs hardly change them. The playbook is built once
in FOLDER and used again from there. Writes scale.json and a table, scale.md.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ace.playbook import Add, Vote
from ace.runs.report import Report, Score
from ace.store import Store

BULLETS, RUNS, ALONE = 100_000, 10_000, 200  # ALONE: versions of one operation, after the import
PROCESSOR, MEMORY, IMPORT = 0.5, 120, 20.0  # bars: seconds, MB, seconds
WITHOUT_BAR = ("runs list", "runs show")  # they read all runs, or import what talks to models
TEXT = "Orders that were sent back: ord.status = {0}, the money is in ord.refund{0}, in cents."
ROOT = Path(__file__).parents[1]
# Runs a command and prints what it took. Linux counts the memory of a process for those that it starts, too:
# so a small one starts the command.
STARTER = """
import os, sys
child = os.posix_spawn(sys.argv[1], sys.argv[1:], os.environ, file_actions=[(os.POSIX_SPAWN_DUP2, 2, 1)])
_, status, usage = os.wait4(child, 0)
print(os.waitstatus_to_exitcode(status), usage.ru_utime + usage.ru_stime, usage.ru_maxrss)
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """Hold what one command took: seconds on the clock and of the processor, and peak memory in MB."""

    clock: float
    processor: float
    memory: float


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results"))
    parser.add_argument("--work", type=Path, help="Where the playbook is kept.")
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.work or Path(temporary)
        page = measure(folder, options.rounds)
    (options.out / "scale.json").write_text(json.dumps(page, indent=1) + "\n", encoding="utf-8")
    (options.out / "scale.md").write_text(render(page), encoding="utf-8")
    print(render(page))


def measure(folder: Path, rounds: int) -> dict[str, Any]:
    """Measure the import, then every command `rounds` times, each on the same file."""
    folder.mkdir(parents=True, exist_ok=True)
    playbook = folder / "scale.db"
    source = write_source(folder / "bullets.jsonl")
    imported = measure_import(source, folder / "import.db")
    if not playbook.exists():
        shutil.copy(folder / "import.db", playbook)
        add_history(playbook)
    with Store.open(playbook) as store:
        bullet = next(iter(store.list_ids("by-hand")))
    commands = {
        "playbook show BULLET": ("playbook", "show", bullet),
        "playbook blame BULLET": ("playbook", "blame", bullet),
        "playbook log --limit 20": ("playbook", "log", "--limit", "20"),
        "playbook add TEXT": ("playbook", "add", "A lesson that is new: {number}."),
        "playbook edit BULLET TEXT": ("playbook", "edit", bullet, "A lesson in other words: {number}."),
        "runs list --limit 20": ("runs", "list", "--limit", "20"),
        "runs list": ("runs", "list"),
        "runs show": ("runs", "show"),
    }
    costs = {}
    for name, words in commands.items():
        print(name, file=sys.stderr)
        repeats = []
        for number in range(rounds):
            arguments = [word.format(number=f"{os.getpid()} {number}") for word in words]
            repeats.append(run_command(*arguments, "--playbook", str(playbook)))
        costs[name] = [asdict(cost) for cost in repeats]
    return {
        "date": datetime.now(UTC).date().isoformat(),
        "command": "python benchmarks/scale.py",
        "machine": f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores",
        "python": platform.python_version(),
        "sqlite": sqlite3.sqlite_version,
        "load": os.getloadavg()[0],
        "file_mb": playbook.stat().st_size / 1e6,
        "import": asdict(imported),
        "commands": costs,
    }


def write_source(file: Path) -> Path:
    """Write the bullets as JSON lines, to be imported."""
    with file.open("w", encoding="utf-8") as out:
        for number in range(BULLETS):
            section = f"section {number % 7}"
            row = {"id": f"old-{number:06}", "section": section, "content": TEXT.format(number)}
            out.write(json.dumps(row) + "\n")
    return file


def measure_import(source: Path, playbook: Path) -> Cost:
    """Import all bullets into a new file."""
    for side in ("", "-wal", "-shm"):
        playbook.with_name(playbook.name + side).unlink(missing_ok=True)
    return run_command("playbook", "import", str(source), "--playbook", str(playbook))


def add_history(playbook: Path) -> None:
    """Add versions of one operation, and runs with a report of a usual size."""
    with Store.open(playbook) as store:
        for number in range(ALONE):
            bullet = f"by-hand-{number}"
            store.commit((Add(bullet, "section 3", f"Lesson {number}."),), author="curator", reason="epoch 1")
            store.commit((Vote(bullet, 1),), author="curator", reason="epoch 2")
        some = store.checkout().active[:40]
        score = Score(31, 60)
        for _ in range(RUNS):
            run = store.start_run("learn", "shop", {"batch_size": 4, "models": {"generator": "local/model"}})
            report = Report(
                kind="learn",
                task="shop",
                model="local/model",
                playbook=str(playbook),
                after=score,
                bullets=len(some),
                run=run,
                learned=some,
            )
            store.finish_run(run, "done", report.to_json())


def run_command(*arguments: str) -> Cost:
    """Run `ace` once. Raises CalledProcessError where it fails."""
    program = "from ace.cli.main import main; main()"
    command = [sys.executable, "-c", program, *arguments]
    starter = [sys.executable, "-I", "-S", "-c", STARTER, *command]
    started = time.monotonic()
    process = subprocess.run(starter, cwd=ROOT, capture_output=True, text=True, check=True)
    clock = time.monotonic() - started
    code, processor, memory = process.stdout.split()
    if int(code):
        raise subprocess.CalledProcessError(int(code), command, stderr=process.stderr)
    unit = 1 if platform.system() == "Darwin" else 1024
    return Cost(clock=clock, processor=float(processor), memory=int(memory) * unit / 1e6)


def render(page: dict[str, Any]) -> str:
    """Return the page as Markdown."""
    lines = [
        f"# Commands on a large playbook, {page['date']}, {page['machine']}",
        "",
        f"    {page['command']}",
        "",
        f"{BULLETS:,} bullets, {RUNS:,} runs, a file of {page['file_mb']:,.0f} MB. Python {page['python']}, "
        f"SQLite {page['sqlite']}; load {page['load']:.1f}. Medians of processes, start included.",
        "",
        "| command | processor, s | bar | memory, MB | bar | clock, s |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    rows = {"playbook import, all bullets": [page["import"]], **page["commands"]}
    for name, costs in rows.items():
        processor, memory, clock = (
            statistics.median(cost[unit] for cost in costs) for unit in ("processor", "memory", "clock")
        )
        bars = (f"{PROCESSOR}", f"{MEMORY}")
        if name.startswith("playbook import"):
            bars = (f"{IMPORT}", "")
        elif name in WITHOUT_BAR:
            bars = ("", "")
        lines.append(f"| {name} | {processor:.2f} | {bars[0]} | {memory:.0f} | {bars[1]} | {clock:.2f} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
