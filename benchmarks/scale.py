"""What single commands cost where a playbook holds 100,000 bullets, 10,000 runs and 1,000,000 model calls.

    python benchmarks/scale.py --out benchmarks/results [--work FOLDER]

Every command is a process of its own, start of the interpreter included. Processor seconds and peak memory
are what the operating system counted for it, so other programs hardly change them. The playbook is built once
in FOLDER and used again from there: its calls and attempts by a few statements of SQL. What a step of a
learner does to the file is measured within this process, before the calls are there and after. Commands that
read everything run once, and `runs prune` on a copy. Writes scale.json and a table, scale.md.
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
from contextlib import closing
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ace.llm.client import Usage
from ace.llm.journal import Call, Key
from ace.playbook import Add, Vote
from ace.runs.report import Report, Score
from ace.store import Store, checked_rows
from ace.store.integrity import seals
from ace.task.attempt import Attempt
from ace.task.types import Episode, Feedback, FeedbackKind, Verdict

BULLETS, RUNS, ALONE = 100_000, 10_000, 200  # ALONE: versions of one operation, after the import
CALLS, ATTEMPTS, CITED = 1_000_000, 200_000, 2_000  # CITED: attempts that bullets rest on
PROCESSOR, MEMORY, IMPORT = 0.5, 120, 20.0  # bars: seconds, MB, seconds
WITHOUT_BAR = (
    "runs list",
    "runs show",
    "context show",
    "verify",
    "export",
    "refine",
    "runs prune",
)  # they read all runs, or import what talks to models
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
    parser.add_argument("--refine", action="store_true", help="Measure `refine`, which compares all pairs.")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.work or Path(temporary)
        page = measure(folder, options.rounds, refine=options.refine)
    (options.out / "scale.json").write_text(json.dumps(page, indent=1) + "\n", encoding="utf-8")
    (options.out / "scale.md").write_text(render(page), encoding="utf-8")
    print(render(page))


def measure(folder: Path, rounds: int, *, refine: bool = False) -> dict[str, Any]:
    """Measure the import, then every command `rounds` times, each on the same file."""
    folder.mkdir(parents=True, exist_ok=True)
    playbook = folder / "scale.db"
    source = write_source(folder / "bullets.jsonl")
    imported = measure_import(source, folder / "import.db")
    steps_before = steps_after = None
    if not playbook.exists():
        shutil.copy(folder / "import.db", playbook)
        add_history(playbook)
        steps_before = measure_steps(playbook)
        started = time.process_time()
        add_journal(playbook)
        print(f"journal: {time.process_time() - started:.0f} s of the processor", file=sys.stderr)
    steps_after = measure_steps(playbook)
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
    sample = json.loads((ROOT / "tasks/shop_sql/test.jsonl").read_text("utf-8").splitlines()[0])["id"]
    once = {
        "context show": ("context", "show", str(ROOT / "tasks/shop_sql"), "--sample", sample),
        "verify": ("playbook", "verify"),
        "export, all bullets": ("playbook", "export", str(folder / "out.jsonl"), "--format", "jsonl"),
        "runs prune --keep 100 --dry-run": ("runs", "prune", "--keep", "100", "--dry-run"),
    }
    if refine:
        once["refine --dry-run"] = ("playbook", "refine", "--dry-run")
    for name, words in once.items():
        print(name, file=sys.stderr)
        costs[name] = [asdict(run_command(*words, "--playbook", str(playbook)))]
    copy = folder / "pruned.db"
    with Store.open(playbook) as store:
        copy.unlink(missing_ok=True)
        store.backup(copy)
    for name, words in {
        "runs prune --keep 100": ("runs", "prune", "--keep", "100"),
        "runs prune --keep 100 --vacuum, afterwards": ("runs", "prune", "--keep", "100", "--vacuum"),
        "verify, afterwards": ("playbook", "verify"),
    }.items():
        print(name, file=sys.stderr)
        costs[name] = [asdict(run_command(*words, "--playbook", str(copy)))]
    return {
        "steps": {"before": steps_before, "after": steps_after},
        "pruned_mb": copy.stat().st_size / 1e6,
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


def add_journal(playbook: Path) -> None:
    """Add calls and attempts to the runs, and bullets that rest on some attempts, by a few statements."""
    numbers = "WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < {0} - 1)"
    with closing(sqlite3.connect(playbook, isolation_level=None)) as db:
        db.execute("BEGIN IMMEDIATE")
        runs = [run for (run,) in db.execute("SELECT id FROM runs ORDER BY id LIMIT ?", [RUNS])]
        db.execute(
            f"""INSERT INTO calls (run, step, phase, sample, role, model, request, occurrence, reply,
                finish_reason, error, faults, calls, prompt_tokens, cached_tokens, completion_tokens, cost,
                started, seconds, checksum)
            {numbers.format(CALLS)} SELECT ? + i % ?, i % 16, 'epoch 1', 'sample ' || i % 1000, 'generator',
                'local/model', hex(randomblob(32)), 0, '"SELECT ' || i || '"', 'stop', '', '[]', 1,
                2000, 1900, 20, NULL, 1e9 + i, 0.5, '' FROM n""",
            [runs[0], len(runs)],
        )
        blank = dict.fromkeys(("detail", "error", "reply", "feedback", "expected"), "''")
        values = {
            "id": "'attempt ' || i", "run": f"{runs[0]} + i % {len(runs)}", "phase": "'epoch 1'",
            "context_version": "1", "sample_id": "'sample ' || i % 1000",
            "question": "'How many orders have status ' || i || '?'", "answer": "'SELECT ' || i",
            "correct": "i % 2", "score": "0.0 + i % 2", "feedback_kind": "'labels'", "subjects": "'[]'",
            "missing": "'[]'", "checksum": "''", **blank,
        }  # fmt: skip
        db.execute(
            f"INSERT INTO episodes ({', '.join(values)}) {numbers.format(ATTEMPTS)} "
            f"SELECT {', '.join(values.values())} FROM n"
        )
        for table in ("calls", "episodes"):
            columns = checked_rows.define_checksum(db, table)
            db.execute(f"UPDATE {table} SET checksum = row_checksum({columns}) WHERE checksum = ''")
            seals.seal_table(db, table)
        db.execute("COMMIT")
    step = ATTEMPTS // CITED
    rows = []
    for number in range(CITED):
        cited = (f"attempt {number * step}",)
        rows.append(Add(f"cites-{number}", "section 3", f"Proven lesson {number}.", cited))

    with Store.open(playbook) as store:
        store.commit(tuple(rows), author="curator", reason="what attempts proved")


def measure_steps(playbook: Path) -> dict[str, float]:
    """Return the processor's milliseconds of what steps do to the file: medians of some."""
    times: dict[str, list[float]] = {"a call": [], "a step with a bullet": [], "its attempts read": []}
    with Store.open(playbook) as store:
        store.checkout()
        run = store.start_run("learn", "shop", {})
        journal = store.call_journal(run)
        for number in range(40):
            key = Key(number, f"s{number}", "generator", "0" * 64, 0)
            call = Call(
                key, "epoch 1", "local/model", "SELECT 1", "stop", "", Usage(calls=1), (), time.time()
            )
            started = time.process_time()
            journal.write(call)
            times["a call"].append(time.process_time() - started)
            episode = Episode(
                f"{os.getpid()} {run} {number}", f"s{number}", "How many?", Attempt(f"s{number}", "SELECT 1"),
                Feedback(FeedbackKind.NONE, ""), Verdict(False, 0.0, ""), 1, "epoch 1",
            )  # fmt: skip
            name = f"step-{os.getpid()}-{run}-{number}"
            started = time.process_time()
            store.commit(
                (Add(name, "section 3", f"Lesson of step {number} of run {run}.", (episode.id,)),),
                author="curator",
                reason="a step",
                run=run,
                step=(number, "epoch 1", {"results": []}),
                episodes=[episode],
            )
            times["a step with a bullet"].append(time.process_time() - started)
            started = time.process_time()
            store.episodes(ids=[episode.id])
            times["its attempts read"].append(time.process_time() - started)
        journal.close()
        store.finish_run(run, "done", None)
    return {name: round(1000 * statistics.median(some), 3) for name, some in times.items()}


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
        f"{BULLETS:,} bullets, {RUNS:,} runs, {CALLS:,} calls, {ATTEMPTS:,} attempts, "
        f"a file of {page['file_mb']:,.0f} MB. Python {page['python']}, "
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
        elif name.startswith(WITHOUT_BAR) and "--limit" not in name:
            bars = ("", "")
        lines.append(f"| {name} | {processor:.2f} | {bars[0]} | {memory:.0f} | {bars[1]} | {clock:.2f} |")
    steps = page["steps"]
    lines += ["", "What steps do to the file, in milliseconds of the processor (medians of 40):", ""]
    lines += ["| | before the calls were there | with them |", "| --- | --- | --- |"]
    for name, after in steps["after"].items():
        before = "" if steps["before"] is None else steps["before"][name]
        lines.append(f"| {name} | {before} | {after} |")
    pruned = f"Pruned and vacuumed, the file has {page['pruned_mb']:,.0f} MB."
    lines += ["", f"{pruned} Where the load is high, compare processor time, and not the clock."]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
