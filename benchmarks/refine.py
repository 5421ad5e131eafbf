"""What refining costs at 10,000 bullets, and how well it tells paraphrases from contradictions.

    taskset -c 1 python benchmarks/refine.py --out benchmarks/results

The playbook is made up: lessons of several kinds about 2,000 columns, codes and amounts, a tenth of them said
twice in other words. Pairs are those of tests/data. Writes refine.json and a table, refine.md.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import random
import statistics
import time
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ace.llm.embedding import connect_embedder
from ace.playbook import Add, Playbook, apply
from ace.refine import Index, compare, refine_playbook
from ace.refine.lesson_reading import read_lesson

SIZE, ROUNDS = 10_000, 60
DATA = Path(__file__).parents[1] / "tests" / "data"
SETS = {
    "refine_pairs": "written before the code, looked at while it was written",
    "refine_held_out": "written after the first version, looked at once and then while it was improved",
    "refine_held_out_2": "written after that; bugs that it showed were mended then",
}
FIRST_LOOK = {"refine_held_out": 10, "refine_held_out_2": 12}  # paraphrases joined when it was first run
ADJECTIVES = (
    "cancelled",
    "overdue",
    "urgent",
    "domestic",
    "foreign",
    "private",
    "shared",
    "archived",
    "blocked",
)
NOUNS = (
    "orders",
    "loans",
    "tickets",
    "flights",
    "invoices",
    "parcels",
    "rooms",
    "contracts",
    "claims",
    "visits",
)
COLUMNS = ("amount", "total", "weight", "fee", "balance", "rate", "price", "cost", "length", "score")
TEMPLATES = (
    ("{A} {b} have status {n} in {t}.", "In {t}, {b} that are {a} have status {n}."),
    ("Divide {t}.{c} by {n}, because it is stored in {u}.", "{t}.{c} is stored in {u}, so divide it by {n}."),
    ("{A} {b} go to queue R{n}.", "Send {a} {b} to queue R{n}."),
    ("Never count {a} {b} of {t}.", "Do not count {a} {b} of {t}."),
    ("Ask for {t}_{n} before you change {a} {b}.", "Before changing {a} {b}, ask for {t}_{n}."),
    (
        "Join {t} to {b} through {c}_{n} when they are {a}.",
        "When they are {a}, join {t} to {b} through {c}_{n}.",
    ),
)


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--out", type=Path, default=Path("benchmarks/results"))
    options = arguments.parse_args()
    results = {
        "date": datetime.now(UTC).date().isoformat(),
        "command": "taskset -c 1 python benchmarks/refine.py",
        "machine": f"{platform.system()} {platform.machine()}, one of {os.cpu_count()} cores",
        "python": platform.python_version(),
        "load_before": os.getloadavg()[0],
        "bullets": SIZE,
        **costs(),
        "pairs": {name: pairs(name) for name in SETS},
        "load_after": os.getloadavg()[0],
    }
    (options.out / "refine.json").write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    (options.out / "refine.md").write_text(table(results), encoding="utf-8")
    print(table(results))


def costs() -> dict[str, Any]:
    """Seconds of a full pass over a cold playbook, milliseconds of one more bullet."""
    embed = connect_embedder()
    embed(["what is loaded on first use"])
    compare("One word.", "Another word.")
    texts = lessons(SIZE + ROUNDS)
    playbook, _ = apply(Playbook(), [Add(f"b-{n}", "lessons", text) for n, text in enumerate(texts[:SIZE])])
    read_lesson.cache_clear()
    full, index = [], Index()
    for _ in range(3):
        read_lesson.cache_clear()
        began = time.perf_counter(), time.process_time()
        index = Index(embed=embed)
        refinement = refine_playbook(playbook, index)
        full.append((time.perf_counter() - began[0], time.process_time() - began[1]))
    read_lesson.cache_clear()
    one: list[tuple[float, float]] = []
    for number, text in enumerate(texts[SIZE:], SIZE):
        playbook, _ = apply(playbook, [Add(f"b-{number}", "lessons", text)])
        began = time.perf_counter(), time.process_time()
        refine_playbook(playbook, index, [f"b-{number}"])
        one.append((1000 * (time.perf_counter() - began[0]), 1000 * (time.process_time() - began[1])))
    return {
        "merged": len(playbook) - len(apply(playbook, refinement.delta)[0]),
        "conflicts": len(refinement.conflicts),
        "full_s": [clock for clock, _ in full],
        "full_processor_s": [used for _, used in full],
        "one_ms": summarize([clock for clock, _ in one]),
        "one_processor_ms": summarize([used for _, used in one]),
    }


def summarize(values: list[float]) -> dict[str, float]:
    return {"median": statistics.median(values), "slowest": max(values), "n": len(values)}


def lessons(count: int) -> list[str]:
    """Seeded. Every tenth says what an earlier one says, in the template's other words."""
    chance = random.Random(1)
    tables = [
        f"{word}{part}" for word in ("cust", "ship", "acc", "inv", "emp", "prod") for part in "abcdefgh"
    ]
    texts: list[str] = []
    twins: list[str] = []
    while len(texts) < count:
        if len(texts) % 10 == 9:
            texts.append(twins[chance.randrange(len(twins))])
            continue
        adjective = chance.choice(ADJECTIVES)
        words = {"a": adjective, "A": adjective.capitalize(), "t": chance.choice(tables)}
        words["b"] = chance.choice(NOUNS)
        words |= {"c": chance.choice(COLUMNS), "n": str(chance.randrange(2, 900))}
        words["u"] = chance.choice(("cents", "grams", "minutes", "thousands"))
        first, second = chance.choice(TEMPLATES)
        texts.append(first.format(**words))
        twins.append(second.format(**words))
    return texts


