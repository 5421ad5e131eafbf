"""What a stable prefix saves: an online run whose playbook grows, and its prompts laid out otherwise.

    python benchmarks/prefix.py --out benchmarks/results

The run answers the first --limit questions of a task (training, then validation, then test: nothing is
evaluated here) one after the other and learns from each. Of every
generator call (answers and proofs) the server says how many prompt tokens it had in its cache. Then a second
server is sent the same prompts as reference ACE lays them out, `[lessons-00001] helpful=5 harmful=0 :: text`,
with the votes that each bullet had at that time; it writes one token for each. All else is alike: the same
model, slots, order, instructions and questions. Writes prefix.json and prefix.md. Wants the machine to
itself.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import re
import shlex
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ace.llm import DEFAULT_MODEL, Client, Message, Reply, Request, RoleModels, Usage, connect
from ace.llm.prompts import hash_prompts
from ace.llm.window import Window, window_of
from ace.loop import online
from ace.playbook import Bullet
from ace.safety import neutralise
from ace.settings import Profile, Settings
from ace.store import Store
from ace.task import Task, load_task

ROOT = Path(__file__).parents[1]
CACHED, FEWER = 0.90, 3.0  # the bars: share from the cache at least, times fewer computed tokens at least
LEARNED = "What you have learned about this task; use it:\n"
_LINE = re.compile(r"^- (.*)$", re.MULTILINE)
_SLOTS = 4


class Listener:
    """Passes calls on and keeps them, in order."""

    def __init__(self, inner: Client) -> None:
        self._inner, self.model = inner, inner.model
        self.heard: list[Request] = []

    def window(self) -> Window:
        return window_of(self._inner)

    def complete(self, request: Request) -> Reply:
        self.heard.append(request)
        return self._inner.complete(request)


def reference(request: Request, bullets: Mapping[str, Bullet]) -> Request:
    """The same prompt in the reference layout; `bullets` by what they say. A candidate has no votes yet."""
    system = request.messages[0].content
    head, learned, playbook = system.partition(LEARNED)
    numbers: dict[str, int] = {}

    def line(found: re.Match[str]) -> str:
        bullet, said = bullets.get(found[1]), found[1]
        slug = "lessons" if bullet is None else re.sub(r"\W+", "-", bullet.section.lower()) or "lessons"
        numbers[slug] = numbers.get(slug, 0) + 1
        votes = (bullet.helpful, bullet.harmful) if bullet else (0, 0)
        return f"[{slug}-{numbers[slug]:05}] helpful={votes[0]} harmful={votes[1]} :: {said}"

    told = head + learned + _LINE.sub(line, playbook)
    return replace(request, messages=(Message("system", told), *request.messages[1:]), max_tokens=1)


def run(task: Task, model: Client, path: Path, seed: int, tries: int) -> tuple[list[Request], list[Usage]]:
    """Our layout: what its generator calls took, and the same prompts in the reference layout."""

    def show(phase: str, done: int, total: int, note: str = "") -> None:
        if done % 10 == 0:
            print(f"  {phase}: {done} of {total} {note}", flush=True)

    heard = Listener(model)
    options = Settings(
        profile=Profile.SMALL, batch_size=1, workers=1, drift=False, seed=seed, tries=tries, measure=False
    )
    with Store.open(path) as store:
        report = online(
            task, store, RoleModels.of(heard, reflector=model, curator=model), options, progress=show
        )
        calls = [call for call in store.calls(report.run) if call.key.role == "generator"]
        before = [0, *(step.version for step in store.steps(report.run))]
        prompts = []
        for call, request in zip(calls, heard.heard, strict=True):
            known = {neutralise(b.content): b for b in store.checkout(before[call.key.step])}
            prompts.append(reference(request, known))
        print(f"  {len(store.checkout())} bullets, {report.after}", flush=True)
    return prompts, [call.usage for call in calls]


def replayed(prompts: Sequence[Request], model: Client) -> list[Usage]:
    """What the same prompts take when they are sent one after the other."""
    took = []
    for number, prompt in enumerate(prompts, 1):
        took.append(model.complete(prompt).usage)
        if number % 20 == 0:
            print(f"  reference layout: {number} of {len(prompts)}", flush=True)
    return took


def summed(took: Sequence[Usage]) -> dict[str, Any]:
    """Prompt tokens, and how many of them came from the cache."""
    prompt, cached = sum(u.prompt_tokens for u in took), sum(u.cached_tokens for u in took)
    return {
        "calls": len(took),
        "prompt_tokens": prompt,
        "cached_tokens": cached,
        "computed_tokens": prompt - cached,
        "cached_share": cached / max(1, prompt),
    }


def compared(ours: Mapping[str, Any], theirs: Mapping[str, Any]) -> dict[str, Any]:
    """The two figures, and whether they reach the bars."""
    fewer = theirs["computed_tokens"] / max(1, ours["computed_tokens"])
    return {
        "times_fewer_computed": fewer,
        "cached_reached": ours["cached_share"] >= CACHED,
        "fewer_reached": fewer >= FEWER,
    }


def table(record: Mapping[str, Any]) -> str:
    rows = [
        f"| {name} | {made['calls']} | {made['prompt_tokens']:,} | {made['cached_tokens']:,} | "
        f"{made['computed_tokens']:,} | {made['cached_share']:.1%} |"
        for name, made in (("ours", record["ours"]), ("reference layout", record["reference"]))
    ]
    against = record["compared"]
    verdicts = ["reached" if against[key] else "missed" for key in ("cached_reached", "fewer_reached")]
    return "\n".join([
        f"# A stable prefix, {record['date']}\n\n    {record['command']}\n",
        f"{record['samples']} samples of {record['task']}, online, one at a time; {record['model']} on "
        f"{record['machine']}; {record['slots']} slots.\n",
        "| layout | generator calls | prompt tokens | from the cache | computed | share from the cache |",
        "|" + " --- |" * 6,
        *rows,
        "",
        f"- Share of generator prompt tokens from the cache: {record['ours']['cached_share']:.1%} "
        f"(bar {CACHED:.0%}: {verdicts[0]}).",
        f"- Prompt tokens computed: {against['times_fewer_computed']:.1f} times fewer than in the reference "
        f"layout (bar {FEWER:.0f}: {verdicts[1]}).",
        "",
    ])  # fmt: skip


@contextmanager
def served(name: str) -> Iterator[Client]:
    with connect(name, slots=_SLOTS) as model:
        yield model


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--out", type=Path, default=ROOT / "benchmarks" / "results")
    parser.add_argument("--work", type=Path, default=Path("bench-prefix"))
    parser.add_argument("--task", type=Path, default=ROOT / "tasks" / "shifting_policy")
    parser.add_argument("--model", default=DEFAULT_MODEL)
    parser.add_argument("--limit", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--tries", type=int, default=2)
    given = parser.parse_args()
    if given.limit < 1:
        parser.error("--limit: give at least 1")
    given.work.mkdir(parents=True, exist_ok=True)
    given.out.mkdir(parents=True, exist_ok=True)
    task = load_task(given.task)
    task = replace(task, train=(*task.train, *task.val, *task.test)[: given.limit])
    path = given.work / f"{task.name}-{datetime.now(UTC):%Y%m%d%H%M%S}.db"
    with served(given.model) as model:
        prompts, took = run(task, model, path, given.seed, given.tries)
    with served(given.model) as model:  # a server of its own: nothing is in its cache
        theirs = summed(replayed(prompts, model))
    ours = summed(took)
    record = {
        "date": datetime.now(UTC).date().isoformat(),
        "command": f"python {shlex.join(sys.argv)}",
        "task": task.name,
        "samples": len(task.train),
        "model": given.model,
        "slots": _SLOTS,
        "machine": f"{platform.machine()}, {os.cpu_count()} cores",
        "prompts": hash_prompts("ace.agent", "ace.methods.ace", "ace.memory"),
        "ours": ours,
        "reference": theirs,
        "compared": compared(ours, theirs),
    }
    (given.out / "prefix.json").write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    (given.out / "prefix.md").write_text(table(record), encoding="utf-8")
    print(table(record))


if __name__ == "__main__":
    main()
