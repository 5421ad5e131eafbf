"""Measure what learning one domain does to others: domains are learned one after the other into one file.

    python benchmarks/retention.py --tasks tasks/shop_sql tasks/handbook_qa tasks/office_tools

Before anything is learned and after each domain, the test questions of all domains are scored. Arms: `routed`
(a branch for each domain; a router that knows the training questions chooses one, or the shared core, for
each question) and `shared` (one playbook for all). A question whose playbook did not change between two
stages keeps its score: the same prompt is not asked again. The playbooks and the scores so far are kept under
--work, so that a stopped measurement goes on where it was. Writes results/retention.{json,md}.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from ace.llm import Client, RoleModels
from ace.loop import evaluate, learn
from ace.loop.domains import CORE, name_branch, open_domain, read_router
from ace.loop.offline import limit_samples
from ace.retrieval.domain_router import DomainRouter
from ace.runs.steps import PhaseKind
from ace.store import Store
from ace.task import Sample, Task, load_task
from benchmarks import measured_pages, measuring
from benchmarks.measuring import Bench

ARMS = ("routed", "shared")
TASKS = ("tasks/shop_sql", "tasks/handbook_qa", "tasks/office_tools")


@dataclass(slots=True)
class Arm:
    """Hold one playbook file, and right or wrong of each question with each version it was asked with."""

    name: str
    bench: Bench
    tasks: Sequence[Task]
    scores: dict[str, bool] = field(default_factory=dict)

    @property
    def file(self) -> Path:
        return self.bench.work / f"{self.name}.db"

    def measure(self) -> list[dict[str, Any]]:
        """Return a row for each stage: what was learned last, and the answers and routes of each domain."""
        if self._kept.exists():
            self.scores = json.loads(self._kept.read_text("utf-8"))
        with Store.open(self.file) as store:
            rows = [self._score_all(store, "")]
            for task in self.tasks:
                print(f"{self.name}: learn {task.name}", flush=True)
                self._learn(store, task)
                rows.append(self._score_all(store, task.name))
        return rows

    @property
    def _kept(self) -> Path:
        return self.bench.work / f"{self.name}.json"

    def _learn(self, store: Store, task: Task) -> None:
        """Learn a domain, or go on with it; nothing where that is done."""
        runs = [run for run in store.runs() if run.kind == "learn" and run.task == task.name]
        if any(run.status == "done" for run in runs):
            return
        if self.name == "routed":
            open_domain(store, task.name)
        models, settings = RoleModels.of(self.bench.model), next(iter(self.bench.variants.values()))
        progress, resume = measuring.show_progress, bool(runs)
        learn(task, store, models, settings, progress=progress, resume=resume)
        store.switch(CORE)

    def _score_all(self, store: Store, learned: str) -> dict[str, Any]:
        """Score the test questions of every domain with what is learned so far."""
        known = {learned, *self._learned_before(learned)} - {""}
        questions = read_router(store).questions
        router = DomainRouter({name: asked for name, asked in questions.items() if name in known})
        domains = {}
        for task in self.tasks:
            groups: dict[str, list[Sample]] = {}
            for sample in limit_samples(task, self.bench.plain).test:
                groups.setdefault(router.choose(sample.question).domain, []).append(sample)
            right = dict[str, bool]()
            for domain, samples in groups.items():
                right |= self._score(store, task, samples, self._find_version(store, domain, known))
            routes = {domain or "core": len(samples) for domain, samples in groups.items()}
            domains[task.name] = {"right": dict(sorted(right.items())), "routes": routes}
        return {"learned": learned, "domains": domains}

    def _learned_before(self, learned: str) -> list[str]:
        names = [task.name for task in self.tasks]
        return names[: names.index(learned)] if learned else []

    def _find_version(self, store: Store, domain: str, known: set[str]) -> int:
        """Return the version that a question is asked with: as it was when the stage was reached."""
        done = [run for run in store.runs() if run.kind == "learn" and run.status == "done"]
        if self.name == "routed":
            return store.find_version(name_branch(domain))
        reports = [run.report or {} for run in done if run.task in known]
        return max((int(report["selected"]) for report in reports), default=0)

    def _score(self, store: Store, task: Task, samples: Sequence[Sample], version: int) -> Mapping[str, bool]:
        """Return right or wrong of each question with a version; only those are asked that were not yet."""
        keys = {sample.id: f"{task.name}/{sample.id}@{version}" for sample in samples}
        new = tuple(sample for sample in samples if keys[sample.id] not in self.scores)
        if new:
            print(f"{self.name}: {len(new)} of {task.name} with version {version}", flush=True)
            settings = replace(self.bench.plain, limit=None)
            models, progress = RoleModels.of(self.bench.model), measuring.show_progress
            evaluate(replace(task, test=new), store, models, settings, progress=progress, version=version)
            for episode in store.episodes(run=store.runs()[-1].id):
                if episode.phase == PhaseKind.TEST:
                    self.scores[keys[episode.sample_id]] = episode.verdict.correct
            self._kept.write_text(json.dumps(self.scores, indent=1), "utf-8")
        return {name: self.scores[key] for name, key in keys.items()}


def render_arm(name: str, rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return the matrix of an arm: the score of each domain after each stage, and where questions went."""
    domains = list(rows[0]["domains"])
    matrix, routes = [], []
    for row in rows:
        cells = [list(row["domains"][domain]["right"].values()) for domain in domains]
        matrix.append([row["learned"] or "nothing", *map(measured_pages.format_count, cells)])
        counts = [Counter(row["domains"][domain]["routes"]) for domain in domains]
        texts = [", ".join(f"{to} {count}" for to, count in each.most_common()) for each in counts]
        routes.append([row["learned"] or "nothing", *texts])
    sections = [f"## {name}", measured_pages.format_table(["learned last", *domains], matrix)]
    if name == "routed":
        sections += ["Where the questions went:", measured_pages.format_table(["", *domains], routes)]
    return sections


