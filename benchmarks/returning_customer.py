"""What remembering buys on tasks/returning_customer: the same questions with and without memory.

    python benchmarks/returning_customer.py --out benchmarks/results

Three arms: no memory; memories that the model extracts from the sessions; memories from the written truth,
the ceiling of extraction. Each arm is a playbook file under --work (kept, so that a stopped benchmark goes
on where it was, session by session and question by question). Writes returning_customer.json and a table,
returning_customer.md. With `--model scripted` nothing is learned about models; it shows that the machinery
works.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ace.errors import ModelError
from ace.llm import DEFAULT_MODEL, Client, Request, Role, RoleModels, ScriptedClient, connect
from ace.llm.prompts import hash_prompts
from ace.loop import evaluate
from ace.loop.remember import remember
from ace.memory import parse_conversation, parse_instant
from ace.runs.metrics import mcnemar, wilson
from ace.settings import Settings
from ace.store import Store
from ace.task import Task, load_task

ROOT = Path(__file__).parents[1]
ARMS = ("none", "model", "truth")
CHUNK = 20  # questions in one run: what a stopped benchmark loses at most
UNKNOWN = "unknown"


def sessions(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "sessions.jsonl").read_text("utf-8").splitlines()]


def fill(store: Store, arm: str, client: Client, talks: Sequence[dict[str, Any]], progress: Path) -> int:
    """Remember every session that was not yet, in order; then forget what is to be. Sessions that failed."""
    done = (
        json.loads(progress.read_text()) if progress.exists() else {"read": [], "failed": [], "forgot": False}
    )
    for talk in talks if arm != "none" else ():
        if talk["id"] in done["read"]:
            continue
        try:
            _read(store, arm, client, talk)
        except ModelError as error:
            print(f"  {talk['id']}: {error}", flush=True)
            done["failed"].append(talk["id"])
        done["read"].append(talk["id"])
        progress.write_text(json.dumps(done))
        if len(done["read"]) % 10 == 0:
            print(f"  {arm}: {len(done['read'])} of {len(talks)} sessions", flush=True)
    if not done["forgot"]:
        for talk in talks:
            for name in talk["forget"]:
                _forget(store, talk, name, talks)
        progress.write_text(json.dumps({**done, "forgot": True}))
    return len(done["failed"])


def _read(store: Store, arm: str, client: Client, talk: Mapping[str, Any]) -> None:
    if arm == "model":
        remember(store, client, parse_conversation(talk))
        return
    known = {(m.attribute, m.value, m.since) for m in store.memories(talk["user"], every=True)}
    for each in talk["truth"]:
        if (each["attribute"], each["value"], parse_instant(talk["time"])) not in known:
            who = {"user": talk["user"], "since": talk["time"], "kind": each["kind"], "author": "truth"}
            store.remember(each["attribute"], each["value"], **who)


def _forget(store: Store, talk: Mapping[str, Any], name: str, talks: Sequence[dict[str, Any]]) -> None:
    """Every memory of the customer that holds a value of it: a model may have called it something else."""
    mine = [each for other in talks if other["user"] == talk["user"] for each in other["truth"]]
    values = {each["value"].casefold() for each in mine if each["attribute"] == name}
    found = store.memories(talk["user"], every=True)
    if ids := [memory.id for memory in found if any(value in memory.value.casefold() for value in values)]:
        store.forget(ids)


def extraction(store: Store, talks: Sequence[dict[str, Any]]) -> dict[str, int]:
    """How much of the truth is in the memories of the same session, and how many are none of it."""
    told = [(t["user"], parse_instant(t["time"]), x["value"].casefold()) for t in talks for x in t["truth"]]
    kept = [(m.user, m.since, m.value.casefold()) for m in store.memories(every=True)]
    hit = sum(any(k[:2] == t[:2] and t[2] in k[2] for k in kept) for t in told)
    other = sum(not any(k[:2] == t[:2] and t[2] in k[2] for t in told) for k in kept)
    refused: dict[str, int] = defaultdict(int)
    for made in store.memory_proposals():
        if made.outcome == "rejected":
            refused[made.why.partition(":")[0]] += 1
    return {"truth": len(told), "found": hit, "kept": len(kept), "not in the truth": other, **refused}


def ask(store: Store, task: Task, client: Client, seed: int, workers: int) -> dict[str, bool]:
    """Question -> right. Asked in runs of a few: those that are done are not asked again."""
    right = _answered(store)
    left = [sample for sample in task.test if sample.id not in right]
    for start in range(0, len(left), CHUNK):
        part = replace(task, test=tuple(left[start : start + CHUNK]))
        evaluate(part, store, RoleModels.of(client), Settings(seed=seed, workers=workers))
        print(f"  {len(task.test) - len(left) + start + len(part.test)} of {len(task.test)}", flush=True)
    return {sample.id: right for sample in task.test for right in [_answered(store)[sample.id]]}


def _answered(store: Store) -> dict[str, bool]:
    done = [run.id for run in store.runs() if run.status == "done" and run.kind == "eval"]
    return {e.sample_id: e.verdict.correct for run in done for e in store.episodes(run=run)}


def kinds(task: Task) -> dict[str, list[str]]:
    """What a question is about -> ids."""
    by: dict[str, list[str]] = {"all": [], "told once": [], "changed": [], "never told, or deleted": []}
    for sample in task.test:
        known = sample.data["answer"] != UNKNOWN
        kind = ("changed" if sample.data["changed"] else "told once") if known else "never told, or deleted"
        by[kind].append(sample.id)
        by["all"].append(sample.id)
    return by


def table(arms: Sequence[Mapping[str, Any]], groups: Mapping[str, Sequence[str]]) -> str:
    """Right answers of every arm by kind of question, then the arms in pairs over the same questions."""
    lines = ["| memory | seed | " + " | ".join(groups) + " |", "|" + " --- |" * (len(groups) + 2)]
    for made in arms:
        cells = []
        for ids in groups.values():
            count = sum(made["right"][name] for name in ids)
            low, high = wilson(count, len(ids))
            cells.append(f"{count}/{len(ids)} ({low:.0%} to {high:.0%})")
        lines.append(f"| {made['arm']} | {made['seed']} | " + " | ".join(cells) + " |")
    return "\n".join(
        [*lines, "", "In brackets 95% intervals (Wilson).", "", *_paired(arms), *_extracted(arms)]
    )


def _paired(arms: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    by = {(made["seed"], made["arm"]): made["right"] for made in arms}
    for seed in dict.fromkeys(made["seed"] for made in arms):
        for a, b in (("none", "model"), ("none", "truth"), ("model", "truth")):
            if (seed, a) in by and (seed, b) in by:
                one, other = by[seed, a], by[seed, b]
                gained = sum(other[name] and not one[name] for name in one)
                lost = sum(one[name] and not other[name] for name in one)
                p = mcnemar([one[name] for name in one], [other[name] for name in one])
                counts = f"{gained} gained, {lost} lost"
                yield f"- seed {seed}, {a} to {b}: {counts}, paired p = {p:.2g} (McNemar, exact)"


def _extracted(arms: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    for made in arms:
        if made["arm"] != "none":
            counts = ", ".join(f"{name} {count}" for name, count in made["extraction"].items())
            failed = f"; {made['failed']} sessions without a usable reply" if made["failed"] else ""
            yield f"- seed {made['seed']}, {made['arm']}: {counts}{failed}"


def scripted() -> ScriptedClient:
    """Answers with the memory whose words the question shares; remembers sentences with a day or a lane."""

    def says(request: Request) -> str:
        user = request.messages[-1].content
        if request.role is Role.REMEMBERER:
            found = re.findall(r"\b(\d+ [A-Z]\w+ [A-Z]\w+|\w+day)\b", user)
            about = {
                value: "delivery day" if value.endswith("day") else "delivery address" for value in found
            }
            notes = [{"about": name, "value": value, "kind": "fact"} for value, name in about.items()]
            return json.dumps({"memories": notes[-2:]})
        lines = re.findall(r"^- \[[^\]]*\] ([^:\n]+): (.+)$", user, re.MULTILINE)
        asked = user.rpartition("\n")[2].casefold()
        near = [value for about, value in lines if about.casefold().split()[-1] in asked]
        return near[0] if near else UNKNOWN

    return ScriptedClient(says, model="scripted")


def model_of(name: str) -> AbstractContextManager[Client]:
    return nullcontext(scripted()) if name == "scripted" else connect(name)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--task", type=Path, default=ROOT / "tasks" / "returning_customer")
    parser.add_argument("--out", type=Path, default=ROOT / "benchmarks" / "results")
    parser.add_argument("--work", type=Path, default=Path("bench-returning_customer"))
    parser.add_argument("--model", default=DEFAULT_MODEL, help="a model's name, or `scripted`")
    parser.add_argument("--arms", nargs="+", choices=ARMS, default=list(ARMS))
    parser.add_argument("--seeds", nargs="+", type=int, default=[0])
    parser.add_argument("--workers", type=int, default=4)
    parser.add_argument("--limit", type=int, help="only so many test questions")
    given = parser.parse_args()
    given.work.mkdir(parents=True, exist_ok=True)
    given.out.mkdir(parents=True, exist_ok=True)
    task, talks, arms = load_task(given.task), sessions(given.task), list[dict[str, Any]]()
    task = replace(task, test=task.test[: given.limit])
    with model_of(given.model) as client:
        for seed in given.seeds:
            for arm in given.arms:
                print(f"{arm}, seed {seed}", flush=True)
                name = f"{re.sub(r'[^A-Za-z0-9]+', '-', given.model)}-{arm}-{seed}"
                with Store.open(given.work / f"{name}.db") as store:
                    failed = fill(store, arm, client, talks, given.work / f"{name}.json")
                    made = {
                        "arm": arm,
                        "seed": seed,
                        "failed": failed,
                        "extraction": extraction(store, talks),
                    }
                    arms.append({**made, "right": ask(store, task, client, seed, given.workers)})
    text = table(arms, kinds(task))
    record = {
        "date": datetime.now(UTC).date().isoformat(),
        "model": given.model,
        "machine": f"{platform.machine()}, {os.cpu_count()} cores",
        "prompts": hash_prompts("ace.agent", "ace.methods.ace", "ace.memory"),
        "runs": arms,
    }
    file = "returning_customer" if given.model != "scripted" else "returning_customer_scripted"
    (given.out / f"{file}.json").write_text(json.dumps(record, indent=1, ensure_ascii=False) + "\n", "utf-8")
    (given.out / f"{file}.md").write_text(f"{record['date']}, {given.model}\n\n{text}\n", "utf-8")
    print(text)


if __name__ == "__main__":
    main()