def pairs(name: str) -> dict[str, Any]:
    rows = [json.loads(line) for line in (DATA / f"{name}.jsonl").read_text(encoding="utf-8").splitlines()]
    counts = Counter((row["kind"], compare(row["one"], row["other"]).kind) for row in rows)
    return {kind: {to: counts[kind, to] for to in ("same", "conflict", "different")} for kind in KINDS}


KINDS = ("paraphrase", "contradiction")


def table(results: dict[str, Any]) -> str:
    one, used = results["one_ms"], results["one_processor_ms"]
    full, full_used = statistics.median(results["full_s"]), statistics.median(results["full_processor_s"])
    slowest, slowest_used = max(results["full_s"]), max(results["full_processor_s"])
    lines = [
        f"# Refining, {results['date']}, {results['machine']}",
        "",
        f"    {results['command']}",
        "",
        f"Python {results['python']}; "
        f"load {results['load_before']:.1f} before, {results['load_after']:.1f} after.",
        "",
        f"| {results['bullets']:,} bullets | clock | processor |",
        "| --- | --- | --- |",
        f"| a full pass, median of {len(results['full_s'])} | {full:.1f} s | {full_used:.1f} s |",
        f"| the slowest of them | {slowest:.1f} s | {slowest_used:.1f} s |",
        f"| one new bullet, median of {one['n']} | {one['median']:.1f} ms | {used['median']:.1f} ms |",
        f"| the slowest of them | {one['slowest']:.1f} ms | {used['slowest']:.1f} ms |",
        "",
        "Processor is about what an idle machine takes on the clock. "
        f"It merged {results['merged']:,} bullets and found {results['conflicts']:,} conflicts.",
        "",
        "How pairs of lessons were told apart (`tests/data`):",
        "",
        "| pairs | paraphrases joined | called a conflict | contradictions joined | called a conflict |",
        "| --- | --- | --- | --- | --- |",
    ]
    for name, told_apart in results["pairs"].items():
        same, other = told_apart["paraphrase"], told_apart["contradiction"]
        cells = (share(same, "same"), share(same, "conflict"), share(other, "same"), share(other, "conflict"))
        lines.append(f"| `{name}`: {SETS[name]} | {' | '.join(cells)} |")
    looks = "; ".join(
        f"`{name}` {count} of {sum(results['pairs'][name]['paraphrase'].values())}"
        for name, count in FIRST_LOOK.items()
    )
    lines += [
        "",
        f"Paraphrases joined when a set was run for the first time: {looks}, and no contradiction. That is "
        "what to expect of lessons that nobody has seen; the rest stays beside each other, which costs room "
        "and nothing else. A pair that is neither joined nor a conflict is left alone.",
    ]
    return "\n".join(lines) + "\n"


def share(counts: dict[str, int], kind: str) -> str:
    return f"{counts[kind]} of {sum(counts.values())}"


if __name__ == "__main__":
    main()