def compare_stages(rows: Sequence[Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    """Return for each domain what was lost or won, in pairs, between learning it and learning the last."""
    found = {}
    for row in rows[1:]:
        domain = row["learned"]
        before, after = row["domains"][domain]["right"], rows[-1]["domains"][domain]["right"]
        pairs = [(right, after[sample]) for sample, right in before.items()]
        by, low, high = measured_pages.bound_difference(pairs)
        found[domain] = {
            "by": by,
            "ci95": (low, high),
            "text": f"{by:+.1%} (95% {low:+.1%} to {high:+.1%}), {measured_pages.format_pairs(pairs)}",
        }
    return found


def measure(
    options: argparse.Namespace,
    words: Sequence[str],
    model: Client | None = None,
    tasks: Sequence[Task] | None = None,
) -> str:
    """Measure both arms and write the pages; return the page."""
    if tasks is None:
        tasks = [load_task(folder, trust=True) for folder in options.tasks]
    names = [task.name for task in tasks]
    arms: dict[str, Any] = {}
    sections = []
    with measuring.open_bench(options, model, tasks=names) as bench:
        record = measuring.describe_measurement("retention.py", words, bench.model.model)
        for name in options.arms:
            rows = Arm(name, bench, tasks).measure()
            changes = compare_stages(rows)
            arms[name] = {"stages": rows, "since_learned": changes}
            table = [[domain, change["text"]] for domain, change in changes.items()]
            head = ["domain", "from its own stage to the last"]
            sections += [*render_arm(name, rows), measured_pages.format_table(head, table)]
    return measured_pages.write_result(
        options.out, options.name or "retention", {**record, "arms": arms}, sections
    )


def read_options(words: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--tasks", nargs="+", default=TASKS, help="folders, in the order of learning")
    parser.add_argument("--arms", nargs="+", choices=ARMS, default=ARMS)
    measuring.add_options(parser, "bench-retention")
    return parser.parse_args(words)


if __name__ == "__main__":
    measuring.run_script(read_options, measure)
