"""What parallel slots of the embedded server buy: tokens per second with 1, 2, 4 and 8 of them.

    python benchmarks/slots.py --out benchmarks/results

Every number of slots gets a server of its own, the same questions behind the same long prefix, as many
callers as slots, and one call before the clock starts, so that loading the weights and reading the prefix
are not counted. Loads the default weights and wants the machine to itself.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ace.llm import Client, Message, Request, Role, connect

SLOTS, QUESTIONS, TOKENS = (1, 2, 4, 8), 16, 48
PREFIX = "You write SQL for a shop.\n" + "\n".join(
    f"- Column c{n:03} of table t{n % 9} holds the code {n * 7}." for n in range(60)
)


def question(number: int, tokens: int = TOKENS) -> Request:
    user = f"Write a query that counts rows with code {number * 7}."
    messages = (Message("system", PREFIX), Message("user", user))
    return Request(role=Role.GENERATOR, messages=messages, max_tokens=tokens)


def measure(model: Client, slots: int) -> dict[str, Any]:
    """The same questions from `slots` callers at once."""
    model.complete(question(QUESTIONS, tokens=1))
    started = time.perf_counter()
    with ThreadPoolExecutor(slots) as pool:
        replies = list(pool.map(model.complete, map(question, range(QUESTIONS))))
    seconds = time.perf_counter() - started
    written = sum(reply.usage.completion_tokens for reply in replies)
    cached = sum(reply.usage.cached_tokens for reply in replies)
    read = sum(reply.usage.prompt_tokens for reply in replies)
    return {
        "slots": slots,
        "seconds": round(seconds, 1),
        "tokens": written,
        "tokens_per_second": round(written / seconds, 1),
        "cached_share": round(cached / max(1, read), 2),
    }


def table(rows: list[dict[str, Any]], date: str) -> str:
    return "\n".join([
        f"# Slots of the embedded server, {date}\n\n    python benchmarks/slots.py\n",
        f"{QUESTIONS} questions, at most {TOKENS} tokens each, on {os.cpu_count()} cores.\n",
        "| slots | seconds | tokens written | tokens per second | share of the prompt that was cached |",
        "| --- | --- | --- | --- | --- |",
        *("| " + " | ".join(map(str, row.values())) + " |" for row in rows),
        "",
    ])  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results"))
    given = parser.parse_args()
    rows = []
    for slots in SLOTS:
        with connect(slots=slots, context=4096) as model:
            rows.append(measure(model, slots))
        print(rows[-1], flush=True)
    date = datetime.now(UTC).date().isoformat()
    text, result = table(rows, date), {"date": date, "cores": os.cpu_count(), "runs": rows}
    (given.out / "slots.json").write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    (given.out / "slots.md").write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
