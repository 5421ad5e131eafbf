"""What documents buy, and what learning adds to them, on the same test questions of tasks/handbook_qa.

    python benchmarks/handbook_qa.py --out benchmarks/results

Arms: `closed` (the model alone), `rag` (it is shown passages of the handbook), `learned` (passages, and the
playbook that it has learned from the training questions with them). Each runs in a playbook file under --work
(kept, so that a stopped benchmark goes on where it was). Writes handbook_qa.json and a table, handbook_qa.md.
With `--model reader` a scripted model answers: it reads what it is shown, which shows that the machinery
works and nothing about models.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import re
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ace.llm import DEFAULT_MODEL, Client, Request, Role, RoleModels, ScriptedClient, connect
from ace.llm.prompts import hash_prompts
from ace.loop import evaluate, learn
from ace.runs.metrics import mcnemar, wilson
from ace.settings import Settings
from ace.store import Store
from ace.task import Task, TaskContext, load_task

ROOT = Path(__file__).parents[1]
ARMS = ("closed", "rag", "learned")
PAIRS = (("closed", "rag"), ("rag", "learned"), ("closed", "learned"))


def arm(name: str, task: Task, store: Store, model: Client, options: Settings) -> dict[str, Any]:
    """What is not in the file yet is made; then right or wrong for every question, and what it took."""

    def show(phase: str, done: int, total: int, note: str = "") -> None:
        print(f"  {phase}: {done} of {total} {note}", flush=True)

    if name == "closed":
        task = replace(task, context=TaskContext())
    done = [run.kind for run in store.runs() if run.status == "done"]
    if name == "learned" and "learn" not in done:
        again = store.last_unfinished("learn", task.name) is not None
        learn(task, store, RoleModels.of(model), options, progress=show, resume=again)
    if "eval" not in done:
        evaluate(task, store, RoleModels.of(model), options, progress=show)
    runs = {run.kind: run for run in store.runs() if run.status == "done"}
    asked = [episode for episode in store.episodes(run=runs["eval"].id) if episode.phase == "test"]
    return {
        "right": [episode.verdict.correct for episode in asked],
        "answers": [episode.attempt.answer for episode in asked],
        "eval": dict(runs["eval"].report or {}),
        "learn": dict(runs["learn"].report or {}) if "learn" in runs else None,
        "playbook": [bullet.content for bullet in store.checkout().active],
    }


def table(made: dict[str, dict[str, Any]], task: Task, limit: int | None) -> str:
    """Markdown: every arm, the paired tests, and the questions by what they need beside the page."""
    lines = ["| arm | right | 95% interval | bullets | tokens a question | seconds a question |"]
    lines.append("|" + " --- |" * 6)
    for name, found in made.items():
        right = found["right"]
        usage = found["eval"]["usage"]["generator"]
        tokens = (usage["prompt_tokens"] + usage["completion_tokens"]) / max(len(right), 1)
        seconds = found["eval"]["seconds"] / max(len(right), 1)
        cells = (
            name,
            _share(right),
            _interval(right),
            len(found["playbook"]),
            f"{tokens:,.0f}",
            f"{seconds:.1f}",
        )
        lines.append("| " + " | ".join(map(str, cells)) + " |")
    lines += ["", "Exact McNemar on the same questions:", ""]
    for one, other in PAIRS:
        if one in made and other in made:
            before, after = made[one]["right"], made[other]["right"]
            fixed = sum(b and not a for a, b in zip(before, after, strict=True))
            broken = sum(a and not b for a, b in zip(before, after, strict=True))
            p_value = mcnemar(before, after)
            lines.append(f"- {one} to {other}: {fixed} fixed, {broken} broken, p = {p_value:.2g}")
    return "\n".join([*lines, "", *_by_need(made, task, limit), "", *_learning(made)])


def _by_need(made: dict[str, dict[str, Any]], task: Task, limit: int | None) -> list[str]:
    """A question may need several things, and is counted at each."""
    samples = task.test[:limit]
    needs = sorted({need for sample in samples for need in sample.data["needs"]})
    lines = [
        "| what a question needs beside its page | " + " | ".join(made) + " |",
        "|" + " --- |" * (len(made) + 1),
    ]
    for need in ("nothing", *needs):
        places = [at for at, sample in enumerate(samples) if need in (sample.data["needs"] or ["nothing"])]
        shares = [_share([found["right"][at] for at in places]) for found in made.values()]
        if places:
            lines.append(f"| {need} | " + " | ".join(shares) + " |")
    return lines


def _learning(made: dict[str, dict[str, Any]]) -> list[str]:
    if "learned" not in made:
        return []
    report = made["learned"]["learn"]
    tokens = sum(use["prompt_tokens"] + use["completion_tokens"] for use in report["usage"].values())
    first = (
        f"Learning: {report['proposed']} proposals, {report['accepted']} kept, {report['seconds'] / 60:.1f} "
        f"minutes, {tokens:,} tokens. The playbook:"
    )
    return [first, "", *(f"- {content}" for content in made["learned"]["playbook"])]


def _share(right: Sequence[bool]) -> str:
    return f"{sum(right)}/{len(right)}"


def _interval(right: Sequence[bool]) -> str:
    low, high = wilson(sum(right), len(right))
    return f"{low:.0%} to {high:.0%}"


def reader(task: Task) -> ScriptedClient:
    """Answers what stands in the prompt, if it knows what else is needed; learns nicknames."""
    rows = {sample.question: sample.data for sample in (*task.train, *task.val, *task.test)}

    def say(request: Request) -> str:
        system, user = (request.messages[0].content, request.messages[-1].content)
        if request.role is Role.REFLECTOR:
            name = re.search(r"\bthe (\w+(?: \w+)?)\?", user)
            page = re.search(r"stands in what was found: \[([\w-]+)", user)
            lesson = f"The {name[1]}: {page[1]}." if name and page else "Answers: short."
            return json.dumps({"lesson": lesson})
        question = user.splitlines()[-1]
        row, shown = rows[question], " ".join(user.split())
        known = all(_known(need, question, row, system) for need in row["needs"])
        return row["answer"] if row["evidence"] in shown and known else "no idea"

    return ScriptedClient(say, model="reader")


def _known(need: str, question: str, row: Any, system: str) -> bool:
    page = Path(row["source"]).stem
    return need != "nickname" or f": {page}." in system


def model_of(name: str, task: Task, workers: int) -> AbstractContextManager[Client]:
    return nullcontext(reader(task)) if name == "reader" else connect(name, slots=workers)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, default=ROOT / "benchmarks" / "results")
    parser.add_argument("--work", type=Path, default=Path("bench-handbook_qa"))
    parser.add_argument("--model", default=DEFAULT_MODEL, help="a model's name, or `reader`")
    parser.add_argument("--arms", nargs="+", default=list(ARMS), choices=ARMS)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--limit", type=int, help="questions of each split; for trying it out")
    parser.add_argument("--workers", type=int, default=Settings().workers)
    given = parser.parse_args()
    given.work.mkdir(parents=True, exist_ok=True)
    given.out.mkdir(parents=True, exist_ok=True)
    task, made = load_task(ROOT / "tasks" / "handbook_qa"), dict[str, dict[str, Any]]()
    options = Settings(seed=given.seed, limit=given.limit, workers=given.workers, measure=False)
    with model_of(given.model, task, given.workers) as model:
        for name in given.arms:
            print(name, flush=True)
            with Store.open(given.work / f"{name}-{given.seed}.db") as store:
                made[name] = arm(name, task, store, model, options)
    record = {
        "date": datetime.now(UTC).date().isoformat(),
        "model": given.model,
        "machine": f"{platform.machine()}, {os.cpu_count()} cores",
        "prompts": hash_prompts("ace.agent", "ace.methods.ace", "ace.memory"),
        "seed": given.seed,
        "arms": made,
    }
    name = "handbook_qa" if given.model != "reader" else "handbook_qa_reader"
    text = table(made, task, given.limit)
    (given.out / f"{name}.json").write_text(json.dumps(record, indent=1, ensure_ascii=False) + "\n", "utf-8")
    (given.out / f"{name}.md").write_text(f"{record['date']}, {given.model}\n\n{text}\n", "utf-8")
    print(text)


if __name__ == "__main__":
    main()
